// Package gateway builds and starts a real S3 store for tests: the versitygw that local mode embeds, which is in
// a module of its own.
package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// Server is a running store.
type Server struct {
	Endpoint  string `json:"endpoint"` // URL
	Region    string `json:"region"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`

	process *process.Process
}

// Start builds the store in the repository's module local, starts it with its data below dir, and returns when it serves. The
// store ends with this process at the latest.
func Start(ctx context.Context, root, dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "objectstore")
	if err := build(ctx, root, program); err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "ready.json")
	p, err := process.Start(filepath.Join(dir, "objectstore.log"), program, "-dir", filepath.Join(dir, "data"), "-ready", ready)
	if err != nil {
		return nil, err
	}
	s := &Server{process: p}
	if err := s.wait(ctx, ready); err != nil {
		return nil, errors.Join(err, p.Stop(10*time.Second))
	}
	return s, nil
}

// build builds the store. Only the first build is slow, because of Go's build cache. Concurrent builds would each take the full time
// on half of the processors, so a lock serializes them.
func build(ctx context.Context, root, program string) error {
	cache := filepath.Join(root, ".cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(cache, "objectstore.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-C", filepath.Join(root, "local"), "-o", program, "./stores/cmd/objectstore")
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the object storage: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func (s *Server) wait(ctx context.Context, ready string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		content, err := os.ReadFile(ready)
		if err == nil {
			return json.Unmarshal(content, s)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		select {
		case <-s.process.Exited():
			return s.process.Err()
		case <-ctx.Done():
			return fmt.Errorf("the object storage does not serve: %w: %s", ctx.Err(), s.process.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop stops the store, and returns when it has ended.
func (s *Server) Stop() error { return s.process.Stop(15 * time.Second) }
