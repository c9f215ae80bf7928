// Package teststores gives tests a real MongoDB and a real S3 store.
//
// The environment may name them. Otherwise each test process starts them once, and they end with it, even if it is killed. The
// command with-stores starts them once for all tests that it runs.
package teststores

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// The environment variables that name the stores.
const (
	MongoURI    = "MONGODB_URI"        // connection string of a server that may be filled with test databases
	S3Endpoint  = "TEST_S3_ENDPOINT"   // URL of a store that may be filled with test buckets
	S3AccessKey = "TEST_S3_ACCESS_KEY" // its credentials
	S3SecretKey = "TEST_S3_SECRET_KEY" //
	S3Region    = "TEST_S3_REGION"     // its region; empty is us-east-1
)

// Module is the path of the module whose tests these are.
const Module = "github.com/ag-computational-bio/bakta-web-backend"

// setUpTime bounds the downloads and builds before the first test.
const setUpTime = 9 * time.Minute

// Mongo returns the connection string of a MongoDB server and the name of a database for this test only. The database is dropped
// when the test ends.
func Mongo(t testing.TB) (uri, database string) {
	t.Helper()
	uri = value(t, mongodb, MongoURI)
	database = "test-" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		if err := drop(uri, database); err != nil {
			t.Errorf("dropping the test's database: %v", err)
		}
	})
	return uri, database
}

func drop(uri, database string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	return errors.Join(client.Database(database).Drop(ctx), client.Disconnect(ctx))
}

// S3 is an S3 store and a bucket for one test only.
type S3 struct {
	Endpoint  string // URL
	Region    string
	AccessKey string
	SecretKey string
	Bucket    string
}

// Bucket returns an S3 store and the name of a bucket for this test only. The bucket does not exist yet. It is removed with its
// content when the test ends.
func Bucket(t testing.TB) S3 {
	t.Helper()
	s := S3{
		Endpoint:  value(t, s3, S3Endpoint),
		AccessKey: value(t, s3, S3AccessKey),
		SecretKey: value(t, s3, S3SecretKey),
		Region:    os.Getenv(S3Region),
		Bucket:    "test-" + strings.ToLower(rand.Text()),
	}
	if s.Region == "" {
		s.Region = "us-east-1"
	}
	t.Cleanup(func() {
		if err := s.remove(); err != nil {
			t.Errorf("removing the test's bucket: %v", err)
		}
	})
	return s
}

// Client returns a client of the store.
func (s S3) Client() (*minio.Client, error) {
	scheme, host, ok := strings.Cut(s.Endpoint, "://")
	if !ok {
		return nil, fmt.Errorf("%s is not a URL: %s", S3Endpoint, s.Endpoint)
	}
	return minio.New(strings.TrimSuffix(host, "/"), &minio.Options{
		Creds:  credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""),
		Secure: scheme == "https", Region: s.Region, BucketLookup: minio.BucketLookupPath,
	})
}

func (s S3) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := s.Client()
	if err != nil {
		return err
	}
	if there, err := c.BucketExists(ctx, s.Bucket); err != nil || !there {
		return err
	}
	var errs []error
	for upload := range c.ListIncompleteUploads(ctx, s.Bucket, "", true) {
		errs = append(errs, upload.Err, c.RemoveIncompleteUpload(ctx, s.Bucket, upload.Key))
	}
	all := c.ListObjects(ctx, s.Bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true})
	for failed := range c.RemoveObjects(ctx, s.Bucket, all, minio.RemoveObjectsOptions{}) {
		errs = append(errs, failed.Err)
	}
	return errors.Join(append(errs, c.RemoveBucket(ctx, s.Bucket))...)
}

// The stores that a test process may start. They outlive every test, so they belong to the process.
var (
	mongodb = &own{name: "mongodb"}
	s3      = &own{name: "s3"}
)

// own is a store that this process starts when it is first needed.
type own struct {
	name  string
	start sync.Once
	cmd   *exec.Cmd
	stdin io.WriteCloser // referenced as long as this process lives: a file that is garbage-collected is closed
	env   map[string]string
	err   error
}

// value returns the value of an environment variable, or else its value for a store of this process.
func value(t testing.TB, o *own, name string) string {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		return v
	}
	o.start.Do(func() { o.err = o.serve() })
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.env[name]
}

// serve runs the command with-stores beside this process. The command stops the store and cleans up when its standard input ends,
// which happens however this process ends.
func (o *own) serve() error {
	root, err := Root()
	if err != nil {
		return err
	}
	o.cmd = exec.Command("go", "run", "./internal/teststores/cmd/with-stores", "-serve", o.name)
	o.cmd.Dir = root
	o.cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") // as the Makefile builds it
	// It must not inherit our standard error: "go test" waits until every process has closed it.
	var said bytes.Buffer
	o.cmd.Stderr = &said
	o.stdin, err = o.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := o.cmd.Start(); err != nil {
		return err
	}
	tooLong := time.AfterFunc(setUpTime, func() { _ = out.Close() })
	defer tooLong.Stop()
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		_ = o.cmd.Process.Kill()
		_ = o.cmd.Wait() // then the buffer has the complete output
		return fmt.Errorf("starting the tests' %s: %w: %s", o.name, err, bytes.TrimSpace(said.Bytes()))
	}
	return json.Unmarshal(line, &o.env)
}

// Root returns the root directory of the repository, above the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
			if first, _, _ := strings.Cut(string(mod), "\n"); strings.TrimSpace(first) == "module "+Module {
				return dir, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod of module %s above the working directory", Module)
		}
		dir = parent
	}
}
