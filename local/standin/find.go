package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bebop/poly/synthesis/codon"
	"github.com/bebop/poly/transform"
)

const (
	shortestCDS    = 150 // bases with the stop codon
	longestOverlap = 30  // bases that two coding sequences may share
)

// span is a part of a strand, from 0, end exclusive.
type span struct{ start, end int }

// findCDSs takes the open reading frames of both strands, the longest first, if they overlap little with those before them.
// None crosses the ends of a circular replicon.
func (a *annotating) findCDSs() error {
	if err := a.playFailure(); err != nil {
		return err
	}
	if !slices.Contains([]int{4, 11, 25}, a.Genome.Table) { // those that Bakta accepts
		return fail("ERROR: translation table %d is unknown!", a.Genome.Table)
	}
	table, err := codon.NewTranslationTable(a.Genome.Table)
	if err != nil {
		return err
	}
	prefix, increment := cmp.Or(a.text("locus-tag"), "STANDIN"), a.number("locus-tag-increment")
	for _, s := range a.Sequences {
		found := s.findCDSs(table)
		slices.SortStableFunc(found, func(x, y *feature) int { return len(y.NT) - len(x.NT) })
		var taken []*feature
		for _, f := range found {
			if !slices.ContainsFunc(taken, func(g *feature) bool { return min(f.Stop, g.Stop)-max(f.Start, g.Start) >= longestOverlap }) {
				taken = append(taken, f)
			}
		}
		slices.SortStableFunc(taken, func(x, y *feature) int { return x.Start - y.Start })
		for _, f := range taken {
			a.Features = append(a.Features, f)
			f.ID = fmt.Sprintf("STANDIN_%d", len(a.Features))
			f.Locus = fmt.Sprintf("%s_%04d", prefix, increment*len(a.Features))
		}
		if a.ctx.Err() != nil {
			return a.ctx.Err()
		}
	}
	a.printf("\tpredicted: %d", len(a.Features))
	return nil
}

// findCDSs returns the open reading frames of both strands, translated.
func (s *sequence) findCDSs(table *codon.TranslationTable) (found []*feature) {
	for _, strand := range []string{"+", "-"} {
		nt := s.NT
		if strand == "-" {
			nt = transform.ReverseComplement(nt)
		}
		for _, orf := range findORFs(nt, table) {
			f := newFeature(translate(nt[orf.start:orf.end-3], table))
			f.Sequence, f.Start, f.Stop, f.Strand = s.ID, orf.start+1, orf.end, strand
			if strand == "-" {
				f.Start, f.Stop = s.Length-orf.end+1, s.Length-orf.start
			}
			f.NT, f.Frame, f.StartType, f.RBSMotif = nt[orf.start:orf.end], orf.start%3+1, nt[orf.start:orf.start+3], json.RawMessage("null")
			found = append(found, f)
		}
	}
	return found
}

// translate translates a coding sequence without its stop codon. Any start codon becomes methionine.
func translate(nt string, table *codon.TranslationTable) string {
	aa := []byte("M")
	for i := 3; i < len(nt); i += 3 {
		aa = append(aa, table.TranslationMap[nt[i:i+3]]...)
	}
	return string(aa)
}

// findORFs returns the longest open reading frame before every stop codon of one strand. Anything but A, C, G and T ends a
// frame, so none crosses a gap.
func findORFs(nt string, table *codon.TranslationTable) []span {
	var found []span
	open := [3]int{-1, -1, -1} // where the first start codon since the last stop codon was, by frame
	for i := 0; i+3 <= len(nt); i++ {
		triplet, start := nt[i:i+3], &open[i%3]
		switch {
		case triplet == "ATG" || triplet == "GTG" || triplet == "TTG":
			if *start < 0 {
				*start = i
			}
		case slices.Contains(table.StopCodons, triplet):
			if *start >= 0 && i+3-*start >= shortestCDS {
				found = append(found, span{*start, i + 3})
			}
			*start = -1
		case strings.Trim(triplet, "ACGT") != "":
			*start = -1
		}
	}
	return found
}
