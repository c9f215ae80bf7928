package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testdisk"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// TestFullDisk runs jobs on disks of a few megabytes, in a process with a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	if !testdisk.Alone(t) {
		return
	}
	const complain = `{ echo "ERROR: no space left for me" >&2; exit 1; }`
	tests := []struct {
		name, script string
		code         job.FailureCode // of the manifest's failure
		message      string
	}{
		{"temporary files", "head -c 100M /dev/zero > full 2>/dev/null || " + complain, job.BadInput, "no space left for me"},
		{"results", "head -c 100M /dev/zero > ../out/bakta/result.gff3 2>/dev/null || " + complain, job.BadInput, "no space left for me"},
		{"the log", fine + "; head -c 30000000 /dev/zero | tr '\\0' '\\n'", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disk := testdisk.Mount(t, "8m")
			f := set(t, func(o *Options) { o.Dir = filepath.Join(disk, "runner") })
			j := script(tt.script)
			f.launch(j)
			seen := f.await(j, job.Ended)
			m := f.manifest(j)
			if seen.Interrupted || seen.Failure != nil {
				t.Errorf("observed %+v", seen)
			}
			if tt.code == "" && m.Outcome != stage.Succeeded ||
				tt.code != "" && (m.Failure == nil || m.Failure.Code != tt.code || !strings.Contains(m.Failure.Message, tt.message)) {
				t.Errorf("manifest %+v, %+v", m, m.Failure)
			}
			if err := f.Release(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			next := script(fine)
			f.launch(next)
			f.await(next, job.Ended)
			if m := f.manifest(next); m.Outcome != stage.Succeeded {
				t.Errorf("the next run: %+v, %+v", m, m.Failure)
			}
		})
	}
	t.Run("while jobs wait", func(t *testing.T) {
		disk := testdisk.Mount(t, "8m")
		f := set(t, func(o *Options) { o.Dir = filepath.Join(disk, "runner") })
		gate := filepath.Join(t.TempDir(), "go")
		first := script(fine + "; while [ ! -e " + gate + " ]; do sleep 0.01; done")
		f.launch(first)
		waiting := []job.Job{script(fine), script(fine), script(fine)}
		for i := range waiting {
			waiting[i].Start.Inputs = []job.Input{f.files.upload(waiting[i].ID, "genome_fasta", "genome.fna", strings.Repeat("A", 1<<20))}
			f.launch(waiting[i])
		}
		f.await(first, job.Active)
		until(t, "its result", func() bool {
			found, err := filepath.Glob(filepath.Join(disk, "runner/work/*/out/bakta/result.gff3"))
			return err == nil && len(found) == 1
		})
		filler := testdisk.Fill(t, disk)
		if err := os.WriteFile(gate, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		f.await(first, job.Ended)
		f.await(waiting[0], job.Active)
		time.Sleep(time.Second) // all of them failed in less
		for i, phase := range []job.Phase{job.Active, job.Waiting, job.Waiting} {
			if seen := f.observe(waiting[i]); seen.Phase != phase {
				t.Errorf("on the full disk, run %d: %+v, %+v", i, seen, seen.Failure)
			}
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		for _, j := range waiting {
			f.await(j, job.Ended)
			if m := f.manifest(j); m.Outcome != stage.Succeeded {
				t.Errorf("with space: %+v, %+v", m, m.Failure)
			}
		}
	})
	t.Run("at the launch and in the run", func(t *testing.T) {
		disk := testdisk.Mount(t, "1m")
		f := set(t, func(o *Options) { o.Dir, o.RoomTime = filepath.Join(disk, "runner"), time.Millisecond })
		input := f.files.upload(script("").ID, "genome_fasta", "genome.fna", strings.Repeat("A", 2<<20))
		big := script(fine)
		f.files.upload(big.ID, "genome_fasta", "genome.fna", strings.Repeat("A", 2<<20))
		big.Start.Inputs = []job.Input{input}
		f.launch(big)
		seen := f.await(big, job.Ended)
		if seen.Interrupted || seen.Failure == nil || seen.Failure.Code != job.Internal ||
			!strings.Contains(seen.Failure.Message, "disk is full") {
			t.Errorf("observed %+v, %+v", seen, seen.Failure)
		}
		if err := f.Stop(t.Context(), big.ID); err != nil {
			t.Fatal(err)
		}
		filler := testdisk.Fill(t, disk)
		j := script(fine)
		if _, err := f.Launch(t.Context(), j); !job.Is(err, job.Unavailable) {
			t.Errorf("Launch on a full disk: %v", err)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		f.launch(j)
		f.await(j, job.Ended)
		if m := f.manifest(j); m.Outcome != stage.Succeeded {
			t.Errorf("the next run: %+v", m)
		}
	})
}
