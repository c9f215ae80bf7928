package process

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// tool is a program like an annotation tool: it has a command line, prints its steps, starts a child that writes temporary
// files, and writes results with a prefix.
const tool = `#!/bin/sh
set -e
while [ $# -gt 1 ]; do
	case $1 in
	--output) out=$2; shift ;;
	--prefix) prefix=$2; shift ;;
	--tmp-dir) tmp=$2; shift ;;
	--replicons) replicons=$2; shift ;;
	--force) force=1 ;;
	esac
	shift
done
[ -n "$force" ] || { echo "bakta: error: output path exists" >&2; exit 2; }
echo "Parse genome sequences..."
case $(head -c1 "$1") in
'>') ;;
*) echo "ERROR: wrong genome file format!" >&2; exit 1 ;;
esac
grep -v '>' "$1" | tr -d '\n' | wc -c > "$tmp/length" & # a tool of its own
wait
echo "predict tRNAs..."
echo "WARNING: nothing to see" >&2
cp "$1" "$out/$prefix.fna"
cp "$replicons" "$out/$prefix.tsv"
{ echo '##gff-version 3'; cat "$tmp/length"; } > "$out/$prefix.gff3"
: > "$out/$prefix.faa"
echo "Annotation successfully finished in 0:00 [mm:ss]."
`

// recorder does with a report what the backend does: it reads the outcome, keeps it, and releases the run.
type recorder struct {
	t *testing.T
	f *fixture

	mu     sync.Mutex
	jobs   map[string]job.Job
	ended  map[string]stage.Manifest
	stages map[string][]job.StageStatus // that were seen, of each job's stage
}

func (w *recorder) record(ctx context.Context, id string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.jobs[id]
	if _, known := w.ended[id]; known {
		return nil
	}
	seen, err := w.f.Observe(ctx, j)
	if err != nil {
		return err
	}
	for _, s := range seen.Stages {
		if n := len(w.stages[id]); n == 0 || w.stages[id][n-1] != s.Status {
			w.stages[id] = append(w.stages[id], s.Status)
		}
	}
	if seen.Phase != job.Ended {
		return nil
	}
	w.ended[id] = w.f.manifest(j)
	return w.f.Release(ctx, j)
}

func (w *recorder) outcome(id string) (stage.Manifest, []job.StageStatus, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, ok := w.ended[id]
	return m, slices.Clone(w.stages[id]), ok
}

// TestEndToEnd takes jobs from their uploads to their stored results, with reports in between.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "bakta")
	if err := os.WriteFile(program, []byte(tool), 0o644); err != nil {
		t.Fatal(err)
	}
	w := &recorder{t: t, jobs: make(map[string]job.Job), ended: make(map[string]stage.Manifest), stages: make(map[string][]job.StageStatus)}
	ready := make(chan struct{})
	w.f = set(t, func(o *Options) {
		o.Jobs = 2
		o.Report = func(ctx context.Context, id string) error {
			<-ready // until the fixture is complete
			return w.record(ctx, id)
		}
		o.Specs = func(j job.Job, dir string) (stage.Spec, error) {
			d := stage.Dir(dir)
			s := stage.Spec{Job: j.ID, Run: j.Run, Dir: dir, Inputs: j.Start.Inputs, Stages: []stage.Command{{
				Stage: "bakta", Title: "Bakta",
				Argv: []string{"/bin/sh", program, "--output", d.Output("bakta"), "--prefix", "result", "--tmp-dir", d.Temp(), "--force",
					"--replicons", d.Input("replicons.tsv"), d.Input("genome.fna")},
			}}}
			for _, ending := range []string{"fna", "tsv", "gff3", "faa", "svg"} {
				s.Results = append(s.Results, stage.Expected{Ending: ending, Path: "out/bakta/result." + ending, Required: ending == "gff3"})
			}
			return s, nil
		}
	})
	close(ready)
	const table, normal = "c1\tn1\tplasmid\tcircular\tp1\r\n\r\n", "\"c1\"\t\"n1\"\t\"plasmid\"\t\"circular\"\t\"p1\"\n"
	launch := func(genome string) job.Job {
		j := script("")
		j.Start.Inputs = []job.Input{
			w.f.files.upload(j.ID, upload.GenomeFASTA, "genome.fna", genome),
			w.f.files.upload(j.ID, upload.RepliconsTable, "replicons.tsv", table),
		}
		w.mu.Lock()
		w.jobs[j.ID] = j
		w.mu.Unlock()
		w.f.launch(j)
		return j
	}
	good, bad := launch(">c1\nACGTACGT\nAC\n"), launch("no genome")
	var outcomes []stage.Manifest
	for _, j := range []job.Job{good, bad} {
		until(t, "the outcome", func() bool {
			_, _, ok := w.outcome(j.ID)
			return ok
		})
		m, stages, _ := w.outcome(j.ID)
		// Reports may be late, so a state can be missed; the last one can't.
		if len(stages) == 0 || stages[len(stages)-1] != m.Stages[0].Status {
			t.Errorf("the stage was seen in the states %q", stages)
		}
		outcomes = append(outcomes, m)
	}
	read := func(files []job.File, name string) string {
		i := slices.IndexFunc(files, func(f job.File) bool { return f.Name == name })
		if i < 0 {
			return "(none)"
		}
		b, _ := w.f.files.content(files[i].Key)
		return string(b)
	}
	if m := outcomes[0]; m.Outcome != stage.Succeeded || len(m.Files) != 4 ||
		read(m.Files, "gff3") != "##gff-version 3\n10\n" || read(m.Files, "fna") != ">c1\nACGTACGT\nAC\n" ||
		read(m.Files, "faa") != "" || !strings.HasSuffix(read(m.Files, "tsv"), "\n"+normal) {
		t.Errorf("success: %+v, gff3 %q, tsv %q", m, read(m.Files, "gff3"), read(m.Files, "tsv"))
	}
	log := read(outcomes[0].Logs, "bakta")
	for _, line := range []string{
		"Bakta Command: /bin/sh " + program, "\nParse genome sequences...\n", "\nWARNING: nothing to see\n",
		"\nAnnotation successfully finished",
	} {
		if !strings.Contains(log, line) {
			t.Errorf("%q is missing in %q", line, log)
		}
	}
	if m := outcomes[1]; m.Outcome != stage.Failed || m.Failure.Code != job.BadInput ||
		!strings.Contains(m.Failure.Message, "wrong genome file format!") ||
		len(m.Files) != 0 ||
		!strings.Contains(read(m.Logs, "bakta"), "ERROR: wrong genome file format!\n") {
		t.Errorf("failure: %+v, %+v", m, m.Failure)
	}
	for _, j := range []job.Job{good, bad} {
		if err := w.f.Stop(t.Context(), j.ID); err != nil {
			t.Error(err)
		}
		w.f.empty(j.ID)
	}
}
