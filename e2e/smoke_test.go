//go:build e2e

// Package e2e_test is run in the cluster's network: bin/cluster exec -- go test -tags e2e ./...
package e2e_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
)

// limit is how long one thing may take on a machine that does much else.
const limit = 3 * time.Minute

// run runs a program of the cluster's and returns what it printed.
func run(in io.Reader, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = in
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
		err = fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, failed.Stderr)
	}
	return string(out), err
}

// namespace is a namespace of Kubernetes that one test has for itself.
type namespace struct {
	*testing.T
	name string
}

func newNamespace(t *testing.T) namespace {
	t.Helper()
	n := namespace{t, "test-" + strings.ToLower(rand.Text())}
	if _, err := run(nil, "kubectl", "create", "namespace", n.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := run(nil, "kubectl", "delete", "namespace", n.name, "--wait=false"); err != nil {
			t.Error(err)
		}
	})
	return n
}

// kubectl runs kubectl in the namespace.
func (n namespace) kubectl(args ...string) string {
	n.Helper()
	out, err := run(nil, "kubectl", append([]string{"--namespace", n.name}, args...)...)
	if err != nil {
		n.Fatal(err)
	}
	return out
}

// apply makes the objects of a manifest in the folder testdata, with some words replaced: NAMESPACE, and those given
// as old, new, old, new.
func (n namespace) apply(manifest string, words ...string) {
	n.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", manifest))
	if err != nil {
		n.Fatal(err)
	}
	in := strings.NewReplacer(append(words, "NAMESPACE", n.name)...).Replace(string(text))
	if _, err := run(strings.NewReader(in), "kubectl", "apply", "-f", "-"); err != nil {
		n.Fatal(err)
	}
	n.Cleanup(func() { // not all of it may be in the namespace
		if _, err := run(strings.NewReader(in), "kubectl", "delete", "--wait=false", "-f", "-"); err != nil {
			n.Error(err)
		}
	})
}

// eventually asks again and again until there is no error.
func (n namespace) eventually(ask func() error) {
	n.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			n.Fatalf("after %s: %v", limit, err)
		}
		time.Sleep(250 * time.Millisecond)
	}
}

// atZero waits until a Knative service has no pod that isn't on its way out.
func (n namespace) atZero(service string) {
	n.Helper()
	n.eventually(func() error {
		scale := n.kubectl(
			"get",
			"podautoscaler",
			"--selector=serving.knative.dev/service="+service,
			"--output=jsonpath={.items[*].status.actualScale}",
		)
		if scale != "0" {
			return fmt.Errorf("%s has %s pods", service, scale)
		}
		return nil
	})
}

// get asks the ingress for a path of a host.
func get(host, path string) error {
	ask, err := http.NewRequest(http.MethodGet, "http://"+cluster.Ingress+path, nil)
	if err != nil {
		return err
	}
	ask.Host = host
	client := http.Client{Timeout: time.Minute}
	answer, err := client.Do(ask)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), "hello, ")) {
		err = fmt.Errorf("http://%s%s answers %s: %s", host, path, answer.Status, text)
	}
	return err
}

func TestJobReachesServicesAndTheNodesLoopback(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "from loopback")
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	n.apply("job.yaml", "LOOPBACK_PORT", port)
	n.kubectl("wait", "--for=condition=Complete", "--timeout=2m", "job/asks")
	said := n.kubectl("logs", "job/asks")
	for _, want := range []string{"hello, hello asked by HTTP/1.1", "from loopback"} {
		if !strings.Contains(said, want) {
			t.Errorf("the job said %q; it lacks %q", said, want)
		}
	}
	if out := n.kubectl("exec", "hello", "--", "/hello", "get", "http://127.0.0.1:8080/"); !strings.Contains(out, "hello, ") {
		t.Errorf("exec printed %q", out)
	}
}

func TestKnativeServicesWakeFromZero(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.apply("services.yaml")
	for _, service := range []string{"greeter", "rest", "rpc"} {
		n.kubectl("wait", "--for=condition=Ready", "--timeout=2m", "ksvc/"+service)
		n.atZero(service)
	}
	began := time.Now()
	lap := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		t.Logf("%s: %s", what, time.Since(began).Round(time.Millisecond))
		began = time.Now()
	}
	lap("public host, HTTP", get("greeter."+n.name+"."+cluster.Domain, "/"))
	lap("one host, HTTP", get("api."+n.name+".test", "/rest/x"))
	_, err := run(nil, "hello", "check", cluster.Ingress, "api."+n.name+".test")
	lap("one host, gRPC", err)

	n.atZero("rest")
	n.kubectl(
		"run",
		"asks",
		"--image=dev.local/cluster/hello:built",
		"--restart=Never",
		"--",
		"get",
		"http://rest."+n.name+".svc.cluster.local/",
	)
	n.kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=2m", "pod/asks")
	if err := get("rest."+n.name+".svc.cluster.local", "/"); err == nil {
		t.Error("a service of the cluster's own answers outside")
	}
}

func TestEventsReachKnativeServices(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	n.apply("services.yaml")
	n.kubectl("wait", "--for=condition=Ready", "--timeout=2m", "ksvc/greeter")
	n.apply("events.yaml")
	n.kubectl("wait", "--for=condition=Ready", "--timeout=2m", "apiserversource/jobs", "pingsource/clock")
	n.kubectl(
		"create",
		"job",
		"quick",
		"--image=dev.local/cluster/hello:built",
		"--",
		"/hello",
		"get",
		"http://greeter."+n.name+".svc.cluster.local/",
	)
	n.kubectl("wait", "--for=condition=Complete", "--timeout=2m", "job/quick")

	n.eventuallyLogs("greeter", `"succeeded\":1`, "type=dev.knative.sources.ping")
}

// eventuallyLogs waits until a Knative service has logged all of the words.
func (n namespace) eventuallyLogs(service string, words ...string) {
	n.Helper()
	n.eventually(func() error { // pods come and go, and their logs with them
		log, err := run(
			nil,
			"kubectl",
			"--namespace",
			n.name,
			"logs",
			"--selector=serving.knative.dev/service="+service,
			"--container=user-container",
			"--tail=-1",
		)
		words = slices.DeleteFunc(words, func(word string) bool { return strings.Contains(log, word) })
		if len(words) > 0 {
			return errors.Join(fmt.Errorf("%s hasn't logged %q", service, words), err)
		}
		return nil
	})
}

func TestBrokerDelivers(t *testing.T) {
	t.Parallel()
	if _, err := run(nil, "kubectl", "--namespace=knative-eventing", "get", "deployment", "mt-broker-ingress"); err != nil {
		t.Skip("NOT TESTED: there is no broker; bring the cluster up with --broker")
	}
	n := newNamespace(t)
	n.apply("services.yaml")
	n.apply("broker.yaml")
	n.kubectl("wait", "--for=condition=Ready", "--timeout=2m", "broker/default", "trigger/ticks", "pingsource/clock")
	n.eventuallyLogs("greeter", "type=dev.knative.sources.ping")
}

func TestKoBuildsAndTheClusterPulls(t *testing.T) {
	t.Parallel()
	n := newNamespace(t)
	ko := exec.Command("ko", "build", "--bare", "--insecure-registry", "--sbom=none", "./hello")
	ko.Dir = "parts"
	ko.Stderr = os.Stderr
	image, err := ko.Output()
	if err != nil {
		t.Fatal(err)
	}
	n.kubectl("run", "built", "--image="+strings.TrimSpace(string(image)), "--restart=Never")
	n.kubectl("wait", "--for=condition=Ready", "--timeout=2m", "pod/built")
	if user := n.kubectl("exec", "built", "--", "/ko-app/hello", "get", "http://127.0.0.1:8080/"); !strings.Contains(user, "hello, ") {
		t.Errorf("exec printed %q", user)
	}
}
