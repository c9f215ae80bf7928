package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// backend is a running `bakta-web local`.
type backend struct {
	*client.Client
	data  string
	ready time.Duration // from its start until it served

	cmd   *exec.Cmd
	ended chan struct{}
	said  strings.Builder // its standard error; read it after ended is closed
}

// startBackend starts a program as a backend on a data directory, and waits until it serves.
func startBackend(ctx context.Context, program, data string, environ []string, args ...string) (*backend, error) {
	b := &backend{data: data, ended: make(chan struct{})}
	line := append([]string{"local", "--listen", "127.0.0.1:0", "--data", data, "--bakta", "stand-in"}, args...)
	b.cmd = exec.Command(program, line...)
	b.cmd.Env = append(os.Environ(), environ...)
	b.cmd.Stderr = &b.said
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	url := make(chan string, 1)
	go func() {
		defer close(b.ended)
		lines := bufio.NewReader(out)
		if line, err := lines.ReadString('\n'); err == nil {
			url <- strings.TrimSpace(line)
		}
		io.Copy(io.Discard, lines) // until the process has ended
		b.cmd.Wait()               // its outcome does not matter here
	}()
	select {
	case address := <-url:
		b.ready = time.Since(began)
		b.Client, err = client.New(address, client.Options{Patience: -1})
		return b, err
	case <-b.ended:
		return nil, fmt.Errorf("%s did not serve: %s", program, b.said.String())
	case <-ctx.Done():
		b.kill()
		return nil, ctx.Err()
	}
}

func (b *backend) kill() {
	b.cmd.Process.Kill() // fails only if it has ended
	<-b.ended
}

// stop stops the backend in order.
func (b *backend) stop() error {
	b.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-b.ended:
		return nil
	case <-time.After(time.Minute):
		b.kill()
		return errors.New("the backend did not end within a minute of SIGTERM")
	}
}

func (b *backend) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(b.cmd.Process.Pid), name)
}

// processorTime returns the processor time that the backend has used, without the programs that it has started. The kernel counts
// nanoseconds for each thread. Threads that have ended are not included; Go's rarely end.
func (b *backend) processorTime() (time.Duration, error) {
	threads, err := filepath.Glob(b.proc("task/*/schedstat"))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("the kernel does not count the processor time of the backend: %w", err)
	}
	var sum time.Duration
	for _, thread := range threads {
		content, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(content), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// ticks returns the processor time that the backend has used in the kernel's ticks, of which a second has 100.
func (b *backend) ticks() (int, error) {
	content, err := os.ReadFile(b.proc("stat"))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(content), ") ") // the name of the program may contain spaces
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("unexpected content of %s: %s", b.proc("stat"), content)
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return user + system, errors.Join(err, err2)
}

// memory returns the memory of the backend in bytes: all that it uses, and its proportional share of what other processes use, too.
func (b *backend) memory() (resident, proportional int64, err error) {
	content, err := os.ReadFile(b.proc("smaps_rollup"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(content)) {
		for name, value := range map[string]*int64{"Rss:": &resident, "Pss:": &proportional} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
				if err != nil {
					return 0, 0, err
				}
				*value = kb << 10
			}
		}
	}
	return resident, proportional, nil
}
