package upload

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/genbank"
)

// region is a coding sequence as Bakta imports it (features/cds.py, import_user_cdss, of 1.12.2): one stretch of a
// sequence, which may go on over its end, whatever parts were written.
type region struct {
	line        int
	start, stop int32 // in base pairs from 1; of a GFF file, the stop may lie behind the sequence's end
	edge        bool  // it goes on over the sequence's end, and the stop is counted from the beginning
	reverse     bool  // it is read on the other strand
	both        bool  // its parts lie on both strands
	given       bool  // the file says its protein, so that it is not translated
	why         skip

	// What the genome has there.
	first, last codonKind // the first and the last codon of the stretch
	inner       int32     // where the first stop codon in its reading frame begins, behind its first codon; 0 if there is none
}

// skip is why Bakta passes over a region, or 0.
type skip uint8

const (
	skipPseudo skip = iota + 1
	skipPartial
	skipLength
	skipStart
	skipStop
	skipInner
)

var skipWords = [...]string{
	skipPseudo:  "is marked as a pseudogene",
	skipPartial: "is marked as partial",
	skipLength:  "has a length that is not a multiple of three",
	skipStart:   "has no start codon",
	skipStop:    "has no stop codon",
	skipInner:   "has a stop codon within",
}

// maxRegionsKept bounds how many regions are remembered, with 32 bytes each. Of a file with more it is not found out which
// ones Bakta passes over. A genome of 64 MiB has about a third of that many genes.
const maxRegionsKept = 200_000

// position returns a place of a sequence in the size in which it is kept. A genome is not read so far.
func position(n int64) int32 { return int32(min(n, math.MaxInt32/2)) } //nolint:gosec // bounded by min

// imported returns the region that Bakta imports for a location. For two parts, Bakta uses the outer ends in the order that
// Biopython returns; if they are on both strands, it uses the reverse strand. For three or more, it uses the outermost ends; if
// they are on both strands, it uses the forward strand.
func imported(l genbank.Location) region {
	parts := slices.Clone(l.Parts)
	back := 0
	for _, p := range parts {
		if l.Complement || p.Complement {
			back++
		}
	}
	if l.Complement {
		slices.Reverse(parts)
	}
	var r region
	r.both = back > 0 && back < len(parts)
	start, stop := l.Span()
	r.reverse = back == len(parts)
	if len(parts) == 2 {
		r.reverse = back > 0
		start, stop = parts[0].Start, parts[1].End
		if r.reverse {
			start, stop = parts[1].Start, parts[0].End
		}
	}
	r.start, r.stop, r.edge = position(start), position(stop), start > stop
	return r
}

// codonKind is what a codon can be, on either strand, as a set.
type codonKind uint8

const (
	startCodon codonKind = 1 << iota
	stopCodon
	startBack // on the other strand
	stopBack
)

// Letters are sets of bases, so that a letter that stands for several is the union of theirs. Three of them make a codon.
const (
	setA, setC, setG, setT = 1, 2, 4, 8

	baseBits  = 4
	codonMask = 1<<(3*baseBits) - 1
)

// bases are the sets that letters stand for, in either case; 0 for a gap.
var bases = func() (sets [256]uint16) {
	for letter, set := range map[byte]uint16{
		'A': setA, 'C': setC, 'G': setG, 'T': setT, 'M': setA | setC, 'R': setA | setG, 'W': setA | setT, 'S': setC | setG,
		'Y': setC | setT, 'K': setG | setT, 'V': setA | setC | setG, 'H': setA | setC | setT, 'D': setA | setG | setT,
		'B': setC | setG | setT, 'N': setA | setC | setG | setT,
	} {
		sets[letter], sets[letter|0x20] = set, set
	}
	return sets
}()

// codonTable says what each codon can be.
type codonTable [codonMask + 1]codonKind

// newCodonTable makes the table of a translation table that Bakta offers, with the codons that Biopython 1.88 has
// (Bio/Data/CodonTable.py). A codon with letters that stand for several is a start or a stop if all that it stands for are.
func newCodonTable(translationTable int) *codonTable {
	begin, end := "TTG CTG ATT ATC ATA ATG GTG", "TAA TAG TGA"
	switch translationTable {
	case 4:
		begin, end = "TTA TTG CTG ATT ATC ATA ATG GTG", "TAA TAG"
	case 25:
		begin, end = "TTG ATG GTG", "TAA TAG"
	}
	var plain codonTable // of bases alone
	for codons, kind := range map[string]codonKind{begin: startCodon, end: stopCodon} {
		for _, codon := range strings.Fields(codons) {
			a, b, c := bases[codon[0]], bases[codon[1]], bases[codon[2]]
			plain[a<<(2*baseBits)|b<<baseBits|c] |= kind
			plain[otherBase(c)<<(2*baseBits)|otherBase(b)<<baseBits|otherBase(a)] |= kind << 2
		}
	}
	all := new(codonTable)
	for codon := range all {
		kind := startCodon | stopCodon | startBack | stopBack
		one := false
		for _, a := range singles(codon >> (2 * baseBits)) {
			for _, b := range singles(codon >> baseBits) {
				for _, c := range singles(codon) {
					one = true
					kind &= plain[a<<(2*baseBits)|b<<baseBits|c]
				}
			}
		}
		if one {
			all[codon] = kind
		}
	}
	return all
}

// otherBase returns the base that pairs with one.
func otherBase(base uint16) uint16 {
	return map[uint16]uint16{setA: setT, setT: setA, setC: setG, setG: setC}[base]
}

// singles returns the bases of the set in the lowest bits.
func singles(set int) (list []int) {
	for base := 1; base <= setT; base <<= 1 {
		if set&base != 0 {
			list = append(list, base)
		}
	}
	return list
}

// maxBeginning bounds how far a region over the end of a sequence can go on at its beginning to be judged, in base pairs.
const maxBeginning = 64 << 10

// regionScan finds out, while the letters of a genome pass by, which regions Bakta can translate. It keeps no letters,
// and takes time for each letter and for each region once.
type regionScan struct {
	table     *codonTable
	wraps     bool          // a region that stops behind the sequence's end goes on at its beginning
	regions   []region      // of the sequence that passes by, by their starts
	ends      []int32       // their indices, by their stops
	nextStart int           // of the regions whose first codon has not passed
	nextEnd   int           // of the ends whose last codon has not passed
	at        int32         // the last letter's place, from 1
	codon     uint16        // the last three bases
	waiting   [2][3][]int32 // the regions whose first stop codon has not passed, by strand and by their start modulo 3
	firstStop [2][3]int32   // where the first stop codon begins, by strand and by that place modulo 3; 0 if none has passed
	begun     [2]uint16     // the first bases
	beginning []codonKind   // of the codons that begin at the first places
}

// begin takes the regions on the sequence whose bases come next.
func (s *regionScan) begin(regions []region) {
	*s = regionScan{table: s.table, wraps: s.wraps, regions: regions, ends: s.ends[:0], waiting: s.waiting, beginning: s.beginning[:0]}
	for strand := range s.waiting {
		for frame := range s.waiting[strand] {
			s.waiting[strand][frame] = s.waiting[strand][frame][:0]
		}
	}
	slices.SortFunc(regions, func(a, b region) int { return cmp.Compare(a.start, b.start) })
	for i := range regions {
		s.ends = append(s.ends, int32(i))
	}
	slices.SortFunc(s.ends, func(a, b int32) int { return cmp.Compare(regions[a].stop, regions[b].stop) })
}

// take takes the next bases.
func (s *regionScan) take(piece []byte) {
	for _, b := range piece {
		if set := bases[b]; set != 0 {
			s.letter(set)
		}
	}
}

func (s *regionScan) letter(set uint16) {
	s.at++
	s.codon = s.codon<<baseBits&codonMask | set
	if s.at <= 2 {
		s.begun[s.at-1] = set
	}
	if s.at < 3 {
		return
	}
	place, kind := s.at-2, s.table[s.codon]
	if len(s.beginning) < maxBeginning {
		s.beginning = append(s.beginning, kind)
	}
	if kind&(stopCodon|stopBack) != 0 {
		s.stop(place, kind)
	}
	for s.nextStart < len(s.regions) && s.regions[s.nextStart].start <= place {
		r := &s.regions[s.nextStart]
		strand := 0
		if r.reverse {
			strand = 1
		}
		r.first = kind
		list := &s.waiting[strand][place%3]
		*list = append(*list, int32(s.nextStart)) //nolint:gosec // a genome is not read so far
		s.nextStart++
	}
	for s.nextEnd < len(s.ends) && s.regions[s.ends[s.nextEnd]].stop-2 <= place {
		if r := &s.regions[s.ends[s.nextEnd]]; r.stop-2 == place {
			r.last = kind
		}
		s.nextEnd++
	}
}

// stop takes a stop codon: it is the first one for all regions that wait for one in its frame.
func (s *regionScan) stop(place int32, kind codonKind) {
	for strand, is := range []codonKind{stopCodon, stopBack} {
		if kind&is == 0 {
			continue
		}
		frame := place % 3
		if s.firstStop[strand][frame] == 0 {
			s.firstStop[strand][frame] = place
		}
		for _, i := range s.waiting[strand][frame] {
			s.regions[i].inner = place
		}
		s.waiting[strand][frame] = s.waiting[strand][frame][:0]
	}
}

// end takes the end of the sequence, and marks the regions on it that Bakta passes over.
func (s *regionScan) end() {
	length := s.at
	var across [2]codonKind // the two codons that lie on the end and the beginning
	if length >= 3 {
		for i := range across {
			s.letter(s.begun[i])
			across[i] = s.table[s.codon]
		}
	}
	for i := range s.regions {
		r := &s.regions[i]
		stop := r.stop
		if r.edge {
			stop += length
		}
		if r.start > length || stop >= 2*length || stop > length && !r.edge && !s.wraps {
			continue // it does not lie on the sequence, which is another matter
		}
		if stop > length { // the last codon and the rest of the inner ones are those of the sequence's beginning
			strand := 0
			if r.reverse {
				strand = 1
			}
			if first := s.firstStop[strand][((r.start-length)%3+3)%3]; first > 0 && r.inner == 0 {
				r.inner = length + first
			}
			switch at := stop - 2 - length; {
			case at <= 0 && at > -2:
				r.last = across[at+1] //nolint:gosec // the condition above bounds it
			case at > 0 && int(at) <= len(s.beginning):
				r.last = s.beginning[at-1]
			default: // it is not known, and nothing is said of it
				r.last = startBack | stopCodon
			}
		}
		r.judge(stop)
	}
}

// judge marks a region that Bakta can't translate. Biopython's translate (Bio/Seq.py of 1.88, with cds=True) asks for a
// start codon, whole codons, a stop codon at the end and none before.
func (r *region) judge(stop int32) {
	begins, ends := r.first&startCodon != 0, r.last&stopCodon != 0
	if r.reverse {
		begins, ends = r.last&startBack != 0, r.first&stopBack != 0
	}
	switch {
	case r.given || r.why != 0:
	case (stop-r.start+1)%3 != 0:
		r.why = skipLength
	case !begins:
		r.why = skipStart
	case !ends:
		r.why = skipStop
	case r.inner != 0 && r.inner <= stop-5:
		r.why = skipInner
	}
}

// known reports whether all regions are remembered.
func (r *regions) known() bool { return !r.over && r.count <= maxRegionsKept }

// warnOfRegions adds the warnings about regions that Bakta passes over, once the genome was read to its end.
func (i *Inspection) warnOfRegions(r *regions) {
	if !r.known() {
		return
	}
	first := slices.Clone(r.aside) // of those that are passed over
	many := r.asides
	var ambiguous []string
	for id, s := range r.spans {
		if s.twice {
			ambiguous = append(ambiguous, id)
			continue
		}
		for _, one := range s.regions {
			if one.why == 0 {
				continue
			}
			many++
			first = append(first, one)
			slices.SortFunc(first, func(a, b region) int { return cmp.Compare(a.line, b.line) })
			first = first[:min(len(first), maxWarnings)]
		}
	}
	slices.Sort(ambiguous)
	for _, id := range ambiguous[:min(len(ambiguous), maxWarnings)] {
		i.warn(warnAmbiguous, RegionsFile, "The genome has several sequences called %s, and Bakta takes the regions on that name (line %d) "+
			"for regions on the last one; give each sequence a name of its own.", job.Quote(id), r.spans[id].line)
	}
	if many == 0 {
		return
	}
	reasons := make([]string, 0, maxWarnings)
	for _, one := range first {
		where := ""
		if one.both {
			where = ", on both strands,"
		}
		reasons = append(reasons, fmt.Sprintf("the one in line %d%s %s", one.line, where, skipWords[one.why]))
	}
	why := strings.Join(reasons, ", ")
	if more := many - len(reasons); more > 0 {
		why += fmt.Sprintf(", and %d more", more)
	}
	if all := r.count + r.asides; many == all {
		i.warn(warnSkipped, RegionsFile, "Bakta will use none of the regions, %d in all: %s. It annotates the genome as if there were no "+
			"regions file.", all, why)
	} else {
		i.warn(warnSkipped, RegionsFile, "Bakta will not use %d of the %d regions: %s.", many, all, why)
	}
}
