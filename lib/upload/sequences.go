package upload

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// genome is what is remembered of a genome's sequences.
type genome struct {
	sequences []sequence
	count     int  // of all sequences, as far as the genome was read
	all       bool // all sequences are remembered, and the genome was read to its end
}

// sequence is a sequence of a genome, as far as it was read.
type sequence struct {
	id       string // the first word of its header
	line     int    // of its header
	bases    int64
	complete bool // Bakta takes it for complete and circular by its header
	doubtful bool // the header says the contrary
	cut      bool // it is circular, and a gene seems to go on over its ends
}

// newSequence reads a header. Bakta parts it as Python does, and searches all behind its first space for words.
func newSequence(title string, line int) sequence {
	s := sequence{line: line}
	if words := strings.FieldsFunc(title, pythonSpace); len(words) > 0 {
		s.id = strings.Clone(words[0]) // and not all of the header
	}
	_, description, _ := strings.Cut(strings.TrimRightFunc(title, pythonSpace), " ")
	description = strings.ToLower(description)
	s.complete = strings.Contains(description, "circular=true") ||
		strings.Contains(description, "complete") && !strings.Contains(description, "complete=false")
	s.doubtful = s.complete && notComplete.MatchString(description)
	return s
}

// pythonSpace reports whether Python takes a character for white space.
func pythonSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// lengths returns the sequences' lengths by their ids, or false if they are not known.
func (g genome) lengths() (map[string]int64, bool) {
	if !g.all {
		return nil, false
	}
	lengths := make(map[string]int64, len(g.sequences))
	for _, s := range g.sequences {
		if _, twice := lengths[s.id]; twice {
			return nil, false
		}
		lengths[s.id] = s.bases
	}
	return lengths, true
}

// Where the id comes from that a sequence has in the results.
const (
	keptID = iota
	givenID
	automaticID
)

// named is a sequence and the id that it has in the results.
type named struct {
	*sequence
	name string
	from int
	row  replicon // that gives it, if one does
}

// named returns the sequences that Bakta annotates, with the ids that it gives them (utils.py, qc_sequences): it counts
// those that are long enough, and takes the new ids of the table unless headers are kept, or the configuration says that a
// lone sequence is a plasmid.
func (g genome) named(c option.Config, table map[string]replicon) []named {
	prefix := c.Locus
	if prefix == "" {
		prefix = "contig"
	}
	if c.Plasmid != "" && g.count == 1 {
		table = nil
	}
	least := leastLength(c)
	names := make([]named, 0, len(g.sequences))
	for i := range g.sequences {
		s := &g.sequences[i]
		if s.bases < least {
			continue
		}
		n := named{sequence: s, name: s.id}
		if !c.KeepContigHeaders {
			n.name, n.from = fmt.Sprintf("%s_%d", prefix, len(names)+1), automaticID
			if row, ok := table[s.id]; ok && row.newID() != "" {
				n.name, n.from, n.row = row.newID(), givenID, row
			}
		}
		names = append(names, n)
	}
	return names
}

// check refuses sequences that Bakta can read but not annotate with these options: two that have the same id in the
// results end its run at the last file, and so do ids that a format can't hold.
func (g genome) check(c option.Config, table map[string]replicon) error {
	names := g.named(c, table)
	first := make(map[string]int, len(names))
	for i, n := range names {
		if other, ok := first[n.name]; ok {
			return clash(names[other], n)
		}
		first[n.name] = i
		problem := ""
		if n.from != automaticID {
			problem = idProblem(n.name, c, len(names) == 1)
		}
		if c.Compliant && !insdcID.MatchString(n.name) {
			problem = "which is not allowed in an INSDC-compliant annotation; use at most 25 letters, digits or characters of _.:*#-"
		}
		if problem == "" {
			continue
		}
		switch n.from {
		case givenID:
			return refuse("The replicon table has the new id %s in line %d, %s.", job.Quote(n.name), n.row.line, problem)
		case keptID:
			if n.name == "" {
				return refuse(
					"The genome file has a header without a name in line %d, %s, or do not keep the original sequence headers.",
					n.line,
					problem,
				)
			}
			return refuse(
				"The genome file has a sequence called %s in line %d, %s, or do not keep the original sequence headers.",
				job.Quote(n.name),
				n.line,
				problem,
			)
		}
		return refuse("The genome file has so many sequences that the name %s becomes longer than the 25 characters that an INSDC-compliant "+
			"annotation allows; use a shorter locus.", job.Quote(n.name))
	}
	return nil
}

// clash says which two sequences would have the same id.
func clash(a, b named) error {
	if b.from == automaticID {
		a, b = b, a
	}
	switch {
	case b.from == keptID:
		return refuse("The genome file has two sequences called %s, in lines %d and %d; give each a name of its own, or do not keep the "+
			"original sequence headers.", job.Quote(b.name), a.line, b.line)
	case a.from == automaticID:
		return refuse("The replicon table gives the new id %s in line %d, which is the name that Bakta gives another sequence, %s "+
			"(line %d of the genome file); choose another new id, or give that sequence a new id, too.",
			job.Quote(b.name), b.row.line, job.Quote(a.id), a.line)
	case a.row.line == b.row.line:
		return refuse("The genome file has two sequences called %s, in lines %d and %d, and the replicon table gives both the new id %s; "+
			"give each sequence a name of its own.", job.Quote(b.id), a.line, b.line, job.Quote(b.name))
	}
	lines := []int{a.row.line, b.row.line}
	slices.Sort(lines)
	return refuse(
		"The replicon table gives the new id %s twice, in lines %d and %d; give each sequence an id of its own.",
		job.Quote(b.name),
		lines[0],
		lines[1],
	)
}

// maxSequenceID bounds the id of a sequence, in bytes. Bakta has no bound, but its programs aragorn and pilercr cut names
// off behind four thousand.
const maxSequenceID = 1000

// idProblem returns what keeps an id from all of Bakta's files and programs, and what to do about it, or nothing. Only
// says that there is no other sequence.
func idProblem(id string, c option.Config, only bool) string {
	skips := func(step string) bool { return slices.Contains(c.Skip, step) }
	switch {
	case id == "":
		return "and result files can't contain a sequence without one; write a name after the \">\""
	case len(id) > maxSequenceID:
		return fmt.Sprintf("which is longer than the %d bytes that Bakta's programs take; use a shorter one", maxSequenceID)
	case strings.Contains(id, ";"):
		return "and EMBL files can't contain the character ;, at which Bakta fails; use another character"
	case strings.Contains(id, "%") && !skips("crispr"):
		return "and the program with which Bakta searches CRISPR arrays misreads the character %; use another character"
	case only && c.Formula(id):
		return "and Bakta's plot reads the text between two characters $ as a formula; use another character"
	case strings.ContainsFunc(id, job.Control) || !utf8.ValidString(id):
		return "which contains a control character; use letters, digits and visible characters"
	}
	return ""
}

// notComplete matches descriptions that say of a sequence that it is not complete, though Bakta finds the word in them.
var notComplete = regexp.MustCompile(
	`incomplete|(?:not|no|non|never|un|near(?:ly)?|almost|partial(?:ly)?)[ _-]*complete|complete[ _]*[=:][ _]*(?:no|n|0|f|false)\b` +
		`|circular[ _]*[=:][ _]*(?:no|n|0|f|false)\b`,
)
