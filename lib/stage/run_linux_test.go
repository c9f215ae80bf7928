package stage

import (
	"bytes"
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

func TestRunKeepsLinesWhole(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	script := `i=0; while [ $i -lt 300 ]; do printf 'out '; printf 'put\n'; printf 'err ' >&2; printf 'or\n' >&2; i=$((i+1)); done`
	var stdout, stderr bytes.Buffer
	if _, err := Run(t.Context(), shell(script), dir, Options{Stdout: &stdout, Stderr: &stderr}); err != nil {
		t.Fatal(err)
	}
	if got, want := stdout.String(), strings.Repeat(
		"out put\n",
		300,
	); !strings.HasSuffix(got, want) ||
		!strings.HasPrefix(got, "Bakta Command: ") {
		t.Errorf("stdout: %q", got)
	}
	if got, want := stderr.String(), strings.Repeat("err or\n", 300); got != want {
		t.Errorf("stderr: %q", got)
	}
	log := text(t, Dir(dir).Log("bakta"))
	if strings.Count(log, "\nout put") != 300 || strings.Count(log, "\nerr or") != 300 {
		t.Errorf("log: %q", log)
	}
}

func TestRunQuotesTheCommand(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	c := Command{Stage: "bakta", Title: "Bakta", Argv: []string{"true", "--strain=O'Neill 7", "", "--gram=?", "a\tb", "--threads", "4", "é"}}
	if _, err := Run(t.Context(), c, dir, Options{}); err != nil {
		t.Fatal(err)
	}
	want := `Bakta Command: true '--strain=O'\''Neill 7' '' '--gram=?' $"a\tb" --threads 4 'é'` + "\n"
	if got := text(t, Dir(dir).Log("bakta")); got != want {
		t.Errorf("log %q, want %q", got, want)
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

// TestRunLeavesNothingRunning has programs that start others, which hold the pipes open.
func TestRunLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
	}{
		{"child in the group", `sleep 1000 & echo $! > ../pid`},
		{"child that ignores SIGTERM", `(trap '' TERM; while :; do sleep 1; done) & echo $! > ../pid`},
		{"grandchild in the group", `(sleep 1000 & echo $! > ../pid; exec sleep 1000) & while [ ! -s ../pid ]; do sleep 0.01; done`},
		{"child outside the group", away},
		{"daemon", `setsid sh -c 'sleep 1000 & echo $! > ../pid' & while [ ! -s ../pid ]; do sleep 0.01; done`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			cmd := stager(t, shell(tt.script), dir)
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if rec, _, err := readStage(Dir(dir), "bakta"); err != nil || rec.Status != job.StageSucceeded {
				t.Errorf("recorded %+v, %v", rec, err)
			}
			if pid := awaitPID(t, filepath.Join(dir, "pid")); !gone(pid) {
				t.Errorf("process %d still runs", pid)
			}
		})
	}
}

func TestRunDoesNotWaitForWhoGotAway(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	t.Cleanup(func() {
		if err := KillLeft(dir, 10*time.Second); err != nil {
			t.Error(err)
		}
	})
	got, err := Run(t.Context(), shell(away+`echo said`), dir, Options{})
	if err != nil || got.Status != job.StageSucceeded {
		t.Fatalf("Run: %+v, %v", got, err)
	}
	if log := text(t, Dir(dir).Log("bakta")); !strings.HasSuffix(log, "\nsaid\n") {
		t.Errorf("log: %q", log)
	}
	pid := awaitPID(t, filepath.Join(dir, "pid"))
	if gone(pid) {
		t.Fatal("the process that should get away did not")
	}
	if err := KillLeft(dir, 10*time.Second); err != nil {
		t.Error(err)
	}
	await(t, "the end of the process", func() bool { return gone(pid) })
}

func TestKillLeftAfterTheStagerWasKilled(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
	}{
		{"program", `echo $$ > ../pid; while :; do sleep 0.1; done`},
		{"child in the group", `sleep 1000 & echo $! > ../pid; wait`},
		{"child outside the group", away + "wait"},
		{"child without the mark", `env -i /bin/sleep 1000 & echo $! > ../pid; trap '' TERM; while :; do sleep 0.1; done`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			cmd := stager(t, shell(tt.script), dir)
			pid := awaitPID(t, filepath.Join(dir, "pid"))
			if tt.name == "child without the mark" {
				// Known by its group alone, and by that only while the group's leader lives.
				if err := KillLeft(dir, 10*time.Second); err != nil {
					t.Error(err)
				}
			} else {
				cmd.Process.Kill()
				cmd.Wait()
				if err := KillLeft(dir, 10*time.Second); err != nil {
					t.Error(err)
				}
			}
			await(t, "the end of the process", func() bool { return gone(pid) })
		})
	}
}

// TestTheProgramDiesWithItsStager checks that the kernel ends the program of a stager that was killed outright.
func TestTheProgramDiesWithItsStager(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	cmd := stager(t, shell(`trap '' TERM; echo $$ > ../pid; while :; do sleep 0.01; done`), dir)
	pid := awaitPID(t, filepath.Join(dir, "pid"))
	cmd.Process.Kill()
	await(t, "the end of the program", func() bool { return gone(pid) })
}

// TestKillLeftSparesOthers checks that a process is not killed because it has the number of a run's.
func TestKillLeftSparesOthers(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	other := stager(t, shell(`echo $$ > ../pid; while :; do sleep 0.1; done`), directory(t))
	id, err := identify(other.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []Process{
		{PID: id.PID, Start: id.Start - 1, Boot: id.Boot},
		{PID: id.PID, Start: id.Start, Boot: "another"},
		{PID: 0}, {PID: -1}, {PID: 1},
	} {
		if err := KillLeft(dir, time.Second, id); err != nil {
			t.Errorf("%+v: %v", id, err)
		}
	}
	if gone(other.Process.Pid) {
		t.Error("another's process was killed")
	}
}

// TestRunKilledAtAnyMoment kills the stager again and again while a stage runs. What counts in the end comes
// from one execution.
func TestRunKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	script := `[ -z "$(ls -A ../out/bakta)" ] || exit 9
[ -z "$(ls -A .)" ] || exit 8
for i in 1 2 3 4 5 6 7 8; do echo $$ >> ../out/bakta/result.gff3; echo $$ > tmp$i; echo $$; sleep 0.01; done`
	ended := false
	for i := 0; !ended; i++ {
		cmd := stager(t, shell(script), dir)
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			ended = true
		case <-time.After(time.Duration(i*i) * time.Millisecond): // later and later, so that it ends
			cmd.Process.Kill()
			<-done
			if err := KillLeft(dir, 10*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	rec, _, err := readStage(Dir(dir), "bakta")
	if err != nil || rec.Status != job.StageSucceeded {
		t.Fatalf("recorded %+v, %v; log: %s", rec, err, text(t, Dir(dir).Log("bakta")))
	}
	lines := strings.Fields(text(t, filepath.Join(dir, "out/bakta/result.gff3")))
	if len(lines) != 8 || strings.Count(strings.Join(lines, " "), lines[0]) != 8 {
		t.Errorf("the result is of more than one execution: %q", lines)
	}
}

func TestRunBoundsTheLog(t *testing.T) {
	t.Parallel()
	dir := directory(t)
	var copied bytes.Buffer
	got, err := Run(
		t.Context(),
		shell("head -c 1000000000 /dev/zero; echo 'ERROR: at last' >&2; exit 1"),
		dir,
		Options{MaxLog: 100_000, Stdout: &copied},
	)
	if err != nil || got.ExitCode != 1 {
		t.Fatalf("Run: %+v, %v", got, err)
	}
	log := text(t, Dir(dir).Log("bakta"))
	if want := "\n[The output is longer than 100000 bytes. The rest of it is left out of this log.]\n"; len(log) != 100_000+len(want) ||
		!strings.HasSuffix(log, want) {
		t.Errorf("the log has %d bytes and ends in %q", len(log), log[max(0, len(log)-200):])
	}
	if copied.Len() > 200_000 {
		t.Errorf("%d bytes were copied", copied.Len())
	}
	// The reason comes from the very end, whatever became of the log.
	if rec, _, err := readStage(Dir(dir), "bakta"); err != nil || rec.Failure == nil || !strings.Contains(rec.Failure.Message, "at last") {
		t.Errorf("failure %+v, %v", rec.Failure, err)
	}
}

// full is a disk without space.
type full struct{ left int }

func (f *full) Write(b []byte) (int, error) {
	if len(b) > f.left {
		return f.left, syscall.ENOSPC
	}
	f.left -= len(b)
	return len(b), nil
}

func TestOutputIsTakenWhenTheLogCannotBeWritten(t *testing.T) {
	t.Parallel()
	out := &recorder{log: &full{left: 10}, left: 1000, limit: 1000}
	var copied bytes.Buffer
	s := &stream{to: out, copy: &copied, tail: &tail{}}
	for range 5 {
		if n, err := s.Write([]byte("a line\n")); n != 7 || err != nil {
			t.Errorf("Write: %d, %v", n, err)
		}
	}
	if !errors.Is(out.err, syscall.ENOSPC) {
		t.Errorf("the log's error: %v", out.err)
	}
	if want := strings.Repeat("a line\n", 5); copied.String() != want || string(s.tail.kept) != want {
		t.Errorf("copied %q, kept %q", copied.String(), s.tail.kept)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	tl := &tail{}
	for i := range 3 * maxTail {
		tl.Write([]byte{byte(i)})
	}
	tl.Write(bytes.Repeat([]byte("x"), 5*maxTail))
	tl.Write([]byte("end"))
	if n := len(tl.kept); n < maxTail || n > 2*maxTail || !bytes.HasSuffix(tl.kept, []byte("xxend")) {
		t.Errorf("kept %d bytes, the end is %q", n, tl.kept[n-5:])
	}
}

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
