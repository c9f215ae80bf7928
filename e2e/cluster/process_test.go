package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestProcessIsItselfAndNoLaterOneOfItsNumber(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	p, err := processOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sleep.pid")
	if err := p.record(file); err != nil {
		t.Fatal(err)
	}
	read, err := recorded(file)
	if err != nil || read != p {
		t.Fatalf("recorded as %+v, %v; want %+v", read, err, p)
	}
	if !p.alive() {
		t.Error("the process isn't alive")
	}
	if earlier := (process{pid: p.pid, since: p.since - 1}); earlier.alive() {
		t.Error("an earlier process with the same number is alive")
	}
	p.end(syscall.SIGTERM, time.Minute)
	if p.alive() {
		t.Error("a process that has ended, but was not waited for, is alive")
	}
	_ = cmd.Wait()
	p.end(syscall.SIGTERM, time.Minute) // nothing to do
}

func TestRecordedTellsABrokenFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.pid")
	if err := os.WriteFile(file, []byte("12"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := recorded(file); err == nil {
		t.Errorf("read %+v from half a file", p)
	}
}
