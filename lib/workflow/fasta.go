package workflow

import (
	"bytes"
	"io"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// nucleotides are the letters that Bakta takes in a sequence, in either case. Spaces, tabs and dashes it
// passes over.
const nucleotides = "ATGCNMRWSYKVHDBN"

// compliantLength is the length below which Bakta passes over sequences in compliant mode, whatever it is told.
const compliantLength = 200

// insdcID is the form of a sequence's id in an INSDC-compliant annotation.
var insdcID = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,25}$`)

// inspectGenome looks at the beginning of a genome and returns the name of its file.
func inspectGenome(content io.Reader, c Config) (string, error) {
	h, err := readHead(content)
	if err != nil {
		return "", err
	}
	switch {
	case h.ending == "" && h.whole && blank(h.text):
		return "", ErrBlank
	case h.damaged:
		return "", refuse("The genome file is a compressed file (%s) that is damaged or incomplete; compress and upload it again.", h.ending)
	case h.whole && blank(h.text):
		return "", refuse("The genome file is a compressed file (%s) with nothing in it; upload the genome's FASTA file.", h.ending)
	}
	return "genome.fna" + h.ending, checkFASTA(h, c)
}

// record is a sequence of a FASTA file, as far as it was read.
type record struct {
	id      string
	line    int   // of its header
	letters int64 // nucleotides
	known   bool  // one of them is not N
}

// checkFASTA reports why Bakta would refuse a FASTA file, as far as its beginning shows it.
func checkFASTA(h head, c Config) error {
	if len(h.text) == 0 {
		return nil
	}
	if h.text[0] != '>' {
		return refuse("The genome file %s", otherThanFASTA(h.text))
	}
	var records []record
	number, rest := 0, h.text
	for len(rest) > 0 {
		var line []byte
		var ended bool
		line, rest, ended = cutLine(rest)
		number++
		open := !ended && !h.whole // the line may go on behind the head
		if len(line) > 0 && line[0] == '>' {
			if err := endRecord(records); err != nil {
				return err
			}
			if err := checkHeader(line, number, open); err != nil {
				return err
			}
			if open && len(records) == 0 {
				return refuse("The genome file's first header line is longer than %d bytes; shorten it.", headSize)
			}
			if open {
				break // its id may go on, too
			}
			r := record{line: number}
			if words := strings.Fields(string(line[1:])); len(words) > 0 {
				r.id = words[0]
			}
			records = append(records, r)
			continue
		}
		r := &records[len(records)-1]
		for _, b := range line {
			switch {
			case b == ' ' || b == '\t' || b == '-':
			case strings.IndexByte(nucleotides, b&^0x20) >= 0 && b >= 'A':
				r.letters++
				r.known = r.known || b&^0x20 != 'N'
			default:
				return badLetter(*r, line, number)
			}
		}
	}
	if h.whole {
		if err := endRecord(records); err != nil {
			return err
		}
	} else if len(records) == 1 && records[0].letters == 0 && len(h.text) == headSize {
		return refuse("The genome file has no sequence in its first %d bytes; upload a FASTA file with a sequence below each header line.", headSize)
	}
	return checkRecords(records, h.whole, c)
}

// endRecord refuses a last sequence that has no letters.
func endRecord(records []record) error {
	if len(records) == 0 || records[len(records)-1].letters > 0 {
		return nil
	}
	r := records[len(records)-1]
	return refuse("The genome file has no sequence below the header %s in line %d; remove the header, or add the sequence.", shown(">"+r.id), r.line)
}

// checkHeader refuses a header line that is no text.
func checkHeader(line []byte, number int, open bool) error {
	for i := 1; open && i < utf8.UTFMax && i < len(line); i++ { // the head may end inside a character
		if utf8.RuneStart(line[len(line)-i]) {
			line = line[:len(line)-i]
			break
		}
	}
	if !utf8.Valid(line) {
		return refuse("The genome file's header in line %d is not UTF-8 text; save the file as UTF-8 or ASCII text, or remove letters with accents.", number)
	}
	return nil
}

// badLetter says what is wrong with a line of a sequence.
func badLetter(r record, line []byte, number int) error {
	letters := strings.Map(func(c rune) rune {
		if c == ' ' || c == '\t' || c == '-' {
			return -1
		}
		return unicode.ToUpper(c)
	}, string(line))
	switch {
	case only(letters, "ACGUN"):
		return refuse("The genome file seems to hold RNA: the sequence %s has the letter U in line %d; replace U by T.", shown(r.id), number)
	case only(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ*") && strings.ContainsAny(letters, "EFILPQZ"):
		return refuse("The genome file seems to hold proteins: the sequence %s has letters of amino acids in line %d; upload the genome's nucleotide sequences.", shown(r.id), number)
	}
	odd, _ := utf8.DecodeRuneInString(strings.TrimLeft(letters, nucleotides))
	return refuse("The genome file has the character %q in the sequence %s in line %d; use the letters A, C, G, T, N and the other IUPAC codes of nucleotides.", odd, shown(r.id), number)
}

// only reports whether all characters of s are among those of set.
func only(s, set string) bool { return strings.Trim(s, set) == "" }

// checkRecords refuses sequences that Bakta can read but not take as it is told to.
func checkRecords(records []record, whole bool, c Config) error {
	least := leastLength(c)
	lines := make(map[string]int)
	long, known := false, false
	for _, r := range records {
		if r.letters < least { // as far as is known: the last may be longer than the head shows
			continue
		}
		long, known = true, known || r.known
		if !c.KeepContigHeaders {
			continue
		}
		if first, ok := lines[r.id]; ok {
			return refuse("The genome file has two sequences called %s, in lines %d and %d; give each a name of its own, or do without the original sequence headers.", shown(r.id), first, r.line)
		}
		lines[r.id] = r.line
		if c.Compliant && !insdcID.MatchString(r.id) {
			return refuse("The genome file has a sequence called %s in line %d, which can't be kept in an INSDC-compliant annotation; use at most 25 letters, digits or characters of _.:*#- as names, or do without the original sequence headers.", shown(r.id), r.line)
		}
	}
	switch {
	case !whole || len(records) == 0:
		return nil
	case !long:
		return refuse("The genome file has no sequence of at least %d base pairs, and shorter ones are left out; %s.", least, shorterBy(c))
	case !known:
		return refuse("The genome file has nothing but the letter N in its sequences; upload the genome's sequences.")
	}
	return nil
}

// leastLength is the length that Bakta asks of a sequence, in base pairs.
func leastLength(c Config) int64 {
	if c.Compliant {
		return compliantLength
	}
	return max(1, c.MinContigLength)
}

// shorterBy says what to do about sequences that are too short.
func shorterBy(c Config) string {
	if c.Compliant {
		return "upload longer sequences, or do without INSDC compliance"
	}
	return "upload longer sequences, or lower the minimum length"
}

// cutLine returns the first line of a text, whichever of the three line ends it has, and the rest.
func cutLine(text []byte) (line, rest []byte, ended bool) {
	i := bytes.IndexAny(text, "\r\n")
	if i < 0 {
		return text, nil, false
	}
	end := i + 1
	if text[i] == '\r' && end < len(text) && text[end] == '\n' {
		end++
	}
	return text[:i], text[end:], true
}
