package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

// asStager makes the test binary a stager: it runs the command that stands in this variable, alone.
const asStager = "STAGE_TEST_RUN"

// order is what the test binary runs as a stager.
type order struct {
	Command Command
	Dir     string
}

func TestMain(m *testing.M) {
	if text := os.Getenv(asStager); text != "" {
		var o order
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		if _, err := Run(context.Background(), o.Command, o.Dir, Options{Environ: Environment(os.Environ()), Alone: true}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// The clients that clean up behind the tests keep their connections for a while.
	known := []goleak.Option{
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
	}
	if os.Getenv(teststores.S3Endpoint) == "" {
		// Then the tests' store is a child of this process, and what it says is listened to until the end.
		known = append(known, goleak.IgnoreAnyFunction("os/exec.(*Cmd).writerDescriptor.func1"))
	}
	goleak.VerifyTestMain(m, known...)
}

// stager starts the test binary as a stager of that command.
func stager(t *testing.T, c Command, dir string) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(order{Command: c, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asStager+"="+string(text), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if err := KillLeft(dir, 10*time.Second); err != nil {
			t.Error(err)
		}
	})
	return cmd
}

// record writes a stage's record.
func record(t *testing.T, dir string, r Record) error {
	t.Helper()
	state, err := Dir(dir).open(states, r.Name)
	if err != nil {
		return err
	}
	defer state.Close()
	return write(state, recordFile, r)
}

// directory returns the directory of a run that has all of its (no) inputs.
func directory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if f, err := In(t.Context(), nil, spec(dir, shell("true"), second("true"))); f != nil || err != nil {
		t.Fatal(f, err)
	}
	return dir
}

// spec returns the spec of a run with those stages and a result of each.
func spec(dir string, stages ...Command) Spec {
	s := Spec{Job: testJob, Run: 1, Dir: dir, Stages: stages}
	for _, c := range stages {
		s.Results = append(s.Results,
			Expected{Ending: c.Stage + ".gff3", Path: "out/" + c.Stage + "/result.gff3", Required: true},
			Expected{Ending: c.Stage + ".svg", Path: "out/" + c.Stage + "/result.svg"})
	}
	return s
}

// shell returns a stage whose program is a shell script.
func shell(script string) Command {
	return Command{Stage: "bakta", Title: "Bakta", Argv: []string{"/bin/sh", "-c", script}}
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited for: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// awaitPID waits until a program has written its process id, and a line end, to a file.
func awaitPID(t *testing.T, path string) int {
	t.Helper()
	pid := 0
	await(t, "a process id in "+path, func() bool {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil
	})
	return pid
}

// gone reports whether a process is dead, or waits only to be reaped.
func gone(pid int) bool {
	return syscall.Kill(pid, 0) == syscall.ESRCH || zombie(pid)
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
