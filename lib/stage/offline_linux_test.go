package stage

import (
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestOfflineFilter(t *testing.T) {
	t.Parallel()
	const ours, i386 = unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386
	vm, err := bpf.NewVM(offlineFilter(ours))
	if err != nil {
		t.Fatal(err)
	}
	for what, row := range map[string]struct {
		arch, call, argument, want uint32
	}{
		"reading a file":                {ours, unix.SYS_READ, unix.AF_INET, allow},
		"a socket of this machine":      {ours, unix.SYS_SOCKET, unix.AF_UNIX, allow},
		"a pair of sockets":             {ours, unix.SYS_SOCKETPAIR, unix.AF_UNIX, allow},
		"IPv4":                          {ours, unix.SYS_SOCKET, unix.AF_INET, noFamily},
		"IPv6":                          {ours, unix.SYS_SOCKET, unix.AF_INET6, noFamily},
		"packets":                       {ours, unix.SYS_SOCKET, unix.AF_PACKET, noFamily},
		"the kernel's tables":           {ours, unix.SYS_SOCKET, unix.AF_NETLINK, noFamily},
		"the host of a virtual machine": {ours, unix.SYS_SOCKET, unix.AF_VSOCK, noFamily},
		"no family":                     {ours, unix.SYS_SOCKET, unix.AF_UNSPEC, noFamily},
		"io_uring":                      {ours, unix.SYS_IO_URING_SETUP, 8, noCall},
		"a socket of x32":               {ours, unix.SYS_SOCKET | x32, unix.AF_INET, noCall},
		"reading a file with x32":       {ours, unix.SYS_READ | x32, 0, noCall},
		"socketcall of 32 bits":         {i386, 102, 1, noCall},
		"socket of 32 bits":             {i386, 359, unix.AF_INET, noCall},
		"another processor":             {unix.AUDIT_ARCH_AARCH64, unix.SYS_SOCKET, unix.AF_UNIX, noCall},
	} {
		data := make([]byte, 64)
		binary.BigEndian.PutUint32(data[offNumber:], row.call) // this machine reads packets, the kernel words
		binary.BigEndian.PutUint32(data[offArch:], row.arch)
		binary.BigEndian.PutUint32(data[offFamily:], row.argument)
		if got, err := vm.Run(data); err != nil || uint32(got) != row.want {
			t.Errorf("%s: %#x, %v; want %#x", what, got, err, row.want)
		}
	}
}

// TestOffline has a program, and what it starts, connect to a server that is there, with the network and without.
func TestOffline(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash, which can connect")
	}
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	port := server.Addr().(*net.TCPAddr).Port
	for name, row := range map[string]struct {
		offline bool
		script  string
		want    job.StageStatus
	}{
		"with the network":        {false, "connect", job.StageSucceeded},
		"without":                 {true, "connect", job.StageFailed},
		"in a shell of its own":   {true, `"$BASH" -c "$(declare -f connect); connect"`, job.StageFailed},
		"in a session of its own": {true, `setsid --wait "$BASH" -c "$(declare -f connect); connect"`, job.StageFailed},
		"with new privileges":     {true, `grep -q '^NoNewPrivs:.0' /proc/self/status`, job.StageFailed},
		"not at all":              {true, `echo fine | grep -q fine && [ "$(cat <(echo fine))" = fine ]`, job.StageSucceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := directory(t)
			c := Command{Stage: "bakta", Title: "Bakta", Argv: []string{bash, "-c",
				"connect() { : < /dev/tcp/127.0.0.1/" + strconv.Itoa(port) + "; }; " + row.script}}
			rec, err := Run(t.Context(), c, dir, Options{Environ: []string{"PATH=" + os.Getenv("PATH")}, Offline: row.offline})
			if err != nil || rec.Status != row.want {
				t.Errorf("the stage has %+v, %v; log: %s", rec, err, text(t, Dir(dir).Log("bakta")))
			}
		})
	}
	// What runs the programs is not restricted, however often it has run one.
	if c, err := net.Dial("tcp", server.Addr().String()); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
}

// TestOfflineThread checks that no thread of this process is left without network: another goroutine would run on it.
func TestOfflineThread(t *testing.T) {
	t.Parallel()
	for range 4 {
		if _, err := Run(t.Context(), shell("true"), directory(t), Options{Offline: true}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the end of threads without network", func() bool {
		tasks, err := filepath.Glob("/proc/self/task/*/status")
		if err != nil {
			t.Fatal(err)
		}
		left := 0
		for _, name := range tasks {
			status, err := os.ReadFile(name)
			// The first thread of a process can't end; Go keeps it from all goroutines.
			if err == nil && strings.Contains(string(status), "\nSeccomp:\t2") &&
				!strings.Contains(string(status), "\nPid:\t"+strconv.Itoa(os.Getpid())+"\n") {
				left++
			}
		}
		return left == 0
	})
}

// TestRealProgramsOffline checks that the real Bakta and Baktfold need no network.
func TestRealProgramsOffline(t *testing.T) {
	t.Parallel()
	real, err := realbakta.Locate()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	stages := []Command{
		{Stage: "bakta", Title: "Bakta", Argv: []string{real.Bakta, "--db", real.Database, "--output", "../out/bakta", "--prefix", "result",
			"--force", "--skip-plot", filepath.Join(real.Prefix, "demo.fna")}},
		{Stage: "baktfold", Title: "Baktfold", Argv: []string{filepath.Join(real.Prefix, "bin/baktfold"), "run", "-i", "../out/bakta/result.json",
			"-o", "../out/baktfold", "-p", "result", "-f", "-d", filepath.Join(real.Prefix, "baktfold-db")}},
	}
	if f, err := In(t.Context(), nil, spec(dir, stages...)); f != nil || err != nil {
		t.Fatal(f, err)
	}
	for _, c := range stages {
		rec, err := Run(t.Context(), c, dir, Options{Environ: Environment(os.Environ()), Offline: true})
		if err != nil || rec.Status != job.StageSucceeded {
			t.Fatalf("%s: %+v, %v; log: %s", c.Title, rec, err, text(t, Dir(dir).Log(c.Stage)))
		}
	}
}
