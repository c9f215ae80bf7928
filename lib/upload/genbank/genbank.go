// Package genbank reads GenBank files as Biopython does, as far as Bakta uses them: records, coding sequences and their
// locations. It writes them in a form that Biopython reads without fail.
package genbank

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Record is what a GenBank record says of itself.
type Record struct {
	name, accession, version string
	Length                   int64 // in base pairs; 0 if it is not said
	Circular                 bool
	Protein                  bool // it is one of a protein
}

// ID returns the id that Biopython gives the record (Bio/GenBank/__init__.py of Biopython 1.88), by which Bakta finds
// the sequence.
func (r Record) ID() string {
	id := firstAccession(r.accession)
	prefix, number, ok := strings.Cut(r.version, ".")
	if n, err := strconv.ParseInt(number, 10, 64); ok && err == nil && only(number, "0123456789") {
		if id == "" {
			id = firstAccession(prefix)
		}
		if id != "" && !strings.Contains(id, ".") {
			id += "." + strconv.FormatInt(n, 10)
		}
	} else if r.version != "" {
		id = r.version
	}
	if id == "" {
		id = r.name
	}
	return id
}

// firstAccession returns the first of several accessions.
func firstAccession(text string) string {
	if words := strings.FieldsFunc(text, func(r rune) bool { return r == ';' || unicode.IsSpace(r) }); len(words) > 0 {
		return words[0]
	}
	return ""
}

// parseLocus reads the LOCUS line of a record, whose parts stand in columns or have spaces between them. The error is
// what is wrong with it, in words that go on after "a LOCUS line in line 1".
func parseLocus(line string) (r Record, err error) {
	fields := strings.Fields(strings.TrimPrefix(line, "LOCUS"))
	unit := slices.IndexFunc(fields, func(f string) bool { return f == "bp" || f == "aa" || f == "rc" })
	switch {
	case len(fields) == 0:
		return r, nil
	case unit < 0 && len(fields) == 1:
		return Record{name: fields[0]}, nil
	case unit < 0:
		return r, fmt.Errorf(
			"without the sequence's length in bp (%s); write it as GenBank does, such as LOCUS name 1234 bp DNA linear",
			job.Quote(line),
		)
	case unit == 0:
		return r, fmt.Errorf(
			"without a name and a length (%s); write it as GenBank does, such as LOCUS name 1234 bp DNA linear",
			job.Quote(line),
		)
	case unit == 1:
		return r, fmt.Errorf("in which no space separates the name and the length (%s), as in Prokka's files with long names; insert "+
			"a space, or shorten the names of the sequences and create the file again",
			job.Quote(strings.Join(fields[:2], " ")))
	}
	length, err := strconv.ParseInt(fields[unit-1], 10, 64)
	if err != nil || length < 0 || length > maxLocusLength {
		return r, fmt.Errorf(
			"with the length %s, which is not a number; write it as GenBank does, such as LOCUS name 1234 bp DNA linear",
			job.Quote(fields[unit-1]),
		)
	}
	return Record{
		name:     strings.Join(fields[:unit-1], " "),
		Length:   length,
		Circular: slices.Contains(fields[unit:], "circular"),
		Protein:  fields[unit] == "aa",
	}, nil
}

// maxLocusLength is the longest length that has a place in a LOCUS line's columns.
const maxLocusLength = 99_999_999_999

// write begins a record as Biopython surely reads it. Of others it takes a dozen forms of their first line,
// and stumbles over headers that say nothing of the features.
func (r Record) write(out *bufio.Writer) {
	switch {
	case r.Length == 0:
		out.WriteString("LOCUS       record\n")
	case r.Circular:
		fmt.Fprintf(out, "LOCUS       record           %11d bp    DNA     circular UNK 01-JAN-1980\n", r.Length)
	default:
		fmt.Fprintf(out, "LOCUS       record           %11d bp    DNA     linear   UNK 01-JAN-1980\n", r.Length)
	}
	if id := r.ID(); id != "" {
		out.WriteString("VERSION     " + id + "\n")
	}
	out.WriteString("FEATURES             Location/Qualifiers\n")
}

// Writer writes coding sequences, those of a record below each other. A bufio.Writer keeps the first error.
type Writer struct {
	Out    *bufio.Writer
	open   bool
	record Record
}

// Feature writes a coding sequence with those of its qualifiers that are named.
func (w *Writer) Feature(record Record, location string, f Feature, qualifiers ...string) {
	if w.open && w.record != record {
		w.End()
	}
	if !w.open {
		record.write(w.Out)
		w.open, w.record = true, record
	}
	w.Out.WriteString("     CDS             " + location + "\n")
	for _, q := range qualifiers {
		for _, value := range f.Qualifiers[q] {
			w.Out.WriteString("                     /" + q + "=\"" + strings.ReplaceAll(value, `"`, `""`) + "\"\n")
		}
	}
}

// End ends the record.
func (w *Writer) End() {
	if w.open {
		w.Out.WriteString("ORIGIN\n//\n")
	}
	w.open = false
}

// Feature is a feature of a record.
type Feature struct {
	Line       int
	key        string
	Location   string
	Qualifiers map[string][]string // those that matter here
}

// Has reports whether the feature has a qualifier, with a value or without.
func (f Feature) Has(qualifier string) bool { return f.Qualifiers[qualifier] != nil }

// Value returns the first value of a qualifier, without white space around it.
func (f Feature) Value(qualifier string) string {
	if v := f.Qualifiers[qualifier]; len(v) > 0 {
		return strings.TrimSpace(v[0])
	}
	return ""
}

// Pseudo reports whether it is marked as a gene that does not work any more.
func (f Feature) Pseudo() bool {
	return f.Has("pseudo") || f.Has("pseudogene")
}

// The columns of a line in which the name of a feature begins.
const (
	featureKey       = 2
	featureQualifier = 21
)

// sequenceParts are the words with which the part behind a record's features may begin.
var sequenceParts = []string{"ORIGIN", "CONTIG", "BASE", "WGS", "TSA", "TLS"}

// Reader reads GenBank records, line by line. What it does not know it passes over.
type Reader struct {
	Each    func(Record, Feature) error // gets each coding sequence
	Called  string
	open    bool // a record has begun and not ended
	any     bool // there was a record
	table   bool // in the table of features
	after   bool // behind it
	record  Record
	feature Feature
	raw     strings.Builder // its location and qualifiers
}

// Take takes the next line.
func (g *Reader) Take(line []byte, number int) error {
	word, rest, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte(" "))
	value := strings.Join(strings.Fields(string(rest)), " ")
	switch string(word) {
	case "LOCUS":
		if g.open {
			return refuse("The %s has a record in line %d before the one above it ended with \"//\"; upload the whole file.", g.Called, number)
		}
		record, err := parseLocus(string(line))
		if err != nil {
			return refuse("The %s has a LOCUS line in line %d %v.", g.Called, number, err)
		}
		*g = Reader{Each: g.Each, Called: g.Called, open: true, any: true, record: record}
		return nil
	case "ACCESSION":
		if g.record.accession == "" {
			g.record.accession = value
		}
		return nil
	case "VERSION":
		g.record.version, _, _ = strings.Cut(value, " GI:")
		return nil
	case "FEATURES":
		g.table = g.open
		return nil
	case "//":
		if g.open && !g.after {
			return refuse("The %s has a record that ends in line %d without a sequence part (ORIGIN or CONTIG), which Bakta can't read; save it "+
				"again, with its sequence.", g.Called, number)
		}
		g.open = false
		return nil
	}
	if len(line) == 0 {
		return nil
	}
	if line[0] != ' ' {
		g.after = g.after || g.table || slices.Contains(sequenceParts, string(word))
		g.table = false
		return g.endFeature()
	}
	if !g.table {
		return nil
	}
	if start := len(line) - len(bytes.TrimLeft(line, " \t")); start >= featureKey && start < featureQualifier && start < len(line) {
		if err := g.endFeature(); err != nil {
			return err
		}
		key, location, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		g.feature = Feature{Line: number, key: key}
		g.raw.Reset()
		g.raw.WriteString(strings.TrimSpace(location) + "\n")
		return nil
	}
	if g.raw.Len() > maxFeature {
		return refuse(
			"The %s has a feature of more than %d bytes in line %d; check that it is the right file.",
			g.Called,
			maxFeature,
			g.feature.Line,
		)
	}
	if g.coding() {
		g.raw.WriteString(strings.TrimSpace(string(line)) + "\n")
	}
	return nil
}

// maxFeature bounds a feature, in bytes. Its parts are written as lines.
const maxFeature = 256 << 10

func (g *Reader) coding() bool { return strings.EqualFold(g.feature.key, "CDS") }

// endFeature hands on the feature that was read, if it is a coding sequence.
func (g *Reader) endFeature() error {
	f := g.feature
	if !g.coding() {
		return nil
	}
	g.feature = Feature{}
	location, qualifiers, _ := strings.Cut(g.raw.String(), "\n/")
	f.Location = strings.ReplaceAll(location, "\n", "")
	f.Qualifiers = make(map[string][]string)
	for qualifiers != "" {
		var name, value string
		name, value, qualifiers = cutQualifier(qualifiers)
		switch name {
		case "translation":
			value = strings.Join(strings.Fields(value), "")
		case "pseudo", "pseudogene", "locus_tag", "gene", "product", "db_xref", "EC_number", "ribosomal_slippage", "transl_except":
		default:
			continue // no others are remembered: there may be any number of them
		}
		f.Qualifiers[name] = append(f.Qualifiers[name], value)
	}
	return g.Each(g.record, f)
}

// cutQualifier returns the first qualifier of a text whose first slash is cut off, and the rest in the same form.
// A text between quotes may go on over lines, and a quote in it is doubled.
func cutQualifier(text string) (name, value, rest string) {
	end := strings.IndexAny(text, "=\n")
	if end < 0 {
		return text, "", ""
	}
	name = text[:end]
	if text[end] == '\n' || !strings.HasPrefix(text[end+1:], `"`) {
		value, rest, _ = strings.Cut(text[end:], "\n/")
		return name, strings.TrimSpace(strings.ReplaceAll(strings.TrimPrefix(value, "="), "\n", " ")), rest
	}
	quoted := text[end+2:]
	for from := 0; ; {
		i := strings.IndexByte(quoted[from:], '"')
		if i < 0 {
			return name, strings.ReplaceAll(quoted, "\n", " "), ""
		}
		i += from
		if strings.HasPrefix(quoted[i+1:], `"`) {
			from = i + 2
			continue
		}
		value = strings.ReplaceAll(quoted[:i], `""`, `"`)
		_, rest, _ = strings.Cut(quoted[i+1:], "\n/")
		return name, strings.TrimSpace(strings.ReplaceAll(value, "\n", " ")), rest
	}
}

// End reports what is missing at the end of the file.
func (g *Reader) End() error {
	if g.open {
		return refuse("The %s ends inside a record; upload the whole file, whose last line is \"//\".", g.Called)
	}
	return nil
}

// Is reports whether a first line begins a GenBank record.
func Is(line []byte) bool { return bytes.HasPrefix(line, []byte("LOCUS ")) }

// only reports whether all characters of s are among those of set.
func only(s, set string) bool { return strings.Trim(s, set) == "" }

func refuse(format string, args ...any) error { return job.Errorf(job.Invalid, format, args...) }
