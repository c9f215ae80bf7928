package upload

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/genbank"
)

const trustedProteins = "trusted proteins file"

// TrustedHeader is what a header in a FASTA file of trusted proteins looks like.
const TrustedHeader = "\">id gene~~~product~~~dbxrefs\", or \">id minimum identity~~~minimum query coverage~~~minimum subject " +
	"coverage~~~gene~~~product~~~dbxrefs\""

// aminoAcids are the letters that Bakta takes in a protein, in either case.
const aminoAcids = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// trusted counts what Bakta would make of trusted proteins. It passes over proteins without a product and the
// like, one by one, and says so in its log; without any it crashes.
type trusted struct {
	good int
	bad  string // why the first of those that it passes over is one
}

// skip notes a protein that Bakta passes over.
func (p *trusted) skip(why string) {
	if p.bad == "" {
		p.bad = why
	}
}

// readTrusted reads a file of trusted proteins, writes it as Bakta surely reads it, and returns the name with the
// ending by which Bakta knows its format. What ends Bakta's run is refused: a header without a description, no
// protein that can be used, and what the program can't stand that compares the sequences: it waits for ever at a
// dot.
func readTrusted(r io.Reader, to io.Writer) (string, error) {
	t := openText(r, maxTrusted, trustedProteins)
	defer t.close()
	out := bufio.NewWriter(to)
	line, more := skipBlank(t)
	var p trusted
	name := "proteins.faa"
	var err error
	switch {
	case !more:
		if err = t.failure(); err == nil && !t.packed {
			return "", ErrBlank
		}
	case genbank.Is(line):
		name = "proteins.gbff"
		err = p.genbank(t, line, out)
	case line[0] == '>':
		err = p.fasta(t, line, out)
	default:
		what := "is neither FASTA nor GenBank"
		if known := guess(line); known != "" {
			what = "seems to be " + known
		}
		err = refuse("The trusted proteins file %s; upload proteins as FASTA, with headers like %s, or as GenBank.", what, TrustedHeader)
	}
	switch {
	case err != nil:
		return "", err
	case p.good > 0:
		return name, out.Flush()
	case p.bad != "":
		return "", refuse("The trusted proteins file has no protein that Bakta can use: %s.", p.bad)
	case name == "proteins.gbff":
		return "", refuse("The trusted proteins file has no coding sequence (CDS); upload one whose coding sequences have a locus_tag, a " +
			"product and a translation.")
	}
	return "", refuse("The trusted proteins file has no proteins in it; upload proteins as FASTA or GenBank.")
}

// fasta reads FASTA lines from the first on and writes them.
func (p *trusted) fasta(t *textFile, line []byte, out *bufio.Writer) error {
	var header string
	var at, length int // of the header; of its sequence
	end := func() {
		if header != "" && length == 0 {
			p.good-- // an empty sequence matches nothing
		}
	}
	for more := true; more; line, more = t.next() {
		line = bytes.TrimRight(line, " \t")
		if len(line) > 0 && line[0] == '>' {
			end()
			header, at, length = string(line), t.number, 0
			good, err := p.header(header[1:], at)
			if err != nil {
				return err
			}
			if good {
				p.good++
			} else {
				header = ""
			}
		} else {
			n, err := proteinLine(line, t.number, trustedProteins)
			if err != nil {
				return err
			}
			length += n
		}
		out.Write(line)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	end()
	return t.failure()
}

// header checks a header line of a FASTA file and reports whether Bakta can use the protein.
func (p *trusted) header(text string, line int) (bool, error) {
	if strings.ContainsFunc(text, job.Control) {
		return false, refuse("The trusted proteins file has a tab or another control character in its header in line %d; use spaces.", line)
	}
	if strings.Contains(text, " >") {
		return false, refuse("The trusted proteins file has a space and > inside the header in line %d, which the search for proteins reads "+
			"as a second header; remove the >.", line)
	}
	id, description, ok := strings.Cut(text, " ")
	if !ok || id == "" {
		return false, refuse(
			"The trusted proteins file has a header without a description in line %d, at which Bakta fails; write %s.",
			line,
			TrustedHeader,
		)
	}
	fields := strings.Split(description, "~~~")
	switch len(fields) {
	case 3:
	case 6:
		for _, f := range fields[:3] {
			if n, err := strconv.ParseFloat(strings.TrimSpace(f), 64); err != nil || !(n <= 100) { // more, and NaN, match nothing
				p.skip("the header in line " + strconv.Itoa(line) + " has " + job.Quote(f) + " where a percentage is expected")
				return false, nil
			}
		}
		fields = fields[3:]
	default:
		p.skip("the header in line " + strconv.Itoa(line) + " has " + strconv.Itoa(len(fields)) + " fields separated by ~~~, and needs three " +
			"or six; write " + TrustedHeader)
		return false, nil
	}
	if strings.TrimSpace(fields[1]) == "" {
		p.skip("the header in line " + strconv.Itoa(line) + " names no product")
		return false, nil
	}
	if fields[2] == "" {
		return true, nil
	}
	return p.references(strings.Split(fields[2], ","), line), nil
}

// references reports whether all references to other databases have the form that Bakta asks for.
func (p *trusted) references(references []string, line int) bool {
	for _, r := range references {
		if !strings.Contains(r, ":") {
			p.skip("the protein in line " + strconv.Itoa(line) + " has the reference " + job.Quote(r) + ", which is not of the form database:id")
			return false
		}
	}
	return true
}

// genbank reads GenBank lines from the first on and writes the coding sequences, with what Bakta reads of them,
// which does not include their locations.
func (p *trusted) genbank(t *textFile, line []byte, out *bufio.Writer) error {
	w := genbank.Writer{Out: out}
	g := genbank.Reader{Called: trustedProteins, Each: func(_ genbank.Record, f genbank.Feature) error {
		if f.Pseudo() { // Bakta passes over it, too
			return nil
		}
		usable, err := p.coding(f)
		if err != nil {
			return err
		}
		if usable {
			p.good++
		}
		w.Feature(genbank.Record{}, "1", f, "locus_tag", "gene", "product", "db_xref", "EC_number", "translation")
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

// coding checks a coding sequence of a GenBank file and reports whether Bakta can use its protein.
func (p *trusted) coding(f genbank.Feature) (bool, error) {
	for _, q := range []string{"locus_tag", "product", "translation"} {
		if f.Value(q) == "" {
			p.skip("the coding sequence in line " + strconv.Itoa(f.Line) + " has no " + q)
			return false, nil
		}
	}
	if !p.references(f.Qualifiers["db_xref"], f.Line) {
		return false, nil
	}
	// Bakta writes these into one line, from which it reads them when the protein is found.
	for _, q := range []string{"locus_tag", "gene", "product", "db_xref", "EC_number"} {
		for _, value := range f.Qualifiers[q] {
			if strings.Contains(value, "~~~") || strings.Contains(value, " >") || strings.ContainsFunc(value, job.Control) {
				return false, refuse("The trusted proteins file has a coding sequence in line %d with ~~~, a space and >, or a tab or another "+
					"control character in its %s; remove that.", f.Line, q)
			}
		}
	}
	_, err := proteinLine([]byte(f.Value("translation")), f.Line, trustedProteins)
	return err == nil, err
}

// proteinLine returns how many letters a line of a protein has, or refuses it.
func proteinLine(line []byte, number int, called string) (letters int, err error) {
	for i, b := range line {
		switch {
		case b|0x20 >= 'a' && b|0x20 <= 'z':
			letters++
		case b == ' ' || b == '\t' || b == '-' || b == '*':
		default:
			odd := []rune(string(line[i:]))[0]
			return 0, refuse("The %s has the character %q in a protein in line %d; use the letters of amino acids.", called, odd, number)
		}
	}
	return letters, nil
}
