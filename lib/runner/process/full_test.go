package process

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// onSmallDisk is the variable by which this test binary knows that it runs alone, and may mount a small disk.
const onSmallDisk = "RUNNER_TEST_SMALL_DISK"

// TestFullDisk runs jobs on a disk of a few megabytes, which a second process of this test mounts in a namespace of its own.
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
	const complain = `{ echo "ERROR: no space left for me" >&2; exit 1; }`
	tests := []struct {
		name, script string
		code         job.FailureCode // of the manifest's failure
		message      string
	}{
		{"temporary files", "head -c 100M /dev/zero > full 2>/dev/null || " + complain, job.BadInput, "no space left for me"},
		{"results", "head -c 100M /dev/zero > ../out/bakta/result.gff3 2>/dev/null || " + complain, job.BadInput, "no space left for me"},
		{"the log", fine + "; head -c 30000000 /dev/zero | tr '\\0' '\\n'", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			disk := t.TempDir()
			// Only this process sees the mount, which ends with it.
			if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
				t.Fatalf("ATTENTION: %v", err)
			}
			if err := syscall.Mount("small", disk, "tmpfs", 0, "size=8m"); err != nil {
				t.Fatalf("ATTENTION: %v", err)
			}
			defer syscall.Unmount(disk, syscall.MNT_DETACH)
			f := set(t, func(o *Options) { o.Dir = filepath.Join(disk, "runner") })
			j := script(tt.script)
			f.launch(j)
			seen := f.await(j, job.Ended)
			m := f.manifest(j)
			if seen.Interrupted || seen.Failure != nil {
				t.Errorf("observed %+v", seen)
			}
			if tt.code == "" && m.Outcome != stage.Succeeded ||
				tt.code != "" && (m.Failure == nil || m.Failure.Code != tt.code || !strings.Contains(m.Failure.Message, tt.message)) {
				t.Errorf("manifest %+v, %+v", m, m.Failure)
			}
			if err := f.Release(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			next := script(fine)
			f.launch(next)
			f.await(next, job.Ended)
			if m := f.manifest(next); m.Outcome != stage.Succeeded {
				t.Errorf("the next run: %+v, %+v", m, m.Failure)
			}
		})
	}
	t.Run("at the launch and in the run", func(t *testing.T) {
		disk := t.TempDir()
		if err := syscall.Mount("small", disk, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		defer syscall.Unmount(disk, syscall.MNT_DETACH)
		f := set(t, func(o *Options) { o.Dir = filepath.Join(disk, "runner") })
		input := f.files.upload(script("").ID, "genome_fasta", "genome.fna", strings.Repeat("A", 2<<20))
		big := script(fine)
		f.files.upload(big.ID, "genome_fasta", "genome.fna", strings.Repeat("A", 2<<20))
		big.Start.Inputs = []job.Input{input}
		f.launch(big)
		seen := f.await(big, job.Ended)
		if seen.Interrupted || seen.Failure == nil || seen.Failure.Code != job.Internal ||
			!strings.Contains(seen.Failure.Message, "disk is full") {
			t.Errorf("observed %+v, %+v", seen, seen.Failure)
		}
		if err := f.Stop(t.Context(), big.ID); err != nil {
			t.Fatal(err)
		}
		fill, err := os.Create(filepath.Join(disk, "fill"))
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = fill.Write(make([]byte, 4096))
		}
		j := script(fine)
		if _, err := f.Launch(t.Context(), j); !job.Is(err, job.Unavailable) {
			t.Errorf("Launch on a full disk: %v", err)
		}
		if err := os.Remove(fill.Name()); err != nil {
			t.Fatal(err)
		}
		fill.Close()
		f.launch(j)
		f.await(j, job.Ended)
		if m := f.manifest(j); m.Outcome != stage.Succeeded {
			t.Errorf("the next run: %+v", m)
		}
	})
}
