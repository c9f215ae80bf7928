package standin

import (
	"cmp"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shenwei356/bio/seq"
)

// feature is a coding sequence or a gap. Its JSON form has the keys of Bakta's.
type feature struct {
	Type     string `json:"type"` // cds or gap
	Sequence string `json:"sequence"`
	Start    int    `json:"start"` // on the forward strand, from 1, inclusive
	Stop     int    `json:"stop"`  // inclusive
	Strand   string `json:"strand"`
	*coding
	Length int    `json:"length,omitempty"` // of a gap
	ID     string `json:"id"`
	Locus  string `json:"locus,omitempty"`
}

// coding is what a coding sequence has and a gap has not.
type coding struct {
	protein
	Frame     int             `json:"frame"`
	NT        string          `json:"nt"`
	StartType string          `json:"start_type,omitempty"` // of one that was found
	RBSMotif  json.RawMessage `json:"rbs_motif,omitempty"`  // of one that was found: null, for it is not looked for
	Source    string          `json:"source,omitempty"`     // of one that the user gave
}

// protein is what is known of a coding sequence's product. All are hypothetical: nothing is looked up.
type protein struct {
	Gene         *string        `json:"gene"`
	Product      string         `json:"product"`
	DbXrefs      []string       `json:"db_xrefs"`
	AA           string         `json:"aa"`
	AAHexdigest  string         `json:"aa_hexdigest"`
	Hypothetical bool           `json:"hypothetical"`
	Genes        []string       `json:"genes"`
	SeqStats     map[string]any `json:"seq_stats"`
}

func newProtein(aa string) protein {
	return protein{Product: "hypothetical protein", DbXrefs: []string{}, AA: aa, AAHexdigest: fmt.Sprintf("%x", md5.Sum([]byte(aa))),
		Hypothetical: true, Genes: []string{}, SeqStats: map[string]any{"molecular_weight": nil, "isoelectric_point": nil}}
}

const (
	shortestCDS    = 150 // bp with the stop codon
	longestOverlap = 30  // bp that a CDS may share with longer ones

	// a Prodigal training file is the dump of one C struct: any file of this many bytes passes
	trainingFileSize = 558_392
)

// findCDSs finds the coding sequences, beside those that the user gave.
func (a *annotation) findCDSs() error {
	if err := a.playFailure(); err != nil {
		return err
	}
	if info, err := os.Stat(a.prodigalTF); a.prodigalTF != "" && (err != nil || info.Size() < trainingFileSize) {
		path, _ := filepath.Abs(a.prodigalTF)
		return fail("Error! Cannot use provided prodigal training file: file=%s", path)
	}
	table := seq.CodonTables[a.table]
	known, skipped, err := a.readRegions(table)
	if err != nil {
		return err
	}
	n := 0
	for _, s := range a.sequences {
		if err := s.findCDSs(table, known[s]); err != nil {
			return fmt.Errorf("reading sequence %s: %w", s.ID, err)
		}
		n += len(s.features)
		if a.ctx.Err() != nil {
			return a.ctx.Err()
		}
	}
	imported := 0
	for _, features := range known {
		imported += len(features)
	}
	a.printf("\tpredicted: %d ", n-imported)
	if a.regions != "" {
		a.printf("\tuser regions: %d imported, %d skipped", imported, skipped)
	}
	if n == 0 {
		return nil // nothing to look anything up for
	}
	return a.checkTrusted(a.options.proteins, a.hmms)
}

// findCDSs takes those that are known, and then, of all open reading frames on both strands, the longest first,
// each unless it overlaps too much with those before it.
func (s *sequence) findCDSs(table *seq.CodonTable, known []*feature) error {
	var found []*feature
	for _, strand := range []string{"+", "-"} {
		nt, err := s.strand(strand)
		if err != nil {
			return err
		}
		for _, orf := range findORFs(nt, table) {
			f := s.cds(orf, strand, nt)
			f.StartType, f.RBSMotif = f.NT[:3], json.RawMessage("null")
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(x, y *feature) int {
		return cmp.Or(len(y.NT)-len(x.NT), x.Start-y.Start, cmp.Compare(x.Strand, y.Strand))
	})
	taken := make([]bool, s.Length)
	for i, f := range append(slices.Clone(known), found...) {
		overlap := 0
		for _, is := range taken[f.Start-1 : f.Stop] {
			if is {
				overlap++
			}
		}
		if overlap > longestOverlap && i >= len(known) {
			continue
		}
		for i := f.Start - 1; i < f.Stop; i++ {
			taken[i] = true
		}
		aa, err := table.Translate([]byte(f.NT[:len(f.NT)-3]), 1, false, false, true, true)
		if err != nil {
			return err
		}
		f.protein = newProtein(string(aa))
		s.features = append(s.features, f)
	}
	return nil
}

// strand returns the sequence as it reads on a strand.
func (s *sequence) strand(strand string) (string, error) {
	if strand != "-" {
		return s.NT, nil
	}
	forward, err := seq.NewSeqWithoutValidation(seq.DNAredundant, []byte(s.NT))
	if err != nil {
		return "", err
	}
	return string(forward.RevCom().Seq), nil
}

// cds returns the coding sequence at a place of a strand, which reads nt.
func (s *sequence) cds(at span, strand, nt string) *feature {
	f := &feature{Type: "cds", Sequence: s.ID, Start: at.start + 1, Stop: at.end, Strand: strand}
	f.coding = &coding{Frame: at.start%3 + 1, NT: nt[at.start:at.end]}
	if strand == "-" {
		f.Start, f.Stop = s.Length-at.end+1, s.Length-at.start
	}
	return f
}

// span is an open reading frame from its start codon to the end of its stop codon, in coordinates of the
// strand that it was found on, from 0, end exclusive.
type span struct{ start, end int }

// findORFs returns the longest open reading frame before every stop codon of one strand. Anything but A, C, G
// and T ends a frame, so none runs across a gap.
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

// findGaps finds the runs of N.
func (a *annotation) findGaps() error {
	n := 0
	for _, s := range a.sequences {
		for i := 0; i < s.Length; i++ {
			start := i
			for i < s.Length && s.NT[i] == 'N' {
				i++
			}
			if i > start {
				s.features = append(s.features, &feature{Type: "gap", Sequence: s.ID, Start: start + 1, Stop: i, Strand: ".", Length: i - start})
				n++
			}
		}
	}
	a.printf("\tfound: %d", n)
	return nil
}

// number sorts the features and gives all ids, and the coding sequences locus tags. Without a prefix given, one
// is made of the genome's digest, so the same genome gets the same tags.
func (a *annotation) number() error {
	digest := md5.New()
	selected := 0
	for _, s := range a.sequences {
		io.WriteString(digest, s.NT)
		selected += len(s.features)
	}
	letters := []byte(fmt.Sprintf("%X", digest.Sum(nil)))
	for i, c := range letters {
		if c <= '9' {
			letters[i] = c - '0' + 'G'
		}
	}
	prefix := cmp.Or(a.locusTag, string(letters[:6]))
	width := len(fmt.Sprint(a.increment*selected)) + 1
	id, tag := 0, 0
	for _, s := range a.sequences {
		slices.SortStableFunc(s.features, func(x, y *feature) int { return x.Start - y.Start })
		for _, f := range s.features {
			id++
			f.ID = fmt.Sprintf("%s_%d", letters[:10], id)
			if f.coding != nil {
				tag += a.increment
				f.Locus = fmt.Sprintf("%s_%0*d", prefix, width, tag)
			}
		}
	}
	a.printf("\tselected: %d", selected)
	return nil
}

// stats are the genome's statistics, in the words of Bakta's result file.
type stats struct {
	Size        int     `json:"size"`
	GC          float64 `json:"gc"`      // of all that is not N
	NRatio      float64 `json:"n_ratio"` // of the size
	N50         int     `json:"n50"`
	N90         int     `json:"n90"`
	CodingRatio float64 `json:"coding_ratio"` // the coding sequences' lengths, of all that is not N

	cdss, gaps int
}

func calculate(sequences []*sequence) stats {
	var s stats
	gc, n, coding := 0, 0, 0
	var lengths []int
	for _, q := range sequences {
		s.Size += q.Length
		lengths = append(lengths, q.Length)
		gc += strings.Count(q.NT, "G") + strings.Count(q.NT, "C")
		n += strings.Count(q.NT, "N")
		for _, f := range q.features {
			if f.coding == nil {
				s.gaps++
				continue
			}
			s.cdss++
			coding += f.Stop - f.Start + 1
		}
	}
	s.NRatio = float64(n) / float64(s.Size)
	if known := float64(s.Size - n); known > 0 {
		s.GC, s.CodingRatio = float64(gc)/known, float64(coding)/known
	}
	slices.Sort(lengths)
	sum := 0
	for _, length := range slices.Backward(lengths) {
		sum += length
		if s.N50 == 0 && 2*sum >= s.Size {
			s.N50 = length
		}
		if s.N90 == 0 && 10*sum >= 9*s.Size {
			s.N90 = length
		}
	}
	return s
}
