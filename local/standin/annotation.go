package standin

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// annotation is what Bakta writes to its JSON file, under Bakta's keys, as far as the other files and the web UI need it.
// "note" and "tool" are the stand-in's own.
type annotation struct {
	Genome    genome            `json:"genome"`
	Stats     stats             `json:"stats"`
	Features  []*feature        `json:"features"`
	Sequences []*sequence       `json:"sequences"`
	Run       map[string]string `json:"run"`
	Version   map[string]any    `json:"version"`
}

type genome struct {
	Genus    *string `json:"genus"`
	Species  *string `json:"species"`
	Strain   *string `json:"strain"`
	Taxon    *string `json:"taxon"`
	Complete bool    `json:"complete"`
	Gram     string  `json:"gram"`
	Table    int     `json:"translation_table"`
}

// taxon is the organism's name, as far as it is known.
func (g genome) taxon() string {
	var words []string
	for _, part := range []*string{g.Genus, g.Species, g.Strain} {
		if part != nil {
			words = append(words, *part)
		}
	}
	return strings.Join(words, " ")
}

// stats are the genome's statistics. Shares go from 0 to 1.
type stats struct {
	Size   int     `json:"size"`         // bases
	GC     float64 `json:"gc"`           // share of the bases that are not N
	NRatio float64 `json:"n_ratio"`      // share of N
	N50    int     `json:"n50"`          // bases
	N90    int     `json:"n90"`          // bases
	Coding float64 `json:"coding_ratio"` // sum of the coding sequences' lengths, as a share of the bases that are not N
}

// sequence is a replicon or contig.
type sequence struct {
	ID              string `json:"id"`
	Description     string `json:"description"`
	NT              string `json:"nt"`
	OldNT           string `json:"sequence,omitempty"` // before Bakta 1.10, in place of NT
	Length          int    `json:"length"`
	Complete        bool   `json:"complete"`
	Type            string `json:"type"`     // chromosome, plasmid or contig
	Topology        string `json:"topology"` // circular or linear
	SimpleID        string `json:"simple_id"`
	OrigID          string `json:"orig_id"`
	OrigDescription string `json:"orig_description"`
	Name            string `json:"name,omitempty"` // of a plasmid
}

// feature is a coding sequence, or a protein. Baktfold's may be of other kinds, which a real Bakta found.
type feature struct {
	Type         string          `json:"type"`
	Sequence     string          `json:"sequence,omitempty"`
	Contig       string          `json:"contig,omitempty"` // before Bakta 1.10, in place of Sequence
	Start        int             `json:"start,omitempty"`  // on the forward strand, from 1, inclusive
	Stop         int             `json:"stop,omitempty"`   // inclusive
	Strand       string          `json:"strand,omitempty"`
	Gene         *string         `json:"gene"`
	Product      string          `json:"product"`
	StartType    string          `json:"start_type,omitempty"`
	RBSMotif     json.RawMessage `json:"rbs_motif,omitempty"`
	DbXrefs      []string        `json:"db_xrefs"`
	Frame        int             `json:"frame,omitempty"`
	NT           string          `json:"nt,omitempty"`
	AA           string          `json:"aa"`
	AAHexdigest  string          `json:"aa_hexdigest"`
	Length       int             `json:"length,omitempty"`      // of a protein
	Description  string          `json:"description,omitempty"` // of a protein, as uploaded
	Hypothetical bool            `json:"hypothetical,omitempty"`
	Genes        []string        `json:"genes"`
	SeqStats     map[string]any  `json:"seq_stats,omitempty"`
	ID           string          `json:"id"`
	Locus        string          `json:"locus,omitempty"`
}

// newFeature returns a coding sequence of which no more is known than its protein.
func newFeature(aa string) *feature {
	digest := fmt.Sprintf("%x", md5.Sum([]byte(aa)))
	return &feature{Type: "cds", Product: "hypothetical protein", Hypothetical: true, AA: aa, AAHexdigest: digest,
		DbXrefs: []string{}, Genes: []string{}, SeqStats: map[string]any{"molecular_weight": nil, "isoelectric_point": nil}}
}

func calculate(a *annotation) stats {
	var s stats
	gc, n, coding := 0, 0, 0
	var lengths []int
	for _, q := range a.Sequences {
		s.Size += q.Length
		lengths = append(lengths, q.Length)
		gc += strings.Count(q.NT, "G") + strings.Count(q.NT, "C")
		n += strings.Count(q.NT, "N")
	}
	for _, f := range a.Features {
		coding += f.Stop - f.Start + 1
	}
	s.NRatio = float64(n) / float64(s.Size)
	if known := float64(s.Size - n); known > 0 {
		s.GC, s.Coding = float64(gc)/known, float64(coding)/known
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
