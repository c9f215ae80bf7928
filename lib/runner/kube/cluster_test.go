//go:build e2e

package kube

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// These tests run on a real cluster, which KUBECONFIG names. The cluster must have images of the stager and of a shell with
// sleep, dd and tail. Pods reach the servers that the tests start on 127.0.0.1 by another address. Some tests stop the kubelet,
// or kill processes in containers, so the cluster must run on this machine.
var (
	stagerImage = fromEnv("E2E_STAGER_IMAGE", "dev.local/stager:e2e")
	shellImage  = fromEnv("E2E_SHELL_IMAGE", "dev.local/shell:e2e")
	hostAddress = fromEnv("E2E_HOST_ADDRESS", "10.200.0.2")
)

func fromEnv(name, value string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return value
}

// cluster is a namespace of a real cluster, with a bucket that its pods reach through a gate.
type cluster struct {
	testing.TB
	config    *rest.Config
	core      *coreclient.CoreV1Client
	namespace string
	files     *s3.Store
	gate      *gate
	options   Options
}

func newCluster(t testing.TB) *cluster {
	t.Helper()
	if os.Getenv("KUBECONFIG") == "" {
		t.Fatal("KUBECONFIG names no cluster to test on")
	}
	config, err := apiserver.Connect(false)
	if err != nil {
		t.Fatal(err)
	}
	core, err := coreclient.NewForConfig(apiserver.Tuned(config))
	if err != nil {
		t.Fatal(err)
	}
	bucket := teststores.Bucket(t)
	files, err := s3.New(
		s3.Options{
			Endpoint:  bucket.Endpoint,
			Region:    bucket.Region,
			Bucket:    bucket.Bucket,
			AccessKey: bucket.AccessKey,
			SecretKey: bucket.SecretKey,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := files.Setup(t.Context()); err != nil {
		t.Log(err) // the embedded store does not support CORS rules
	}
	c := &cluster{TB: t, config: config, core: core, namespace: "test-" + strings.ToLower(rand.Text()[:10]), files: files}
	c.gate = newGate(t, strings.TrimPrefix(bucket.Endpoint, "http://"))
	c.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.namespace, Labels: map[string]string{
		// The strictest of the Pod Security Standards: Kubernetes refuses pods that violate it.
		"pod-security.kubernetes.io/enforce": "restricted",
	}}})
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "s3"},
		StringData: map[string]string{"AccessKey": bucket.AccessKey, "SecretKey": bucket.SecretKey},
	}
	if _, err := core.Secrets(c.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.options = Options{
		Specs:     shell(fine, result),
		Namespace: c.namespace,
		Stager:    stagerImage,
		Programs:  map[string]Program{"first_stage": {Image: shellImage}, "second_stage": {Image: shellImage}},
		Storage:   Storage{Endpoint: "http://" + c.gate.address, Region: bucket.Region, Bucket: bucket.Bucket, Secret: "s3"},
		CPU: Amount{
			Request: "10m",
			Limit:   "1",
		},
		Memory:         Amount{Request: "16Mi", Limit: "64Mi"},
		Disk:           Amount{Request: "1Mi", Limit: "100Mi"},
		Deadline:       10 * time.Minute,
		PendingTimeout: 10 * time.Minute,
		JobTTL:         time.Hour,
		Retries:        2,
	}
	return c
}

func (c *cluster) create(n *corev1.Namespace) {
	c.Helper()
	if _, err := c.core.Namespaces().Create(c.Context(), n, metav1.CreateOptions{}); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		// Finalizers would keep the namespace.
		r := c.runner(c.options)
		list, err := r.jobs.List(ctx, metav1.ListOptions{})
		if err != nil {
			c.Error(err)
			return
		}
		var group errgroup.Group
		group.SetLimit(20)
		for i := range list.Items {
			group.Go(func() error { return r.discard(ctx, &list.Items[i]) })
		}
		if err := group.Wait(); err != nil {
			c.Error(err)
		}
		if err := c.core.Namespaces().Delete(ctx, n.Name, metav1.DeleteOptions{}); err != nil {
			c.Error(err)
		}
	})
}

func (c *cluster) runner(o Options) *Runner {
	c.Helper()
	r, err := New(c.config, o)
	if err != nil {
		c.Fatal(err)
	}
	return r
}

// newJob is a started job with an uploaded genome.
func (c *cluster) newJob() job.Job {
	c.Helper()
	j := job.Job{ID: uuid.NewString(), Workflow: "bakta", State: job.Submitted, Run: 1}
	const genome = ">contig\nACGT\n"
	f, err := c.files.Put(c.Context(), job.UploadKey(j.ID, "genome_fasta"), strings.NewReader(genome), int64(len(genome)))
	if err != nil {
		c.Fatal(err)
	}
	j.Start = &job.Start{Inputs: []job.Input{{Kind: "genome_fasta", Size: f.Size, ETag: f.ETag, Name: "genome.fna"}}}
	return j
}

// shell returns the specs of runs whose two stages are these shell scripts.
func shell(first, second string) func(job.Job, string) (stage.Spec, error) {
	return func(j job.Job, dir string) (stage.Spec, error) {
		return stage.Spec{
			Job: j.ID, Run: j.Run, Dir: dir, Inputs: j.Start.Inputs,
			Stages: []stage.Command{
				{Stage: "first_stage", Title: "First", Argv: []string{"/bin/sh", "-c", first}},
				{Stage: "second_stage", Title: "Second", Argv: []string{"/bin/sh", "-c", second}},
			},
			Results: []stage.Expected{{Ending: "txt", Path: "out/second_stage/result.txt", Required: true}},
		}, nil
	}
}

const (
	fine   = "echo fine"
	result = "echo result > ../out/second_stage/result.txt" // fine for the second stage
	hang   = "echo begun; exec sleep 3600"
)

// state reads a run as Observe does.
func (c *cluster) state(r *Runner, j job.Job) capture {
	c.Helper()
	s := capture{Now: time.Now().UTC()}
	var err error
	if s.Job, err = r.get(c.Context(), j); err != nil && !job.Is(err, job.NotFound) {
		c.Fatal(err)
	}
	if s.Pods, err = r.list(c.Context(), labels.Set{jobLabel: j.ID, runLabel: strconv.Itoa(j.Run)}); err != nil {
		c.Fatal(err)
	}
	return s
}

// waitTime is longer than any step of these tests takes.
const waitTime = 3 * time.Minute

// await waits until a run is in a state.
func (c *cluster) await(r *Runner, j job.Job, what string, holds func(capture) bool) capture {
	c.Helper()
	for deadline := time.Now().Add(waitTime); ; time.Sleep(20 * time.Millisecond) {
		s := c.state(r, j)
		if holds(s) {
			return s
		}
		if time.Now().After(deadline) {
			c.Fatalf("waited for %s; it is %+v\n%s", what, observe(s.Job, s.Pods, time.Now()), dump(s))
		}
	}
}

func (c *cluster) awaitPhase(r *Runner, j job.Job, p job.Phase) capture {
	c.Helper()
	return c.await(r, j, fmt.Sprintf("phase %d", p), func(s capture) bool { return observe(s.Job, s.Pods, s.Now).Phase == p })
}

func dump(s capture) string {
	slim(&s)
	b, _ := json.MarshalIndent(s, "", " ")
	return string(b)
}

// write stores the state that a cluster returned.
func (c *cluster) write(name string, s capture) {
	c.Helper()
	before := observe(s.Job, s.Pods, s.Now)
	slim(&s)
	if !cmp.Equal(before, observe(s.Job, s.Pods, s.Now)) {
		c.Fatal("observe reads a field that slim removes")
	}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", "observed", name+".json"), append(b, '\n'), 0o644); err != nil {
		c.Fatal(err)
	}
}

// slim removes from a capture what observe does not read.
func slim(s *capture) {
	if s.Job != nil {
		s.Job.ManagedFields = nil
		s.Job.Spec.Template = corev1.PodTemplateSpec{}
	}
	for i := range s.Pods {
		p := &s.Pods[i]
		p.ManagedFields = nil
		var containers []corev1.Container
		for _, c := range p.Spec.InitContainers {
			containers = append(containers, corev1.Container{Name: c.Name, Image: c.Image, Resources: c.Resources})
		}
		p.Spec = corev1.PodSpec{InitContainers: containers}
	}
}

// gate lets pods reach a server that listens on the loopback interface, and can be shut.
type gate struct {
	address string
	shut    atomic.Bool // connections are accepted, but pass no data
}

func newGate(t testing.TB, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	g := &gate{address: net.JoinHostPort(hostAddress, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go g.pass(in, to)
		}
	}()
	return g
}

func (g *gate) pass(in net.Conn, to string) {
	defer in.Close()
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	go g.copy(in, out)
	g.copy(out, in)
}

func (g *gate) copy(to io.WriteCloser, from io.Reader) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		for g.shut.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}
