//go:build e2e

package deployment_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcluster"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

func fromEnv(name, value string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return value
}

// backend is a whole deployment: four processes, two stores, and a namespace of a cluster.
type backend struct {
	testing.TB
	namespace string
	jobs      batchclient.JobInterface
	pods      coreclient.PodInterface
	urls      map[string]string // of each function
	accounts  *testcluster.Accounts
	core      *coreclient.CoreV1Client
	client    *http.Client // of the functions
	bucket    teststores.S3
	mongo     string
	database  string
	dir       string
	bin       string
}

func newBackend(t testing.TB, more string) *backend {
	t.Helper()
	connection, err := apiserver.Connect(false)
	if err != nil {
		t.Fatal(err)
	}
	connection.QPS = -1 // as the backend's own clients
	batch, err := batchclient.NewForConfig(connection)
	if err != nil {
		t.Fatal(err)
	}
	core, err := coreclient.NewForConfig(connection)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{
		TB:        t,
		namespace: "test-" + strings.ToLower(rand.Text()[:10]),
		urls:      make(map[string]string),
		dir:       t.TempDir(),
		bin:       os.Getenv("E2E_BIN"),
	}
	if b.bin == "" {
		t.Fatal("E2E_BIN names no directory with the functions' programs")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64 // a benchmark's callers shouldn't measure handshakes
	b.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	b.jobs, b.pods, b.core = batch.Jobs(b.namespace), core.Pods(b.namespace), core
	b.bucket = teststores.Bucket(t)
	b.mongo, b.database = teststores.Mongo(t)
	ctx := t.Context()
	must(t, err1(core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}, metav1.CreateOptions{})))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // thousands of Jobs of a benchmark
		defer cancel()
		b.unfinalize(ctx)
		if err := core.Namespaces().Delete(ctx, b.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	b.accounts = testcluster.Grant(t, connection, b.namespace)
	must(t, err1(core.Secrets(b.namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s3"},
		StringData: map[string]string{"AccessKey": b.bucket.AccessKey, "SecretKey": b.bucket.SecretKey}}, metav1.CreateOptions{})))
	b.volume(core)
	b.start(more)
	return b
}

// volume creates a PersistentVolumeClaim with the test database.
func (b *backend) volume(core *coreclient.CoreV1Client) {
	b.Helper()
	size := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}
	const class = "none"
	database, err := os.MkdirTemp(os.Getenv("E2E_VOLUMES"), "bakta-database-")
	must(b.TB, err)
	b.Cleanup(func() { os.RemoveAll(database) })
	must(b.TB, os.Chmod(database, 0o755), os.Mkdir(filepath.Join(database, "db-mock"), 0o755))
	if dir := os.Getenv("E2E_BAKTA_DATABASE"); dir != "" {
		must(b.TB, os.CopyFS(filepath.Join(database, "db-mock"), os.DirFS(dir)))
	}
	volume := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}, Spec: corev1.PersistentVolumeSpec{
		Capacity: size, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}, StorageClassName: class,
		ClaimRef:               &corev1.ObjectReference{Namespace: b.namespace, Name: "bakta-database"},
		PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: database}},
	}}
	must(b.TB, err1(core.PersistentVolumes().Create(b.Context(), volume, metav1.CreateOptions{})))
	b.Cleanup(func() {
		if err := core.PersistentVolumes().Delete(context.Background(), b.namespace, metav1.DeleteOptions{}); err != nil {
			b.Error(err)
		}
	})
	name := class
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "bakta-database"}, Spec: corev1.PersistentVolumeClaimSpec{
		AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadOnlyMany}, StorageClassName: &name, VolumeName: b.namespace,
		Resources: corev1.VolumeResourceRequirements{Requests: size},
	}}
	must(b.TB, err1(core.PersistentVolumeClaims(b.namespace).Create(b.Context(), claim, metav1.CreateOptions{})))
}

// start runs setup and starts the functions, the source of events and the timer.
func (b *backend) start(more string) {
	b.Helper()
	ports, err := process.FreePorts(1)
	must(b.TB, err)
	hint := ports[0]
	_, port, err := net.SplitHostPort(strings.TrimPrefix(b.bucket.Endpoint, "http://"))
	must(b.TB, err)
	if !strings.Contains(more, "StagerContainer") {
		more += "\nStagerContainer: " + stagerImage
	}
	if !strings.Contains(more, "JobContainer") {
		more += "\nJobCommand: [/bin/sh, /tool.sh]\nJobContainer: " + toolImage
	}
	if !strings.Contains(more, "UpdateService") {
		more += fmt.Sprintf("\nUpdateService: {Name: %q, Port: %s}", hostAddress, hint)
	}
	common := fmt.Sprintf(`
Objectstorage: {S3: {UserBucket: %q, Region: %q, Endpoint: "http://%s:%s", PublicEndpoint: %q}}
Database: {MongoDBName: %q}
InCluster: false
Testing: true
K8sNamespace: %q
BaktaDatabasePVCName: bakta-database
%s
`, b.bucket.Bucket, b.bucket.Region, hostAddress, port, b.bucket.Endpoint, b.database, b.namespace, more)
	config := func(listen string) string {
		path := filepath.Join(b.dir, "config-"+strings.TrimPrefix(listen, "127.0.0.1:")+".yaml")
		write(b.TB, path, common+"Listen: "+listen+"\n")
		return path
	}
	setup := b.command("setup", config("127.0.0.1:0"))
	if out, err := setup.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"submit", "status", "expire"} {
		b.serve(name, b.command(name, config("127.0.0.1:0")))
	}
	b.serve("jobupdate", b.command("jobupdate", config("127.0.0.1:"+hint)))
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	go b.feed(ctx, "jobs", func(ctx context.Context) (watch.Interface, error) {
		return b.jobs.Watch(ctx, metav1.ListOptions{LabelSelector: kube.Selector})
	})
	go b.feed(ctx, "pods", func(ctx context.Context) (watch.Interface, error) {
		return b.pods.Watch(ctx, metav1.ListOptions{LabelSelector: kube.Selector})
	})
	go b.tick(ctx)
}

func (b *backend) command(name, config string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(b.bin, name), "-c", config)
	cmd.Env = []string{
		"MONGODB_URI=" + b.mongo, "AWS_ACCESS_KEY_ID=" + b.bucket.AccessKey, "AWS_SECRET_ACCESS_KEY=" + b.bucket.SecretKey,
		// Each has its service account, and the permissions, of a deployment.
		"KUBECONFIG=" + b.accounts.Kubeconfig(b.TB, name), "HOME=" + b.dir,
	}
	return cmd
}

// serve starts a function, waits until it serves, and keeps its log.
func (b *backend) serve(name string, cmd *exec.Cmd) {
	b.Helper()
	stderr, err := cmd.StderrPipe()
	must(b.TB, err, cmd.Start())
	logged := filepath.Join(b.dir, name+".log")
	log, err := os.Create(logged)
	must(b.TB, err)
	address := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			fmt.Fprintf(log, "%s\n", lines.Bytes())
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Address != "" {
				address <- line.Address
			}
		}
	}()
	b.Cleanup(func() {
		must(b.TB, cmd.Process.Signal(syscall.SIGTERM))
		<-read
		if err := cmd.Wait(); err != nil {
			b.Errorf("%s ended with %v", name, err)
		}
		content, _ := os.ReadFile(logged)
		if bytes.Contains(content, []byte(b.bucket.SecretKey)) {
			b.Errorf("%s logged the secret key of the S3 store", name)
		}
		if bytes.Contains(content, []byte("is forbidden: ")) && !bytes.Contains(content, []byte("because it is being terminated")) {
			b.Errorf("%s made a call to Kubernetes that its role does not allow", name)
		}
		if b.Failed() {
			b.Logf("log of %s:\n%s", name, content)
		}
	})
	select {
	case a := <-address:
		_, port, err := net.SplitHostPort(a)
		must(b.TB, err)
		b.urls[name] = "http://127.0.0.1:" + port
	case <-read:
		content, _ := os.ReadFile(logged)
		b.Fatalf("%s does not serve:\n%s", name, content)
	}
}

// feed posts an event for each change, as Knative's ApiServerSource does in Reference mode. It sends each once.
func (b *backend) feed(ctx context.Context, kind string, open func(context.Context) (watch.Interface, error)) {
	for ctx.Err() == nil {
		w, err := open(ctx)
		if err != nil {
			continue
		}
		for change := range w.ResultChan() {
			object, ok := change.Object.(metav1.Object)
			if !ok {
				continue
			}
			e := cloudevents.NewEvent()
			e.SetID(rand.Text())
			e.SetSource("https://kubernetes")
			e.SetType(
				"dev.knative.apiserver.resource." + eventVerbs[change.Type],
			)
			e.SetSubject("/apis/batch/v1/namespaces/" + b.namespace + "/" + kind + "/" + object.GetName())
			e.SetExtension("name", object.GetName())
			_ = e.SetData(cloudevents.ApplicationJSON, map[string]string{"name": object.GetName()})
			body, _ := json.Marshal(e)
			b.post(ctx, b.urls["jobupdate"]+"/events", "application/cloudevents+json", body)
		}
	}
}

// tick triggers a sweep every second.
func (b *backend) tick(ctx context.Context) {
	for ctx.Err() == nil {
		e := cloudevents.NewEvent()
		e.SetID(rand.Text())
		e.SetSource("/ping")
		e.SetType("dev.knative.sources.ping")
		body, _ := json.Marshal(e)
		b.post(ctx, b.urls["expire"]+"/sweep", "application/cloudevents+json", body)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (b *backend) post(ctx context.Context, url, kind string, body []byte) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", kind)
	if response, err := b.client.Do(request); err == nil {
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
}

const patience = 6 * time.Minute

func (b *backend) wait(what string, holds func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("timeout while waiting for %s", what)
		}
	}
}

// pod waits until the job's stage runs and returns the pod.
func (b *backend) pod(r ref) corev1.Pod {
	b.Helper()
	var pod corev1.Pod
	b.wait("a running stage", func() bool {
		list, err := b.pods.List(b.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		must(b.TB, err)
		for _, p := range list.Items {
			for _, s := range p.Status.InitContainerStatuses {
				if s.Name == "bakta" && s.State.Running != nil {
					pod = p
					return true
				}
			}
		}
		return false
	})
	return pod
}

// unfinalize removes the finalizers of the remaining objects, so that the namespace can be deleted.
func (b *backend) unfinalize(ctx context.Context) {
	list, err := b.jobs.List(ctx, metav1.ListOptions{})
	if err != nil {
		b.Error(err)
		return
	}
	for _, j := range list.Items {
		if _, err := b.jobs.Patch(
			ctx,
			j.Name,
			"application/merge-patch+json",
			[]byte(`{"metadata":{"finalizers":null}}`),
			metav1.PatchOptions{},
		); err != nil {
			b.Error(err)
		}
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func err1[T any](_ T, err error) error { return err }

// eventVerbs are the last words of the types of Knative's events, by the change of the object.
var eventVerbs = map[watch.EventType]string{watch.Added: "add", watch.Modified: "update", watch.Deleted: "delete"}

const small = `Job: {CPU: {Request: 10m, Limit: 1}, Memory: {Request: 32Mi, Limit: 128Mi}, Disk: {Request: 1Mi, Limit: 100Mi}, `
