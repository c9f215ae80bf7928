package workflow

import (
	"bufio"
	"bytes"
	"io"
	"strings"
)

// maxScanned is how much of a genome is read to learn its sequences' lengths, in bytes, decompressed. The largest
// bacterial genome known has half of that; a metagenome that has more is not compared.
const maxScanned = 32 << 20

// sequenceLengths returns the lengths of a genome's sequences by their ids, in base pairs, or false if they can't be
// told from what is read of it. It does not say what is wrong with a genome.
func sequenceLengths(r io.Reader) (map[string]int64, bool) {
	in := bufio.NewReaderSize(r, 64<<10)
	content, ending, closer, err := decompress(in)
	defer closer()
	if err != nil || ending == ".xz" { // of which only the first block can be had
		return nil, false
	}
	s := sequenceScanner{lengths: make(map[string]int64)}
	_, err = io.Copy(&s, &bounded{r: content, left: maxScanned})
	s.endHeader()
	return s.lengths, err == nil && !s.failed
}

// sequenceScanner counts the letters of the sequences of a FASTA file as it is written to it.
type sequenceScanner struct {
	lengths map[string]int64
	ids     int // bytes that their keys have
	id      string
	header  []byte // its beginning, while in one
	in      bool   // in a header
	middle  bool   // not at the beginning of a line
	failed  bool
}

// maxID bounds the ids that are remembered, in bytes.
const maxID = 1 << 10

func (s *sequenceScanner) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if !s.middle && b[0] == '>' {
			s.in, s.header, b = true, s.header[:0], b[1:]
			s.middle = true
			continue
		}
		end := bytes.IndexAny(b, "\r\n")
		piece := b
		if end >= 0 {
			piece = b[:end]
		}
		if s.in {
			s.header = append(s.header, piece[:min(len(piece), maxID-len(s.header))]...)
		} else if len(piece) > 0 && !s.failed {
			s.lengths[s.id] += letters(piece)
		}
		s.middle = s.middle || len(piece) > 0
		if end < 0 {
			break
		}
		s.endHeader()
		s.middle, b = false, b[end+1:]
	}
	return n, nil
}

// endHeader takes a header line that is whole.
func (s *sequenceScanner) endHeader() {
	if !s.in {
		return
	}
	s.in, s.id = false, ""
	if words := strings.Fields(string(s.header)); len(words) > 0 {
		s.id = strings.Clone(words[0]) // and not all of the header
	}
	_, twice := s.lengths[s.id]
	s.ids += len(s.id)
	s.failed = s.failed || twice || len(s.header) >= maxID || len(s.lengths) >= maxSequences || s.ids > maxIDs
	if !s.failed {
		s.lengths[s.id] = 0
	}
}

// letters counts what is no gap and no white space.
func letters(piece []byte) int64 {
	n := len(piece)
	for _, gap := range []string{"-", " ", "\t"} {
		n -= bytes.Count(piece, []byte(gap))
	}
	return int64(n)
}
