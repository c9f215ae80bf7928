package deployment_test

import (
	"bufio"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// waitTime is the timeout of all waits here, also on a busy machine.
const waitTime = 30 * time.Second

// stranger counts connections. It never answers.
type stranger struct {
	port  string
	count atomic.Int64
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &stranger{port: strconv.Itoa(l.Addr().(*net.TCPAddr).Port)}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.count.Add(1)
			t.Cleanup(func() { c.Close() })
		}
	}()
	return s
}

// TestProgramsStartAlone starts each function's program while its stores and the cluster do not answer. It has to become
// ready without a connection: a user waits for this start when Knative scales from zero. A node that starts one for the first time pulls
// its image, and a user waits for that, too: status, which reads only, is not larger than submit, although it has the viewer of the API.
func TestProgramsStartAlone(t *testing.T) {
	t.Parallel()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w", "-o", bin,
		"../../submit", "../../status", "../../expire", "../../jobupdate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") // as they are deployed
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if reads, starts := size(t, filepath.Join(bin, "status")), size(t, filepath.Join(bin, "submit")); reads > starts {
		t.Errorf("status has %d bytes, more than submit with %d", reads, starts)
	}
	for _, program := range []string{"submit", "status", "expire", "jobupdate", "submit measured"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			name, measured, _ := strings.Cut(program, " ")
			world := newStranger(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "config.yaml")
			kubeconfig := filepath.Join(dir, "kubeconfig")
			write(t, file, `
Objectstorage: {S3: {UserBucket: user, Endpoint: "http://127.0.0.1:`+world.port+`"}}
Database: {MongoHost: 127.0.0.1, MongoPort: `+world.port+`, MongoDBName: bakta}
UpdateService: {Name: 127.0.0.1, Port: `+world.port+`}
Listen: 127.0.0.1:0
JobContainer: oschwengers/bakta:v1.12.2
InCluster: false
K8sNamespace: bakta
BaktaDatabasePVCName: db
Job: {NodeSelector: [pool=jobs], Tolerations: ["jobs:NoSchedule"]}
`)
			if measured != "" {
				// The collector is also a stranger: it does not answer, neither at the start nor to the export at the end.
				write(t, file, read(t, file)+`
Telemetry:
  Metrics: {Protocol: grpc, Endpoint: "http://127.0.0.1:`+world.port+`"}
  Tracing: {Protocol: http/protobuf, Endpoint: "http://127.0.0.1:`+world.port+`", SamplingRate: 1}
`)
			}
			write(t, kubeconfig, `
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:`+world.port+`"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
`)
			cmd := exec.Command(filepath.Join(bin, name), "-c", file)
			cmd.Env = []string{
				"AWS_ACCESS_KEY_ID=a",
				"AWS_SECRET_ACCESS_KEY=s",
				"StagerContainer=stager:1",
				"KUBECONFIG=" + kubeconfig,
				"HOME=" + dir,
			}
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			kill := time.AfterFunc(waitTime, func() { cmd.Process.Kill() })
			defer kill.Stop()
			var address string
			lines := bufio.NewScanner(stderr)
			for address == "" && lines.Scan() {
				var line struct{ Msg, Address string }
				if err := json.Unmarshal(lines.Bytes(), &line); err != nil || line.Address == "" {
					t.Logf("%s", lines.Bytes())
				}
				address = line.Address
			}
			if address == "" {
				t.Fatal("it does not serve")
			}
			ctx, cancel := context.WithTimeout(t.Context(), waitTime)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			t.Logf("ready after %s", time.Since(began).Round(time.Millisecond))
			if response.StatusCode != http.StatusOK {
				t.Errorf("it is %s", response.Status)
			}
			if n := world.count.Load(); n != 0 {
				t.Errorf("it made %d connections before the first request", n)
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("after SIGTERM it ends with %v", err)
			}
		})
	}
	t.Run("a configuration that lacks things", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "config.yaml")
		write(t, file, "Retention: 30d\n")
		cmd := exec.Command(filepath.Join(bin, "submit"), "-c", file)
		cmd.Env = []string{}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "K8sNamespace") {
			t.Errorf("%v, %s", err, out)
		}
	})
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func read(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
