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
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/minio/minio-go/v7"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testcluster"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
)

// These tests run the functions' programs on this machine, each under its own service account, and their jobs on a
// real cluster; see lib/runner/kube's
// tests for what they need of it. Bakta is played by an image of the stand-in with testdata/tool.sh
// around it, which goes by the strain that a job names.
var (
	stagerImage = fromEnv("E2E_STAGER_IMAGE", "dev.local/stager:e2e")
	toolImage   = fromEnv("E2E_TOOL_IMAGE", "dev.local/tool:e2e")
	hostAddress = fromEnv("E2E_HOST_ADDRESS", "10.200.0.2")
)

func fromEnv(name, value string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return value
}

const genome = ">contig_1\nATGACGTACGTTAGCATCGATCGATCGACTAGCTAGCATCGATCAGCTACGACTAGCATCAGCATCGACTACGACTAA\n"

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
	connection, err := kube.Connect(false)
	if err != nil {
		t.Fatal(err)
	}
	connection.QPS, connection.Burst = 200, 400
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
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
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

// volume makes a claim of a volume with the test database.
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

// start sets the deployment up and starts the functions, the source of events and the timer.
func (b *backend) start(more string) {
	b.Helper()
	hint := freePort(b.TB)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(b.bucket.Endpoint, "http://"))
	must(b.TB, err)
	if !strings.Contains(more, "StagerContainer") {
		more += "\nStagerContainer: " + stagerImage
	}
	if !strings.Contains(more, "JobContainer") {
		more += "\nJobCommand: [/bin/sh, /tool.sh]\nJobContainer: " + toolImage
	}
	common := fmt.Sprintf(`
Objectstorage: {S3: {UserBucket: %q, Region: %q, Endpoint: "http://%s:%s", PublicEndpoint: %q}}
Database: {MongoDBName: %q}
UpdateService: {Name: %q, Port: %s}
InCluster: false
Testing: true
K8sNamespace: %q
BaktaDatabasePVCName: bakta-database
%s
`, b.bucket.Bucket, b.bucket.Region, hostAddress, port, b.bucket.Endpoint, b.database, hostAddress, hint, b.namespace, more)
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
		// Each is who it is in a deployment, and may do what the deployment grants it.
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
			b.Errorf("%s told the key of the object storage in its log", name)
		}
		if bytes.Contains(content, []byte("is forbidden: ")) && !bytes.Contains(content, []byte("because it is being terminated")) {
			b.Errorf("%s did what it may not do", name)
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
				"dev.knative.apiserver.resource." + map[watch.EventType]string{watch.Added: "add", watch.Modified: "update", watch.Deleted: "delete"}[change.Type],
			)
			e.SetSubject("/apis/batch/v1/namespaces/" + b.namespace + "/" + kind + "/" + object.GetName())
			e.SetExtension("name", object.GetName())
			_ = e.SetData(cloudevents.ApplicationJSON, map[string]string{"name": object.GetName()})
			body, _ := json.Marshal(e)
			b.post(ctx, b.urls["jobupdate"]+"/events", "application/cloudevents+json", body)
		}
	}
}

// tick has a sweep done every second.
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

// call makes a call of the API's first version. It returns the status and the answer.
func (b *backend) call(function, method, path string, body any) (int, map[string]any) {
	b.Helper()
	content, err := json.Marshal(body)
	must(b.TB, err)
	request, err := http.NewRequestWithContext(b.Context(), method, b.urls[function]+"/api/v1"+path, bytes.NewReader(content))
	must(b.TB, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := b.client.Do(request)
	must(b.TB, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(b.TB, err)
	answer := map[string]any{}
	if err := json.Unmarshal(text, &answer); err != nil {
		answer["text"] = string(text)
	}
	return response.StatusCode, answer
}

// ref names a job and opens it.
type ref struct {
	ID     string `json:"jobID"`
	Secret string `json:"secret"`
}

// create makes a job and uploads a small genome.
func (b *backend) create() ref { return b.createWith(genome) }

func (b *backend) createWith(genome string) ref {
	b.Helper()
	status, made := b.call("submit", http.MethodPost, "/job/init", map[string]string{"name": "a test", "repliconTableType": "TSV"})
	if status != http.StatusOK {
		b.Fatalf("init: %d %v", status, made)
	}
	auth := made["job"].(map[string]any)
	r := ref{ID: auth["jobID"].(string), Secret: auth["secret"].(string)}
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPut, made["uploadLinkFasta"].(string), strings.NewReader(genome))
	must(b.TB, err)
	response, err := http.DefaultClient.Do(request)
	must(b.TB, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		b.Fatalf("upload: %s", response.Status)
	}
	return r
}

func (b *backend) startJob(strain string) ref {
	b.Helper()
	r := b.create()
	if status, answer := b.call(
		"submit",
		http.MethodPost,
		"/job/start",
		map[string]any{"job": r, "config": map[string]any{"strain": strain}},
	); status != http.StatusOK {
		b.Fatalf("start: %d %v", status, answer)
	}
	return r
}

func (b *backend) status(r ref) string {
	b.Helper()
	code, answer := b.call("status", http.MethodPost, "/job/list", map[string]any{"jobs": []ref{r}})
	list, _ := answer["jobs"].([]any)
	if code != http.StatusOK || len(list) != 1 {
		return fmt.Sprintf("%d %v", code, answer)
	}
	return list[0].(map[string]any)["jobStatus"].(string)
}

// end waits for the end of a job and returns how it ended, and why if it failed.
func (b *backend) end(r ref) (status, reason string) {
	b.Helper()
	b.wait("the end of "+r.ID, func() bool {
		status = b.status(r)
		return status != "INIT" && status != "RUNNING"
	})
	code, answer := b.call("status", http.MethodPost, "/job/result", r)
	if status == "ERROR" {
		if code/100 != 4 {
			b.Errorf("the result of a failed job: %d %v", code, answer)
		}
		reason, _ = answer["message"].(string)
		return status, reason
	}
	files, _ := answer["ResultFiles"].(map[string]any)
	for _, key := range []string{"JSON", "GFF3", "TSV"} {
		link, _ := files[key].(string)
		request, err := http.NewRequestWithContext(b.Context(), http.MethodGet, link, nil)
		must(b.TB, err)
		response, err := http.DefaultClient.Do(request)
		must(b.TB, err)
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || len(content) == 0 {
			b.Errorf("%s: %s, %d bytes, %v", key, response.Status, len(content), err)
		}
	}
	return status, ""
}

func (b *backend) logs(r ref) string {
	b.Helper()
	_, answer := b.call("status", http.MethodGet, "/job/logs?jobID="+r.ID+"&secret="+r.Secret, nil)
	text, _ := answer["text"].(string)
	return text
}

const patience = 6 * time.Minute

func (b *backend) wait(what string, holds func() bool) {
	b.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("in vain waited for %s", what)
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

// unfinalize frees what is left, so that the namespace can go.
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

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
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

const small = `Job: {CPU: {Request: 10m, Limit: 1}, Memory: {Request: 32Mi, Limit: 128Mi}, Disk: {Request: 1Mi, Limit: 100Mi}, `

// TestClusterJobs runs jobs from the API to their files, and ends them in each of the ways that jobs end.
func TestClusterJobs(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 40s, PendingTimeout: 1h}`)
	rows := map[string]struct {
		strain string
		during func(*backend, ref)
		status string
		reason []string // what it has to say
		log    string   // what its log has to hold
	}{
		"succeeds":                {strain: "fine", status: "SUCCESSFUL", log: "Annotation successfully finished"},
		"a value like a variable": {strain: "$(AWS_SECRET_ACCESS_KEY)", status: "SUCCESSFUL", log: "$(AWS_SECRET_ACCESS_KEY)"},
		"a value like a shell's":  {strain: "$HOME `id`", status: "SUCCESSFUL", log: "$HOME `id`"},
		"refused by Bakta":        {strain: "fail-error", status: "ERROR", reason: []string{"played failure!"}, log: "ERROR: played failure!"},
		"out of memory":           {strain: "fail-oom", status: "ERROR", reason: []string{"memory", "128Mi"}, log: "Bakta Command: "},
		"killed":                  {strain: "fail-kill", status: "ERROR", reason: []string{"SIGKILL"}, log: "Bakta Command: "},
		"out of time":             {strain: "fail-hang", status: "ERROR", reason: []string{"longer than the 40s"}, log: "Bakta Command: "},
		"leaves no result":        {strain: "fail-partial", status: "ERROR", reason: []string{"json"}, log: "Annotation successfully finished"},
		"its pod is killed": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			must(b.TB, b.pods.Delete(b.Context(), b.pod(r).Name, metav1.DeleteOptions{}))
		}},
		"its pod is evicted": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			p := b.pod(r)
			must(b.TB, b.pods.EvictV1(b.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: b.namespace}}))
		}},
		"its Job is deleted": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			b.pod(r)
			must(b.TB, b.jobs.Delete(b.Context(), job.ObjectName(r.ID, 1), metav1.DeleteOptions{}))
		}},
		"its Job is deleted with its pod": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			b.pod(r)
			how := metav1.DeletePropagationForeground
			must(b.TB, b.jobs.Delete(b.Context(), job.ObjectName(r.ID, 1), metav1.DeleteOptions{PropagationPolicy: &how}))
		}},
		"its Job is torn away": {strain: "slow", status: "SUCCESSFUL", during: func(b *backend, r ref) {
			b.pod(r)
			name := job.ObjectName(r.ID, 1)
			must(
				b.TB,
				b.jobs.Delete(b.Context(), name, metav1.DeleteOptions{}),
				err1(
					b.jobs.Patch(b.Context(), name, "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{}),
				),
			)
		}},
	}
	for _, name := range slices.Sorted(maps.Keys(rows)) {
		row := rows[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := *b
			b.TB = t
			r := b.startJob(row.strain)
			if row.during != nil {
				row.during(&b, r)
			}
			status, reason := b.end(r)
			if status != row.status {
				t.Fatalf("it ended as %s (%s)", status, reason)
			}
			for _, part := range row.reason {
				if !strings.Contains(reason, part) {
					t.Errorf("the reason is %q, without %q", reason, part)
				}
			}
			if text := b.logs(r); !strings.Contains(text, row.log) {
				t.Errorf("the log lacks %q:\n%s", row.log, text)
			}
			b.wait("the release of its Jobs", func() bool {
				list, err := b.jobs.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
				must(t, err)
				return !slices.ContainsFunc(list.Items, func(j batchv1.Job) bool { return len(j.Finalizers) > 0 })
			})
		})
	}
}

// TestClusterBakta has the real Bakta annotate a genome.
func TestClusterBakta(t *testing.T) {
	t.Parallel()
	image, path := os.Getenv("E2E_BAKTA_IMAGE"), os.Getenv("E2E_BAKTA_GENOME")
	if image == "" || path == "" || os.Getenv("E2E_BAKTA_DATABASE") == "" {
		t.Skip("NOT TESTED: the real Bakta in a pod. `make bakta` sets it up.")
	}
	genome, err := os.ReadFile(path)
	must(t, err)
	b := newBackend(t, `
Job: {CPU: {Request: 100m, Limit: 1}, Memory: {Request: 256Mi, Limit: 2Gi}, Disk: {Request: 1Mi, Limit: 1Gi}}
JobCommand: [bakta]
JobContainer: `+image)
	r := b.createWith(string(genome))
	config := map[string]any{"minContigLength": 1000, "genus": "Escherichia", "species": "coli O157:H7"}
	if status, answer := b.call("submit", http.MethodPost, "/job/start", map[string]any{"job": r, "config": config}); status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	status, reason := b.end(r)
	if log := b.logs(
		r,
	); status != "SUCCESSFUL" || !strings.HasPrefix(log, "Bakta Command: bakta ") ||
		!strings.Contains(log, "Annotation successfully finished") {
		t.Errorf("it ended as %s: %s\n%s", status, reason, log)
	}
}

// TestClusterJobsThatNobodyTakes has jobs that never run, and end all the same.
func TestClusterJobsThatNobodyTakes(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ config, reason string }{
		"no machine":              {small + `PendingTimeout: 5s, NodeSelector: [no=machine]}`, "affinity/selector"},
		"no image":                {small + "ImageTimeout: 5s}\nStagerContainer: 127.0.0.1:1/none:1", "127.0.0.1:1/none:1"},
		"no image of the program": {small + "ImageTimeout: 5s}\nJobCommand: [bakta]\nJobContainer: 127.0.0.1:1/none:1", "127.0.0.1:1/none:1"},
		"no secret":               {small + "ImageTimeout: 5s}", "CreateContainerConfigError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t, row.config)
			if name == "no secret" {
				must(t, b.core.Secrets(b.namespace).Delete(t.Context(), "s3", metav1.DeleteOptions{}))
			}
			r := b.startJob("fine")
			status, reason := b.end(r)
			if status != "ERROR" || !strings.Contains(reason, row.reason) {
				t.Errorf("it ended as %s: %s", status, reason)
			}
			b.wait("the end of its pods", func() bool {
				list, err := b.pods.List(t.Context(), metav1.ListOptions{LabelSelector: kube.Selector})
				must(t, err)
				return len(list.Items) == 0
			})
		})
	}
}

// TestClusterDiskFull has a job that uses more disk than it may. The kubelet measures that once a minute. The job ends at
// the first time, though its Job could try three times.
func TestClusterDiskFull(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m, Retries: 2}`)
	r := b.startJob("disk-full")
	status, reason := b.end(r)
	if status != "ERROR" || !strings.Contains(reason, "disk space") || !strings.Contains(reason, "100Mi") {
		t.Errorf("it ended as %s: %s", status, reason)
	}
	if text := b.logs(r); !strings.HasPrefix(text, "Bakta Command: ") {
		t.Errorf("its log: %q", text)
	}
	b.wait("the end of its Job and pods", func() bool {
		jobs, err := b.jobs.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		pods, err := b.pods.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		return len(jobs.Items) == 0 && len(pods.Items) == 0
	})
}

// TestClusterDelete deletes a running job: its pod ends, and nothing of it is left.
func TestClusterDelete(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	r := b.startJob("fail-hang")
	b.pod(r)
	b.wait("its being seen to run", func() bool { return b.status(r) == "RUNNING" })
	if code, answer := b.call("expire", http.MethodDelete, "/delete?jobID="+r.ID+"&secret="+r.Secret, nil); code != http.StatusOK {
		t.Fatalf("%d %v", code, answer)
	}
	if code, answer := b.call("expire", http.MethodDelete, "/delete?jobID="+r.ID+"&secret="+r.Secret, nil); code != http.StatusNotFound {
		t.Errorf("again: %d %v", code, answer)
	}
	b.wait("the end of its Job and pods", func() bool {
		jobs, err := b.jobs.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		pods, err := b.pods.List(t.Context(), metav1.ListOptions{})
		must(t, err)
		return len(jobs.Items) == 0 && len(pods.Items) == 0
	})
	b.wait("the end of its files", func() bool {
		client, err := b.bucket.Client()
		must(t, err)
		for o := range client.ListObjects(t.Context(), b.bucket.Bucket, minio.ListObjectsOptions{Recursive: true}) {
			must(t, o.Err)
			return false
		}
		return true
	})
}

// TestClusterFollow follows a job's log as clients do, by the number of bytes that they have, from before its pod runs
// until after its end, when the log comes from the bucket. It gets every byte once.
func TestClusterFollow(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	for strain, end := range map[string]string{"slow": "SUCCESSFUL", "fail-error": "ERROR"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			b := *b
			b.TB = t
			r := b.startJob(strain)
			var got strings.Builder
			pieces, live := 0, false
			for ended := false; !ended; {
				// The state is asked for before the log: what is there after the end is all of it.
				status := b.status(r)
				ended = status == end
				if !ended && status != "INIT" && status != "RUNNING" {
					t.Fatalf("it is %s", status)
				}
				code, answer := b.call("status", http.MethodGet, fmt.Sprintf("/job/logs?jobID=%s&secret=%s&offset=%d", r.ID, r.Secret, got.Len()), nil)
				if code != http.StatusOK {
					t.Fatalf("%d %v", code, answer)
				}
				if piece, _ := answer["text"].(string); piece != "" {
					got.WriteString(piece)
					pieces++
					live = live || !ended
				}
				if !ended {
					time.Sleep(50 * time.Millisecond) // how often a client asks
				}
			}
			if all := b.logs(r); got.String() != all {
				t.Errorf("followed:\n%s\n\nnot followed:\n%s", got.String(), all)
			}
			if end == "SUCCESSFUL" && (pieces < 3 || !live) {
				t.Errorf("it came in %d pieces, live: %t", pieces, live)
			}
			for _, line := range []string{"Bakta Command: ", "Parse genome sequences"} {
				if n := strings.Count(got.String(), line); n != 1 {
					t.Errorf("%q stands there %d times:\n%s", line, n, got.String())
				}
			}
		})
	}
}

// TestClusterDrain drains the machine that a job runs on, as its operator does. The job goes on when there is a machine
// again, and that is not counted as a failure, nor as a run. No other test runs meanwhile: there is one machine.
func TestClusterDrain(t *testing.T) {
	b := newBackend(t, small+`Deadline: 10m, Retries: 0}`)
	r := b.startJob("slow")
	p := b.pod(r)
	b.wait("its being seen to run", func() bool { return b.status(r) == "RUNNING" })
	kubectl := func(args ...string) {
		t.Helper()
		// A test's own context has ended when it cleans up.
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "kubectl", args...).CombinedOutput(); err != nil {
			t.Errorf("kubectl %v: %v\n%s", args, err, out)
		}
	}
	t.Cleanup(func() { kubectl("uncordon", p.Spec.NodeName) })
	kubectl("drain", p.Spec.NodeName, "--pod-selector="+kube.Selector, "--delete-emptydir-data", "--ignore-daemonsets", "--timeout=3m")
	b.wait("a new pod that no machine takes", func() bool {
		list, err := b.pods.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		must(t, err)
		return slices.ContainsFunc(list.Items, func(other corev1.Pod) bool {
			return other.Name != p.Name && slices.ContainsFunc(other.Status.Conditions, func(c corev1.PodCondition) bool {
				return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse
			})
		})
	})
	if status := b.status(r); status != "RUNNING" {
		t.Errorf("meanwhile it is %s", status)
	}
	kubectl("uncordon", p.Spec.NodeName)
	if status, reason := b.end(r); status != "SUCCESSFUL" {
		t.Errorf("it ended as %s: %s", status, reason)
	}
	list, err := b.jobs.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
	must(t, err)
	if len(list.Items) != 1 || list.Items[0].Name != job.ObjectName(r.ID, 1) || list.Items[0].Status.Failed != 0 {
		t.Errorf("its Jobs: %+v", list.Items)
	}
}
