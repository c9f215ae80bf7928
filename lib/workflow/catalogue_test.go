package workflow

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The keys of the first version are names on the wire: one more, one less or another spelling breaks clients.
func TestBaktaResults(t *testing.T) {
	w, ok := Lookup(Bakta)
	if !ok {
		t.Fatal("no workflow bakta")
	}
	keys := make(map[string]string)
	for _, r := range w.Results {
		if r.KeyV1 == "" || r.Key == "" || keys[r.KeyV1] != "" {
			t.Errorf("keys of %+v", r)
		}
		keys[r.KeyV1] = r.Ending
		if r.Stage != "bakta" || r.File != "result."+r.Ending {
			t.Errorf("%s is written by %s as %s", r.Ending, r.Stage, r.File)
		}
		if r.Required != (r.Ending == "json") {
			t.Errorf("%s: required %t", r.Ending, r.Required)
		}
	}
	want := map[string]string{
		"EMBL": "embl", "FAA": "faa", "FAAHypothetical": "hypotheticals.faa", "FFN": "ffn", "FNA": "fna", "GBFF": "gbff", "GFF3": "gff3",
		"JSON": "json", "TSV": "tsv", "TSVHypothetical": "hypotheticals.tsv", "TSVInference": "inference.tsv", "TXTLogs": "txt",
		"PNGCircularPlot": "png", "SVGCircularPlot": "svg",
	}
	if diff := cmp.Diff(want, keys); diff != "" {
		t.Error(diff)
	}
}

func TestCatalogueHoldsTogether(t *testing.T) {
	for _, w := range Catalogue() {
		stages := make(map[string]bool)
		for _, s := range w.Stages {
			if stages[s.Name] {
				t.Errorf("%s: two stages %s", w.Kind, s.Name)
			}
			stages[s.Name] = true
			if len(programSteps(s.Program)) == 0 {
				t.Errorf("%s: no steps of %s are known", w.Kind, s.Program)
			}
		}
		for _, r := range w.Results {
			if !stages[r.Stage] {
				t.Errorf("%s: %s is written by no stage", w.Kind, r.Ending)
			}
		}
		optional := false
		for _, u := range w.Uploads {
			if u.MaxSize <= 0 || u.Required && optional {
				t.Errorf("%s: upload %+v", w.Kind, u)
			}
			optional = optional || !u.Required
		}
	}
}

func TestOffered(t *testing.T) {
	if got := Offered(func(string) bool { return false }); len(got) != 0 {
		t.Errorf("without programs %d workflows are offered", len(got))
	}
	got := Offered(func(program string) bool { return program == ProgramBakta })
	if len(got) != 1 || got[0].Kind != Bakta {
		t.Errorf("with Bakta %v is offered", got)
	}
	got[0].Uploads[0].Kind = "changed"
	if w, _ := Lookup(Bakta); w.Uploads[0].Kind != GenomeFASTA {
		t.Error("a caller changed the catalogue")
	}
	if _, ok := Lookup("no such workflow"); ok {
		t.Error("a workflow that does not exist was found")
	}
}
