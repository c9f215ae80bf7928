package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

func TestMain(m *testing.M) {
	// The test's binary is also the program.
	if os.Getenv("STAGER_TEST") != "" {
		os.Exit(realMain(context.Background()))
	}
	os.Exit(m.Run())
}

// backend receives hints. It refuses the first few.
type backend struct {
	pb.UnimplementedBaktaStatusUpdateServer
	mu     sync.Mutex
	refuse int
	hinted []string // IDs of jobs
	traces []string // that the hints belong to
}

func (b *backend) UpdateStatus(ctx context.Context, r *pb.UpdateStatusRequest) (*pb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse > 0 {
		b.refuse--
		return nil, status.Error(codes.Unavailable, "not now")
	}
	b.hinted = append(b.hinted, r.GetJobID())
	b.traces = append(b.traces, metadata.ValueFromIncomingContext(ctx, "traceparent")...)
	return &pb.Empty{}, nil
}

// serve serves a backend and returns its address.
func serve(t *testing.T, b *backend) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterBaktaStatusUpdateServer(server, b)
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestHint(t *testing.T) {
	t.Parallel()
	for refuse, hints := range map[int]int{0: 1, 2: 1, 9: 0} {
		b := &backend{refuse: refuse}
		if err := hint(t.Context(), serve(t, b), "id"); (err == nil) != (hints == 1) {
			t.Errorf("refused %d times: %v", refuse, err)
		}
		if len(b.hinted) != hints {
			t.Errorf("refused %d times: the hints are %q", refuse, b.hinted)
		}
	}
	// Without a listener, hint returns when its context ends.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := hint(ctx, address, "id"); err == nil {
		t.Error("no error without a listener")
	}
}

// TestAPodsContainers runs the program as the containers of a pod do, one after the other.
func TestAPodsContainers(t *testing.T) {
	t.Parallel()
	bucket := teststores.Bucket(t)
	store, err := s3.New(
		s3.Options{
			Endpoint:  bucket.Endpoint,
			Region:    bucket.Region,
			Bucket:    bucket.Bucket,
			BaseKey:   "base",
			AccessKey: bucket.AccessKey,
			SecretKey: bucket.SecretKey,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var cors *s3.CORSError
	if err := store.Setup(t.Context()); err != nil && !errors.As(err, &cors) {
		t.Fatal(err)
	}
	b := &backend{}
	address := serve(t, b)
	volume := t.TempDir()
	spec := stage.Spec{
		Job: uuid.NewString(), Run: 1, Dir: filepath.Join(volume, "run"),
		Stages:  []stage.Command{{Stage: "bakta", Title: "Bakta", Argv: []string{"/bin/sh"}}},
		Results: []stage.Expected{{Ending: "fna", Path: "out/bakta/result.fna", Required: true}},
	}
	const genome = ">c1\nACGT\n"
	file, err := store.Put(t.Context(), job.UploadKey(spec.Job, upload.GenomeFASTA), strings.NewReader(genome), int64(len(genome)))
	if err != nil {
		t.Fatal(err)
	}
	spec.Inputs = []job.Input{{Kind: upload.GenomeFASTA, Size: file.Size, ETag: file.ETag, Name: "genome.fna"}}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	storage := []string{"--s3-endpoint", bucket.Endpoint, "--s3-region", bucket.Region, "--s3-bucket", bucket.Bucket, "--s3-base-key", "base"}
	ours := []string{"STAGER_SPEC=" + string(text), "AWS_ACCESS_KEY_ID=" + bucket.AccessKey, "AWS_SECRET_ACCESS_KEY=" + bucket.SecretKey}
	container := func(program string, environ []string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...)
		cmd.Env = append(
			[]string{"STAGER_TEST=1", "PATH=" + os.Getenv("PATH"), "IMAGE=its own", "SOME_PASSWORD=x", "GORACE=atexit_sleep_ms=0"},
			environ...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", args, err, out)
		}
		return string(out)
	}
	container(os.Args[0], ours, append([]string{"in", "--install", volume}, storage...)...)
	output := container(
		filepath.Join(volume, "stager"),
		nil,
		"run",
		"--dir",
		spec.Dir,
		"--stage",
		"bakta",
		"--title",
		"Bakta",
		"--image-env",
		"--",
		"/bin/sh",
		"-c",
		"env; cp ../in/genome.fna ../out/bakta/result.fna",
	)
	if !strings.HasPrefix(output, "Bakta Command: /bin/sh -c ") || !strings.Contains(output, "\nIMAGE=its own\n") ||
		strings.Contains(output, "PASSWORD") {
		t.Errorf("the output is %q", output)
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	container(os.Args[0], append(ours, "TRACEPARENT="+trace), append([]string{"out", "--hint", address}, storage...)...)

	content, err := store.Get(t.Context(), job.ManifestKey(spec.Job, 1), stage.MaxManifest)
	if err != nil {
		t.Fatal(err)
	}
	m, err := stage.ReadManifest(content)
	if err != nil || m.Outcome != stage.Succeeded || len(m.Files) != 1 || m.Files[0].Size != int64(len(genome)) {
		t.Errorf("manifest: %+v, %v", m, err)
	}
	if len(b.hinted) != 1 || b.hinted[0] != spec.Job {
		t.Errorf("the hints are for %q", b.hinted)
	}
	if len(b.traces) != 1 || b.traces[0] != trace {
		t.Errorf("the hints belong to the traces %q", b.traces)
	}
}
