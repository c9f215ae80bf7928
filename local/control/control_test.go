package control_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/local/control"
)

// fixed is a backend that keeps its limit.
type fixed struct{ now control.Jobs }

func (f *fixed) SetJobs(limit int)  { f.now.Limit = limit }
func (f *fixed) Jobs() control.Jobs { return f.now }

// TestMain lets a test call a backend as another user: the test's binary is also a client.
func TestMain(m *testing.M) {
	if data := os.Getenv("CONTROL_TEST_DATA"); data != "" {
		jobs, err := control.Set(context.Background(), data, 9)
		fmt.Println(jobs, err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestControl(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), strings.Repeat("a long path/", 20))
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := control.Read(ctx, data); err == nil || !strings.Contains(err.Error(), "no backend runs on "+data) {
		t.Errorf("without a backend: %v", err)
	}
	// As a killed process leaves it: nothing listens on it.
	left, err := control.Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(data, "kept")
	if err := os.Rename(filepath.Join(data, "control.sock"), kept); err != nil {
		t.Fatal(err)
	}
	left.Close()
	if err := os.Rename(kept, filepath.Join(data, "control.sock")); err != nil {
		t.Fatal(err)
	}
	if _, err := control.Read(ctx, data); err == nil || !strings.Contains(err.Error(), "no backend runs") {
		t.Errorf("after a kill: %v", err)
	}

	listener, err := control.Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(data, "control.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	b := &fixed{now: control.Jobs{Limit: 1, Running: 1, Waiting: 7}}
	serving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(serving, listener, b) }()
	if got, err := control.Read(ctx, data); err != nil || got != b.now {
		t.Errorf("read: %+v, %v", got, err)
	}
	if got, err := control.Set(ctx, data, 4); err != nil || got.Limit != 4 || got.Waiting != 7 {
		t.Errorf("set: %+v, %v", got, err)
	}
	for _, limit := range []int{0, -1, control.MaxJobs + 1} {
		if _, err := control.Set(ctx, data, limit); err == nil || !strings.Contains(err.Error(), "from 1 to 10000") {
			t.Errorf("set %d: %v", limit, err)
		}
	}
	// A client that sends nothing keeps no other waiting.
	idle, err := net.Dial("unix", relative(t, filepath.Join(data, "control.sock")))
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if got, err := control.Read(ctx, data); err != nil || got.Limit != 4 {
		t.Errorf("read: %+v, %v", got, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(filepath.Join(data, "control.sock")); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// relative returns a short path of a socket, by a link.
func relative(t *testing.T, path string) string {
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	short := filepath.Join(dir, "s")
	if err := os.Symlink(path, short); err != nil {
		t.Fatal(err)
	}
	return short
}

// TestAnotherUser checks that another user can't change a backend, even if the directory and the socket are open to all.
func TestAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	data, err := os.MkdirTemp("", "open-*") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	binary, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(data, "program")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	listener, err := control.Listen(data)
	if err != nil {
		t.Fatal(err)
	}
	for path, mode := range map[string]os.FileMode{data: 0o777, filepath.Join(data, "control.sock"): 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	b := &fixed{now: control.Jobs{Limit: 1}}
	serving, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(serving, listener, b) }()
	for uid, allowed := range map[uint32]bool{0: true, 65534: false} {
		cmd := exec.Command(program)
		cmd.Env = []string{"CONTROL_TEST_DATA=" + data}
		cmd.Dir = data
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("as user %d: %v: %s", uid, err, out)
		}
		if strings.HasPrefix(string(out), "{9 0 0} <nil>") != allowed {
			t.Errorf("as user %d: %s", uid, out)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
