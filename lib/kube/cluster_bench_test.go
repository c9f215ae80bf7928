//go:build e2e

package kube

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// BenchmarkClusterLaunch measures a launch, from a job to the Job's name, against its floor: nothing but the
// creation of the same object by the same client. The Jobs are suspended, so that no pod takes the machine's
// time from either.
//
//	one    one after the other
//	many   500 at once, by 50 callers
func BenchmarkClusterLaunch(b *testing.B) {
	c := newCluster(b)
	c.options.Queue = "annotation"
	c.options.Specs = shell(fine, result)
	r := c.runner(c.options)
	launch := func(ctx context.Context, j job.Job) error {
		_, err := r.Launch(ctx, j)
		return err
	}
	bare := func(ctx context.Context, j job.Job) error {
		object, err := r.Object(j)
		if err == nil {
			_, err = r.jobs.Create(ctx, object, metav1.CreateOptions{})
		}
		return err
	}
	template := c.newJob()
	next := func() job.Job {
		j := template
		j.ID = uuid.NewString()
		return j
	}
	for _, kind := range []struct {
		name string
		do   func(context.Context, job.Job) error
	}{{"floor", bare}, {"launch", launch}} {
		b.Run("one/"+kind.name, func(b *testing.B) {
			for b.Loop() {
				if err := kind.do(b.Context(), next()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("many/"+kind.name, func(b *testing.B) {
			const jobs, callers = 500, 50
			for b.Loop() {
				began := time.Now()
				queue := make(chan job.Job, jobs)
				for range jobs {
					queue <- next()
				}
				close(queue)
				var wait sync.WaitGroup
				for range callers {
					wait.Go(func() {
						for j := range queue {
							if err := kind.do(b.Context(), j); err != nil {
								b.Error(err)
							}
						}
					})
				}
				wait.Wait()
				b.ReportMetric(float64(jobs)/time.Since(began).Seconds(), "jobs/s")
			}
		})
	}
}
