package local_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// onSmallDisk is the variable by which this test binary knows that it runs alone, and may mount a small disk.
const onSmallDisk = "LOCAL_TEST_SMALL_DISK"

// TestFullDisk fills the disk of a backend to the last byte: it takes nothing more, and can be emptied by deleting jobs
// and by their expiry. A second process of this test mounts the disk where nobody else sees it.
func TestFullDisk(t *testing.T) {
	if os.Getenv(onSmallDisk) == "" {
		t.Parallel()
		again := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v", "-test.count=1")
		again.Env = append(os.Environ(), onSmallDisk+"=1", "GORACE=atexit_sleep_ms=0")
		again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Getuid() != 0 {
			again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
			again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
		}
		out, err := again.CombinedOutput()
		switch {
		case bytes.Contains(out, []byte("ATTENTION")) || again.ProcessState == nil:
			t.Skipf("ATTENTION: this machine lets tests mount no disk, so what a full disk does is not tested: %v\n%s", err, out)
		case err != nil:
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	disk := t.TempDir()
	defer syscall.Unmount(disk, syscall.MNT_DETACH)
	// The mount is this process's alone, and goes with it.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatalf("ATTENTION: %v", err)
	}
	if err := syscall.Mount("small", disk, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatalf("ATTENTION: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	data := filepath.Join(disk, "data")
	start := func(keep string) *backend {
		t.Helper()
		b, err := tryBackend(t, data, []string{"BAKTA_STAND_IN_STEP_DELAY=0ms"}, "--bakta", "stand-in", "--keep", keep)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	files := func(ref client.Ref) bool {
		left, err := filepath.Glob(filepath.Join(data, "objects/buckets/*/jobs", ref.ID, "*"))
		return err == nil && len(left) > 0
	}
	done := func(b *backend) client.Ref {
		t.Helper()
		ref, _, err := submit(ctx, b.client(), "", genome)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := b.client().Wait(ctx, ref, 20*time.Millisecond, nil); err != nil || s.State != client.Successful || !files(ref) {
			t.Fatal(s, err, files(ref))
		}
		return ref
	}
	// The backend stands still meanwhile, in a moment in which it holds its reserve: what fills a disk while the reserve
	// is given to a sweep takes that, too.
	fillUp := func(b *backend) {
		t.Helper()
		wait(t, "the reserve is held", func() bool {
			b.process.Process.Signal(syscall.SIGSTOP)
			wait(t, "the backend stands still", func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.process.Process.Pid))
				return err == nil && bytes.Contains(stat, []byte(") T "))
			})
			info, err := os.Stat(filepath.Join(data, "reserve"))
			if err == nil && info.Size() >= 1<<20 {
				return true
			}
			b.process.Process.Signal(syscall.SIGCONT)
			return false
		})
		fill(t, disk)
		b.process.Process.Signal(syscall.SIGCONT)
	}
	remove := func(b *backend, ref client.Ref) {
		t.Helper()
		fillUp(b)
		if err := b.client().Delete(ctx, ref); err != nil {
			t.Errorf("a job can't be deleted: %v\n%s", err, b.errors.String())
		}
		if files(ref) {
			t.Error("a deleted job's files are still there")
		}
	}

	b := start("30d")
	first, second, third := done(b), done(b), done(b)
	made, err := b.client().Init(ctx, "", protov1.RepliconTableType_TSV)
	if err != nil {
		t.Fatal(err)
	}
	ready, err := b.client().Init(ctx, "", protov1.RepliconTableType_TSV)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.client().Upload(ctx, ready.Genome, client.BytesContent([]byte(genome)), nil); err != nil {
		t.Fatal(err)
	}

	v2 := b.client().V2()
	ready2, err := v2.Init(ctx, "bakta", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := v2.Upload(ctx, ready2.Uploads[0], client.BytesContent([]byte(genome)), nil); err != nil {
		t.Fatal(err)
	}

	// What is large is refused before it makes the disk full.
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, made.Genome, bytes.NewReader(make([]byte, 63<<20)))
	if err != nil {
		t.Fatal(err)
	}
	insufficient(t, r)

	fillUp(b)
	if r, err = http.NewRequestWithContext(ctx, http.MethodPut, made.Genome, strings.NewReader(genome)); err != nil {
		t.Fatal(err)
	}
	insufficient(t, r)
	if _, err := b.client().Init(ctx, "", protov1.RepliconTableType_TSV); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("making a job: %v", err)
	}
	if err := b.client().Start(ctx, ready.Job, nil); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("starting a job: %v", err)
	}
	if _, err := v2.Start(ctx, ready2.Job, "bakta", client.Config{}); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("starting a job by the second version: %v", err)
	}
	if s, err := b.client().Status(ctx, first); err != nil || len(s) != 1 || s[0].State != client.Successful {
		t.Errorf("the state of a job: %v, %v", s, err)
	}
	remove(b, first)

	// It is started on the full disk, too.
	fillUp(b)
	b.stop()
	b = start("30d")
	remove(b, second)
	fillUp(b)
	b.kill()
	b = start("30d")
	remove(b, ready.Job)
	remove(b, third)

	// A disk with room takes jobs again. They expire on one that is full.
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	b.stop()
	b = start("3s")
	last := done(b)
	fillUp(b)
	for files(last) {
		if ctx.Err() != nil {
			t.Fatalf("an expired job's files are still there: %s", b.errors.String())
		}
		time.Sleep(100 * time.Millisecond)
	}
	if s, err := b.client().Status(ctx, last); err == nil && len(s) == 1 && s[0].State == client.Successful {
		t.Errorf("the state of an expired job: %v", s)
	}
}

// insufficient sends an upload for which there is no room, as a page of this machine.
func insufficient(t *testing.T, r *http.Request) {
	t.Helper()
	r.Header.Set("Origin", "http://localhost:5173")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(text), "disk is full") || answer.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("an upload: %s, %s, %v", answer.Status, text, err)
	}
}

// fill leaves no byte of a disk free.
func fill(t *testing.T, disk string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(disk, "filler"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, piece := range []int{1 << 20, 4096} {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, piece))
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
