package proto_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// The patterns of options in the documents take what a start takes, but for what a pattern can't say: that compliant mode
// wants other locus tags, and that the name of a plasmid does not hold the word.
func TestOpenAPI31TellsOptions(t *testing.T) {
	t.Parallel()
	bakta, _ := workflow.Lookup(workflow.Bakta)
	samples := []string{"", "p", "pA", "pOSAK1", "p1.b_c", "p-1", "p" + strings.Repeat("x", 19), "p" + strings.Repeat("x", 20), "unnamed",
		"unnamed1", "unnamed123",
		"unnamed1234", "x", "A", "ECs", "a b", "a;b", "a:b", "a*b", "a#b", "a-b", "a.b", "a_b", "ä", "-", strings.Repeat("A",
			20), strings.Repeat("A", 21),
		strings.Repeat("A", 24), strings.Repeat("A", 25)}
	for _, row := range []struct {
		first, second string
		set           func(*option.Config, string)
	}{
		{"plasmid", "plasmid", func(c *option.Config, v string) { c.Plasmid = v }},
		{"locus", "locus", func(c *option.Config, v string) { c.Locus = v }},
		{"locusTag", "locus_tag", func(c *option.Config, v string) { c.LocusTag = v }},
	} {
		for name, document := range map[string]string{row.first: protov1.OpenAPI31(), row.second: protov2.OpenAPI31()} {
			property, _ := read(t, document).Components.Schemas["JobConfig"].Properties[name].(map[string]any)
			written, _ := property["pattern"].(string)
			if written == "" {
				t.Errorf("%s has no pattern", name)
				continue
			}
			pattern := regexp.MustCompile(written)
			for _, sample := range samples {
				var config option.Config
				row.set(&config, sample)
				err := bakta.Validate(config)
				if fits := pattern.MatchString(sample); fits != (err == nil) {
					t.Errorf("%s %q fits its pattern: %v; a start says %v", name, sample, fits, err)
				}
			}
		}
	}
}
