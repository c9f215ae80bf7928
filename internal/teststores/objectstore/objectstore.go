// Package objectstore starts a real S3 store for tests, on the loopback address.
package objectstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// Server is a running store.
type Server struct {
	Endpoint  string `json:"endpoint"` // URL
	Region    string `json:"region"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`

	processes []*process.Process // in the order of their start
	slow      bool               // it takes long to end, and is killed
}

// The credentials of stores that do not make their own.
const (
	region    = "us-east-1"
	accessKey = "test-access"
	secretKey = "test-secret-key"
)

// products are the stores that can be started. The first one is the default.
var products = []struct {
	name  string
	start func(ctx context.Context, root, dir string) (*Server, error)
}{
	{"versitygw", startVersitygw},
	{"ceph16", startCeph("bookworm")}, // Debian 12
	{"ceph18", startCeph("trixie")},   // Debian 13
	{"seaweedfs", startSeaweedFS},
}

// Start starts a product, or the default one for "", with its data below dir, and returns when it serves. It builds or downloads the
// programs into the cache of the repository at root if they are not there. The store ends with this process at the latest.
func Start(ctx context.Context, product, root, dir string) (*Server, error) {
	if product == "" {
		product = products[0].name
	}
	var names []string
	for _, p := range products {
		names = append(names, p.name)
		if p.name != product {
			continue
		}
		// Another process may take a free port before the store does. Each try has a directory of its own.
		var errs []error
		for try := range 3 {
			place := filepath.Join(dir, fmt.Sprint(try))
			if err := os.MkdirAll(place, 0o700); err != nil {
				return nil, err
			}
			s, err := p.start(ctx, root, place)
			if err == nil || !errors.Is(err, errEnded) {
				return s, err
			}
			errs = append(errs, err)
		}
		return nil, errors.Join(errs...)
	}
	return nil, fmt.Errorf("the S3 store %q is not known; use one of %s", product, strings.Join(names, ", "))
}

// errEnded is the error of a store whose program has ended.
var errEnded = errors.New("the object storage has ended")

// start starts a program of the store. NAME.log in the directory receives its output.
func (s *Server) start(name string, cmd *exec.Cmd, dir string) error {
	p, err := process.Start(filepath.Join(dir, name+".log"), cmd)
	if err != nil {
		return err
	}
	s.processes = append(s.processes, p)
	return nil
}

// until repeats a step until it succeeds, or a program of the store has ended.
func (s *Server) until(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		failure := step(ctx)
		if failure == nil {
			return nil
		}
		if err := s.ended(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the object storage does not serve: %w: %w: %s", ctx.Err(), failure, s.processes[len(s.processes)-1].Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// ended returns an error if a program of the store has ended.
func (s *Server) ended() error {
	for _, p := range s.processes {
		if err := p.Err(); err != nil {
			return fmt.Errorf("%w: %w", errEnded, err)
		}
	}
	return nil
}

// writes stores an object in a bucket, and removes both. Some stores answer before they can write.
func (s *Server) writes(ctx context.Context) error {
	c, err := minio.New(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Region: s.Region, MaxRetries: 1,
	})
	if err != nil {
		return err
	}
	const bucket, object = "probe", "a"
	if there, err := c.BucketExists(ctx, bucket); err != nil {
		return err
	} else if !there {
		if err := c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
			return err
		}
	}
	if _, err := c.PutObject(ctx, bucket, object, strings.NewReader("a"), 1, minio.PutObjectOptions{}); err != nil {
		return err
	}
	return errors.Join(c.RemoveObject(ctx, bucket, object, minio.RemoveObjectOptions{}), c.RemoveBucket(ctx, bucket))
}

// Stop stops the store, and returns when it has ended.
func (s *Server) Stop() error {
	var errs []error
	for _, p := range slices.Backward(s.processes) {
		if s.slow {
			errs = append(errs, p.Kill())
		} else {
			errs = append(errs, p.Stop(15*time.Second))
		}
	}
	return errors.Join(errs...)
}
