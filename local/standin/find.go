package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/bebop/poly/transform"
	"github.com/shenwei356/bio/seq"
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
	table := seq.CodonTables[a.Genome.Table]
	if table == nil {
		return fail("ERROR: translation table %d is unknown!", a.Genome.Table)
	}
	prefix, increment := cmp.Or(a.text("locus-tag"), "STANDIN"), a.number("locus-tag-increment")
	for _, s := range a.Sequences {
		found, err := s.findCDSs(table)
		if err != nil {
			return fmt.Errorf("translating %s: %w", s.ID, err)
		}
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
func (s *sequence) findCDSs(table *seq.CodonTable) (found []*feature, err error) {
	for _, strand := range []string{"+", "-"} {
		nt := s.NT
		if strand == "-" {
			nt = transform.ReverseComplement(nt)
		}
		for _, orf := range findORFs(nt, table) {
			aa, err := table.Translate([]byte(nt[orf.start:orf.end-3]), 1, false, false, true, true)
			if err != nil {
				return nil, err
			}
			f := newFeature(string(aa))
			f.Sequence, f.Start, f.Stop, f.Strand = s.ID, orf.start+1, orf.end, strand
			if strand == "-" {
				f.Start, f.Stop = s.Length-orf.end+1, s.Length-orf.start
			}
			f.NT, f.Frame, f.StartType, f.RBSMotif = nt[orf.start:orf.end], orf.start%3+1, nt[orf.start:orf.start+3], json.RawMessage("null")
			found = append(found, f)
		}
	}
	return found, nil
}

// findORFs returns the longest open reading frame before every stop codon of one strand. Anything but A, C, G and T ends a
// frame, so none crosses a gap.
func findORFs(nt string, table *seq.CodonTable) []span {
	var found []span
	open := [3]int{-1, -1, -1} // where the first start codon since the last stop codon was, by frame
	for i := 0; i+3 <= len(nt); i++ {
		codon, start := nt[i:i+3], &open[i%3]
		_, stop := table.StopCodons[codon]
		switch {
		case codon == "ATG" || codon == "GTG" || codon == "TTG":
			if *start < 0 {
				*start = i
			}
		case stop:
			if *start >= 0 && i+3-*start >= shortestCDS {
				found = append(found, span{*start, i + 3})
			}
			*start = -1
		case strings.Trim(codon, "ACGT") != "":
			*start = -1
		}
	}
	return found
}
