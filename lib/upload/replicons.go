package upload

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/pycsv"
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

// newID is the id that the row gives to its sequence, or nothing.
func (r replicon) newID() string {
	if id := r.fields[newID]; id != "-" {
		return id
	}
	return ""
}

// circular reports whether Bakta takes the sequence for circular.
func (r replicon) circular() bool {
	shape := strings.ToLower(r.fields[topology])
	return shape == "c" || strings.Contains(shape, "circ")
}

// inspectReplicons returns the rows of a replicon table by the ids of their sequences, or reports why Bakta would refuse
// it, even after it was rewritten. Rows of sequences that the genome lacks count for nothing, so the ids are
// checked with the genome. Of several rows of a sequence Bakta goes by the last.
func inspectReplicons(content io.Reader) (map[string]replicon, error) {
	b, err := readAll(content, maxReplicon, repliconTable)
	if err != nil {
		return nil, err
	}
	rows, err := parseReplicons(b)
	if err != nil {
		return nil, err
	}
	table := make(map[string]replicon, len(rows))
	for _, r := range rows {
		table[r.fields[originalID]] = r
	}
	return table, nil
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
			return nil, refuse(
				"The replicon table has a line of more than %d bytes in line %d; check that it is the right file.",
				maxRepliconLine,
				number,
			)
		}
	}
	var best table
	for i, separator := range "\t,;" {
		dialect := pycsv.Dialect{
			Separator: byte(separator), //nolint:gosec // an ASCII character
			Quote:     '"',
			Doubled:   true,
			SkipSpace: separator != '\t',
		}
		if t := surveyTable(content, dialect); i == 0 || t.better(best) {
			best = t
		}
	}
	// Quotes are what Bakta takes for them, if it makes five columns so, and of the same separator if another makes five.
	if d := pycsv.Sniff(content); d.Separator == best.Separator || best.good < best.rows {
		if t := surveyTable(content, d); t.rows > 0 && t.good == t.rows {
			best = t
		}
	}
	return best.replicons(content)
}

// maxRepliconLine bounds a line of a replicon table, in bytes: one of separators alone costs a multiple of them.
const maxRepliconLine = 64 << 10

// table is what a replicon table is like as it is read with one dialect. The rows are not kept: there are four of these
// of each upload.
type table struct {
	pycsv.Dialect
	rows  int
	good  int // rows with as many fields as there are columns
	first int // fields of the first row
}

// readTable splits a text into rows of fields, and hands each on until an error. Blank rows are left out.
func readTable(content []byte, d pycsv.Dialect, each func(pycsv.Row) error) error {
	return d.Read(content, func(r pycsv.Row) error {
		for i := range r.Fields {
			r.Fields[i] = strings.TrimSpace(r.Fields[i])
		}
		for len(r.Fields) > repliconFields && r.Fields[len(r.Fields)-1] == "" {
			r.Fields = r.Fields[:len(r.Fields)-1]
		}
		if strings.Join(r.Fields, "") == "" {
			return nil
		}
		return each(r)
	})
}

// surveyTable counts the rows and columns of a table that is read with a dialect.
func surveyTable(content []byte, d pycsv.Dialect) table {
	t := table{Dialect: d}
	_ = readTable(content, d, func(r pycsv.Row) error { // there is none
		if t.rows++; t.rows == 1 {
			t.first = len(r.Fields)
		}
		if len(r.Fields) == repliconFields {
			t.good++
		}
		return nil
	})
	return t
}

// better reports whether a table was read with a better dialect than the other.
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
	err := readTable(content, t.Dialect, func(r pycsv.Row) error {
		if n := len(r.Fields); n != repliconFields {
			return t.miscounted(r, n)
		}
		header := first && isHeader(r.Fields)
		if first = false; header {
			return nil
		}
		rep := replicon{line: r.Line, fields: [repliconFields]string(r.Fields)}
		for _, id := range []int{originalID, newID} {
			if words := strings.Fields(rep.fields[id]); len(words) > 0 {
				rep.fields[id] = words[0]
			}
		}
		for _, f := range rep.fields {
			if err := writable(f, r.Line); err != nil {
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
func (t table) miscounted(r pycsv.Row, n int) error {
	for _, f := range r.Fields {
		if strings.ContainsRune(f, '\n') {
			return refuse("The replicon table has a quotation mark in line %d that is not closed there; remove it.", r.Line)
		}
	}
	if n == 1 {
		return refuse(
			"The replicon table has no separators in line %d; it needs five columns (%s) with tabs or commas between them.",
			r.Line,
			columns,
		)
	}
	name := map[byte]string{'\t': "tabs", ',': "commas", ';': "semicolons"}[t.Separator]
	advice := "leave a field empty if there is nothing to say"
	if n > repliconFields && t.Separator != '\t' {
		advice = "put a name that contains a separator between double quotes"
	}
	return refuse(
		"The replicon table has %d fields in line %d, separated by %s, and needs five (%s); %s.",
		n,
		r.Line,
		name,
		columns,
		advice,
	)
}

// isHeader reports whether a first row names the columns.
func isHeader(fields []string) bool {
	return strings.Contains(strings.ToLower(fields[repliconType]), "type") ||
		strings.Contains(strings.ToLower(fields[topology]), "topology")
}

// writable refuses a field that would break the lines of result files.
func writable(field string, line int) error {
	if strings.ContainsFunc(field, job.Control) {
		return refuse("The replicon table has a line break, a tab or another control character inside a field in line %d; remove it. A "+
			"quotation mark that is not closed in its line is a reason, too.", line)
	}
	return nil
}

// repliconsBegin is the first row of a table as it is written for Bakta. Bakta guesses from the first 1024 characters
// what separates and quotes fields (csv.Sniffer), so all of these are in this row: the guess is the same whatever the
// rows below hold. No sequence has its id, since a name of a sequence ends before white space.
var repliconsBegin = "\"no\vsequence\"\t\"\"\"\"\t\"-\"\t\"-\"\t\"" + strings.Repeat("-", pycsv.Sniffed) + "\"\n"

// formatReplicons writes a table that Bakta reads as it is meant.
func formatReplicons(rows []replicon) []byte {
	var b bytes.Buffer
	b.WriteString(repliconsBegin)
	for _, r := range rows {
		for i, f := range r.fields {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(`"` + strings.ReplaceAll(f, `"`, `""`) + `"`)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}
