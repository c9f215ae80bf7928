// Package annotation reads from Bakta's JSON file what was annotated.
package annotation

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// Summary is what was annotated, as far as Bakta's JSON file says.
type Summary struct {
	Tool      string         `json:"tool"`
	Version   string         `json:"version,omitempty"` // of Bakta
	Database  string         `json:"database"`
	Baktfold  string         `json:"baktfold,omitempty"` // its version, if it went on with what Bakta had annotated
	Note      string         `json:"note,omitempty"`     // what a program other than Bakta has to say of itself
	Organism  string         `json:"organism,omitempty"`
	Size      int64          `json:"size"`      // base pairs
	Sequences int            `json:"sequences"` // 0: proteins without a genome
	GC        float64        `json:"gc"`        // share, 0 to 1
	Coding    float64        `json:"coding"`    // share, 0 to 1
	N50       int64          `json:"n50"`       // base pairs
	Features  map[string]int `json:"features"`  // by Bakta's type of feature
	Pseudo    int            `json:"pseudogenes"`
	Hypo      int            `json:"hypotheticals"`
}

// Kinds are Bakta's types of features in its order, and what people call them.
var Kinds = [][2]string{
	{"tRNA", "tRNAs"}, {"tmRNA", "tmRNAs"}, {"rRNA", "rRNAs"}, {"ncRNA", "ncRNAs"}, {"ncRNA-region", "ncRNA regions"},
	{"crispr", "CRISPR arrays"}, {"cds", "CDSs"}, {"sorf", "sORFs"}, {"gap", "gaps"}, {"oriC", "oriCs"}, {"oriV", "oriVs"}, {"oriT", "oriTs"},
}

// maxFile bounds the file that is read, in bytes: Bakta writes some 8 bytes of it for a base pair.
const maxFile = 1 << 30

// header are the members of the file that are read whole.
type header struct {
	Run struct {
		Note string `json:"note"`
	}
	Genome struct {
		Genus, Species, Strain *string
	}
	Stats struct {
		Size   int64   `json:"size"`
		GC     float64 `json:"gc"`
		Coding float64 `json:"coding_ratio"`
		N50    int64   `json:"n50"`
	}
	Version struct {
		Bakta    string          `json:"bakta"`
		DB       json.RawMessage `json:"db"`
		Tool     string          `json:"tool"`
		Note     string          `json:"note"`
		Baktfold string          `json:"baktfold"`
	}
}

// Read reads Bakta's JSON file. It holds one feature or sequence of it in memory at a time.
func Read(path string) (Summary, error) {
	f, err := os.Open(path)
	if err != nil {
		return Summary{}, err
	}
	defer f.Close()
	s := Summary{Features: map[string]int{}}
	var h header
	decoder := json.NewDecoder(io.LimitReader(f, maxFile))
	err = members(decoder, func(name string) error {
		switch name {
		case "run":
			return decoder.Decode(&h.Run)
		case "genome":
			return decoder.Decode(&h.Genome)
		case "stats":
			return decoder.Decode(&h.Stats)
		case "version":
			return decoder.Decode(&h.Version)
		case "features":
			return elements(decoder, s.feature)
		case "sequences":
			return elements(decoder, s.sequence)
		}
		return decoder.Decode(&ignored{})
	})
	if err != nil {
		return Summary{}, fmt.Errorf("reading %s: %w", path, err)
	}
	s.take(h)
	return s, nil
}

// ignored takes any value and keeps nothing of it.
type ignored struct{}

func (*ignored) UnmarshalJSON([]byte) error { return nil }

// members calls each for the members of an object, whose value it has to read.
func members(decoder *json.Decoder, each func(name string) error) error {
	if err := delimiter(decoder, '{'); err != nil {
		return err
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		text, _ := name.(string) // the decoder accepts no other name
		if err := each(text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return delimiter(decoder, '}')
}

// elements calls each for the elements of a list, which it has to read.
func elements(decoder *json.Decoder, each func(*json.Decoder) error) error {
	if err := delimiter(decoder, '['); err != nil {
		return err
	}
	for decoder.More() {
		if err := each(decoder); err != nil {
			return err
		}
	}
	return delimiter(decoder, ']')
}

func delimiter(decoder *json.Decoder, want json.Delim) error {
	switch token, err := decoder.Token(); {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case token != want:
		return fmt.Errorf("%v stands where %v is expected", token, want)
	}
	return nil
}

func (s *Summary) feature(decoder *json.Decoder) error {
	var f struct {
		Type         string          `json:"type"`
		Hypothetical bool            `json:"hypothetical"`
		Pseudo       json.RawMessage `json:"pseudogene"`
	}
	if err := decoder.Decode(&f); err != nil {
		return err
	}
	s.Features[f.Type]++
	if f.Hypothetical {
		s.Hypo++
	}
	if len(f.Pseudo) > 0 && string(f.Pseudo) != "null" {
		s.Pseudo++
	}
	return nil
}

func (s *Summary) sequence(decoder *json.Decoder) error {
	s.Sequences++
	return decoder.Decode(&ignored{})
}

// take takes over what is read whole.
func (s *Summary) take(h header) {
	s.Note = cmp.Or(h.Run.Note, h.Version.Note)
	s.Baktfold, s.Version = h.Version.Baktfold, h.Version.Bakta
	s.Tool = cmp.Or(h.Version.Tool, "Bakta") + " " + h.Version.Bakta
	s.Size, s.GC, s.Coding, s.N50 = h.Stats.Size, h.Stats.GC, h.Stats.Coding, h.Stats.N50
	var db struct{ Version, Type string }
	if json.Unmarshal(h.Version.DB, &db) == nil && db.Version != "" {
		s.Database = db.Version
		if db.Type != "" {
			s.Database += " (" + db.Type + ")"
		}
	} else {
		json.Unmarshal(h.Version.DB, &s.Database) // a plain text before Bakta 1.9
	}
	var organism []string
	for _, part := range []*string{h.Genome.Genus, h.Genome.Species, h.Genome.Strain} {
		if part != nil && *part != "" {
			organism = append(organism, *part)
		}
	}
	s.Organism = strings.Join(organism, " ")
}
