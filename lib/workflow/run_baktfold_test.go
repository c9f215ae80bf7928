package workflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// TestRunBaktfold has the real Baktfold, without its searches, judge our command line and annotations.
func TestRunBaktfold(t *testing.T) {
	path, database, ok := realbakta.Baktfold(t)
	if !ok {
		return
	}
	env := program.Environment{Command: []string{path}, Database: database, Threads: 2}
	smallAnnotation := readTest(t, "..", "upload", "testdata", "annotation.json")
	none := strings.Replace(smallAnnotation, `"hypothetical":true,`, "", 1)
	for name, annotation := range map[string][]byte{"plain": []byte(smallAnnotation), "compressed": gzipFile([]byte(smallAnnotation)),
		"nothing to look for": []byte(none)} {
		for _, gpu := range []bool{false, true} {
			env.GPU = gpu
			o := run(t, Baktfold, option.Config{Genus: "passed over"}, env, map[string][]byte{upload.BaktaJSON: annotation})
			if o.exit != 0 {
				t.Fatalf("%s: exit code %d\n%s", name, o.exit, o.stderr)
			}
			if s, ok := StepOf(Baktfold, string(o.stderr)); !ok || s.Number != s.Of {
				t.Errorf("%s: the run ended at step %+v", name, s)
			}
			w, _ := Lookup(Baktfold)
			for _, r := range w.Results {
				if strings.HasPrefix(r.Ending, "hypotheticals.") {
					continue // of which it writes none, whatever the contract names
				}
				if _, err := os.Stat(filepath.Join(o.layout.Output(r.Stages[0]), r.File)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}

// TestRunBaktfoldFails has it fail for a fault that is the operator's.
func TestRunBaktfoldFails(t *testing.T) {
	path, _, ok := realbakta.Baktfold(t)
	if !ok {
		return
	}
	env := program.Environment{Command: []string{path}, Database: t.TempDir(), Threads: 1}
	o := run(
		t,
		Baktfold,
		option.Config{},
		env,
		map[string][]byte{upload.BaktaJSON: []byte(readTest(t, "..", "upload", "testdata", "annotation.json"))},
	)
	f := Explain(program.Exit{Stage: "baktfold", Title: "Baktfold", Code: o.exit, Stdout: o.stdout, Stderr: o.stderr})
	if o.exit != 1 || f.Code != job.Internal || !strings.Contains(f.Message, "baktfold database not found") {
		t.Errorf("exit code %d, %+v", o.exit, f)
	}
}
