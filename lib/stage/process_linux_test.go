package stage

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

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

// TestRunKilledAtAnyMoment kills the stager again and again while a stage runs. The final files are
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
