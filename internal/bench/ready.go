package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

// started is how long a program took to be ready.
type started struct {
	name string
	took measure.Sample
}

// programs are the functions.
var programs = []string{"submit", "status", "expire", "jobupdate"}

const coldConfig = `
Objectstorage: {S3: {UserBucket: user, Endpoint: "http://127.0.0.1:9"}}
Database: {MongoHost: 127.0.0.1, MongoPort: 9, MongoDBName: bakta}
UpdateService: {Name: 127.0.0.1, Port: 9}
JobContainer: oschwengers/bakta:v1.12.2
InCluster: false
K8sNamespace: bakta
BaktaDatabasePVCName: database
`

const cluster = `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`

// starts builds the functions' programs as for their images, and starts each that many times, in turns with the floor. The
// stores and the cluster do not exist: a function connects at its first request.
func starts(ctx context.Context, times int) (hello measure.Sample, all []started, err error) {
	root, err := teststores.Root()
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "bakta-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	args := []string{"build", "-tags", "grpcnotrace", "-trimpath", "-ldflags", "-s -w", "-o", dir, "./internal/bench/hello"}
	for _, name := range programs {
		args = append(args, "./cmd/"+name)
	}
	build := exec.CommandContext(ctx, "go", args...)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("building the programs: %w: %s", err, out)
	}
	config, kubeconfig := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "kubeconfig")
	if err := errors.Join(os.WriteFile(config, []byte(coldConfig), 0o600), os.WriteFile(kubeconfig, []byte(cluster), 0o600)); err != nil {
		return nil, nil, err
	}
	environ := []string{
		"AWS_ACCESS_KEY_ID=a",
		"AWS_SECRET_ACCESS_KEY=s",
		"StagerContainer=stager:1",
		"KUBECONFIG=" + kubeconfig,
		"HOME=" + dir,
	}

	for _, name := range programs {
		all = append(all, started{name: name})
	}
	for round := range times + 1 { // the first round reads the programs from disk, and is not counted
		took, err := ready(ctx, exec.CommandContext(ctx, filepath.Join(dir, "hello")), environ)
		if err != nil {
			return nil, nil, err
		}
		if round > 0 {
			hello = append(hello, took)
		}
		for i, name := range programs {
			took, err := ready(ctx, exec.CommandContext(ctx, filepath.Join(dir, name), "-c", config), environ)
			if err != nil {
				return nil, nil, err
			}
			if round > 0 {
				all[i].took = append(all[i].took, took)
			}
		}
	}
	return hello, all, nil
}

// ready returns the time from the start of a program to its first response, and ends the program.
func ready(ctx context.Context, cmd *exec.Cmd, environ []string) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		return 0, err
	}
	cmd.Env = append([]string{"PORT=" + port}, environ...)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Signal(syscall.SIGTERM) }()
	for {
		response, err := client.Get("http://127.0.0.1:" + port + "/healthz")
		if err == nil {
			took := time.Since(began)
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				return 0, fmt.Errorf("%s: %s", cmd.Path, response.Status)
			}
			return took, nil
		}
		if time.Since(began) > 20*time.Second || ctx.Err() != nil {
			return 0, errors.Join(fmt.Errorf("%s is not ready in time: %w", cmd.Path, err), ctx.Err())
		}
		time.Sleep(200 * time.Microsecond) // a refused connection takes CPU time from the program
	}
}
