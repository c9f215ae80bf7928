package input

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// TestWorkflow: only what can be no genome is taken for something else.
func TestWorkflow(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(clitest.Proteins))
	w.Close()
	for content, want := range map[string]string{
		clitest.Genome(1, 200):                  workflow.Bakta,
		clitest.Proteins:                        workflow.BaktaProteins,
		packed.String():                         workflow.BaktaProteins,
		" \n{\"genome\": {}}":                   workflow.Baktfold,
		"":                                      workflow.Bakta,
		"no FASTA\n":                            workflow.Bakta,
		">a\nACGTRYSWKMXXACGTACGTEEACGTACGTN\n": workflow.Bakta, // a genome with mistakes in it
		">a\n":                                  workflow.Bakta,
	} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Workflow(path); got != want {
			t.Errorf("%.40q is for %s, want %s", content, got, want)
		}
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := Workflow(pipe); got != workflow.Bakta {
		t.Errorf("a pipe is for %s", got)
	}
	if got := Workflow("/nowhere"); got != workflow.Bakta {
		t.Errorf("nothing is for %s", got)
	}
}
