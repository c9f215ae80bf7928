package objectstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// startVersitygw builds the store that local mode embeds, in the repository's module local, and starts it.
func startVersitygw(ctx context.Context, root, dir string) (*Server, error) {
	program := filepath.Join(dir, "objectstore")
	if err := build(ctx, root, program); err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "ready.json")
	s := new(Server)
	err := s.start("objectstore", exec.Command(program, "-dir", filepath.Join(dir, "data"), "-ready", ready), dir)
	if err != nil {
		return nil, err
	}
	if err := s.until(ctx, func(context.Context) error {
		content, err := os.ReadFile(ready)
		if err != nil {
			return err
		}
		return json.Unmarshal(content, s)
	}); err != nil {
		return nil, errors.Join(err, s.Stop())
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
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") // as the Makefile builds it
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the object storage: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}
