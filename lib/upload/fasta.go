package upload

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/compression"
	"github.com/klauspost/compress/zstd"
)

// nucleotides are the letters that Bakta takes in a sequence, in either case. Spaces, tabs and dashes it
// passes over.
const nucleotides = "ATGCNMRWSYKVHDB"

// compliantLength is the length below which Bakta passes over sequences in compliant mode, whatever its options say.
const compliantLength = 200

// insdcID is the form of a sequence's id in an INSDC-compliant annotation.
var insdcID = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,25}$`)

// genome inspects a genome and returns the name of its file. It is read to its end, or as far as maxScanned and maxLook reach:
// what follows the compressed data of a file, the names of all sequences and every letter decide whether Bakta takes it.
func (i *Inspection) genome(content io.Reader) (string, error) {
	src := &source{r: content, left: maxScanned}
	unpacked, ending, closer, err := compression.Open(bufio.NewReaderSize(src, 64<<10))
	defer closer()
	s := fastaScan{config: i.config, replicons: i.replicons, regions: i.regions, until: time.Now().Add(maxLook)}
	i.contents = s.contents
	if s.regions != nil {
		s.codons = regionScan{table: newCodonTable(i.config.TranslationTable), wraps: s.regions.name == gffName}
	}
	limited := &io.LimitedReader{R: unpacked, N: maxScanned}
	nothing := false // there is nothing but white space
	other := ""      // what is wrong with the beginning
	if err == nil {
		in := bufio.NewReaderSize(limited, headSize)
		var begun []byte
		if begun, err = in.Peek(headSize); err == nil || errors.Is(err, io.EOF) {
			switch {
			case errors.Is(err, io.EOF) && limited.N > 0 && blank(begun):
				nothing, err = true, nil
			case begun[0] != '>':
				other, err = otherThanFASTA(begun), nil
			default:
				_, err = io.Copy(&s, in)
			}
		}
	}
	switch {
	case src.err != nil:
		return "", readingError(src.err)
	case s.err != nil:
		return "", s.err
	case err == nil:
		s.whole = limited.N > 0
	case limited.N == 0, src.left == 0, errors.Is(err, compression.ErrUnseen), errors.Is(err, zstd.ErrWindowSizeExceeded):
	case errors.Is(err, compression.ErrFollowed):
		return "", refuse("The genome file is a compressed file (%s) with other data after its compressed data, which Bakta can't "+
			"read; compress the whole genome as one file and upload it again.", ending)
	default:
		return "", refuse("The genome file is a compressed file (%s) that is damaged or incomplete; compress and upload it again.", ending)
	}
	switch {
	case nothing && ending == "":
		return "", ErrBlank
	case nothing:
		return "", refuse("The genome file is a compressed file (%s) with nothing in it; upload the genome's FASTA file.", ending)
	case other != "":
		return "", refuse("The genome file %s", other)
	}
	if err := s.finish(); err != nil {
		return "", err
	}
	if err := s.genome().check(i.config, i.replicons); err != nil {
		return "", err
	}
	if i.regions != nil && s.whole {
		if lengths, ok := s.genome().lengths(); ok {
			if err := i.regions.against(lengths, leastLength(i.config)); err != nil {
				return "", err
			}
		}
		i.warnOfRegions(i.regions)
	}
	if f, ok := unpacked.(compression.Follower); ok && s.whole && f.Followed() {
		i.warn(warnPassed, GenomeFASTA, "The genome file is a compressed file (%s) with other data after its compressed data, which "+
			"Bakta ignores; if they belong to the genome, compress the whole genome as one file.", ending)
	}
	i.warnOfGenome(s.genome())
	return "genome.fna" + ending, nil
}

// maxScanned is how much of a genome is read, in bytes, decompressed and as uploaded. The largest bacterial genome known
// has a quarter of that. Of a metagenome that has more, what comes behind it shows when Bakta runs.
const maxScanned = 64 << 20

// fastaScan reads a FASTA file that is written to it as Bakta does, and fails with a job.Invalid error where Bakta would
// refuse it. It takes the same memory however long the lines are.
type fastaScan struct {
	config    option.Config
	replicons map[string]replicon
	regions   *regions   // whose codons are looked for; nil if there are none
	until     time.Time  // when no more is read
	sequences []sequence // those that are remembered
	ids       int        // bytes of their ids
	count     int        // of all sequences
	long      bool       // one is as long as is asked for
	known     bool       // and has a letter other than N
	whole     bool       // the file was written to its end
	err       error      // why it is refused
	classes   [byteClasses]int64

	now    sequence // the one that is read
	other  bool     // it has a letter other than N
	round  bool     // it is circular
	ends   ends     // of one that is circular
	on     *span    // the regions that lie on it; nil if none do
	codons regionScan
	header []byte // the beginning of a header, while in one
	in     bool   // in a header
	middle bool   // not at the beginning of a line
	cr     bool   // the last byte was a carriage return
	number int    // of the line
}

// maxGenomeHeader bounds what is read of a header, in bytes.
const maxGenomeHeader = 64 << 10

func (s *fastaScan) Write(b []byte) (int, error) {
	n := len(b)
	if time.Now().After(s.until) {
		return 0, compression.ErrUnseen
	}
	for len(b) > 0 && s.err == nil {
		if s.cr && b[0] == '\n' { // the other half of a line end
			s.cr, b = false, b[1:]
			continue
		}
		s.cr = false
		if !s.middle {
			s.middle = true
			s.number++
			if b[0] == '>' {
				s.endSequence()
				s.in, s.header, b = true, s.header[:0], b[1:]
				continue
			}
		}
		end := bytes.IndexAny(b, "\r\n")
		piece := b
		if end >= 0 {
			piece = b[:end]
		}
		if s.in {
			s.header = append(s.header, piece[:min(len(piece), maxGenomeHeader-len(s.header))]...)
		} else {
			s.bases(piece)
		}
		if end < 0 {
			break
		}
		if s.in {
			s.endHeader()
		}
		s.middle, s.cr, b = false, b[end] == '\r', b[end+1:]
	}
	return n, s.err
}

// Classes of bytes in a sequence. Those of the first one are refused.
const (
	oddByte = iota
	gapByte
	baseAT
	baseGC
	ambiguous // a code for several bases, other than N
	letterN
	byteClasses
)

var sequenceBytes = func() (class [256]byte) {
	for _, c := range []byte(" \t-") {
		class[c] = gapByte
	}
	for _, c := range []byte(nucleotides) {
		class[c], class[c|0x20] = ambiguous, ambiguous
	}
	class['A'], class['a'], class['T'], class['t'] = baseAT, baseAT, baseAT, baseAT
	class['C'], class['c'], class['G'], class['g'] = baseGC, baseGC, baseGC, baseGC
	class['N'], class['n'] = letterN, letterN
	return class
}()

// bases takes a piece of a line of a sequence.
func (s *fastaScan) bases(piece []byte) {
	if s.round {
		s.ends.take(piece)
	}
	if s.on != nil {
		s.codons.take(piece)
	}
	var counts [8]int64 // of byteClasses; a power of two needs no check of the index
	for _, b := range piece {
		counts[sequenceBytes[b]&7]++
	}
	if counts[oddByte] > 0 {
		s.err = badLetter(s.now, piece, s.number)
		return
	}
	known := counts[baseAT] + counts[baseGC] + counts[ambiguous]
	s.other = s.other || known > 0
	s.now.bases += known + counts[letterN]
	for class := range s.classes {
		s.classes[class] += counts[class]
	}
}

// endHeader takes a header that is whole.
func (s *fastaScan) endHeader() {
	title := s.header
	if len(title) == maxGenomeHeader { // which may be inside a character
		for i := 1; i < utf8.UTFMax; i++ {
			if utf8.RuneStart(title[len(title)-i]) {
				title = title[:len(title)-i]
				break
			}
		}
	}
	if !utf8.Valid(title) {
		s.err = refuse("The genome file's header in line %d is not UTF-8 text; save the file as UTF-8 or ASCII text, or remove letters with "+
			"accents.", s.number)
		return
	}
	s.in, s.other, s.now = false, false, newSequence(string(title), s.number)
	s.count++
	s.round = s.now.complete || s.config.CompleteGenome || s.count == 1 && s.config.Plasmid != ""
	if row, ok := s.replicons[s.now.id]; ok && !s.config.CompleteGenome {
		s.round = row.circular()
	}
	s.ends.first, s.ends.last = s.ends.first[:0], s.ends.last[:0]
	s.on = nil
	if s.regions == nil || !s.regions.known() {
		return
	}
	if on := s.regions.spans[s.now.id]; on != nil && on.seen {
		on.twice = true
	} else if on != nil {
		on.seen, s.on = true, on
		s.codons.begin(on.regions)
	}
}

// endSequence takes a sequence that is whole.
func (s *fastaScan) endSequence() {
	if s.count == 0 || s.err != nil {
		return
	}
	if s.now.bases == 0 {
		s.err = refuse(
			"The genome file has no sequence below the header %s in line %d; remove the header, or add the sequence.",
			job.Quote(">"+s.now.id),
			s.now.line,
		)
		return
	}
	if s.now.bases >= leastLength(s.config) {
		s.long = true
		s.known = s.known || s.other
	}
	if s.on != nil {
		s.codons.end()
	}
	if s.round {
		s.now.cut = s.ends.cutGene(s.now.bases, s.config.TranslationTable)
	}
	if s.ids += len(s.now.id); len(s.sequences) < maxSequences && s.ids <= maxIDs {
		s.sequences = append(s.sequences, s.now)
	}
}

// finish takes the end of what is read, and refuses a genome that has no sequence to annotate.
func (s *fastaScan) finish() error {
	if !s.whole {
		return nil
	}
	if s.in {
		s.endHeader()
	}
	s.endSequence()
	least := leastLength(s.config)
	switch {
	case s.err != nil:
	case s.count == 0:
	case !s.long:
		s.err = refuse(
			"The genome file has no sequence of at least %d base pairs, and shorter ones are left out; %s.",
			least,
			shorterBy(s.config),
		)
	case !s.known:
		s.err = refuse("The genome file has nothing but the letter N in its sequences; upload the genome's sequences.")
	}
	return s.err
}

// genome returns what is remembered of the sequences that were read.
func (s *fastaScan) genome() genome {
	return genome{sequences: s.sequences, count: s.count, all: s.whole && len(s.sequences) == s.count}
}

// badLetter says what is wrong with a line of a sequence.
func badLetter(r sequence, line []byte, number int) error {
	letters := strings.Map(func(c rune) rune {
		if c == ' ' || c == '\t' || c == '-' {
			return -1
		}
		return unicode.ToUpper(c)
	}, string(line))
	switch {
	case only(letters, "ACGUN"):
		return refuse(
			"The genome file seems to hold RNA: the sequence %s has the letter U in line %d; replace U by T.",
			job.Quote(r.id),
			number,
		)
	case only(letters, "ABCDEFGHIJKLMNOPQRSTUVWXYZ*") && strings.ContainsAny(letters, "EFILPQZ"):
		return refuse("The genome file seems to hold proteins: the sequence %s has letters of amino acids in line %d; upload the genome's "+
			"nucleotide sequences.", job.Quote(r.id), number)
	}
	odd, _ := utf8.DecodeRuneInString(strings.TrimLeft(letters, nucleotides))
	return refuse("The genome file has the character %q in the sequence %s in line %d; use the letters A, C, G, T, N and the other IUPAC "+
		"codes of nucleotides.", odd, job.Quote(r.id), number)
}

// only reports whether all characters of s are among those of set.
func only(s, set string) bool { return strings.Trim(s, set) == "" }

// leastLength is the length that Bakta asks of a sequence, in base pairs.
func leastLength(c option.Config) int64 {
	if c.Compliant {
		return compliantLength
	}
	return max(1, c.MinContigLength)
}

// shorterBy says what to do about sequences that are too short.
func shorterBy(c option.Config) string {
	if c.Compliant {
		return "upload longer sequences, or turn off INSDC compliance"
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
