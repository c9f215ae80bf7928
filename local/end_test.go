package local_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// TestInterrupted: the first interrupt stops the backend even if requests never end, and the second one stops it at once.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	t.Run("once", func(t *testing.T) {
		t.Parallel()
		b := startBackend(t, t.TempDir(), "--bakta", "stand-in")
		made, err := b.client().Init(t.Context(), "", protov1.RepliconTableType_TSV)
		if err != nil {
			t.Fatal(err)
		}
		link, err := url.Parse(made.Genome)
		if err != nil {
			t.Fatal(err)
		}
		api := strings.TrimPrefix(b.url, "http://")
		for _, open := range []struct{ address, text string }{
			{api, ""}, {link.Host, ""},
			{api, "POST /api/v1/job/init HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{"},
			{api, "POST /api/v1/job/init HTTP/1.1\r\nHost: localhost\r\nX-Slow"},
			{link.Host, "PUT " + link.RequestURI() + " HTTP/1.1\r\nHost: " + link.Host + "\r\nContent-Length: 1000\r\n\r\n>a\nACGT"},
		} {
			conn, err := net.Dial("tcp", open.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, open.text); err != nil {
				t.Fatal(err)
			}
		}
		// A response on a new connection shows that the server accepted the earlier ones.
		if _, err := http.Get(b.url + "/healthz"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		b.process.Process.Signal(syscall.SIGINT)
		<-b.ended
		took := time.Since(began)
		t.Logf("it took %s", took)
		if code := b.process.ProcessState.ExitCode(); took > 20*time.Second || code != 0 {
			t.Errorf("it took %s, exit code %d: %s", took, code, b.errors.String())
		}
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		// A program that ignores SIGTERM delays the end until its time is over.
		dir := program(t, `echo begun > "$BEGUN"; trap '' TERM; while :; do sleep 0.1; done`)
		// A shell starts background processes like this.
		ignoreInterrupt := []string{"/bin/sh", "-c", `trap "" INT; exec "$0" "$@"`}
		b, err := tryBackendBy(t, ignoreInterrupt, t.TempDir(), nil, "--bakta", filepath.Join(dir, "bakta"), "--bakta-db",
			filepath.Join(dir, "db"))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := submit(t.Context(), b.client(), "", genome); err != nil {
			t.Fatal(err)
		}
		wait(t, "the program has begun", func() bool { _, err := os.Stat(filepath.Join(dir, "begun")); return err == nil })
		b.process.Process.Signal(syscall.SIGINT)
		wait(t, "the backend refuses connections", func() bool {
			conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
			if err == nil {
				conn.Close()
			}
			return err != nil
		})
		began := time.Now()
		b.process.Process.Signal(syscall.SIGINT)
		<-b.ended
		if took, code := time.Since(began), b.process.ProcessState.ExitCode(); took > 3*time.Second || code != 130 {
			t.Errorf("it took %s, exit code %d: %s", took, code, b.errors.String())
		}
		if left := processesIn(t, b.data); len(left) > 0 {
			t.Errorf("these processes still run: %v", left)
		}
	})
}

// TestSlowProgram: the backend serves while a program has not yet printed its version.
func TestSlowProgram(t *testing.T) {
	t.Parallel()
	dir := program(t, "")
	hold := filepath.Join(dir, "hold")
	script := fmt.Sprintf("#!/bin/sh\nwhile [ -e %s ]; do sleep 0.05; done\necho bakta 1.12.2\n", hold)
	for path, content := range map[string]string{hold: "", filepath.Join(dir, "bakta"): script} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	b := startBackend(t, t.TempDir(), "--bakta", filepath.Join(dir, "bakta"), "--bakta-db", filepath.Join(dir, "db"))
	version := func() string {
		v, err := b.client().Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v.Tool
	}
	if v := version(); v != "" {
		t.Errorf("before the program has printed it, the version is %q", v)
	}
	if err := os.Remove(hold); err != nil {
		t.Fatal(err)
	}
	wait(t, "the version is known", func() bool { return version() == "1.12.2" })
}

// program creates a directory with a script as bakta, and a database for it.
func program(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"db/version.json": `{"major":6,"minor":0}`,
		"bakta":           "#!/bin/sh\n[ \"$1\" = --version ] && { echo bakta 1.12.2; exit; }\nBEGUN=" + dir + "/begun\n" + script + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// wait waits until a condition holds.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("timeout while waiting for: " + what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
