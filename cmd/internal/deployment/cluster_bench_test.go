//go:build e2e

package deployment_test

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// These benchmarks run a fixed number of rounds, independent of -test.benchtime. A round is a call of many parts and its
// floor, one after the other, so that both meet the same load of the machine. They report medians and their ratio.
const (
	endRounds   = 15
	startRounds = 300
	manyRounds  = 3
)

// median sorts times and returns the median in milliseconds.
func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2].Microseconds()) / 1000
}

// BenchmarkClusterEnd measures the time from a job's manifest in the bucket, the last object that stage-out writes, until
// the API returns SUCCESSFUL, and, as a floor, until its Kubernetes Job is Complete. All functions are warm.
//
//	reported  the run reports its end to jobupdate
//	silent    its report is lost, as all of the run's are
func BenchmarkClusterEnd(b *testing.B) {
	b.Run("reported", func(b *testing.B) { ends(newBackend(b, small+`Deadline: 10m}`), b) })
	b.Run("silent", func(b *testing.B) {
		ends(newBackend(b, small+"Deadline: 10m}\nUpdateService: {Name: 127.0.0.1, Port: 9}"), b)
	})
}

func ends(d *backend, b *testing.B) {
	store, err := d.bucket.Client()
	must(b, err)
	var seen, complete []time.Duration
	for range endRounds {
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
				if j, err := d.jobs.Get(b.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{}); err == nil && isComplete(j) {
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
		seen = append(seen, successful.Sub(at))
		complete = append(complete, (<-condition).Sub(at))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(seen), "successful-ms")
	b.ReportMetric(float64(seen[len(seen)-1].Milliseconds()), "successful-max-ms")
	b.ReportMetric(median(complete), "complete-ms")
	b.ReportMetric(float64(complete[0].Milliseconds()), "complete-min-ms")
	b.ReportMetric(median(seen)/median(complete), "ratio")
}

// starter starts jobs, and creates Kubernetes Jobs like theirs with a bare client. The Kubernetes Jobs are suspended, so
// that no pod takes CPU time from either.
type starter struct {
	*backend
	like *batchv1.Job
}

func newStarter(b *testing.B) starter {
	d := newBackend(b, small+`Deadline: 10m, Queue: annotation}`)
	like, err := d.jobs.Get(b.Context(), job.ObjectName(d.startJob("fine").ID, 1), metav1.GetOptions{})
	must(b, err)
	for _, l := range []string{"controller-uid", "job-name", batchv1.ControllerUidLabel, batchv1.JobNameLabel} {
		delete(like.Spec.Template.Labels, l)
	}
	like.Spec.Selector = nil
	return starter{d, like}
}

// bare creates a Kubernetes Job.
func (s starter) bare(ctx context.Context) error {
	object := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: "floor-" + strings.ToLower(rand.Text()), Labels: s.like.Labels, Annotations: s.like.Annotations, Finalizers: s.like.Finalizers}}
	s.like.Spec.DeepCopyInto(&object.Spec)
	_, err := s.jobs.Create(ctx, object, metav1.CreateOptions{})
	return err
}

// BenchmarkClusterStart measures the API's call that starts a job (it checks the genome, writes the start to MongoDB with
// majority, creates the Kubernetes Job and writes its name) against a floor: the creation of a Kubernetes Job like that by
// a bare client.
func BenchmarkClusterStart(b *testing.B) {
	s := newStarter(b)
	var start, bare []time.Duration
	for range startRounds {
		r := s.create()
		began := time.Now()
		s.begin(r, "fine")
		start = append(start, time.Since(began))
		began = time.Now()
		must(b, s.bare(b.Context()))
		bare = append(bare, time.Since(began))
		must(b, err1(s.jobs.Get(b.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{})))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(start), "start-ms")
	b.ReportMetric(median(bare), "create-ms")
	b.ReportMetric(median(start)/median(bare), "ratio")
}

// BenchmarkClusterStartMany starts 500 jobs by 50 callers at once, against 500 bare creations by as many.
func BenchmarkClusterStartMany(b *testing.B) {
	const jobs, callers = 500, 50
	s := newStarter(b)
	many := func(do func(i int)) time.Duration {
		queue := make(chan int, jobs)
		for i := range jobs {
			queue <- i
		}
		close(queue)
		began := time.Now()
		var wait sync.WaitGroup
		for range callers {
			wait.Go(func() {
				for i := range queue {
					do(i)
				}
			})
		}
		wait.Wait()
		return time.Since(began)
	}
	var starts, bares []time.Duration
	for range manyRounds {
		refs := make([]ref, jobs)
		for i := range refs {
			refs[i] = s.create()
		}
		starts = append(starts, many(func(i int) { s.begin(refs[i], "fine") }))
		bares = append(bares, many(func(int) {
			if err := s.bare(b.Context()); err != nil {
				b.Error(err)
			}
		}))
		for _, r := range refs {
			must(b, err1(s.jobs.Get(b.Context(), job.ObjectName(r.ID, 1), metav1.GetOptions{})))
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(starts), "starts-ms")
	b.ReportMetric(median(bares), "creates-ms")
	b.ReportMetric(jobs/median(starts)*1000, "starts/s")
	b.ReportMetric(median(starts)/median(bares), "ratio")
}
