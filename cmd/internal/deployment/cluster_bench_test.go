//go:build e2e

package deployment_test

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// BenchmarkClusterEnd measures how long it takes from a job's manifest in the bucket, which is the last thing
// that stage-out does to it, until its user is told SUCCESSFUL, and, as a floor, until Kubernetes says Complete
// of its Job. Every function is warm.
func BenchmarkClusterEnd(b *testing.B) {
	d := newBackend(b, small+`Deadline: 10m}`)
	store, err := d.bucket.Client()
	must(b, err)
	var told, complete []time.Duration
	for b.Loop() {
		r := d.startJob("fine")
		stored := make(chan time.Time, 1)
		go func() {
			for b.Context().Err() == nil {
				_, err := store.StatObject(b.Context(), d.bucket.Bucket, job.ManifestKey(r.ID, 1), minio.StatObjectOptions{})
				if err == nil {
					stored <- time.Now()
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
		}()
		condition := make(chan time.Time, 1)
		go func() {
			for b.Context().Err() == nil {
				j, err := d.jobs.Get(b.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{})
				if err == nil && slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
					return c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue
				}) {
					condition <- time.Now()
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		for d.status(r) != "SUCCESSFUL" {
			time.Sleep(2 * time.Millisecond)
		}
		successful, at := time.Now(), <-stored
		told = append(told, successful.Sub(at))
		complete = append(complete, (<-condition).Sub(at))
	}
	slices.Sort(told)
	slices.Sort(complete)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(told[len(told)/2].Milliseconds()), "told-ms")
	b.ReportMetric(float64(told[len(told)-1].Milliseconds()), "told-max-ms")
	b.ReportMetric(float64(complete[len(complete)/2].Milliseconds()), "complete-ms")
}

// BenchmarkClusterStart measures the API's call that starts a job (its genome is looked at, the start written
// to the database with majority, the Job made, its name written) against a floor: the creation of a Job like
// that by a bare client. The Jobs are suspended, so that no pod takes the machine's time from either.
func BenchmarkClusterStart(b *testing.B) {
	d := newBackend(b, small+`Deadline: 10m, Queue: annotation}`)
	first := d.startJob("fine")
	like, err := d.jobs.Get(b.Context(), job.ObjectName(first.ID, 1), metav1.GetOptions{})
	must(b, err)
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			object := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "floor-" + strings.ToLower(rand.Text()), Labels: like.Labels, Annotations: like.Annotations}}
			like.Spec.DeepCopyInto(&object.Spec)
			object.Spec.Selector = nil
			for _, l := range []string{"controller-uid", "job-name", batchv1.ControllerUidLabel, batchv1.JobNameLabel} {
				delete(object.Spec.Template.Labels, l)
			}
			must(b, err1(d.jobs.Create(b.Context(), object, metav1.CreateOptions{})))
		}
	})
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			r := d.create()
			b.StartTimer()
			if status, answer := d.call("submit", http.MethodPost, "/job/start", map[string]any{"job": r, "config": map[string]any{"completeGenome": true}}); status != http.StatusOK {
				b.Fatalf("%d %v", status, answer)
			}
			b.StopTimer()
			must(b, err1(d.jobs.Get(b.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{})))
			b.StartTimer()
		}
	})
}
