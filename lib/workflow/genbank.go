package workflow

import (
	"bytes"
	"strings"
)

// genbankRecord is what a GenBank record says of itself.
type genbankRecord struct {
	name, accession, version string
}

// id returns the id that Bakta's reader gives the record.
func (r genbankRecord) id() string {
	id := r.accession
	number := r.version[strings.LastIndexByte(r.version, '.')+1:]
	if strings.Count(r.version, ".") == 1 && number != "" && only(number, "0123456789") {
		if id == "" {
			id = strings.TrimSuffix(r.version, "."+number)
		}
		if !strings.Contains(id, ".") {
			id += "." + number
		}
	} else if r.version != "" {
		id = r.version
	}
	if id == "" {
		id = r.name
	}
	return id
}

// genbankFeature is a feature of a record.
type genbankFeature struct {
	line       int
	key        string
	location   string
	qualifiers map[string][]string // those that matter here
}

// value returns the first value of a qualifier, without white space around it.
func (f genbankFeature) value(qualifier string) string {
	if v := f.qualifiers[qualifier]; len(v) > 0 {
		return strings.TrimSpace(v[0])
	}
	return ""
}

// pseudo reports whether it is marked as a gene that does not work any more.
func (f genbankFeature) pseudo() bool {
	return f.qualifiers["pseudo"] != nil || f.qualifiers["pseudogene"] != nil
}

// Where the parts of a feature stand in a line.
const (
	featureKey       = 5
	featureQualifier = 21
)

// genbankReader reads GenBank records, line by line. What it does not know it passes over.
type genbankReader struct {
	each    func(genbankRecord, genbankFeature) error // gets each coding sequence
	called  string
	open    bool // a record has begun and not ended
	any     bool // there was a record
	table   bool // in the table of features
	after   bool // behind it
	record  genbankRecord
	feature genbankFeature
	raw     strings.Builder // its location and qualifiers
}

// take takes the next line.
func (g *genbankReader) take(line []byte, number int) error {
	word, rest, _ := bytes.Cut(bytes.TrimRight(line, " \t"), []byte(" "))
	value := strings.Fields(string(rest))
	first := ""
	if len(value) > 0 {
		first = value[0]
	}
	switch string(word) {
	case "LOCUS":
		if g.open {
			return refuse("The %s has a record in line %d before the one above it ended with \"//\"; upload the whole file.", g.called, number)
		}
		*g = genbankReader{each: g.each, called: g.called, open: true, any: true, record: genbankRecord{name: first}}
		return nil
	case "ACCESSION":
		if g.record.accession == "" {
			g.record.accession = first
		}
		return nil
	case "VERSION":
		g.record.version = first
		return nil
	case "FEATURES":
		g.table = g.open
		return nil
	case "//":
		if g.open && !g.after {
			return refuse("The %s has a record that ends in line %d without a sequence part (ORIGIN or CONTIG), which Bakta can't read; save it anew, with its sequence.", g.called, number)
		}
		g.open = false
		return nil
	}
	if !g.table || len(line) == 0 {
		return nil
	}
	if line[0] != ' ' {
		g.table, g.after = false, true
		return g.endFeature()
	}
	if len(line) > featureKey && len(bytes.TrimSpace(line[:featureKey])) == 0 && line[featureKey] != ' ' {
		if err := g.endFeature(); err != nil {
			return err
		}
		key, location, _ := strings.Cut(string(line[featureKey:]), " ")
		g.feature = genbankFeature{line: number, key: key}
		g.raw.Reset()
		g.raw.WriteString(strings.TrimSpace(location) + "\n")
		return nil
	}
	if g.raw.Len() > maxTextLine {
		return refuse("The %s has a feature of more than %d bytes in line %d; check that it is the right file.", g.called, maxTextLine, g.feature.line)
	}
	if g.coding() {
		g.raw.WriteString(strings.TrimSpace(string(line)) + "\n")
	}
	return nil
}

func (g *genbankReader) coding() bool { return strings.EqualFold(g.feature.key, "CDS") }

// endFeature hands on the feature that was read, if it is a coding sequence.
func (g *genbankReader) endFeature() error {
	f := g.feature
	if !g.coding() {
		return nil
	}
	g.feature = genbankFeature{}
	location, qualifiers, _ := strings.Cut(g.raw.String(), "\n/")
	f.location = strings.ReplaceAll(location, "\n", "")
	f.qualifiers = make(map[string][]string)
	for qualifiers != "" {
		var name, value string
		name, value, qualifiers = cutQualifier(qualifiers)
		switch name {
		case "translation":
			value = strings.Join(strings.Fields(value), "")
		case "pseudo", "pseudogene", "locus_tag", "gene", "product", "db_xref":
		default:
			continue // no others are remembered: there may be any number of them
		}
		f.qualifiers[name] = append(f.qualifiers[name], value)
	}
	return g.each(g.record, f)
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
		return name, strings.TrimSpace(strings.TrimPrefix(value, "=")), rest
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

// end reports what is missing at the end of the file.
func (g *genbankReader) end() error {
	if g.open {
		return refuse("The %s breaks off inside a record; upload the whole file, whose last line is \"//\".", g.called)
	}
	return nil
}

// isGenBank reports whether a first line begins a GenBank record.
func isGenBank(line []byte) bool { return bytes.HasPrefix(line, []byte("LOCUS ")) }
