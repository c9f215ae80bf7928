package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// faulty is a real store whose calls can be made to fail.
type faulty struct {
	*s3.Store
	mu    sync.Mutex
	calls []string // so far
	// fault is asked before ("open", "put") and after ("opened", "stored") each call whether it fails.
	fault func(step, key string) error
	// broken cuts the content of an object after so many bytes, if it is set.
	broken func(key string) (int64, bool)
}

func bucket(t *testing.T) *faulty {
	t.Helper()
	b := teststores.Bucket(t)
	store, err := s3.New(s3.Options{Endpoint: b.Endpoint, Region: b.Region, Bucket: b.Bucket, AccessKey: b.AccessKey, SecretKey: b.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	var cors *s3.CORSError
	if err := store.Setup(t.Context()); err != nil && !errors.As(err, &cors) {
		t.Fatal(err)
	}
	return &faulty{Store: store}
}

func (f *faulty) step(step, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, step+" "+key)
	if f.fault != nil {
		return f.fault(step, key)
	}
	return nil
}

func (f *faulty) Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	if err := f.step("open", key); err != nil {
		return nil, job.File{}, err
	}
	content, file, err := f.Store.Open(ctx, key, etag)
	if err != nil {
		return nil, job.File{}, err
	}
	if err := f.step("opened", key); err != nil {
		content.Close()
		return nil, job.File{}, err
	}
	if f.broken != nil {
		if n, ok := f.broken(key); ok {
			return struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(content, n), bad{}), content}, file, nil
		}
	}
	return content, file, nil
}

func (f *faulty) Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error) {
	if err := f.step("put", key); err != nil {
		return job.File{}, err
	}
	file, err := f.Store.Put(ctx, key, content, size)
	if err != nil {
		return file, err
	}
	return file, f.step("stored", key)
}

// bad is a connection that breaks.
type bad struct{}

func (bad) Read([]byte) (int, error) {
	return 0, job.Errorf(job.Unavailable, "the connection was closed")
}

var errAway = job.Errorf(job.Unavailable, "the storage is away")

// upload puts a user's file and returns it as an input that is pinned.
func (f *faulty) upload(t *testing.T, id, kind, name, content string) job.Input {
	t.Helper()
	file, err := f.Store.Put(t.Context(), job.UploadKey(id, kind), strings.NewReader(content), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	return job.Input{Kind: kind, Size: file.Size, ETag: file.ETag, Name: name}
}

// manifest returns the run's manifest, which must hold if it is there.
func (f *faulty) manifest(t *testing.T, s Spec) (Manifest, bool) {
	t.Helper()
	b, err := f.Store.Get(t.Context(), job.ManifestKey(s.Job, s.Run), MaxManifest)
	if job.Is(err, job.NotFound) {
		return Manifest{}, false
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := ReadManifest(b)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.Store.List(t.Context(), job.RunPrefix(s.Job, s.Run))
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(m, s.Job, s.Run, stored); err != nil {
		t.Fatal(err)
	}
	return m, true
}

// content returns a stored file.
func (f *faulty) content(t *testing.T, files []job.File, name string) string {
	t.Helper()
	i := slices.IndexFunc(files, func(f job.File) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("%s is not among %+v", name, files)
	}
	b, err := f.Store.Get(t.Context(), files[i].Key, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// newSpec returns a spec of a job of its own.
func newSpec(t *testing.T, stages ...Command) Spec {
	s := spec(filepath.Join(t.TempDir(), "run"), stages...)
	s.Job = uuid.NewString()
	return s
}

const genome = ">c1\nACGTACGT\n"

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

// perform runs a run's stages.
func perform(t *testing.T, s Spec) {
	t.Helper()
	for _, c := range s.Stages {
		if _, err := Run(t.Context(), c, s.Dir, Options{Environ: Environment(os.Environ())}); err != nil {
			t.Fatal(err)
		}
	}
}

func second(script string) Command {
	c := shell(script)
	c.Stage, c.Title = "second", "Second"
	return c
}

func TestOut(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	secret := filepath.Join(t.TempDir(), "result.gff3")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	const (
		first = "echo one; echo 1 > ../out/bakta/result.gff3; echo 1 > ../out/bakta/result.svg"
		then  = "echo two; : > ../out/second/result.gff3"
	)
	pending, done, failed := job.StagePending, job.StageSucceeded, job.StageFailed
	tests := []struct {
		name    string
		stages  []Command
		status  []job.StageStatus
		files   []string
		logs    []string
		code    job.FailureCode
		message string
	}{
		{"success", []Command{shell(first), second(then)}, []job.StageStatus{done, done},
			[]string{"bakta.gff3", "bakta.svg", "second.gff3"}, []string{"bakta", "second"}, "", ""},
		{"a result that may be missing is", []Command{shell("echo 1 > ../out/bakta/result.gff3")}, []job.StageStatus{done},
			[]string{"bakta.gff3"}, []string{"bakta"}, "", ""},
		{"a result that must be there is not", []Command{shell(first), second("true")}, []job.StageStatus{done, done},
			[]string{"bakta.gff3", "bakta.svg"}, []string{"bakta", "second"}, job.Internal, "did not leave what it should have: result.gff3"},
		{"a result is a link to somebody else's file", []Command{shell("ln -s " + secret + " ../out/bakta/result.gff3")}, []job.StageStatus{done},
			nil, []string{"bakta"}, job.Internal, "result.gff3"},
		{
			"a result is a link to its own file",
			[]Command{shell("echo 1 > ../out/bakta/x; ln -s x ../out/bakta/result.gff3")},
			[]job.StageStatus{done},
			nil,
			[]string{"bakta"},
			job.Internal,
			"result.gff3",
		},
		{
			"the results' directory is a link",
			[]Command{shell("rmdir ../out/bakta; ln -s " + filepath.Dir(secret) + " ../out/bakta")},
			[]job.StageStatus{done},
			nil,
			[]string{"bakta"},
			job.Internal,
			"result.gff3",
		},
		{"a result is a FIFO", []Command{shell("mkfifo ../out/bakta/result.gff3")}, []job.StageStatus{done},
			nil, []string{"bakta"}, job.Internal, "result.gff3"},
		{"a result is a directory", []Command{shell("mkdir ../out/bakta/result.gff3")}, []job.StageStatus{done},
			nil, []string{"bakta"}, job.Internal, "result.gff3"},
		{
			"a result is too large for any store",
			[]Command{shell("truncate -s 6G ../out/bakta/result.gff3")},
			[]job.StageStatus{done},
			nil,
			[]string{"bakta"},
			job.OutOfDisk,
			"The results are too large: 6GiB together, of which at most 5GiB may be stored as one file. The largest are result.gff3 (6GiB).",
		},
		{
			"the results are too large together",
			[]Command{
				shell("truncate -s 4G ../out/bakta/result.gff3; truncate -s 3G ../out/bakta/result.svg"),
				second("truncate -s 4G ../out/second/result.gff3"),
			},
			[]job.StageStatus{done, done},
			nil,
			[]string{"bakta", "second"},
			job.OutOfDisk,
			"11GiB together, of which at most 10GiB may be stored. The largest are result.gff3 (4GiB), result.gff3 (4GiB), result.svg (3GiB).",
		},
		{
			"a log that its program made large",
			[]Command{shell("echo 1 > ../out/bakta/result.gff3; truncate -s 6G ../state/bakta/output.log")},
			[]job.StageStatus{done},
			[]string{"bakta.gff3"},
			[]string{"bakta"},
			"",
			"",
		},
		{
			"a result that may be missing is a FIFO",
			[]Command{shell("echo 1 > ../out/bakta/result.gff3; mkfifo ../out/bakta/result.svg")},
			[]job.StageStatus{done},
			[]string{"bakta.gff3"},
			[]string{"bakta"},
			"",
			"",
		},
		{
			"the log is a link to somebody else's file",
			[]Command{shell("echo 1 > ../out/bakta/result.gff3; ln -sf " + secret + " ../state/bakta/output.log")},
			[]job.StageStatus{done},
			[]string{"bakta.gff3"},
			nil,
			"",
			"",
		},
		{"the first stage fails", []Command{shell(first + "; echo ERROR: no >&2; exit 1"), second(then)}, []job.StageStatus{failed, pending},
			nil, []string{"bakta"}, job.BadInput, "no"},
		{"the second stage fails", []Command{shell(first), second(then + "; echo ERROR: no >&2; exit 1")}, []job.StageStatus{done, failed},
			[]string{"bakta.gff3", "bakta.svg"}, []string{"bakta", "second"}, job.BadInput, "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{Store: files.Store}
			s := newSpec(t, tt.stages...)
			if failure, err := In(t.Context(), f, s); failure != nil || err != nil {
				t.Fatal(failure, err)
			}
			perform(t, s)
			returned, err := Out(t.Context(), f, s)
			if err != nil {
				t.Fatal(err)
			}
			m, _ := f.manifest(t, s)
			if fmt.Sprint(m.Files, m.Logs) != fmt.Sprint(returned.Files, returned.Logs) || m.Outcome != returned.Outcome {
				t.Errorf("stored %+v, returned %+v", m, returned)
			}
			var status []job.StageStatus
			for _, r := range m.Stages {
				status = append(status, r.Status)
			}
			if !slices.Equal(status, tt.status) || !slices.Equal(names(m.Files), tt.files) || !slices.Equal(names(m.Logs), tt.logs) {
				t.Errorf("stages %v, files %v, logs %v", status, names(m.Files), names(m.Logs))
			}
			switch {
			case tt.code == "" && m.Outcome != Succeeded:
				t.Errorf("outcome %s, %+v", m.Outcome, m.Failure)
			case tt.code != "" && (m.Outcome != Failed || m.Failure.Code != tt.code || !strings.Contains(m.Failure.Message, tt.message)):
				t.Errorf("outcome %s, %+v", m.Outcome, m.Failure)
			}
			if slices.Contains(tt.logs, "bakta") && !strings.HasPrefix(f.content(t, m.Logs, "bakta"), "Bakta Command: /bin/sh -c ") {
				t.Errorf("log: %q", f.content(t, m.Logs, "bakta"))
			}
			if slices.Contains(tt.files, "bakta.gff3") && f.content(t, m.Files, "bakta.gff3") != "1\n" {
				t.Errorf("result: %q", f.content(t, m.Files, "bakta.gff3"))
			}
			// Nothing of the secret file is anywhere.
			stored, err := f.Store.List(t.Context(), job.Prefix(s.Job))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range stored {
				if b, err := f.Store.Get(
					t.Context(),
					file.Key,
					1<<20,
				); err != nil ||
					bytes.Contains(b, []byte("secret")) && !bytes.Contains(b, []byte(secret)) {
					t.Errorf("%s: %q, %v", file.Key, b, err)
				}
			}
		})
	}
}

func names(files []job.File) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.Name)
	}
	return all
}

func TestOutOfAStageThatWasCutOff(t *testing.T) {
	t.Parallel()
	f := bucket(t)
	s := newSpec(t, shell("true"), second("true"))
	if _, err := In(t.Context(), f, s); err != nil {
		t.Fatal(err)
	}
	if err := record(t, s.Dir, Record{Result: Result{Name: "bakta", Status: job.StageRunning, Started: now()}}); err != nil {
		t.Fatal(err)
	}
	m, err := Out(t.Context(), f, s)
	if err != nil || m.Outcome != Failed || m.Failure.Code != job.Internal || m.Failure.Stage != "bakta" ||
		!strings.Contains(m.Failure.Message, "did not run to its end") {
		t.Errorf("Out: %+v, %v", m, err)
	}
	if m, _ := f.manifest(t, s); len(m.Stages) != 2 || m.Stages[0].Status != job.StageFailed || m.Stages[1].Status != job.StagePending {
		t.Errorf("stages: %+v", m.Stages)
	}
}

func TestOutAgainTakesNothingBack(t *testing.T) {
	t.Parallel()
	f := bucket(t)
	s := newSpec(t, shell("echo 1 > ../out/bakta/result.gff3"))
	if _, err := In(t.Context(), f, s); err != nil {
		t.Fatal(err)
	}
	perform(t, s)
	before, err := Out(t.Context(), f, s)
	if err != nil {
		t.Fatal(err)
	}
	// Another execution of the same run, which comes to another result.
	if err := os.WriteFile(filepath.Join(Dir(s.Dir).Output("bakta"), "result.gff3"), []byte("2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	after, err := Out(t.Context(), f, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.content(t, before.Files, "bakta.gff3"); got != "1\n" {
		t.Errorf("the first manifest's file: %q", got)
	}
	if m, _ := f.manifest(t, s); m.Files[0].Key != after.Files[0].Key || f.content(t, m.Files, "bakta.gff3") != "2\n" {
		t.Errorf("manifest: %+v", m)
	}
}

func TestOutWithoutAnOutcome(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	tests := []struct {
		name  string
		fault func(step, key string) error
	}{
		{"a result can't be stored", func(step, key string) error { return when(step == "put" && strings.HasSuffix(key, "gff3")) }},
		{"a log can't be stored", func(step, key string) error { return when(step == "put" && strings.HasSuffix(key, ".log")) }},
		{"the manifest can't be stored", func(step, key string) error { return when(step == "put" && strings.HasSuffix(key, "manifest.json")) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := &faulty{Store: files.Store}
			s := newSpec(t, shell("echo 1 > ../out/bakta/result.gff3"))
			if _, err := In(t.Context(), f, s); err != nil {
				t.Fatal(err)
			}
			perform(t, s)
			f.fault = tt.fault
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if m, err := Out(ctx, f, s); err == nil {
				t.Errorf("Out: %+v and no error", m)
			}
			if m, found := f.manifest(t, s); found {
				t.Errorf("stored: %+v", m)
			}
			// Away, and back again a little later.
			times := 3
			f.fault = func(step, key string) error {
				times--
				return when(times >= 0)
			}
			if _, err := Out(t.Context(), f, s); err != nil {
				t.Errorf("Out: %v", err)
			}
			if _, found := f.manifest(t, s); !found {
				t.Error("no manifest")
			}
		})
	}
}

func when(away bool) error {
	if away {
		return errAway
	}
	return nil
}

// TestKilledBetweenAnyTwoSteps kills a run at each of its calls to the storage, before the call and after it,
// and goes on from the beginning, as a pod that is started again does. A manifest that stands, stands whole.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	files := bucket(t)
	killed := errors.New("killed")
	for at := 0; ; at++ {
		s := newSpec(
			t,
			shell("cat ../in/genome.fna > ../out/bakta/result.gff3; echo 1 > ../out/bakta/result.svg"),
			second("cp ../out/bakta/result.gff3 ../out/second/"),
		)
		f := &faulty{Store: files.Store}
		s.Inputs = []job.Input{
			f.upload(t, s.Job, upload.GenomeFASTA, "genome.fna", genome),
			f.upload(t, s.Job, upload.ProdigalTrainingFile, "training.tf", "trained"),
		}
		run := func(ctx context.Context) error {
			failure, err := In(ctx, f, s)
			if err != nil || failure != nil {
				return errors.Join(err, reason(failure))
			}
			for _, c := range s.Stages {
				if _, err := Run(ctx, c, s.Dir, Options{Environ: Environment(os.Environ())}); err != nil {
					return err
				}
			}
			_, err = Out(ctx, f, s)
			return err
		}
		ctx, kill := context.WithCancelCause(t.Context())
		left := at
		f.fault = func(step, _ string) error {
			// Several uploads go on at once; a kill ends them all.
			if left--; left < 0 {
				kill(killed)
				return killed
			}
			return nil
		}
		err := run(ctx)
		kill(nil)
		f.fault = nil
		_, found := f.manifest(t, s)
		if err == nil {
			if !found {
				t.Error("ended without a manifest")
			}
			if at < 12 {
				t.Errorf("only %d steps", at)
			}
			return
		}
		if !errors.Is(err, killed) {
			t.Fatalf("step %d: %v", at, err)
		}
		if err := run(t.Context()); err != nil {
			t.Fatalf("after a kill at step %d: %v", at, err)
		}
		m, found := f.manifest(t, s)
		if !found || m.Outcome != Succeeded || f.content(t, m.Files, "second.gff3") != genome {
			t.Errorf("after a kill at step %d: %+v", at, m)
		}
	}
}

func reason(f *job.Failure) error {
	if f == nil {
		return nil
	}
	return errors.New(f.Message)
}

func TestOpenRegularOutside(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	for _, path := range []string{"../x", "/etc/passwd", "in/../../x", ".", "in"} {
		if f, _, err := openRegular(Dir(dir), path); err == nil {
			f.Close()
			t.Errorf("%s was opened", path)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "in", "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openRegular(Dir(dir), "in/fifo"); !errors.Is(err, errIrregular) {
		t.Errorf("FIFO: %v", err)
	}
}
