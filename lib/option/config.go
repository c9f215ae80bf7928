// Package option has the options of Bakta: their JSON form, rules and flags.
package option

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Config holds every option of every workflow, after the API's versions were read into it: one field has one
// meaning and one spelling here. The zero value of a field means that the option was not given. Its JSON form
// (EncodeConfig) is canonical and stored with the job.
type Config struct {
	// Use says, by upload kind, whether the caller promised (true) or declined (false) an optional upload.
	// A kind that is absent leaves it to the upload: content is used, nothing is not.
	Use map[string]bool `json:"use,omitempty"`

	TranslationTable  int    `json:"translation_table,omitempty"` // 4, 11 or 25
	CompleteGenome    bool   `json:"complete_genome,omitempty"`
	KeepContigHeaders bool   `json:"keep_contig_headers,omitempty"`
	MinContigLength   int64  `json:"min_contig_length,omitempty"` // base pairs
	DermType          string `json:"derm_type,omitempty"`         // DermUnknown, Monoderm, Diderm
	Genus             string `json:"genus,omitempty"`
	Species           string `json:"species,omitempty"`
	Strain            string `json:"strain,omitempty"`
	Plasmid           string `json:"plasmid,omitempty"`
	Locus             string `json:"locus,omitempty"`
	LocusTag          string `json:"locus_tag,omitempty"`
	LocusTagIncrement int    `json:"locus_tag_increment,omitempty"` // 1, 5 or 10
	Compliant         bool   `json:"compliant,omitempty"`
	Meta              bool   `json:"meta,omitempty"` // find genes as in a metagenome

	// Skip holds the steps that are left out, of Steps, each once and in their order.
	Skip []string `json:"skip,omitempty"`
}

// Steps returns the steps that can be left out, in the order in which Bakta does them.
func Steps() []string {
	return []string{"trna", "tmrna", "rrna", "ncrna", "ncrna_region", "crispr", "cds", "pseudo", "sorf", "gap", "ori", "filter", "plot"}
}

// The derm types.
const (
	DermUnknown = "unknown"
	Monoderm    = "monoderm"
	Diderm      = "diderm"
)

// Normalise returns the configuration as it is validated, stored and run: without white space around texts, so
// that a blank text is one that was not given, and with each step that is skipped once and in order. What was given
// is kept even where it is Bakta's default.
func (c Config) Normalise() Config {
	for _, text := range []*string{&c.DermType, &c.Genus, &c.Species, &c.Strain, &c.Plasmid, &c.Locus, &c.LocusTag} {
		*text = strings.TrimSpace(*text)
	}
	if len(c.Use) == 0 {
		c.Use = nil
	}
	c.Use = maps.Clone(c.Use)
	c.Skip = sortedSteps(c.Skip)
	return c
}

// sortedSteps returns the steps in their order, each once, and behind them what is no step.
func sortedSteps(skip []string) []string {
	var sorted, unknown []string
	for _, step := range Steps() {
		if slices.Contains(skip, step) {
			sorted = append(sorted, step)
		}
	}
	for _, s := range skip {
		if !slices.Contains(Steps(), s) {
			unknown = append(unknown, s)
		}
	}
	slices.Sort(unknown)
	return append(sorted, slices.Compact(unknown)...)
}

// EncodeConfig returns the canonical JSON of a configuration: two that are equal have equal bytes.
func Encode(c Config) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	return b, nil
}

// DecodeConfig reads what EncodeConfig wrote. Fields that it does not know, which a newer version wrote, are
// passed over.
func Decode(b []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("decoding the configuration: %w", err)
	}
	return c, nil
}
