package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// summary is what was annotated, as far as Bakta's JSON file says.
type summary struct {
	Tool      string         `json:"tool"`
	Database  string         `json:"database"`
	Baktfold  string         `json:"baktfold,omitempty"` // its version, if it went on with what Bakta had annotated
	Note      string         `json:"note,omitempty"`     // what a program other than Bakta has to say of itself
	Organism  string         `json:"organism,omitempty"`
	Size      int64          `json:"size"`      // base pairs
	Sequences int            `json:"sequences"` //
	GC        float64        `json:"gc"`        // share, 0 to 1
	Coding    float64        `json:"coding"`    // share, 0 to 1
	N50       int64          `json:"n50"`       // base pairs
	Features  map[string]int `json:"features"`  // by Bakta's type of feature
	Pseudo    int            `json:"pseudogenes"`
	Hypo      int            `json:"hypotheticals"`
}

// maxSummary bounds the file that is read, in bytes: Bakta writes some 8 bytes of it for a base pair.
const maxSummary = 1 << 30

// readSummary reads Bakta's JSON file.
func readSummary(path string) (summary, error) {
	f, err := os.Open(path)
	if err != nil {
		return summary{}, err
	}
	defer f.Close()
	var file struct {
		Run struct {
			Note string `json:"note"`
		} `json:"run"`
		Genome struct {
			Genus, Species, Strain *string
		} `json:"genome"`
		Stats struct {
			Size   int64   `json:"size"`
			GC     float64 `json:"gc"`
			Coding float64 `json:"coding_ratio"`
			N50    int64   `json:"n50"`
		} `json:"stats"`
		Features []struct {
			Type         string          `json:"type"`
			Hypothetical bool            `json:"hypothetical"`
			Pseudo       json.RawMessage `json:"pseudogene"`
		} `json:"features"`
		Sequences []struct{} `json:"sequences"`
		Version   struct {
			Bakta    string          `json:"bakta"`
			DB       json.RawMessage `json:"db"`
			Tool     string          `json:"tool"`
			Note     string          `json:"note"`
			Baktfold string          `json:"baktfold"`
		} `json:"version"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxSummary)).Decode(&file); err != nil {
		return summary{}, fmt.Errorf("reading %s: %w", path, err)
	}
	s := summary{
		Note:      cmp.Or(file.Run.Note, file.Version.Note),
		Baktfold:  file.Version.Baktfold,
		Tool:      "Bakta " + file.Version.Bakta,
		Size:      file.Stats.Size,
		Sequences: len(file.Sequences),
		GC:        file.Stats.GC,
		Coding:    file.Stats.Coding,
		N50:       file.Stats.N50,
		Features:  map[string]int{},
	}
	if file.Version.Tool != "" {
		s.Tool = file.Version.Tool + " " + file.Version.Bakta
	}
	var db struct{ Version, Type string }
	if json.Unmarshal(file.Version.DB, &db) == nil && db.Version != "" {
		s.Database = db.Version
		if db.Type != "" {
			s.Database += " (" + db.Type + ")"
		}
	} else {
		json.Unmarshal(file.Version.DB, &s.Database) // a plain text before Bakta 1.9
	}
	var organism []string
	for _, part := range []*string{file.Genome.Genus, file.Genome.Species, file.Genome.Strain} {
		if part != nil && *part != "" {
			organism = append(organism, *part)
		}
	}
	s.Organism = strings.Join(organism, " ")
	for _, f := range file.Features {
		s.Features[f.Type]++
		if f.Hypothetical {
			s.Hypo++
		}
		if len(f.Pseudo) > 0 && string(f.Pseudo) != "null" {
			s.Pseudo++
		}
	}
	return s, nil
}

// kinds are Bakta's types of features in its order, and what people call them.
var kinds = [][2]string{
	{"tRNA", "tRNAs"}, {"tmRNA", "tmRNAs"}, {"rRNA", "rRNAs"}, {"ncRNA", "ncRNAs"}, {"ncRNA-region", "ncRNA regions"},
	{
		"crispr",
		"CRISPR arrays",
	}, {"cds", "CDSs"}, {"sorf", "sORFs"}, {"gap", "gaps"}, {"oriC", "oriCs"}, {"oriV", "oriVs"}, {"oriT", "oriTs"},
}

// print shows the summary to people.
func (s summary) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if s.Note != "" {
		fmt.Fprintf(out, "NOTE: %s\n", shown(s.Note))
	}
	by := fmt.Sprintf("%s, database %s", shown(s.Tool), orUnknown(s.Database))
	if s.Baktfold != "" {
		by += "; Baktfold " + shown(s.Baktfold)
	}
	fmt.Fprintf(w, "annotated by\t%s\n", by)
	if s.Sequences == 0 { // there is no genome
		fmt.Fprintf(w, "proteins\t%s, of which %s hypothetical\n", thousands(int64(s.Features["cds"])), thousands(int64(s.Hypo)))
		return w.Flush()
	}
	if s.Organism != "" {
		fmt.Fprintf(w, "organism\t%s\n", shown(s.Organism))
	}
	plural := "s"
	if s.Sequences == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "genome\t%s bp in %s sequence%s, N50 %s bp\n", thousands(s.Size), thousands(int64(s.Sequences)), plural, thousands(s.N50))
	fmt.Fprintf(w, "GC\t%.1f %%\n", 100*s.GC)
	fmt.Fprintf(w, "coding density\t%.1f %%\n", 100*s.Coding)
	for _, kind := range kinds {
		count := s.Features[kind[0]]
		switch {
		case kind[0] == "cds":
			fmt.Fprintf(
				w,
				"%s\t%s, of which %s hypothetical and %s pseudogenes\n",
				kind[1],
				thousands(int64(count)),
				thousands(int64(s.Hypo)),
				thousands(int64(s.Pseudo)),
			)
		case count > 0:
			fmt.Fprintf(w, "%s\t%s\n", kind[1], thousands(int64(count)))
		}
	}
	return w.Flush()
}
