// Command with-stores runs a command with a real MongoDB and a real S3 store:
//
//	with-stores go test ./...
//
// The command gets their addresses in the environment variables that package teststores names. A store whose variable is set already
// is not started. -s3 names the product: versitygw (the default), ceph or seaweedfs. With -memory 4, MongoDB keeps up to four gigabytes
// of data in memory. With -serve mongodb or -serve s3 it starts that store, writes the variables as one line of JSON and ends when its
// standard input does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/mongod"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/objectstore"
)

func main() {
	code, err := realMain()
	if err != nil {
		fmt.Fprintln(os.Stderr, "with-stores:", err)
		code = 1
	}
	os.Exit(code)
}

func realMain() (code int, err error) {
	serve := flag.String("serve", "", "start this store alone, mongodb or s3, and serve until standard input ends")
	memory := flag.Float64("memory", 0.25, "let MongoDB keep so many gigabytes of data in memory")
	product := flag.String("s3", "", "the S3 store to start: versitygw, ceph or seaweedfs")
	flag.Parse()
	if (*serve == "") == (flag.NArg() == 0) {
		return 0, errors.New("usage: with-stores COMMAND [ARGUMENT...] | with-stores -serve mongodb|s3")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	root, err := teststores.Root()
	if err != nil {
		return 0, err
	}
	s, err := open(root)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	s.memory, s.product = *memory, *product

	if *serve != "" {
		// The reader of our output may have ended. The stores must be stopped all the same.
		signal.Ignore(syscall.SIGPIPE)
		env, err := s.start(ctx, *serve)
		if err != nil {
			return 0, err
		}
		if err := json.NewEncoder(os.Stdout).Encode(env); err != nil {
			return 0, err
		}
		return 0, untilEOF(ctx, os.Stdin)
	}

	env := make(map[string]string)
	for store, variable := range map[string]string{"mongodb": teststores.MongoURI, "s3": teststores.S3Endpoint} {
		if os.Getenv(variable) != "" {
			continue
		}
		started, err := s.start(ctx, store)
		if err != nil {
			return 0, err
		}
		maps.Copy(env, started)
	}
	return run(ctx, env, flag.Args())
}

// run runs the command with more environment and returns its exit code.
func run(ctx context.Context, env map[string]string, argv []string) (int, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

func untilEOF(ctx context.Context, in io.Reader) error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, in)
		ended <- err
	}()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		return err
	}
}

// stores are the started stores, with the directory of their data.
type stores struct {
	root, dir string
	memory    float64  // gigabytes
	product   string   // of the S3 store
	lock      *os.File // held while the directory is in use
	stops     []func() error
}

const dirPattern = "bakta-teststores-*"

func open(root string) (*stores, error) {
	if err := sweep(); err != nil {
		return nil, err
	}
	// The directory is renamed when it is locked, because other processes find it by that name.
	unlocked, err := os.MkdirTemp("", "new-"+dirPattern)
	if err != nil {
		return nil, err
	}
	lock, err := os.Create(filepath.Join(unlocked, "lock"))
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, err
	}
	dir := filepath.Join(filepath.Dir(unlocked), strings.TrimPrefix(filepath.Base(unlocked), "new-"))
	return &stores{root: root, dir: dir, lock: lock}, os.Rename(unlocked, dir)
}

// sweep removes the directories that killed processes have left: those that no process has locked.
func sweep() error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), dirPattern))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		lock, err := os.Open(filepath.Join(dir, "lock"))
		if err != nil {
			continue // another process is removing it
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir) // another user's directory stays
		}
		_ = lock.Close()
	}
	return nil
}

// start starts a store and returns the variables that name it.
func (s *stores) start(ctx context.Context, store string) (map[string]string, error) {
	dir := filepath.Join(s.dir, store)
	switch store {
	case "mongodb":
		server, err := mongod.Start(ctx, filepath.Join(s.root, ".cache"), dir, s.memory)
		if err != nil {
			return nil, err
		}
		s.stops = append(s.stops, server.Stop)
		return map[string]string{teststores.MongoURI: server.URI}, nil
	case "s3":
		server, err := objectstore.Start(ctx, s.product, s.root, dir)
		if err != nil {
			return nil, err
		}
		s.stops = append(s.stops, server.Stop)
		return map[string]string{
			teststores.S3Endpoint: server.Endpoint, teststores.S3Region: server.Region,
			teststores.S3AccessKey: server.AccessKey, teststores.S3SecretKey: server.SecretKey,
		}, nil
	}
	return nil, fmt.Errorf("the store %q is unknown; use mongodb or s3", store)
}

func (s *stores) close() error {
	var errs []error
	for _, stop := range s.stops {
		errs = append(errs, stop())
	}
	errs = append(errs, os.RemoveAll(s.dir), s.lock.Close())
	return errors.Join(errs...)
}
