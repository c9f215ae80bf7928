package cli

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

// TestMain lets the tests start this program as a user does: the test's own binary is `bakta-web` when asked to.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "stager" || os.Args[1] == "stand-in") {
		os.Exit(Main(context.Background(), "", os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
	}
	if os.Getenv("BAKTA_WEB_TEST") == "command" {
		a := newApp("v1.2.3", os.Stdout, os.Stderr, os.Getenv)
		a.patience, a.transferPatience = 500*time.Millisecond, 2*time.Second
		os.Exit(a.run(context.Background(), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// user is somebody who types commands, in a directory and with known jobs of their own.
type user struct {
	t   *testing.T
	dir string
	env []string
}

func newUser(t *testing.T, server string) *user {
	dir := t.TempDir()
	u := &user{t: t, dir: dir, env: append(os.Environ(), "BAKTA_WEB_TEST=command", "BAKTA_WEB_SERVER="+server,
		"BAKTA_WEB_JOBS="+filepath.Join(dir, ".jobs", "jobs.json"), "HOME="+dir, "TERM=xterm",
		"GORACE=atexit_sleep_ms=0")} // else the race detector holds up every end by a second
	u.write("genome.fna", ">contig_1 x\nACGTACGTACGT\n")
	return u
}

func (u *user) write(name, content string) string {
	u.t.Helper()
	path := filepath.Join(u.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		u.t.Fatal(err)
	}
	return path
}

func (u *user) command(args ...string) *exec.Cmd {
	// Long enough for a slow machine; a command that hangs must not hang the tests.
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	u.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir, cmd.Env = u.dir, u.env
	return cmd
}

// answer is what a command left.
type answer struct {
	Code     int
	Out, Err string
}

func (u *user) run(args ...string) answer {
	u.t.Helper()
	cmd := u.command(args...)
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	runErr := cmd.Run()
	if exit := (*exec.ExitError)(nil); runErr != nil && !errors.As(runErr, &exit) {
		u.t.Fatal(runErr)
	}
	return answer{cmd.ProcessState.ExitCode(), out.String(), err.String()}
}

// must is run for a command that has to succeed.
func (u *user) must(args ...string) answer {
	u.t.Helper()
	a := u.run(args...)
	if a.Code != 0 {
		u.t.Fatalf("%s: exit code %d\n%s%s", strings.Join(args, " "), a.Code, a.Out, a.Err)
	}
	return a
}

// files lists the names in a directory of the user.
func (u *user) files(dir string) []string {
	u.t.Helper()
	entries, err := os.ReadDir(filepath.Join(u.dir, dir))
	if err != nil {
		u.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// screen collects what a running command writes, and waits for a text in it.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains(s.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%q didn't show:\n%s", text, s)
		}
	}
}
