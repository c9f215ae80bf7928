package upload

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const proteinFile = "protein FASTA file"

// proteins reads a FASTA file of proteins to its end and returns the name of its file.
func (i *Inspection) proteins(r io.Reader) (string, error) {
	u := openUnpacked(r, maxProteins)
	defer u.close()
	in := bufio.NewReaderSize(u, headSize)
	head, err := in.Peek(headSize)
	var p proteins
	switch {
	case blank(head) && errors.Is(err, io.EOF) && !u.partial():
		if u.ending == "" {
			return "", ErrBlank
		}
		return "", refuse("The protein FASTA file is a compressed file (%s) with nothing in it; upload the proteins' FASTA file.", u.ending)
	case len(head) > 0 && head[0] != '>' && !u.broken():
		return "", refuse("The protein FASTA file %s", otherThanFASTA(head))
	}
	_, err = io.Copy(&p, in)
	if p.err == nil && !u.partial() && !u.broken() {
		p.err = p.end()
	}
	if p.err == nil && err != nil {
		p.err = u.failure(proteinFile)
	}
	whole := p.err == nil && !u.partial()
	i.contents = func() Contents { return Contents{Count: p.count, Letters: int64(p.letters.count), Whole: whole} }
	if p.err != nil {
		return "", p.err
	}
	return "proteins.faa" + u.ending, nil
}

// maxHeader bounds a header line of a protein, in bytes.
const maxHeader = 64 << 10

// proteins checks a FASTA file of proteins that is written to it for what Bakta would refuse: it takes letters, and
// one asterisk at the end of each protein. Memory is taken for a header alone.
type proteins struct {
	err error // what is wrong with the file

	number  int  // of lines that have ended
	middle  bool // of a line
	cr      bool // the last line ended with a carriage return, and a line feed after it is part of that
	header  bool // in one
	text    []byte
	open    bool // there is a record
	record  protein
	letters letterCounts // of the whole file
	count   int          // of records
}

// protein is a record of a protein FASTA file, as far as it was read.
type protein struct {
	id      string
	line    int // of its header
	star    bool
	letters letterCounts
}

// Write takes the next part of the file.
func (p *proteins) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if p.cr {
			p.cr = false
			if b[0] == '\n' {
				b = b[1:]
				continue
			}
		}
		end := bytes.IndexAny(b, "\r\n")
		piece := b
		if end >= 0 {
			piece = b[:end]
		}
		if p.err = p.take(piece); p.err == nil && end >= 0 {
			p.err = p.endLine()
		}
		if p.err != nil {
			return 0, p.err
		}
		if end < 0 {
			break
		}
		p.cr, b = b[end] == '\r', b[end+1:]
	}
	return n, nil
}

// take takes a part of a line.
func (p *proteins) take(piece []byte) error {
	if len(piece) == 0 {
		return nil
	}
	if !p.middle && piece[0] == '>' {
		if err := p.endRecord(); err != nil {
			return err
		}
		p.header, p.text, p.open = true, p.text[:0], true
		p.count++
	}
	p.middle = true
	if !p.header {
		return p.record.add(piece, p.number+1)
	}
	if len(p.text)+len(piece) > maxHeader {
		return refuse("The protein FASTA file's header in line %d is longer than %d bytes; shorten it.", p.number+1, maxHeader)
	}
	p.text = append(p.text, piece...)
	return nil
}

// endLine ends a line.
func (p *proteins) endLine() error {
	p.number++
	p.middle = false
	if !p.header {
		return nil
	}
	p.header = false
	if !utf8.Valid(p.text) {
		return refuse("The protein FASTA file's header in line %d is not UTF-8 text; save the file as UTF-8 or ASCII text, or remove letters "+
			"with accents.", p.number)
	}
	id := ""
	if words := strings.Fields(string(p.text[1:min(len(p.text), 1<<10)])); len(words) > 0 {
		id = words[0]
	}
	p.record = protein{id: id, line: p.number}
	return nil
}

// endRecord refuses a record that Bakta can't read or that can't be meant.
func (p *proteins) endRecord() error {
	if !p.open {
		return nil
	}
	if p.record.letters.count == 0 {
		return refuse(
			"The protein FASTA file has no sequence below the header %s in line %d; remove the header, or add the sequence.",
			job.Quote(">"+p.record.id),
			p.record.line,
		)
	}
	if p.record.letters.nucleotides(surelyNucleotides) {
		return refuse("The protein FASTA file seems to hold nucleotides: the sequence %s in line %d consists of A, C, G, T and "+
			"ambiguity codes; upload proteins, or annotate the sequence as a genome.",
			job.Quote(p.record.id), p.record.line)
	}
	p.letters.join(p.record.letters)
	return nil
}

// end ends the file.
func (p *proteins) end() error {
	if p.middle {
		if err := p.endLine(); err != nil {
			return err
		}
	}
	if err := p.endRecord(); err != nil {
		return err
	}
	if p.letters.nucleotides(surelyAllNucleotides) {
		return refuse("The protein FASTA file seems to hold nucleotides: all sequences consist of A, C, G, T and " +
			"ambiguity codes; upload proteins, or annotate the sequences as a genome.")
	}
	return nil
}

// letterKinds says of each byte what it is in a protein. Bakta takes all letters, in either case.
var letterKinds = func() (kinds [256]letterKind) {
	for c := 'A'; c <= 'Z'; c++ {
		kinds[c], kinds[c|0x20] = otherLetter, otherLetter
	}
	for _, c := range "RYSWKMBDHVN" {
		kinds[c], kinds[c|0x20] = severalBases, severalBases
	}
	for kind, base := range "ACGTU" {
		kinds[base] = min(baseA+letterKind(kind), baseT)
		kinds[base|0x20] = kinds[base]
	}
	kinds[' '], kinds['\t'], kinds['-'], kinds['*'] = passedOver, passedOver, passedOver, asterisk
	return kinds
}()

type letterKind byte

const (
	noLetter     letterKind = iota
	passedOver              // white space and gaps
	asterisk                // the stop codon
	otherLetter             // of an amino acid
	severalBases            // of an amino acid, and of several nucleotides
	baseA                   // of an amino acid, and of a nucleotide, as the next three are
	baseC
	baseG
	baseT // or U
)

// letterCounts counts the letters of sequences.
type letterCounts struct {
	count int
	kinds [baseT + 1]int
}

func (l *letterCounts) join(more letterCounts) {
	l.count += more.count
	for i := range l.kinds {
		l.kinds[i] += more.kinds[i]
	}
}

// How many letters of nucleotides in a row, without any other, are not a protein: of one sequence among others, and of all
// there are. A quarter of the letters of a usual protein are A, C, G or T, and C is the rarest of all.
const (
	surelyNucleotides    = 100
	surelyAllNucleotides = 60
)

// nucleotides reports whether there are as many letters as are said, all of them stand for nucleotides, nearly all for
// one each, and none of the four is rare.
func (l *letterCounts) nucleotides(least int) bool {
	if l.count < least || l.kinds[otherLetter] > 0 || l.kinds[severalBases]*10 > l.count {
		return false
	}
	for _, n := range l.kinds[baseA:] {
		if n*50 < l.count {
			return false
		}
	}
	return true
}

// add takes a part of a line of its sequence.
func (p *protein) add(piece []byte, number int) error {
	for i, b := range piece {
		kind := letterKinds[b]
		switch {
		case kind >= otherLetter && !p.star:
			p.letters.kinds[kind]++
			p.letters.count++
		case kind == passedOver:
		case kind == asterisk && !p.star && p.letters.count > 0:
			p.star = true
		case p.star && (kind >= otherLetter || kind == asterisk):
			return refuse("The protein FASTA file has an asterisk inside the protein %s in line %d; one is allowed at the end of each, as the "+
				"stop codon.", job.Quote(p.id), number)
		default:
			odd, _ := utf8.DecodeRune(piece[i:])
			return refuse(
				"The protein FASTA file has the character %q in the protein %s in line %d; use the letters of amino acids.",
				odd,
				job.Quote(p.id),
				number,
			)
		}
	}
	return nil
}
