package upload

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/genbank"
)

const regionsFile = "regions file"

// Names by whose endings Bakta knows the formats of regions.
const (
	gffName     = "regions.gff3"
	genbankName = "regions.gbff"
)

// regions are what a file with regions says of the sequences that they lie on.
type regions struct {
	name  string // of the file, with the ending by which Bakta knows its format: it passes over any other
	spans map[string]*span
	ids   int  // bytes that their keys have
	over  bool // there are more sequences than are remembered
	slips int  // line of the first coding sequence with ribosomal slippage, if there is one

	count  int      // of the regions that Bakta tries to import; no more than maxRegionsKept are remembered
	asides int      // of the others: pseudogenes and partial ones
	aside  []region // the first of those
}

// span is how far the regions on a sequence reach, in base pairs from 1.
type span struct {
	line  int   // of the region that reaches farthest
	start int64 // the largest
	stop  int64 // the largest

	regions []region
	seen    bool // the genome has the sequence
	twice   bool // it has several of that name
}

// What is remembered of the sequences of a regions file, and of a genome, is bounded.
const (
	maxSequences = 100_000
	maxIDs       = 8 << 20 // bytes of all their ids
)

// add remembers a region, which reaches from one place to another.
func (r *regions) add(id string, start, stop int64, one region) {
	r.count++
	s, ok := r.spans[id]
	if !ok {
		if len(r.spans) >= maxSequences || r.ids+len(id) > maxIDs {
			r.over = true
			return
		}
		s = &span{}
		r.spans[strings.Clone(id)] = s // an id that is part of a line would keep all of the line
		r.ids += len(id)
	}
	if stop > s.stop {
		s.line, s.stop = one.line, stop
	}
	s.start = max(s.start, start)
	if r.count <= maxRegionsKept {
		s.regions = append(s.regions, one)
	}
}

// pass counts a coding sequence that Bakta passes over, whatever the genome is.
func (r *regions) pass(line int, why skip) {
	if r.asides++; len(r.aside) < maxWarnings {
		r.aside = append(r.aside, region{line: line, why: why})
	}
}

// readRegions reads a regions file and writes it as Bakta surely reads it. Bakta reads where coding sequences lie
// and nothing else. A blank line in a GFF file, a line with more or less than nine fields and a sequence that the
// genome does not have end its run; it passes over the whole file if its name has another ending than its content,
// or if there is no coding sequence in it.
func readRegions(r io.Reader, to io.Writer) (regions, error) {
	t := openText(r, maxRegions, regionsFile)
	defer t.close()
	out := bufio.NewWriter(to)
	found := regions{spans: make(map[string]*span)}
	var err error
	line, more := skipBlank(t)
	switch {
	case !more:
		err = t.failure()
		if err == nil && t.packed {
			err = refuse("The regions file is a compressed file with nothing in it; upload the file with the regions.")
		} else if err == nil {
			err = ErrBlank
		}
	case genbank.Is(line):
		found.name = genbankName
		err = found.genbank(t, line, out)
	default:
		found.name = gffName
		err = found.gff(t, line, out)
	}
	if err != nil {
		return regions{}, err
	}
	if len(found.spans) == 0 {
		return regions{}, refuse("The regions file has no coding sequence (CDS) that is whole and no pseudogene, and Bakta reads no other " +
			"regions; add some, or leave the file out.")
	}
	return found, out.Flush()
}

// skipBlank returns the first line that is not blank.
func skipBlank(t *textFile) ([]byte, bool) {
	for {
		line, more := t.next()
		if !more || len(bytes.TrimSpace(line)) > 0 {
			return line, more
		}
	}
}

const gffFields = 9

// gff reads GFF lines from the first on and writes those of coding sequences.
func (r *regions) gff(t *textFile, line []byte, out *bufio.Writer) error {
	if _, err := out.WriteString("##gff-version 3\n"); err != nil {
		return err
	}
	known := bytes.HasPrefix(line, []byte("##gff-version"))
	for more := true; more; line, more = t.next() {
		text := strings.TrimSpace(string(line))
		if text == "##FASTA" || strings.HasPrefix(text, ">") && known {
			break // sequences follow to the end
		}
		if text == "" || text[0] == '#' {
			continue
		}
		fields := strings.Split(text, "\t")
		if len(fields) == gffFields-1 { // empty attributes at the end of the line are trimmed off
			fields = append(fields, ".")
		}
		if len(fields) != gffFields {
			return gffMiscounted(text, len(fields), t.number, known)
		}
		known = true
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if !strings.EqualFold(fields[2], "CDS") {
			continue
		}
		// Bakta passes over pseudogenes, which it knows by these words alone.
		if attributes := strings.Split(strings.ToLower(fields[8]), ";"); slices.Contains(attributes, "pseudo=") ||
			slices.Contains(attributes, "pseudogene") {
			r.pass(t.number, skipPseudo)
			continue
		}
		start, stop, err := gffRange(fields, t.number)
		if err != nil {
			return err
		}
		if fields[8] == "" {
			fields[8] = "."
		}
		r.add(fields[0], start, stop, region{line: t.number, start: position(start), stop: position(stop), reverse: fields[6] == "-"})
		if _, err := out.WriteString(strings.Join(fields, "\t") + "\n"); err != nil {
			return err
		}
	}
	return t.failure()
}

// gffMiscounted says what is wrong with a line that does not have nine fields. Known says that it is a GFF file
// beyond doubt.
func gffMiscounted(text string, fields, number int, known bool) error {
	if !known {
		what := guess([]byte(text))
		switch {
		case text[0] == '>':
			what = "a FASTA file"
		case what == "":
			return refuse("The regions file is neither GFF3 nor GenBank: line %d has %d fields with tabs between them, and GFF3 has nine; "+
				"upload regions as GFF3 or GenBank.", number, fields)
		}
		return refuse("The regions file seems to be %s; upload regions as GFF3 or GenBank.", what)
	}
	if fields == 1 && len(strings.Fields(text)) >= gffFields {
		return refuse("The regions file has spaces between the fields in line %d; GFF3 has tabs.", number)
	}
	return refuse("The regions file has %d fields in line %d, and GFF3 has nine, with tabs between them.", fields, number)
}

// gffRange returns where a coding sequence of a GFF file lies.
func gffRange(fields []string, number int) (start, stop int64, err error) {
	start, err1 := strconv.ParseInt(fields[3], 10, 64)
	stop, err2 := strconv.ParseInt(fields[4], 10, 64)
	switch {
	case err1 != nil || err2 != nil:
		return 0, 0, refuse(
			"The regions file has a coding sequence from %s to %s in line %d; these must be whole numbers.",
			job.Quote(fields[3]),
			job.Quote(fields[4]),
			number,
		)
	case start < 1 || stop < start:
		return 0, 0, refuse("The regions file has a coding sequence from %d to %d in line %d; the first base pair is 1, and the end must not "+
			"come before the start, on either strand. One that goes on over the end of a circular sequence ends at that sequence's length and more.",
			start, stop, number)
	case fields[6] != "+" && fields[6] != "-" && fields[6] != "." && fields[6] != "?":
		return 0, 0, refuse(
			"The regions file has a coding sequence on the strand %s in line %d; GFF3 has + and -.",
			job.Quote(fields[6]),
			number,
		)
	}
	return start, stop, nil
}

// genbank reads GenBank lines from the first on and writes the coding sequences that Bakta reads, with what it reads of
// them.
func (r *regions) genbank(t *textFile, line []byte, out *bufio.Writer) error {
	w := genbank.Writer{Out: out}
	g := genbank.Reader{Called: regionsFile, Each: func(record genbank.Record, f genbank.Feature) error {
		if f.Pseudo() { // Bakta passes over it, too
			r.pass(f.Line, skipPseudo)
			return nil
		}
		if record.Protein {
			return refuse("The regions file has a record of a protein, with a coding sequence in line %d; upload the record of its nucleotide "+
				"sequence.", f.Line)
		}
		if record.ID() == "" {
			return refuse("The regions file has a record without a name, with a coding sequence in line %d; write the name of its sequence as "+
				"VERSION or in the LOCUS line.", f.Line)
		}
		l, err := genbank.ParseLocation(f.Location, record.Length, record.Circular)
		if err != nil {
			return refuse("The regions file has a coding sequence in line %d whose location %s %v.", f.Line, job.Quote(f.Location), err)
		}
		if l.Partial() { // Bakta passes over it, too
			r.pass(f.Line, skipPartial)
			return nil
		}
		kept, err := exceptions(f)
		if err != nil {
			return err
		}
		if f.Has("ribosomal_slippage") && r.slips == 0 {
			r.slips = f.Line
		}
		start, stop := l.Span()
		one := imported(l)
		one.line, one.given = f.Line, len(kept) > 0
		r.add(record.ID(), start, stop, one)
		w.Feature(record, l.String(), f, kept...)
		return nil
	}}
	for more := true; more; line, more = t.next() {
		if err := g.Take(line, t.number); err != nil {
			return err
		}
	}
	if err := t.failure(); err != nil {
		return err
	}
	w.End()
	return g.End()
}

// exceptions refuses a coding sequence with an exception from the genetic code that Bakta can't import, and returns
// the qualifiers that it needs for one that it can. Bakta (features/cds.py, 1.12.2) takes the protein from /translation
// for /ribosomal_slippage and for a first /transl_except that says aa:Sec; for any other /transl_except it has none, and
// takes the one of the coding sequence before, or ends if there is none before.
func exceptions(f genbank.Feature) (qualifiers []string, err error) {
	why := ""
	switch {
	case f.Has("ribosomal_slippage"):
		why, qualifiers = "/ribosomal_slippage", []string{"ribosomal_slippage", "translation"}
	case !f.Has("transl_except"):
		return nil, nil
	case !strings.Contains(strings.ToLower(f.Qualifiers["transl_except"][0]), "aa:sec"):
		return nil, refuse("The regions file has a coding sequence in line %d with /transl_except=%s, but Bakta imports "+
			"such exceptions only for selenocysteine (aa:Sec); remove that line if Bakta may translate it by the usual code, or remove "+
			"the coding sequence.",
			f.Line, job.Quote(f.Value("transl_except")))
	default:
		why, qualifiers = "/transl_except for selenocysteine", []string{"transl_except", "translation"}
	}
	protein := f.Value("translation")
	switch {
	case protein == "":
		return nil, refuse("The regions file has a coding sequence in line %d with %s and without /translation, from which Bakta takes its "+
			"protein; add that, or remove the coding sequence.", f.Line, why)
	case !only(strings.ToUpper(protein), aminoAcids):
		return nil, refuse("The regions file has a coding sequence in line %d with %s, whose /translation has other characters than letters "+
			"of amino acids; remove them.", f.Line, why)
	case qualifiers[0] == "transl_except" && !strings.ContainsAny(protein, "Uu"):
		return nil, refuse("The regions file has a coding sequence in line %d with %s, whose /translation has no U; write U for the "+
			"selenocysteine.", f.Line, why)
	}
	return qualifiers, nil
}

// against refuses regions that do not lie on the sequences of a genome.
func (r regions) against(lengths map[string]int64, least int64) error {
	if r.over {
		return nil
	}
	ids := make([]string, 0, len(r.spans))
	for id := range r.spans {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return r.spans[a].line - r.spans[b].line })
	for _, id := range ids {
		s := r.spans[id]
		length, ok := lengths[id]
		switch {
		case !ok:
			where := "in the first field"
			if r.name == genbankName {
				where = "as VERSION, or in the LOCUS line of a record without ACCESSION and VERSION"
			}
			return refuse("The regions file has regions on a sequence called %s (line %d), which the genome does not have%s; use the names of "+
				"the genome's sequences, up to the first white space, %s.", job.Quote(id), s.line, having(lengths), where)
		case length < least:
			return refuse("The regions file has regions on the sequence %s (line %d), which has %d base pairs and is left out, since at least "+
				"%d are asked for; %s.", job.Quote(id), s.line, length, least, "remove its regions, or lower the minimum length")
		// A region of a GFF file that goes on over the end of a circular sequence stops behind it.
		case s.start > length, s.stop > length && (r.name != gffName || s.stop >= 2*length):
			return refuse("The regions file has a region on the sequence %s that reaches to %d (line %d), and the sequence has %d base pairs; "+
				"is it of another genome?", job.Quote(id), s.stop, s.line, length)
		}
	}
	return nil
}

// having names some of a genome's sequences.
func having(lengths map[string]int64) string {
	const some = 3
	names := make([]string, 0, len(lengths))
	for id := range lengths {
		names = append(names, id)
	}
	slices.Sort(names)
	switch more := len(names) - some; {
	case len(names) == 0:
		return ""
	case more > 0:
		for i := range names[:some] {
			names[i] = job.Quote(names[i])
		}
		return fmt.Sprintf(" (it has %s and %d more)", strings.Join(names[:some], ", "), more)
	}
	for i := range names {
		names[i] = job.Quote(names[i])
	}
	return " (it has " + strings.Join(names, ", ") + ")"
}
