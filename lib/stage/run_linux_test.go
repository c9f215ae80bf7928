package stage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestRun(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "no such program")
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(binary, []byte("\x00\x01no format that the system knows"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		command Command
		status  job.StageStatus
		code    int
		signal  string
		failure job.FailureCode
		message string // part of the failure's
		log     string // part of the log
	}{
		{"success", shell("echo fine; echo warning >&2; echo x > ../out/bakta/result.gff3"), job.StageSucceeded, 0, "", "", "", "fine\n"},
		{"stderr is in the log", shell("echo warning >&2"), job.StageSucceeded, 0, "", "", "", "warning\n"},
		{"no line end", shell("printf fine"), job.StageSucceeded, 0, "", "", "", "\nfine\n"},
		{"stdin is empty", shell("cat && echo read"), job.StageSucceeded, 0, "", "", "", "read\n"},
		{
			"the program says why",
			shell("echo ERROR: wrong genome file format! >&2; exit 1"),
			job.StageFailed,
			1,
			"",
			job.BadInput,
			"wrong genome file format!",
			"ERROR: wrong",
		},
		{
			"the program says why on stdout",
			shell("echo ERROR: it is too late; exit 1"),
			job.StageFailed,
			1,
			"",
			job.BadInput,
			"it is too late",
			"",
		},
		{
			"the program says something on stdout",
			shell("echo it is too late; exit 1"),
			job.StageFailed,
			1,
			"",
			job.Internal,
			"did not say why",
			"",
		},
		{"the program does not say why", shell("exit 1"), job.StageFailed, 1, "", job.Internal, "did not say why", ""},
		{"the program is killed", shell("kill -9 $$"), job.StageFailed, -1, "SIGKILL", job.Internal, "SIGKILL", ""},
		{"what the program starts is killed", shell("exit 137"), job.StageFailed, 137, "", job.Internal, "SIGKILL", ""},
		{
			"no such program",
			Command{Stage: "bakta", Title: "Bakta", Argv: []string{nothing}},
			job.StageFailed,
			-1,
			"",
			job.BadImage,
			"could not be started",
			"could not be started",
		},
		{
			"no such name",
			Command{Stage: "bakta", Title: "Bakta", Argv: []string{"no-such-name"}},
			job.StageFailed,
			-1,
			"",
			job.BadImage,
			"could not be started",
			"",
		},
		{
			"not executable",
			Command{Stage: "bakta", Title: "Bakta", Argv: []string{plain}},
			job.StageFailed,
			-1,
			"",
			job.BadImage,
			"could not be started",
			"",
		},
		{
			"no program",
			Command{Stage: "bakta", Title: "Bakta", Argv: []string{binary}},
			job.StageFailed,
			-1,
			"",
			job.BadImage,
			"could not be started",
			"",
		},
		{
			"a directory",
			Command{Stage: "bakta", Title: "Bakta", Argv: []string{"/"}},
			job.StageFailed,
			-1,
			"",
			job.BadImage,
			"could not be started",
			"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			before := time.Now().Add(-time.Millisecond)
			got, err := Run(t.Context(), tt.command, dir, Options{Environ: Environment(os.Environ())})
			if err != nil {
				t.Fatal(err)
			}
			if got.Name != "bakta" || got.Status != tt.status || got.ExitCode != tt.code || got.Signal != tt.signal {
				t.Errorf("Run: %+v", got)
			}
			if got.Started.Before(before) || got.Ended.Before(got.Started) || got.Ended.After(time.Now()) {
				t.Errorf("started %v, ended %v", got.Started, got.Ended)
			}
			rec, found, err := readStage(Dir(dir), "bakta")
			if err != nil || !found || rec.Result != got.Result {
				t.Errorf("recorded %+v, %v, want %+v", rec.Result, err, got)
			}
			switch {
			case tt.failure == "" && rec.Failure != nil:
				t.Errorf("failure %+v", rec.Failure)
			case tt.failure != "" && (rec.Failure == nil || rec.Failure.Code != tt.failure || rec.Failure.Stage != "bakta" ||
				!strings.Contains(rec.Failure.Message, tt.message)):
				t.Errorf("failure %+v, want %s with %q", rec.Failure, tt.failure, tt.message)
			}
			log := text(t, Dir(dir).Log("bakta"))
			if !strings.HasPrefix(log, "Bakta Command: ") || !strings.Contains(log, tt.log) {
				t.Errorf("log: %q, want it to have %q", log, tt.log)
			}
		})
	}
}

func TestRunGivesTheProgramItsOwnEnvironmentOnly(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	have := []string{
		"PATH=/usr/bin:/bin", "HOME=/h", "LANG=C.UTF-8", "LC_ALL=C", "TMPDIR=/elsewhere", "malformed", "=x",
		"AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "MongoPassword=secret", "OTHER=1", "CONDA_PREFIX=/c",
	}
	c := shell("env; pwd")
	c.Env = []string{"PYTHONUNBUFFERED=1", "LANG=de"}
	tests := []struct {
		name       string
		environ    []string
		want, lack []string
	}{
		{
			"shared machine",
			Environment(have),
			[]string{
				"PATH=/usr/bin:/bin",
				"HOME=/h",
				"LC_ALL=C",
				"LANG=de",
				"PYTHONUNBUFFERED=1",
				"CONDA_PREFIX=/c",
				"TMPDIR=" + dir + "/tmp",
				dir + "/tmp",
			},
			[]string{"AWS_", "secret", "OTHER", "TMPDIR=/elsewhere", "LANG=C"},
		},
		{"image", ImageEnvironment(have),
			[]string{"PATH=/usr/bin:/bin", "OTHER=1", "LANG=de", "TMPDIR=" + dir + "/tmp"},
			[]string{"AWS_", "secret"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			os.Remove(filepath.Join(Dir(dir).StageState("bakta"), recordFile))
			if _, err := Run(t.Context(), c, dir, Options{Environ: tt.environ}); err != nil {
				t.Fatal(err)
			}
			log := text(t, Dir(dir).Log("bakta"))
			for _, line := range tt.want {
				if !strings.Contains(log, "\n"+line+"\n") {
					t.Errorf("%q is missing in %q", line, log)
				}
			}
			for _, part := range tt.lack {
				if strings.Contains(log, "\n"+part) {
					t.Errorf("%q is in %q", part, log)
				}
			}
		})
	}
}

func TestRunAfterAFailureDoesNothing(t *testing.T) {
	t.Parallel()
	second := shell("echo ran")
	second.Stage = "second"
	tests := []struct {
		name  string
		setUp func(t *testing.T, dir string)
		want  job.StageStatus
	}{
		{"nothing before", func(*testing.T, string) {}, job.StageSucceeded},
		{"a success before", func(t *testing.T, dir string) {
			if _, err := Run(t.Context(), shell("true"), dir, Options{}); err != nil {
				t.Fatal(err)
			}
		}, job.StageSucceeded},
		{"a failure before", func(t *testing.T, dir string) {
			if _, err := Run(t.Context(), shell("false"), dir, Options{}); err != nil {
				t.Fatal(err)
			}
		}, job.StagePending},
		{"inputs that can't be had", func(t *testing.T, dir string) {
			state, err := Dir(dir).open(states)
			if err != nil {
				t.Fatal(err)
			}
			defer state.Close()
			if err := write(
				state,
				inputState,
				inputRecord{Job: testJob, Run: 1, Failure: &job.Failure{Code: job.BadInput, Message: "x"}},
			); err != nil {
				t.Fatal(err)
			}
		}, job.StagePending},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			tt.setUp(t, dir)
			got, err := Run(t.Context(), second, dir, Options{})
			if err != nil || got.Status != tt.want {
				t.Errorf("Run: %+v, %v, want %s", got, err, tt.want)
			}
			_, err = os.Stat(Dir(dir).Log("second"))
			if ran := err == nil; ran != (tt.want == job.StageSucceeded) {
				t.Errorf("ran: %v", ran)
			}
		})
	}
}

func TestRunWithoutInputsIsAnError(t *testing.T) {
	t.Parallel()
	if _, err := Run(t.Context(), shell("true"), t.TempDir(), Options{}); err == nil {
		t.Error("no error")
	}
}

func TestRunIsNotRepeatedOnceItEnded(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"echo run >> ../count", "echo run >> ../count; exit 3"} {
		dir := directory(t)
		first, err := Run(t.Context(), shell(script), dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		second, err := Run(t.Context(), shell(script), dir, Options{})
		if err != nil || second.Result != first.Result {
			t.Errorf("second: %+v, %v; first: %+v", second, err, first)
		}
		if got := text(t, filepath.Join(dir, "count")); got != "run\n" {
			t.Errorf("ran: %q", got)
		}
	}
}

func TestInterruptedRunStartsAgain(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	d := Dir(dir)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	because := errors.New("the machine is shut down")
	go func() {
		awaitPID(t, filepath.Join(dir, "pid"))
		cancel(because)
	}()
	half := `mkdir ../out/bakta/sub; echo half > ../out/bakta/sub/x; chmod 0 ../out/bakta/sub; echo half > left; echo half
trap 'echo warned' TERM; echo $$ > ../pid; while :; do sleep 0.01; done`
	_, err := Run(ctx, shell(half), dir, Options{Grace: 300 * time.Millisecond})
	if !errors.Is(err, because) {
		t.Fatalf("Run: %v", err)
	}
	if log := text(t, d.Log("bakta")); !strings.Contains(log, "warned\n") {
		t.Errorf("it got no SIGTERM: %q", log)
	}
	if pid := awaitPID(t, filepath.Join(dir, "pid")); !gone(pid) {
		t.Errorf("process %d still runs", pid)
	}
	if rec, _, err := readStage(d, "bakta"); err != nil || rec.Status != job.StageRunning {
		t.Errorf("recorded %+v, %v", rec, err)
	}
	got, err := Run(t.Context(), shell("ls -A . ../out/bakta; echo whole > ../out/bakta/result.gff3"), dir, Options{})
	if err != nil || got.Status != job.StageSucceeded {
		t.Fatalf("Run: %+v, %v", got, err)
	}
	_, out, _ := strings.Cut(text(t, d.Log("bakta")), "\n")
	if want := ".:\n\n../out/bakta:\n"; out != want {
		t.Errorf("the second execution found %q, want %q", out, want)
	}
}

// away starts a process that has left the group when the script goes on.
const away = `setsid sh -c 'echo $$ > ../pid; exec sleep 1000' & while [ ! -s ../pid ]; do sleep 0.01; done
`

func TestRunWithoutAVerdict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		setUp func(t *testing.T, dir string)
		run   Command
	}{
		{"the log can't be made", func(t *testing.T, dir string) {
			if err := os.RemoveAll(Dir(dir).StageState("bakta")); err != nil {
				t.Fatal(err)
			}
		}, shell("true")},
		{"a record is not JSON", func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(Dir(dir).StageState("bakta"), recordFile), []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, shell("true")},
		{"a record is a FIFO", func(t *testing.T, dir string) {
			if err := syscall.Mkfifo(filepath.Join(Dir(dir).StageState("second"), recordFile), 0o644); err != nil {
				t.Fatal(err)
			}
		}, shell("true")},
		{"a NUL in an argument", func(*testing.T, string) {}, Command{Stage: "bakta", Argv: []string{"true", "a\x00b"}}},
		{"a stage that is a path", func(*testing.T, string) {}, Command{Stage: "../bakta", Argv: []string{"true"}}},
		{"no program", func(*testing.T, string) {}, Command{Stage: "bakta"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			tt.setUp(t, dir)
			if got, err := Run(t.Context(), tt.run, dir, Options{Environ: Environment(os.Environ())}); err == nil {
				t.Errorf("Run: %+v and no error", got)
			}
		})
	}
	t.Run("cut off before it begins", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Run(ctx, shell("true"), directory(t), Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
}
