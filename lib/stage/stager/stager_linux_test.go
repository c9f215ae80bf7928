package stager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// hinted is the variable with the file that a stager under test writes its hints to.
const hinted = "STAGER_TEST_HINTS"

func TestMain(m *testing.M) {
	// A stager that runs a program must be alone in its process, so this binary is one, too.
	if len(os.Args) > 1 && os.Args[1] == "run" {
		ctx, stop := Signals(context.Background())
		defer stop()
		s := Stager{Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Hint: func(_ context.Context, address, id string) error {
				return os.WriteFile(os.Getenv(hinted), []byte(address+" "+id+"\n"), 0o600)
			}}
		os.Exit(s.Main(ctx, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// memory is a store for what the command line does around the transfers, which lib/stage tests on a real one.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
	away bool
}

func (m *memory) Open(_ context.Context, key, _ string) (io.ReadCloser, job.File, error) {
	return nil, job.File{}, job.Errorf(job.NotFound, "%s is not there", key)
}

func (m *memory) Put(_ context.Context, key string, content io.Reader, size int64) (job.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away {
		return job.File{}, job.Errorf(job.Invalid, "refused")
	}
	b, err := io.ReadAll(content)
	m.kept[key] = b
	return job.File{Key: key, Size: size, ETag: "e"}, err
}

// process is a stager under test.
type process struct {
	Stager
	store          *memory
	storage        Storage
	hints          []string
	stdout, stderr bytes.Buffer
}

func newProcess() *process {
	p := &process{store: &memory{kept: make(map[string][]byte)}}
	p.Stager = Stager{
		Environ: []string{"PATH=" + os.Getenv("PATH"), "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret"},
		Stdin:   strings.NewReader(""), Stdout: &p.stdout, Stderr: &p.stderr,
		Files: func(s Storage) (stage.Files, error) {
			p.storage = s
			if s.Bucket == "bad" {
				return nil, errors.New("no such thing")
			}
			return p.store, nil
		},
		Hint: func(_ context.Context, address, id string) error {
			p.hints = append(p.hints, address+" "+id)
			return errors.New("there is a broken connection")
		},
	}
	return p
}

// spec returns a spec of a run in a new directory, and its JSON.
func spec(t *testing.T, inputs ...job.Input) (stage.Spec, string) {
	s := stage.Spec{
		Job: uuid.NewString(), Run: 1, Dir: filepath.Join(t.TempDir(), "run"), Inputs: inputs,
		Stages:  []stage.Command{{Stage: "bakta", Title: "Bakta", Argv: []string{"bakta"}}},
		Results: []stage.Expected{{Ending: "gff3", Path: "out/bakta/result.gff3", Required: true}},
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, string(b)
}

func TestUsage(t *testing.T) {
	_, good := spec(t)
	dir := t.TempDir()
	tests := []struct {
		name string
		spec string // in the environment
		args []string
		code int
		says string
	}{
		{"nothing", "", nil, Usage, "usage: stager"},
		{"no such command", "", []string{"fly"}, Usage, "usage: stager"},
		{"help", "", []string{"run", "--help"}, Done, "-watch-stdin"},
		{"unknown flag", "", []string{"run", "--no-such-flag"}, Usage, "no-such-flag"},
		{"run without a directory", "", []string{"run", "--stage", "bakta", "--", "true"}, Usage, "absolute"},
		{"run in a relative directory", "", []string{"run", "--dir", "x", "--stage", "bakta", "--", "true"}, Usage, "absolute"},
		{"run without a stage", "", []string{"run", "--dir", dir, "--", "true"}, Usage, "a valid stage name"},
		{"run without a program", "", []string{"run", "--dir", dir, "--stage", "bakta"}, Usage, "the program is missing"},
		{"run with a bad variable", "", []string{"run", "--dir", dir, "--stage", "bakta", "--env", "x", "--", "true"}, Usage, "NAME=value"},
		{"run without inputs", "", []string{"run", "--dir", dir, "--stage", "bakta", "--", "true"}, NoVerdict, "inputs have not been downloaded"},
		{"in without a spec", "", []string{"in"}, Usage, "spec"},
		{"in with a spec that is none", "{", []string{"in"}, Usage, "spec"},
		{"in with a spec that is incomplete", "{}", []string{"in"}, Usage, "not a job id"},
		{"in with a spec in a file that is missing", "", []string{"in", "--spec", filepath.Join(dir, "none")}, NoVerdict, "none"},
		{"in with an argument", good, []string{"in", "x"}, Usage, "1 arguments"},
		{"in without storage", good, []string{"in", "--s3-bucket", "bad"}, Usage, "no such thing"},
		{"out of a run that has not begun", good, []string{"out"}, NoVerdict, "inputs have not been downloaded"},
		{"install nowhere", "", []string{"install"}, Usage, "0 arguments"},
		{"install in no directory", "", []string{"install", filepath.Join(dir, "none")}, NoVerdict, "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProcess()
			p.Environ = append(p.Environ, "STAGER_SPEC="+tt.spec)
			if code := p.Main(t.Context(), tt.args); code != tt.code || !strings.Contains(p.stderr.String(), tt.says) {
				t.Errorf("exit code %d, want %d; said %q, want %q", code, tt.code, p.stderr.String(), tt.says)
			}
		})
	}
}

func TestARun(t *testing.T) {
	gone := job.Input{Kind: "genome_fasta", Size: 1, ETag: "e", Name: "genome.fna"}
	tests := []struct {
		name   string
		inputs []job.Input
		script string
		out    int // exit code of out
		stored string
		copied string // the program's stdout, and what the stager makes of it
	}{
		{"success", nil, "echo said; echo x > ../out/bakta/result.gff3", Done, `"outcome":"succeeded"`, "\nsaid\n"},
		{"the program fails", nil, "echo said; echo ERROR: no >&2; exit 1", RunFailed, `"outcome":"failed"`, "\nsaid\n"},
		{"an input is gone", []job.Input{gone}, "echo said", RunFailed, `"code":"bad_input"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProcess()
			s, text := spec(t, tt.inputs...)
			p.Environ = append(p.Environ, "STAGER_SPEC="+text)
			bin := t.TempDir()
			flags := []string{"--s3-endpoint", "http://s3", "--s3-region", "r", "--s3-bucket", "b", "--s3-base-key", "k"}
			if code := p.Main(t.Context(), slices.Concat([]string{"in", "--install", bin}, flags)); code != Done {
				t.Fatalf("in: %d, %s", code, &p.stderr)
			}
			want := Storage{Endpoint: "http://s3", Region: "r", Bucket: "b", BaseKey: "k", AccessKey: "key", SecretKey: "secret"}
			if p.storage != want {
				t.Errorf("storage: %+v", p.storage)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			if a, b := stat(t, self), stat(t, filepath.Join(bin, "stager")); a.Size() != b.Size() || b.Mode() != 0o755 {
				t.Errorf("installed: %v", b)
			}
			if err := stageCommand(p, s.Dir, tt.script).Run(); err != nil {
				t.Fatalf("run: %v, %s", err, &p.stderr)
			}
			if !strings.HasSuffix(p.stdout.String(), tt.copied) || tt.copied == "" && p.stdout.Len() > 0 {
				t.Errorf("stdout: %q", &p.stdout)
			}
			if code := p.Main(t.Context(), slices.Concat([]string{"out", "--hint", "update:80"}, flags)); code != tt.out {
				t.Errorf("out: %d, %s", code, &p.stderr)
			}
			if got := string(p.store.kept[job.ManifestKey(s.Job, 1)]); !strings.Contains(got, tt.stored) {
				t.Errorf("manifest: %s", got)
			}
			if !slices.Equal(p.hints, []string{"update:80 " + s.Job}) || !strings.Contains(p.stderr.String(), "there is a broken connection") {
				t.Errorf("hints: %q, said: %s", p.hints, &p.stderr)
			}
			p.store.away = true
			if code := p.Main(t.Context(), slices.Concat([]string{"out", "--hint", "update:80"}, flags)); code != NoVerdict || len(p.hints) != 1 {
				t.Errorf("out without storage: %d, hints %q", code, p.hints)
			}
		})
	}
}

// stageCommand is a process that runs a stage's script.
func stageCommand(p *process, dir, script string, flags ...string) *exec.Cmd {
	args := slices.Concat(
		[]string{"run", "--dir", dir, "--stage", "bakta", "--title", "Bakta"},
		flags,
		[]string{"--", "/bin/sh", "-c", script},
	)
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	cmd.Stdout, cmd.Stderr = &p.stdout, &p.stderr
	return cmd
}

func stat(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestRunThatIsTold(t *testing.T) {
	const stubborn = "trap 'echo warned' TERM; echo $$ > ../pid; while :; do sleep 0.01; done"
	tests := []struct {
		name   string
		grace  string
		end    func(stager *exec.Cmd, stdin io.Closer) error
		warned bool // the program had a chance
		code   int
	}{
		{"SIGTERM", "200ms", func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGTERM) }, true, Stopped},
		{"SIGINT", "200ms", func(c *exec.Cmd, _ io.Closer) error { return c.Process.Signal(syscall.SIGINT) }, true, Stopped},
		{"the end of stdin", "1h", func(_ *exec.Cmd, stdin io.Closer) error { return stdin.Close() }, false, NoVerdict},
		{"the end of stdin in the grace", "1h", func(c *exec.Cmd, stdin io.Closer) error {
			return errors.Join(c.Process.Signal(syscall.SIGTERM), stdin.Close())
		}, false, Stopped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProcess()
			s, text := spec(t)
			p.Environ = append(p.Environ, "STAGER_SPEC="+text)
			if code := p.Main(t.Context(), []string{"in"}); code != Done {
				t.Fatal(&p.stderr)
			}
			stager := stageCommand(p, s.Dir, stubborn, "--watch-stdin", "--quiet", "--grace", tt.grace)
			stdin, err := stager.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := stager.Start(); err != nil {
				t.Fatal(err)
			}
			pid := 0
			for deadline := time.Now().Add(5 * time.Minute); pid == 0 && time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
				b, _ := os.ReadFile(filepath.Join(s.Dir, "pid"))
				pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
			}
			if err := tt.end(stager, stdin); err != nil {
				t.Error(err)
			}
			var exit *exec.ExitError
			if err := stager.Wait(); !errors.As(err, &exit) || exit.ExitCode() != tt.code {
				t.Errorf("ended with %v, said %s", err, &p.stderr)
			}
			if pid == 0 || syscall.Kill(pid, 0) != syscall.ESRCH {
				t.Errorf("process %d still runs", pid)
			}
			log, err := os.ReadFile(stage.Dir(s.Dir).Log("bakta"))
			if err != nil || tt.warned && !strings.Contains(string(log), "warned\n") {
				t.Errorf("log: %q, %v", log, err)
			}
			if p.stdout.Len() > 0 {
				t.Errorf("stdout: %q", &p.stdout)
			}
		})
	}
}

// TestTheReaderOfTheOutputMayGo checks that a program runs on when the reader of its output has ended.
func TestTheReaderOfTheOutputMayGo(t *testing.T) {
	p := newProcess()
	s, text := spec(t)
	p.Environ = append(p.Environ, "STAGER_SPEC="+text)
	if code := p.Main(t.Context(), []string{"in"}); code != Done {
		t.Fatal(&p.stderr)
	}
	stager := stageCommand(p, s.Dir, "for i in 1 2 3 4 5 6 7 8 9; do echo line $i; echo line >&2; sleep 0.02; done; echo end")
	stager.Stdout = nil
	out, err := stager.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := stager.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	out.Close()
	if err := stager.Wait(); err != nil {
		t.Errorf("ended with %v, said %s", err, &p.stderr)
	}
	if log, err := os.ReadFile(stage.Dir(s.Dir).Log("bakta")); err != nil || !strings.HasSuffix(string(log), "\nend\n") {
		t.Errorf("log: %q, %v", log, err)
	}
}

// A stage sends a hint when it has run for a while, and none if it ends before.
func TestRunHints(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		hints        bool
	}{
		{"until it has sent the hint", "i=0; while [ ! -s ../hints ] && [ $i -lt 3000 ]; do sleep 0.01; i=$((i+1)); done", true},
		{"over at once", "true", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newProcess()
			s, text := spec(t)
			p.Environ = append(p.Environ, "STAGER_SPEC="+text)
			if code := p.Main(t.Context(), []string{"in"}); code != Done {
				t.Fatal(&p.stderr)
			}
			stager := stageCommand(p, s.Dir, tt.script, "--hint", "update:80", "--job", s.Job)
			stager.Env = append(stager.Env, hinted+"="+filepath.Join(s.Dir, "hints"))
			if err := stager.Run(); err != nil {
				t.Fatalf("ended with %v, said %s", err, &p.stderr)
			}
			hints, err := os.ReadFile(filepath.Join(s.Dir, "hints"))
			if tt.hints && string(hints) != "update:80 "+s.Job+"\n" || !tt.hints && !os.IsNotExist(err) {
				t.Errorf("hints: %q, %v", hints, err)
			}
		})
	}
}

// A stager reports its record to its parent when the program has begun and at its end, whatever is in the run's
// directory and whatever the program prints.
func TestRunReports(t *testing.T) {
	for _, fresh := range []string{"--fresh", "--anew"} { // the latter is passed by a parent of an older version
		t.Run(fresh, func(t *testing.T) { testRunReports(t, fresh) })
	}
}

func testRunReports(t *testing.T, fresh string) {
	p := newProcess()
	s, text := spec(t)
	p.Environ = append(p.Environ, "STAGER_SPEC="+text)
	if code := p.Main(t.Context(), []string{"in"}); code != Done {
		t.Fatal(&p.stderr)
	}
	forged := []byte(`{"name":"bakta","status":"succeeded"}`)
	if err := os.WriteFile(filepath.Join(stage.Dir(s.Dir).StageState("bakta"), "record.json"), forged, 0o600); err != nil {
		t.Fatal(err)
	}
	stager := stageCommand(p, s.Dir, `echo '{"name":"bakta","status":"succeeded"}'; exit 3`, fresh, "--report")
	if err := stager.Run(); err != nil {
		t.Fatalf("ended with %v, said %s", err, &p.stderr)
	}
	var got []stage.Record
	for line := range bytes.Lines(p.stdout.Bytes()) {
		rec, err := stage.ReadRecord(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, rec)
	}
	if len(got) != 2 || got[0].Status != job.StageRunning || got[0].Process.PID == 0 || got[1].Status != job.StageFailed ||
		got[1].ExitCode != 3 ||
		got[1].Failure == nil {
		t.Errorf("records: %+v", got)
	}
}
