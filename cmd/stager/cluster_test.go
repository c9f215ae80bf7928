//go:build e2e

package main

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	batchclient "k8s.io/client-go/kubernetes/typed/batch/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

func fromEnv(name, value string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return value
}

// TestClusterDatabase applies the Kubernetes Job that copies a database on a real cluster: twice, which is refused, and
// then for another version. KUBECONFIG names the cluster, which runs on this machine and has the stager's image.
func TestClusterDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	connection, err := apiserver.Connect(false)
	must(t, err)
	core, err := coreclient.NewForConfig(connection)
	must(t, err)
	batch, err := batchclient.NewForConfig(connection)
	must(t, err)
	bucket := teststores.Bucket(t)
	store, err := s3.New(
		s3.Options{
			Endpoint:  bucket.Endpoint,
			Region:    bucket.Region,
			Bucket:    bucket.Bucket,
			AccessKey: bucket.AccessKey,
			SecretKey: bucket.SecretKey,
		},
	)
	must(t, err)
	if err := store.Setup(ctx); err != nil {
		t.Log(err) // the embedded store does not support CORS rules
	}
	for key, content := range map[string]string{
		"bakta/6.0/version.json": "6.0", "bakta/6.0/amrfinderplus-db/db.fa": ">a", "bakta/6.1/version.json": "6.1",
	} {
		_, err := store.Put(ctx, key, strings.NewReader(content), int64(len(content)))
		must(t, err)
	}
	volume, err := os.MkdirTemp(os.Getenv("E2E_VOLUMES"), "volume-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(volume) })
	must(t, os.Chmod(volume, 0o777)) // Kubernetes does not apply fsGroup to a hostPath volume
	namespace := "test-" + strings.ToLower(rand.Text()[:10])
	prepare(t, core, namespace, volume, bucket)

	content, err := os.ReadFile("../../kservices/database/job.yaml")
	must(t, err)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(bucket.Endpoint, "http://"))
	must(t, err)
	apply := func(version string) error {
		text := strings.NewReplacer(
			"ko://github.com/ag-computational-bio/bakta-web-backend/cmd/stager", fromEnv("E2E_STAGER_IMAGE", "dev.local/stager:e2e"),
			"namespace: bakta\n", "namespace: "+namespace+"\n",
			"6.0-light", version,
			"http://minio.bakta.svc:9000", "http://"+net.JoinHostPort(fromEnv("E2E_HOST_ADDRESS", "10.200.0.2"), port),
			"--s3-bucket=bakta-database", "--s3-bucket="+bucket.Bucket,
		).Replace(string(content))
		object := new(batchv1.Job)
		must(t, yaml.UnmarshalStrict([]byte(text), object))
		_, err := batch.Jobs(namespace).Create(ctx, object, metav1.CreateOptions{})
		return err
	}
	for _, version := range []string{"6.0", "6.1"} {
		must(t, apply(version))
		if err := apply(version); !apierrors.IsAlreadyExists(err) {
			t.Errorf("applying it twice: %v", err)
		}
		wait(t, core, namespace, "version "+version, func() bool {
			j, err := batch.Jobs(namespace).Get(ctx, "bakta-database", metav1.GetOptions{})
			must(t, err)
			return slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
				return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
			})
		})
		got, err := os.ReadFile(filepath.Join(volume, "db", "version.json"))
		if err != nil || string(got) != version {
			t.Errorf("jobs read %q, %v", got, err)
		}
		how := metav1.DeletePropagationBackground
		must(t, batch.Jobs(namespace).Delete(ctx, "bakta-database", metav1.DeleteOptions{PropagationPolicy: &how}))
	}
	if old, err := os.ReadFile(filepath.Join(volume, "versions", "6.0", "amrfinderplus-db", "db.fa")); err != nil || string(old) != ">a" {
		t.Errorf("the old version holds %q, %v", old, err)
	}
}

// prepare creates a namespace with the Secret and the PersistentVolumeClaim that the Kubernetes Job needs.
func prepare(t *testing.T, core *coreclient.CoreV1Client, namespace, volume string, bucket teststores.S3) {
	t.Helper()
	ctx := t.Context()
	_, err := core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		if err := core.Namespaces().Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		if err := core.PersistentVolumes().Delete(context.Background(), namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	_, err = core.ServiceAccounts(
		namespace,
	).Create(
		ctx,
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "bakta-job"}},
		metav1.CreateOptions{},
	)
	must(t, err)
	_, err = core.Secrets(namespace).Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s3"},
		StringData: map[string]string{"AccessKey": bucket.AccessKey, "SecretKey": bucket.SecretKey}}, metav1.CreateOptions{})
	must(t, err)
	size, class := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Mi")}, "none"
	_, err = core.PersistentVolumes().Create(
		ctx,
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Spec: corev1.PersistentVolumeSpec{
			Capacity: size, AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, StorageClassName: class,
			ClaimRef:               &corev1.ObjectReference{Namespace: namespace, Name: "bakta-database"},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: volume}},
		}},
		metav1.CreateOptions{},
	)
	must(t, err)
	_, err = core.PersistentVolumeClaims(
		namespace,
	).Create(
		ctx,
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "bakta-database"}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, StorageClassName: &class, VolumeName: namespace,
			Resources: corev1.VolumeResourceRequirements{Requests: size},
		}},
		metav1.CreateOptions{},
	)
	must(t, err)
}

func wait(t *testing.T, core *coreclient.CoreV1Client, namespace, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().Before(deadline) {
			continue
		}
		pods, err := core.Pods(namespace).List(t.Context(), metav1.ListOptions{})
		must(t, err)
		for _, p := range pods.Items {
			if log, err := core.Pods(namespace).GetLogs(p.Name, &corev1.PodLogOptions{}).Stream(t.Context()); err == nil {
				text, _ := io.ReadAll(log)
				t.Logf("%s (%s):\n%s", p.Name, p.Status.Phase, text)
			}
		}
		t.Fatalf("timeout while waiting for %s", what)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
