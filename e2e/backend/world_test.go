//go:build e2e

package backend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// What the overlay for tests says. The namespace is that of kservices/base, on every cluster.
const (
	namespace = "bakta"
	bucket    = "bakta-e2e"
)

// ours is the label by which the tests know a namespace that they may delete.
const ours = "bakta.computational.bio/tests"

// patience is how long one thing may take on a machine that does much else.
const patience = 6 * time.Minute

// functions are the Knative services of the backend.
func functions() []string { return []string{"submit", "status", "expire", "jobupdate"} }

// world is what the tests work on: there is one deployment, and they come one after the other.
type world struct {
	root     string // of the source
	target   target
	overlay  string // the directory of what is deployed
	varied   string // that of what is deployed in its place, see varyBy; "": nothing is
	previous string // that of an earlier version which is deployed first; "": none is
	core     *coreclient.CoreV1Client
	batch    *batchclient.BatchV1Client
	any      dynamic.Interface
	mongo    *gate // nil if the tests do not stand between the pods and the stores
	s3       *gate
	commits  *commits
	restarts restarts
	database *mongo.Database // past the gate
	files    *minio.Client   // past the gate
	rpc      *grpc.ClientConn
}

var theWorld *world

func TestMain(m *testing.M) {
	var err error
	dir, err := os.MkdirTemp("", "bakta-e2e-")
	if err == nil {
		theWorld, err = open(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "setting up:", err)
		os.RemoveAll(dir)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func open(dir string) (*world, error) {
	root, err := teststores.Root()
	if err != nil {
		if root, err = filepath.Abs("../.."); err != nil {
			return nil, err
		}
	}
	w := &world{root: root, overlay: dir, commits: &commits{at: make(map[string]time.Time), ahead: make(map[string]time.Duration)},
		restarts: restarts{of: make(map[string]*restarted)}}
	if w.target, err = targetOf(os.Getenv); err != nil {
		return nil, err
	}
	if err := w.target.writeOverlay(root, dir); err != nil {
		return nil, err
	}
	for _, step := range []func() error{w.reachCluster, w.clear, w.openStores, w.installFirst, w.reachAPI} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) reachCluster() error {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 200, 400
	if w.core, err = coreclient.NewForConfig(config); err != nil {
		return err
	}
	if w.batch, err = batchclient.NewForConfig(config); err != nil {
		return err
	}
	w.any, err = dynamic.NewForConfig(config)
	return err
}

// openStores opens the gates to the stores, if there are to be any, and reaches these past them. It empties the database.
func (w *world) openStores() error {
	ctx := context.Background()
	at, err := url.Parse(w.target.directS3)
	if err != nil {
		return err
	}
	server := options.Client().ApplyURI(w.target.directMongo)
	client, err := mongo.Connect(server)
	if err != nil {
		return err
	}
	w.database = client.Database(w.target.database())
	if err := w.database.Drop(ctx); err != nil {
		return err
	}
	if w.target.gates {
		if w.mongo, err = openGate(gateAddress(w.target.mongo), stream(server.Hosts[0])); err != nil {
			return err
		}
		if w.s3, err = openGate(gateAddress(w.target.s3), w.commits.requests(at)); err != nil {
			return err
		}
	}
	w.files, err = minio.New(at.Host, &minio.Options{
		Creds: credentials.NewStaticV4(w.target.accessKey, w.target.secretKey, ""), Region: "us-east-1", Secure: at.Scheme == "https",
	})
	return err
}

// clear removes what an earlier run left on a cluster that is still up. It refuses to delete a namespace of somebody else.
func (w *world) clear() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	there, err := w.core.Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return w.clearVolume(ctx)
	case err != nil:
		return err
	case there.Labels[ours] == "":
		return fmt.Errorf("the namespace %s exists, and these tests did not create it: they delete it with all that is in it. "+
			"Use another cluster, or allow it by `kubectl label namespace %[1]s %s=yes`", namespace, ours)
	}
	if out, err := w.kubectl(ctx, "", "get", "jobs", "-o", "name"); err == nil {
		for _, name := range strings.Fields(out) {
			if _, err := w.kubectl(ctx, "", "patch", name, "--type=merge", "-p", `{"metadata":{"finalizers":null}}`); err != nil {
				return err
			}
		}
	}
	if _, err = w.kubectl(ctx, "", "delete", "namespace/"+namespace, "--ignore-not-found"); err != nil {
		return err
	}
	return w.clearVolume(ctx)
}

// clearVolume removes the volume of kservices/overlays/e2e, which is bound to a claim that is gone.
func (w *world) clearVolume(ctx context.Context) error {
	if w.target.storageClass != "none" {
		return nil
	}
	_, err := w.kubectl(ctx, "", "delete", "persistentvolume/bakta-database", "--ignore-not-found")
	return err
}

// installFirst installs the source of the tests or, for TestUpgrade alone, that of the earlier version.
func (w *world) installFirst() error {
	if w.target.oldSource == "" {
		return w.install(w.root, w.overlay)
	}
	w.previous = filepath.Join(w.overlay, "previous")
	return errors.Join(os.Mkdir(w.previous, 0o755), w.target.writePrevious(w.overlay, w.previous), w.install(w.target.oldSource, w.previous))
}

// install does what an operator does the first time, as the source of a version does: the namespace, the secrets, all of it, and a
// database.
func (w *world) install(root, overlay string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	if _, err := w.kubectl(ctx, "", "apply", "-f", filepath.Join(root, "kservices/base/100-namespace.yaml")); err != nil {
		return err
	}
	if _, err := w.kubectl(ctx, "", "label", "namespace", namespace, ours+"=yes"); err != nil {
		return err
	}
	if _, err := w.kubectl(ctx, "", "create", "secret", "generic", "s3",
		"--from-literal=AccessKey="+w.target.accessKey, "--from-literal=SecretKey="+w.target.secretKey); err != nil {
		return err
	}
	if err := w.deployFrom(ctx, root, overlay); err != nil {
		return err
	}
	return w.bringDatabase(overlay)
}

// bringDatabase brings a database: one that nobody reads, but the way is the real one.
func (w *world) bringDatabase(overlay string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	const databases = "bakta-e2e-database"
	if there, err := w.files.BucketExists(ctx, databases); err != nil || !there {
		if err := errors.Join(err, w.files.MakeBucket(ctx, databases, minio.MakeBucketOptions{})); err != nil {
			return err
		}
	}
	const content = `{"date":"2025-02-24","major":6,"minor":0,"type":"light"}`
	if _, err := w.files.PutObject(
		ctx,
		databases,
		"bakta/e2e/version.json",
		strings.NewReader(content),
		int64(len(content)),
		minio.PutObjectOptions{},
	); err != nil {
		return err
	}
	if _, err := w.kubectl(ctx, "", "apply", "-k", filepath.Join(overlay, "database")); err != nil {
		return err
	}
	if _, err := w.kubectl(ctx, "", "wait", "--for=condition=Complete", "--timeout=5m", "job/bakta-database"); err != nil {
		state, _ := w.kubectl(context.WithoutCancel(ctx), "", "logs", "job/bakta-database")
		return fmt.Errorf("%w\n%s", err, state)
	}
	return nil
}

// deploy applies an overlay and waits until it is ready.
func (w *world) deploy(ctx context.Context, overlay string) error {
	return w.deployFrom(ctx, w.root, overlay)
}

// deployFrom does so as the source of another version does.
func (w *world) deployFrom(ctx context.Context, root, overlay string) error {
	path, err := relative(filepath.Join(root, "kservices/overlays"), overlay)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "make", "--no-print-directory", "-C", root, "deploy", "OVERLAY="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		state, _ := w.kubectl(context.WithoutCancel(ctx), "", "get",
			"ksvc,revisions,pods,jobs,apiserversources,pingsources,ingresses.networking.internal.knative.dev")
		return fmt.Errorf("deploying %s: %w\n%s\n%s", overlay, err, out, state)
	}
	return nil
}

// kubectl runs kubectl in the namespace.
func (w *world) kubectl(ctx context.Context, in string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "kubectl", append([]string{"--namespace", namespace}, args...)...)
	cmd.Stdin = strings.NewReader(in)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, said.String())
	}
	return string(out), nil
}

// reachAPI reaches the deployment from outside.
func (w *world) reachAPI() error {
	var err error
	w.rpc, err = grpc.NewClient(w.target.ingress, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(w.target.host))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	// A route is programmed a moment after it was made.
	for {
		_, err := pb.NewBaktaJobsClient(w.rpc).Version(ctx, &pb.Empty{})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the API does not answer: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// request is one to the ingress by a host's name.
type request struct {
	at, host     string
	method, path string
	header       map[string]string
	body         string
}

// do makes a request and returns the status and the body.
func (r request) do(ctx context.Context) (int, string, error) {
	q, err := http.NewRequestWithContext(ctx, r.method, "http://"+r.at+r.path, strings.NewReader(r.body))
	if err != nil {
		return 0, "", err
	}
	q.Host = r.host
	for name, value := range r.header {
		q.Header.Set(name, value)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, string(text), err
}
