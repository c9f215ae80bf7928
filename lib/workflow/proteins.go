package workflow

import (
	"io"
	"strings"
	"unicode/utf8"
)

const proteinFile = "protein file"

// inspectProteins looks at the beginning of a FASTA file of proteins and returns the name of its file.
func inspectProteins(content io.Reader) (string, error) {
	h, err := readHead(content)
	if err != nil {
		return "", err
	}
	switch {
	case h.ending == "" && h.whole && blank(h.text):
		return "", ErrBlank
	case h.damaged:
		return "", refuse("The protein file is a compressed file (%s) that is damaged or incomplete; compress and upload it again.", h.ending)
	case h.whole && blank(h.text):
		return "", refuse("The protein file is a compressed file (%s) with nothing in it; upload the proteins' FASTA file.", h.ending)
	}
	return "proteins.faa" + h.ending, checkProteins(h)
}

// checkProteins reports why Bakta would refuse a FASTA file of proteins, as far as its beginning shows it: it takes
// letters, and one asterisk at the end of each.
func checkProteins(h head) error {
	if len(h.text) == 0 {
		return nil
	}
	if h.text[0] != '>' {
		return refuse("The protein file %s", otherThanFASTA(h.text))
	}
	var p protein
	nucleotides := 0
	number, rest := 0, h.text
	for len(rest) > 0 {
		var line []byte
		var ended bool
		line, rest, ended = cutLine(rest)
		number++
		open := !ended && !h.whole // the line may go on behind the head
		if len(line) == 0 || line[0] != '>' {
			if err := p.add(line, number, open); err != nil {
				return err
			}
			continue
		}
		if err := p.end(); err != nil {
			return err
		}
		if !open && !utf8.Valid(line) {
			return refuse("The protein file's header in line %d is not UTF-8 text; save the file as UTF-8 or ASCII text, or remove letters with accents.", number)
		}
		if open && nucleotides+p.nucleotides+p.others == 0 {
			return refuse("The protein file's first header line is longer than %d bytes; shorten it.", headSize)
		}
		nucleotides += p.nucleotides
		id := ""
		if words := strings.Fields(string(line[1:])); len(words) > 0 {
			id = words[0]
		}
		p = protein{id: id, line: number, others: p.others}
		if open {
			p.line = 0 // nothing more is known of it
		}
	}
	if h.whole {
		if err := p.end(); err != nil {
			return err
		}
	}
	if nucleotides += p.nucleotides; p.others == 0 && nucleotides >= surelyNucleotides {
		return refuse("The protein file seems to hold nucleotides: there are no other letters than A, C, G, T, U and N; upload proteins, or annotate the sequence as a genome.")
	}
	return nil
}

// surelyNucleotides is how many letters of nucleotides in a row, without any other, are no protein.
const surelyNucleotides = 300

// protein is a record of a protein FASTA file, as far as it was read.
type protein struct {
	id          string
	line        int  // of its header; 0 if that is not known to its end
	nucleotides int  // letters that stand for nucleotides, too
	others      int  // letters that don't, of all records
	any         bool // it has letters
	star        bool // an asterisk came
}

// add takes a line of its sequence.
func (p *protein) add(line []byte, number int, open bool) error {
	for i, b := range line {
		upper := b &^ 0x20
		switch {
		case b == ' ' || b == '\t' || b == '-':
			continue
		case b == '*' && !p.star && p.any:
			p.star = true
			continue
		case b >= 'A' && upper >= 'A' && upper <= 'Z' && !p.star:
			p.any = true
		case p.star:
			return refuse("The protein file has an asterisk inside the protein %s in line %d; one is allowed at the end of each, as the stop codon.", shown(p.id), number)
		default:
			odd, size := utf8.DecodeRune(line[i:])
			if open && odd == utf8.RuneError && size <= 1 && len(line)-i < utf8.UTFMax {
				return nil
			}
			return refuse("The protein file has the character %q in the protein %s in line %d; use the letters of amino acids.", odd, shown(p.id), number)
		}
		if strings.IndexByte("ACGTUN", upper) >= 0 {
			p.nucleotides++
		} else {
			p.others++
		}
	}
	return nil
}

// end refuses a protein without letters.
func (p *protein) end() error {
	if p.line == 0 || p.any {
		return nil
	}
	return refuse("The protein file has no sequence below the header %s in line %d; remove the header, or add the sequence.", shown(">"+p.id), p.line)
}
