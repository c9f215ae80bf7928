// Package clitest runs the command bakta-web as a user does: the test's own binary, as a process of its own.
package clitest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Variable is set in the environment of the test's own binary when it has to be the command.
const Variable = "BAKTA_WEB_TEST"

// User types commands in a directory, and with known jobs, of their own.
type User struct {
	t   *testing.T
	Dir string
	Env []string
}

// NewUser returns a user of the server at that URL. The directory holds a small genome, genome.fna.
func NewUser(t *testing.T, server string) *User {
	dir := t.TempDir()
	u := &User{t: t, Dir: dir, Env: append(os.Environ(), Variable+"=command", "BAKTA_WEB_SERVER="+server,
		"BAKTA_WEB_JOBS="+filepath.Join(dir, ".jobs", "jobs.json"), "HOME="+dir, "TERM=xterm",
		"GORACE=atexit_sleep_ms=0")} // else the race detector holds up every end by a second
	u.Write("genome.fna", ">contig_1 x\nACGTACGTACGT\n")
	return u
}

// Write writes a file into the user's directory and returns its path.
func (u *User) Write(name, content string) string {
	u.t.Helper()
	path := filepath.Join(u.Dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		u.t.Fatal(err)
	}
	return path
}

// Command returns the command with those arguments. It is killed after ten minutes.
func (u *User) Command(args ...string) *exec.Cmd {
	// A command that hangs must not hang the tests. A local backend is a command, too, and serves as long as its test, which real programs
	// under the race detector make minutes long where other tests run beside it.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	u.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir, cmd.Env = u.Dir, u.Env
	return cmd
}

// Result is what a command left.
type Result struct {
	Code     int
	Out, Err string
}

// Run runs the command to its end.
func (u *User) Run(args ...string) Result {
	u.t.Helper()
	cmd := u.Command(args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	runErr := cmd.Run()
	if exit := (*exec.ExitError)(nil); runErr != nil && !errors.As(runErr, &exit) {
		u.t.Fatal(runErr)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), err.String()}
}

// Must is Run for a command that has to succeed.
func (u *User) Must(args ...string) Result {
	u.t.Helper()
	a := u.Run(args...)
	if a.Code != 0 {
		u.t.Fatalf("%s: exit code %d\n%s%s", strings.Join(args, " "), a.Code, a.Out, a.Err)
	}
	return a
}

// Files lists the names in a directory of the user.
func (u *User) Files(dir string) []string {
	u.t.Helper()
	entries, err := os.ReadDir(filepath.Join(u.Dir, dir))
	if err != nil {
		u.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Screen collects what a running command writes. The zero value is ready to use.
type Screen struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write adds to what was written.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String returns what was written so far.
func (s *Screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Await waits until a text was written, for at most five minutes.
func (s *Screen) Await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(s.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q didn't show:\n%s", text, s)
		}
	}
}
