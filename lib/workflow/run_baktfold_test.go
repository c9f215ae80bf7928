package workflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// smallAnnotation is what Bakta might have written of a plasmid with one coding sequence.
const smallAnnotation = `{"genome":{"genus":"Exemplum","species":null,"strain":null,"complete":true,"gram":"?","translation_table":11},
"stats":{"size":12,"gc":0.5,"n_ratio":0,"n50":12,"n90":12,"coding_ratio":0.75},
"features":[{"type":"cds","sequence":"c1","start":1,"stop":9,"strand":"+","frame":1,"gene":null,"product":"hypothetical protein","db_xrefs":[],"nt":"ATGGCCTAA",
"aa":"MA","aa_hexdigest":"0","start_type":"ATG","rbs_motif":null,"hypothetical":true,"genes":[],"seq_stats":{"molecular_weight":220.0,"isoelectric_point":5.2},"id":"i_1","locus":"L_1"}],
"sequences":[{"id":"c1","description":"d","nt":"ATGGCCTAAACG","length":12,"complete":true,"type":"plasmid","topology":"circular","name":"p1","simple_id":"c1","orig_id":"c1","orig_description":""}],
"run":{"start":"2026-01-31 12:00:00","end":"2026-01-31 12:00:01","duration":"0.02 min"},"version":{"bakta":"1.12.2","db":{"version":"6.0","type":"full"}}}`

// TestRunBaktfold has the real Baktfold, without its searches, judge our command line and annotations.
func TestRunBaktfold(t *testing.T) {
	program, database, ok := realbakta.Baktfold(t)
	if !ok {
		return
	}
	env := Environment{Command: []string{program}, Database: database, Threads: 2}
	none := strings.Replace(smallAnnotation, `"hypothetical":true,`, "", 1)
	for name, annotation := range map[string][]byte{"plain": []byte(smallAnnotation), "compressed": gzipped([]byte(smallAnnotation)), "nothing to look for": []byte(none)} {
		for _, gpu := range []bool{false, true} {
			env.GPU = gpu
			o := run(t, Baktfold, Config{Genus: "passed over"}, env, map[string][]byte{BaktaJSON: annotation})
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
	program, _, ok := realbakta.Baktfold(t)
	if !ok {
		return
	}
	env := Environment{Command: []string{program}, Database: t.TempDir(), Threads: 1}
	o := run(t, Baktfold, Config{}, env, map[string][]byte{BaktaJSON: []byte(smallAnnotation)})
	f := Explain(Exit{Stage: "baktfold", Title: "Baktfold", Code: o.exit, Stdout: o.stdout, Stderr: o.stderr})
	if o.exit != 1 || f.Code != job.Internal || !strings.Contains(f.Message, "baktfold database not found") {
		t.Errorf("exit code %d, %+v", o.exit, f)
	}
}
