package local_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/internal/testdisk"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// TestFullDisk fills the disk of a backend to the last byte: the backend accepts no new data, and frees disk space when jobs
// are deleted and when they expire. It runs in a process with a mount namespace of its own.
func TestFullDisk(t *testing.T) {
	if !testdisk.Alone(t) {
		return
	}
	disk := testdisk.Mount(t, "64m")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
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
	// The backend is stopped while the disk is filled, at a moment when it holds its reserve: otherwise the filler can take
	// the reserve that a sweep has released.
	fillUp := func(b *backend) {
		t.Helper()
		wait(t, "the reserve is held", func() bool {
			b.process.Process.Signal(syscall.SIGSTOP)
			wait(t, "the backend is stopped", func() bool {
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
		testdisk.Fill(t, disk)
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

	// A large upload is refused before it fills the disk.
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, made.Genome, bytes.NewReader(make([]byte, 63<<20)))
	if err != nil {
		t.Fatal(err)
	}
	insufficient(t, r)

	// So is a copy, while smaller ones are made.
	large, err := v2.Init(ctx, "bakta_proteins", "")
	if err != nil {
		t.Fatal(err)
	}
	proteins := strings.Repeat(">a\n"+strings.Repeat("MKLLACDEFG", 8)+"\n", 150_000) // 12 MB
	if err := v2.Upload(ctx, large.Uploads[0], client.BytesContent([]byte(proteins)), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := v2.Start(ctx, large.Job, "bakta_proteins", client.Config{}); err != nil {
		t.Fatal(err)
	}
	filler := testdisk.Fill(t, disk)
	if info, err := os.Stat(filler); err != nil {
		t.Fatal(err)
	} else if err := os.Truncate(filler, info.Size()-8<<20); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v2.Rerun(ctx, client.Rerun{Job: large.Job, RequestKey: "a-key-of-this-test"}); err == nil ||
		!strings.Contains(err.Error(), "disk is full") {
		t.Errorf("copying a large file: %v", err)
	}
	if _, _, err := v2.Rerun(ctx, client.Rerun{Job: second, RequestKey: "a-key-of-this-test"}); err != nil {
		t.Errorf("copying a small file: %v", err)
	}
	if err := v2.Delete(ctx, large.Job); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}

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
	if _, _, err := v2.Rerun(ctx, client.Rerun{Job: second, RequestKey: "another-key-of-this-test"}); err == nil ||
		!strings.Contains(err.Error(), "disk is full") {
		t.Errorf("running a job again: %v", err)
	}
	if s, err := b.client().Status(ctx, first); err != nil || len(s) != 1 || s[0].State != client.Successful {
		t.Errorf("the state of a job: %v, %v", s, err)
	}
	remove(b, first)

	// The backend also starts on the full disk.
	fillUp(b)
	b.stop()
	b = start("30d")
	remove(b, second)
	fillUp(b)
	b.kill()
	b = start("30d")
	remove(b, ready.Job)
	remove(b, third)

	// With free disk space, the backend accepts jobs again. They also expire on a full disk.
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

// insufficient sends an upload for which the disk has too little space, as a web page of this machine.
func insufficient(t *testing.T, r *http.Request) {
	t.Helper()
	r.Header.Set("Origin", "http://localhost:5173")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusInsufficientStorage || !strings.Contains(string(text), "disk is full") ||
		answer.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("an upload: %s, %s, %v", answer.Status, text, err)
	}
}
