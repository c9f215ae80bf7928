package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "with-stores")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the Makefile builds it
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// TestServe ends the program in every possible way. None of its processes may remain, and its data only until the next start.
func TestServe(t *testing.T) {
	program := build(t)
	for _, store := range []struct{ name, variable string }{{"mongodb", teststores.MongoURI}, {"s3", teststores.S3Endpoint}} {
		tmp := t.TempDir()
		for _, end := range []struct {
			name  string
			do    func(p *os.Process, stdin io.Closer) error
			stays bool // whether the data stay until the next start
		}{
			{"its input ends", func(_ *os.Process, stdin io.Closer) error { return stdin.Close() }, false},
			{"SIGTERM", func(p *os.Process, _ io.Closer) error { return p.Signal(syscall.SIGTERM) }, false},
			{"SIGKILL", func(p *os.Process, _ io.Closer) error { return p.Kill() }, true},
			{"its input ends, after one was killed", func(_ *os.Process, stdin io.Closer) error { return stdin.Close() }, false},
		} {
			cmd := exec.Command(program, "-serve", store.name)
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			var said bytes.Buffer
			cmd.Stderr = &said
			stdin, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var env map[string]string
			line, err := bufio.NewReader(out).ReadBytes('\n')
			if err == nil {
				err = json.Unmarshal(line, &env)
			}
			if err != nil {
				_ = cmd.Wait()
				t.Fatalf("%s: %v: %s", store.name, err, said.String())
			}
			_, address, _ := strings.Cut(env[store.variable], "://")
			address, _, _ = strings.Cut(address, "/")
			if c, err := net.Dial("tcp", address); err != nil {
				t.Errorf("%s: it does not serve: %v", store.name, err)
			} else {
				c.Close()
			}
			if dirs := dataIn(t, tmp); len(dirs) != 1 {
				t.Errorf("%s: data lie in %v, want one directory", store.name, dirs)
			}
			if err := end.do(cmd.Process, stdin); err != nil {
				t.Fatal(err)
			}
			err = cmd.Wait()
			if (err != nil) != end.stays { // an error only of one that was killed
				t.Errorf("%s: %s: %v: %s", store.name, end.name, err, said.String())
			}
			for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
				c, err := net.Dial("tcp", address)
				if err != nil {
					break
				}
				c.Close()
				if time.Now().After(deadline) {
					t.Fatalf("%s: %s: the store is still there", store.name, end.name)
				}
			}
			if dirs := dataIn(t, tmp); len(dirs) > 0 && !end.stays {
				t.Errorf("%s: %s: data stay in %v", store.name, end.name, dirs)
			}
		}
	}
}

func dataIn(t *testing.T, tmp string) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(tmp, "*"+dirPattern))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// TestRun runs commands with stores that exist already.
func TestRun(t *testing.T) {
	program := build(t)
	for _, tt := range []struct {
		argv []string
		code int
		out  string
	}{
		{[]string{"printenv", teststores.MongoURI}, 0, "mongodb://nowhere\n"},
		{[]string{"printenv", teststores.S3Endpoint}, 0, "http://nowhere\n"},
		{[]string{"false"}, 1, ""},
		{[]string{"expr", "0"}, 1, "0\n"},
		{[]string{"expr", "1", "+"}, 2, ""},
		{[]string{"no-such-command"}, 1, ""},
		{nil, 1, ""},
	} {
		cmd := exec.Command(program, tt.argv...)
		cmd.Env = append(os.Environ(), teststores.MongoURI+"=mongodb://nowhere", teststores.S3Endpoint+"=http://nowhere")
		out, err := cmd.Output()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != tt.code || string(out) != tt.out {
			t.Errorf("%v: exit code %d, %q, want %d, %q", tt.argv, code, out, tt.code, tt.out)
		}
	}
}
