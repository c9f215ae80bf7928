package workflow

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/google/go-cmp/cmp"
)

// catalogueRow is what clients see of a workflow. Its names are names on the wire: one more, one less or another spelling
// breaks clients.
type catalogueRow struct {
	Uploads string // the required with a star
	Stages  string
	Result  string            // kind
	V2      map[string]string // keys to endings
}

func TestCatalogue(t *testing.T) {
	genome := "genome_fasta* prodigal_training_file replicons_table regions_file trusted_proteins_file hmms_file"
	annotation := map[string]string{
		"embl":              "embl",
		"faa":               "faa",
		"hypotheticals_faa": "hypotheticals.faa",
		"ffn":               "ffn",
		"fna":               "fna",
		"gbff":              "gbff",
		"gff3":              "gff3",
		"json":              "json",
		"tsv":               "tsv",
		"hypotheticals_tsv": "hypotheticals.tsv",
		"inference_tsv":     "inference.tsv",
		"logs_txt":          "txt",
	}
	plotted := maps.Clone(annotation)
	plotted["circular_plot_png"], plotted["circular_plot_svg"] = "png", "svg"
	want := map[string]catalogueRow{
		"bakta": {genome, "bakta", "bakta", plotted},
		"bakta_proteins": {
			"protein_fasta*",
			"bakta_proteins",
			"bakta_proteins",
			map[string]string{"faa": "faa", "json": "json", "tsv": "tsv", "hypotheticals_tsv": "hypotheticals.tsv"},
		},
		"bakta_baktfold": {genome, "bakta baktfold", "bakta", plotted},
		"baktfold":       {"bakta_json*", "baktfold", "baktfold", annotation},
	}
	got := make(map[string]catalogueRow)
	for _, w := range Catalogue() {
		r := catalogueRow{Result: w.ResultKind, V2: make(map[string]string)}
		var uploads, stages []string
		for _, u := range w.Uploads {
			if u.Required {
				u.Kind += "*"
			}
			uploads = append(uploads, u.Kind)
		}
		for _, s := range w.Stages {
			stages = append(stages, s.Name)
		}
		for _, f := range w.Results {
			r.V2[f.Key] = f.Ending
		}
		r.Uploads, r.Stages = strings.Join(uploads, " "), strings.Join(stages, " ")
		got[w.Kind] = r
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The keys of the first version are the same whatever the workflow.
func TestKeysOfTheFirstVersion(t *testing.T) {
	want := map[string]string{
		"EMBL": "embl", "FAA": "faa", "FAAHypothetical": "hypotheticals.faa", "FFN": "ffn", "FNA": "fna", "GBFF": "gbff", "GFF3": "gff3",
		"JSON": "json", "TSV": "tsv", "TSVHypothetical": "hypotheticals.tsv", "TSVInference": "inference.tsv", "TXTLogs": "txt",
		"PNGCircularPlot": "png", "SVGCircularPlot": "svg",
	}
	for _, w := range Catalogue() {
		keys := make(map[string]string)
		for _, f := range w.Results {
			keys[f.KeyV1] = f.Ending
			if want[f.KeyV1] != f.Ending {
				t.Errorf("%s: %s is called %q", w.Kind, f.Ending, f.KeyV1)
			}
		}
		if len(keys) != len(w.Results) || w.Kind == Bakta && len(keys) != len(want) {
			t.Errorf("%s: %d keys of %d results", w.Kind, len(keys), len(w.Results))
		}
	}
}

// Who writes which file decides which one a user gets.
func TestResultFiles(t *testing.T) {
	both, first := "bakta baktfold", "bakta"
	merged := map[string]string{
		"embl": both, "faa": both, "ffn": both, "fna": both, "gbff": both, "gff3": both, "json": both, "tsv": both, "inference.tsv": both,
		"hypotheticals.faa": first, "hypotheticals.tsv": first, "txt": first, "png": first, "svg": first,
	}
	for _, w := range Catalogue() {
		for _, f := range w.Results {
			want := w.Stages[0].Name
			if len(w.Stages) > 1 {
				want = merged[f.Ending]
			}
			if got := strings.Join(f.Stages, " "); got != want {
				t.Errorf("%s: %s is written by %q, want %q", w.Kind, f.Ending, got, want)
			}
			if f.Required != (f.Ending == "json") {
				t.Errorf("%s: %s: required %t", w.Kind, f.Ending, f.Required)
			}
			file := "result." + f.Ending
			if w.Kind == Baktfold && f.Ending == "txt" {
				file = "result.summary.txt"
			}
			if f.File != file {
				t.Errorf("%s: %s is written as %s", w.Kind, f.Ending, f.File)
			}
		}
	}
}

func TestCatalogueHoldsTogether(t *testing.T) {
	for _, w := range Catalogue() {
		stages := make(map[string]bool)
		for _, s := range w.Stages {
			if stages[s.Name] {
				t.Errorf("%s: two stages %s", w.Kind, s.Name)
			}
			if s.After != "" && !stages[s.After] {
				t.Errorf("%s: %s goes on from %s, which is not before it", w.Kind, s.Name, s.After)
			}
			stages[s.Name] = true
			if p, ok := Program(s.Program); !ok || len(p.Steps) == 0 {
				t.Errorf("%s: the program %s has no row, or no steps", w.Kind, s.Program)
			}
		}
		for _, r := range w.Results {
			if len(r.Stages) == 0 {
				t.Errorf("%s: %s is written by no stage", w.Kind, r.Ending)
			}
			for _, s := range r.Stages {
				if !stages[s] {
					t.Errorf("%s: %s is written by %s, which is no stage", w.Kind, r.Ending, s)
				}
			}
		}
		optional := false
		for _, u := range w.Uploads {
			if u.Label == "" || u.MaxSize <= 0 || u.Required && optional {
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
	got := Offered(func(name string) bool { return name == bakta.Name })
	if len(got) != 1 || got[0].Kind != Bakta {
		t.Errorf("with Bakta %v is offered", got)
	}
	got[0].Uploads[0].Kind = "changed"
	for _, tt := range []struct{ has, offered string }{
		{"bakta_proteins", "bakta_proteins"},
		{"baktfold", "baktfold"},
		{"bakta baktfold", "bakta bakta_baktfold baktfold"},
		{"bakta bakta_proteins baktfold", "bakta bakta_proteins bakta_baktfold baktfold"},
	} {
		var kinds []string
		for _, w := range Offered(func(program string) bool { return slices.Contains(strings.Fields(tt.has), program) }) {
			kinds = append(kinds, w.Kind)
		}
		if offered := strings.Join(kinds, " "); offered != tt.offered {
			t.Errorf("with %s, %s are offered", tt.has, offered)
		}
	}
	if w, _ := Lookup(Bakta); w.Uploads[0].Kind != upload.GenomeFASTA {
		t.Error("a caller changed the catalogue")
	}
	if _, ok := Lookup("no such workflow"); ok {
		t.Error("a workflow that does not exist was found")
	}
}
