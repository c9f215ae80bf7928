package stage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

func TestIn(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	replace := func(content string) func(*testing.T, *faulty, Spec) {
		return func(t *testing.T, f *faulty, s Spec) { f.upload(t, s.Job, upload.GenomeFASTA, "", content) }
	}
	// so lets a step fail so many times.
	so := func(times int, step string) func(*testing.T, *faulty, Spec) {
		return func(_ *testing.T, f *faulty, _ Spec) {
			f.fault = func(at, key string) error {
				if at == step && times > 0 {
					times--
					return errAway
				}
				return nil
			}
		}
	}
	tests := []struct {
		name    string
		setUp   func(t *testing.T, f *faulty, s Spec)
		failure string // part of its message; empty for none
	}{
		{"fine", func(*testing.T, *faulty, Spec) {}, ""},
		{"replaced", replace(">c1\nTTTTTTTT\n"), "genome: the upload was changed or removed after the job was started"},
		{"replaced by the same", replace(genome), ""},
		{"emptied", replace(""), "genome: the upload was changed"},
		{"removed", func(t *testing.T, f *faulty, s Spec) {
			if err := f.Store.RemovePrefix(t.Context(), job.Prefix(s.Job)); err != nil {
				t.Fatal(err)
			}
		}, "genome: the upload was changed"},
		{"pinned with another size", func(_ *testing.T, _ *faulty, s Spec) { s.Inputs[0].Size++ }, "genome: the upload was changed"},
		{"storage is away for a while", so(3, "open"), ""},
		{"storage gives no content for a while", so(3, "opened"), ""},
		{"the connection breaks", func(_ *testing.T, f *faulty, _ Spec) {
			times := 2
			f.broken = func(string) (int64, bool) { times--; return 5, times >= 0 }
		}, ""},
		{"the connection breaks at the end", func(_ *testing.T, f *faulty, _ Spec) {
			times := 2
			f.broken = func(string) (int64, bool) { times--; return int64(len(genome)), times >= 0 }
		}, ""},
		{"the directory is half filled", func(t *testing.T, _ *faulty, s Spec) {
			if err := os.MkdirAll(filepath.Dir(Dir(s.Dir).Input("x")), 0o755); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"genome.fna", "genome.fna.part"} {
				if err := os.WriteFile(Dir(s.Dir).Input(name), []byte("half and much longer than it should be"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{Store: files.Store}
			s := newSpec(t, shell("true"))
			s.Inputs = []job.Input{f.upload(t, s.Job, upload.GenomeFASTA, "genome.fna", genome)}
			tt.setUp(t, f, s)
			failure, err := In(t.Context(), f, s)
			if err != nil {
				t.Fatal(err)
			}
			if tt.failure == "" {
				if failure != nil {
					t.Fatalf("failure: %+v", failure)
				}
				if got := text(t, Dir(s.Dir).Input("genome.fna")); got != genome {
					t.Errorf("genome: %q", got)
				}
			} else if failure == nil || failure.Code != job.BadInput || !strings.Contains(failure.Message, tt.failure) {
				t.Errorf("failure: %+v", failure)
			}
			// Once more, with nothing to read from.
			f.fault = func(string, string) error { return errors.New("asked again") }
			again, err := In(t.Context(), f, s)
			if err != nil || (again == nil) != (failure == nil) || again != nil && *again != *failure {
				t.Errorf("the second time: %+v, %v", again, err)
			}
			// The failure reaches the manifest.
			f.fault = nil
			m, err := Out(t.Context(), f, s)
			if err != nil || m.Outcome != Failed || failure != nil && *m.Failure != *failure {
				t.Errorf("manifest: %+v, %v", m, err)
			}
			if stored, ok := f.manifest(t, s); !ok || stored.Failure == nil {
				t.Errorf("stored: %+v", stored)
			}
		})
	}
}

func TestInNormalisesTheRepliconTable(t *testing.T) {
	t.Parallel()
	f := bucket(t)
	const normal = "\"c1\"\t\"n1\"\t\"chromosome\"\t\"circular\"\t\"-\"\n"
	tests := []struct {
		name, table, want, failure string
	}{
		{"fine", "c1\tn1\tchromosome\tcircular\t-\n", normal, ""},
		{"blank lines, which Bakta dies of", "c1\tn1\tchromosome\tcircular\t-\r\n\r\n", normal, ""},
		{"no table", "c1\tn1\n", "", "replicon table: the upload can't be used: "},
		{"a long one with a fault at its beginning", "c1\tn1\n" + strings.Repeat("c2\tn2\tcontig\tlinear\t-\n", 20_000), "",
			"replicon table: the upload can't be used: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSpec(t, shell("true"))
			s.Inputs = []job.Input{f.upload(t, s.Job, upload.RepliconsTable, "replicons.tsv", tt.table)}
			failure, err := In(t.Context(), f, s)
			if err != nil {
				t.Fatal(err)
			}
			if tt.failure != "" {
				if failure == nil || failure.Code != job.BadInput || !strings.Contains(failure.Message, tt.failure) {
					t.Errorf("failure: %+v", failure)
				}
				return
			}
			// Above the table's rows stands one of no sequence, by which Bakta finds out how fields are separated.
			if got := text(
				t,
				Dir(s.Dir).Input("replicons.tsv"),
			); failure != nil || !strings.HasSuffix(got, "\n"+tt.want) ||
				strings.Count(got, "\n") != 2 {
				t.Errorf("table: %q, %+v", got, failure)
			}
		})
	}
}

// TestInWithoutAVerdict checks that In records no error that is not about the inputs, so that it can be called again.
func TestInWithoutAVerdict(t *testing.T) {
	t.Parallel()
	f := bucket(t)
	s := newSpec(t, shell("true"))
	s.Inputs = []job.Input{f.upload(t, s.Job, upload.GenomeFASTA, "genome.fna", genome)}
	f.fault = func(string, string) error { return errAway }
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if failure, err := In(ctx, f, s); err == nil {
		t.Errorf("storage is away: %+v and no error", failure)
	}
	f.fault = nil
	if err := os.WriteFile(filepath.Join(s.Dir, "was"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.Dir, inputs)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, inputs), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	var local *fs.PathError
	if failure, err := In(t.Context(), f, s); !errors.As(err, &local) {
		t.Errorf("no directory for inputs: %+v, %v", failure, err)
	}
	if _, err := Out(t.Context(), f, s); err == nil {
		t.Error("Out of a run that has not begun: no error")
	}
	if _, found := f.manifest(t, s); found {
		t.Error("a run that has not begun has a manifest")
	}
	if err := os.Remove(filepath.Join(s.Dir, inputs)); err != nil {
		t.Fatal(err)
	}
	if failure, err := In(t.Context(), f, s); failure != nil || err != nil {
		t.Errorf("at last: %+v, %v", failure, err)
	}
	other := s
	other.Run = 2
	if _, err := In(t.Context(), f, other); err == nil || !strings.Contains(err.Error(), "run 1") {
		t.Errorf("another run in the directory: %v", err)
	}
}
