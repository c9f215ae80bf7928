package input

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// TestFolder: what a folder stands for, by endings and content, and what is said of the rest.
func TestFolder(t *testing.T) {
	genome, annotation := clitest.Genome(1, 200), `{"genome": {"genus": null}, "stats": {}}`
	files := map[string]string{
		"a.fna": genome, "b.FASTA": genome, "c.fa.gz": "not compressed", "d.fas": "", "e.fasta": clitest.Proteins, "f.faa": clitest.Proteins,
		"g.json": annotation, "h.json": `{"proteins": []}`, "i.gff3": "##gff-version 3\n", "j.ffn": genome, ".hidden.fna": genome, "k.txt": "x",
		"sub/l.fna": genome,
	}
	lookup := func(kind string) *workflow.Workflow {
		w, _ := workflow.Lookup(kind)
		return &w
	}
	rest := "4 (h.json, i.gff3, j.ffn, …): not files to annotate, by their endings or content"
	inside := "1 (sub): folders in the folder; name them, too, if they are meant"
	for _, tt := range []struct {
		name     string
		without  string // endings of files that are not there
		workflow *workflow.Workflow
		want     Found
	}{
		{"all", "-", nil, Found{Paths: []string{"a.fna", "b.FASTA", "c.fa.gz", "d.fas"}, What: "genomes", Skipped: []string{
			"2 (e.fasta, f.faa): protein files; --workflow proteins takes them", "1 (g.json): Bakta annotations; --workflow baktfold takes them",
			rest, inside}}},
		{"proteins", "-", lookup(workflow.BaktaProteins), Found{Paths: []string{"e.fasta", "f.faa"}, What: "protein files", Skipped: []string{
			"4 (a.fna, b.FASTA, c.fa.gz, …): genomes; --workflow bakta takes them", "1 (g.json): Bakta annotations; --workflow baktfold takes them",
			rest, inside}}},
		{"annotations", "-", lookup(workflow.Baktfold), Found{Paths: []string{"g.json"}, What: "Bakta annotation", Skipped: []string{
			"4 (a.fna, b.FASTA, c.fa.gz, …): genomes; --workflow bakta takes them",
			"2 (e.fasta, f.faa): protein files; --workflow proteins takes them",
			rest, inside}}},
		{"no genomes", ".fna .FASTA .gz .fas", nil, Found{Paths: []string{"e.fasta", "f.faa"}, What: "protein files", Skipped: []string{
			"1 (g.json): Bakta annotations; --workflow baktfold takes them", rest, inside}}},
	} {
		dir := t.TempDir()
		for name, content := range files {
			if strings.Contains(" "+tt.without+" ", " "+filepath.Ext(name)+" ") && filepath.Dir(name) == "." {
				continue
			}
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := Folder(dir, tt.workflow)
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range got.Paths {
			got.Paths[i] = filepath.Base(path)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
}
