package workflow

import (
	"bytes"
	"encoding/csv"
	"io"
	"strings"
	"unicode/utf8"
)

const repliconTable = "replicon table"

// replicon is a row of a replicon table: what the user knows about one sequence of the genome.
type replicon struct {
	line   int                    // in the upload, from 1
	fields [repliconFields]string // without white space around
}

// The columns of a replicon table. Bakta takes the first word of both ids, an empty new id or name, or "-", as
// none, and types and topologies that it does not know as contig and linear.
const (
	originalID = iota
	newID
	repliconType
	topology
	repliconName
	repliconFields
)

const columns = "original id, new id, type, topology and name"

// inspectReplicons reports why Bakta would refuse a replicon table, even after it was written anew.
func inspectReplicons(content io.Reader, c Config) error {
	b, err := readAll(content, maxReplicon, repliconTable)
	if err != nil {
		return err
	}
	rows, err := parseReplicons(b)
	if err != nil || c.KeepContigHeaders { // with those, the new ids are not used
		return err
	}
	last := make(map[string]int) // of rows with the same original id, Bakta goes by the last
	for i, r := range rows {
		last[r.fields[originalID]] = i
	}
	lines := make(map[string]int)
	for i, r := range rows {
		id := r.fields[newID]
		if id == "" || id == "-" || last[r.fields[originalID]] != i {
			continue
		}
		if first, ok := lines[id]; ok {
			return refuse("The replicon table gives the new id %s twice, in lines %d and %d; give each sequence an id of its own.", shown(id), first, r.line)
		}
		lines[id] = r.line
		if c.Compliant && !insdcID.MatchString(id) {
			return refuse("The replicon table has the new id %s in line %d, which can't stand in an INSDC-compliant annotation; use at most 25 letters, digits or characters of _.:*#-.", shown(id), r.line)
		}
	}
	return nil
}

// parseReplicons reads a replicon table. Tabs, commas or semicolons may separate its fields. Blank lines, blank
// fields behind the last column, a header row and a byte order mark count for nothing. The error is ErrBlank if
// nothing is left, or says what is wrong in which line.
func parseReplicons(content []byte) ([]replicon, error) {
	rows, err := readReplicons(content)
	switch {
	case err == nil && len(rows) == 0:
		return nil, ErrBlank
	case err != nil:
		if what := guess(content[:min(len(content), headSize)]); what != "" {
			return nil, refuse("The replicon table seems to be %s; upload it as plain text, with tabs or commas between the columns.", what)
		}
	}
	return rows, err
}

func readReplicons(content []byte) ([]replicon, error) {
	content = bytes.TrimPrefix(content, []byte(utf8BOM))
	content = bytes.ReplaceAll(content, []byte("\r\n"), []byte("\n"))
	content = bytes.ReplaceAll(content, []byte("\r"), []byte("\n"))
	number := 0
	for line := range bytes.Lines(content) {
		number++
		if !utf8.Valid(line) {
			return nil, refuse("The replicon table is not UTF-8 text in line %d; save it as UTF-8, or remove letters with accents.", number)
		}
		if len(line) > maxRepliconLine {
			return nil, refuse("The replicon table has a line of more than %d bytes in line %d; check that it is the right file.", maxRepliconLine, number)
		}
	}
	best := surveyTable(content, '\t')
	for _, separator := range ",;" {
		if t := surveyTable(content, separator); t.better(best) {
			best = t
		}
	}
	return best.replicons(content)
}

// maxRepliconLine bounds a line of a replicon table, in bytes: one of separators alone costs a multiple of them.
const maxRepliconLine = 64 << 10

// table is what a replicon table is like as it is read with one separator. The rows are not kept: there are three of
// these of each upload.
type table struct {
	separator rune
	rows      int
	good      int // rows with as many fields as there are columns
	first     int // fields of the first row
}

type row struct {
	line   int
	fields []string
}

// readTable splits a text into rows of fields, and hands each on until an error. Blank rows are left out.
func readTable(content []byte, separator rune, each func(row) error) error {
	r := csv.NewReader(bytes.NewReader(content))
	r.Comma = separator
	r.LazyQuotes = true
	r.FieldsPerRecord = -1
	r.ReuseRecord = true
	r.TrimLeadingSpace = separator != '\t' // or it would take an empty field for space
	for {
		fields, err := r.Read()
		if err != nil {
			return nil // the end: with lazy quotes the reader takes everything
		}
		line, _ := r.FieldPos(0)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		for len(fields) > repliconFields && fields[len(fields)-1] == "" {
			fields = fields[:len(fields)-1]
		}
		if strings.Join(fields, "") == "" {
			continue
		}
		if err := each(row{line, fields}); err != nil {
			return err
		}
	}
}

// surveyTable looks at a table as it is read with a separator.
func surveyTable(content []byte, separator rune) table {
	t := table{separator: separator}
	_ = readTable(content, separator, func(r row) error { // there is none
		if t.rows++; t.rows == 1 {
			t.first = len(r.fields)
		}
		if len(r.fields) == repliconFields {
			t.good++
		}
		return nil
	})
	return t
}

// better reports whether a table was read with a better separator than the other.
func (t table) better(other table) bool {
	if whole := t.good == t.rows; whole != (other.good == other.rows) {
		return whole
	} else if whole {
		return false
	}
	if t.good != other.good {
		return t.good > other.good
	}
	return t.first > other.first
}

// replicons returns the rows if all of them can be written so that Bakta reads them.
func (t table) replicons(content []byte) ([]replicon, error) {
	if t.rows > maxSequences {
		return nil, refuse("The replicon table has %d rows, which is too much; at most %d are allowed.", t.rows, maxSequences)
	}
	replicons := make([]replicon, 0, t.rows)
	first := true
	err := readTable(content, t.separator, func(r row) error {
		if n := len(r.fields); n != repliconFields {
			return t.miscounted(r, n)
		}
		header := first && isHeader(r.fields)
		if first = false; header {
			return nil
		}
		rep := replicon{line: r.line, fields: [repliconFields]string(r.fields)}
		for _, id := range []int{originalID, newID} {
			if words := strings.Fields(rep.fields[id]); len(words) > 0 {
				rep.fields[id] = words[0]
			}
		}
		for _, f := range rep.fields {
			if err := writable(f, r.line); err != nil {
				return err
			}
		}
		replicons = append(replicons, rep)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return replicons, nil
}

// miscounted says what is wrong with a row that has not as many fields as there are columns.
func (t table) miscounted(r row, n int) error {
	for _, f := range r.fields {
		if strings.ContainsRune(f, '\n') {
			return refuse("The replicon table has a quotation mark in line %d that is not closed there; remove it.", r.line)
		}
	}
	if n == 1 {
		return refuse("The replicon table has no separators in line %d; it needs five columns (%s) with tabs or commas between them.", r.line, columns)
	}
	name := map[rune]string{'\t': "tabs", ',': "commas", ';': "semicolons"}[t.separator]
	advice := "leave a field empty if there is nothing to say"
	if n > repliconFields && t.separator != '\t' {
		advice = "put a name that holds a separator between double quotes"
	}
	return refuse("The replicon table has %d fields in line %d, separated by %s, and needs five (%s); %s.", n, r.line, name, columns, advice)
}

// isHeader reports whether a first row names the columns.
func isHeader(fields []string) bool {
	return strings.Contains(strings.ToLower(fields[repliconType]), "type") ||
		strings.Contains(strings.ToLower(fields[topology]), "topology")
}

// writable refuses a field that formatReplicons can't write so that Bakta's reader, which guesses what quotes
// and separates fields, reads the same.
func writable(field string, line int) error {
	switch {
	case strings.ContainsFunc(field, control):
		return refuse("The replicon table has a line break, a tab or another control character inside a field in line %d; remove it.", line)
	case strings.ContainsAny(field, `"'`):
		return refuse("The replicon table has a quotation mark inside the field %s in line %d; remove it.", shown(field), line)
	case strings.HasPrefix(field, ","):
		return refuse("The replicon table has the field %s in line %d, which begins with a comma; remove the comma.", shown(field), line)
	case utf8.RuneCountInString(field) > maxText:
		return refuse("The replicon table has a field of %d characters in line %d; use at most %d.", utf8.RuneCountInString(field), line, maxText)
	}
	return nil
}

// formatReplicons writes a table that Bakta reads as it is meant. Bakta guesses the separator from the first
// 1024 characters: by a quoted field between two equal characters if there is one, else by how evenly
// characters are spread over the lines, which a comma in a name upsets, and a line that is cut off there. So
// all fields are quoted, and none holds what could be taken for the end of one.
func formatReplicons(rows []replicon) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		b.WriteString(`"` + strings.Join(r.fields[:], "\"\t\"") + "\"\n")
	}
	return b.Bytes()
}
