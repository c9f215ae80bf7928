package annotation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRead(t *testing.T) {
	for text, want := range map[string]Summary{
		`{"genome":{"genus":"Escherichia","species":"coli","strain":null},"stats":{"size":12,"gc":0.5,"coding_ratio":0.8,"n50":10},"new":[1,{}],
		"features":[{"type":"cds","hypothetical":true},{"type":"cds","pseudogene":{}},{"type":"tRNA","pseudogene":null}],
		"sequences":[{"id":"a","nt":"ACGT"},{}],"version":{"bakta":"1.12.2","db":{"version":"6.0","type":"light"}}}`: {
			Tool: "Bakta 1.12.2", Version: "1.12.2", Database: "6.0 (light)", Organism: "Escherichia coli", Size: 12, Sequences: 2, GC: 0.5,
			Coding: 0.8, N50: 10, Features: map[string]int{"cds": 2, "tRNA": 1}, Pseudo: 1, Hypo: 1,
		},
		`{"version":{"tool":"other","bakta":"1","db":"4.0"},"run":{"note":"not Bakta"},"features":[],"sequences":[]}`: {
			Tool: "other 1", Version: "1", Database: "4.0", Note: "not Bakta", Features: map[string]int{},
		},
	} {
		got, err := Read(write(t, text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	}
}

func TestReadDamaged(t *testing.T) {
	for text, says := range map[string]string{
		"":                           "unexpected EOF",
		`[]`:                         "[ stands where { is expected",
		`{"features":{}}`:            "features: { stands where [ is expected",
		`{"features":[{"type":"cds"`: "features: unexpected EOF",
		`{"stats":{"size":"large"}}`: "stats: json: cannot unmarshal string",
		`{"features":[]`:             "unexpected EOF",
	} {
		if _, err := Read(write(t, text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
