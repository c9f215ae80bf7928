//go:build e2e

package kube

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// BenchmarkClusterLaunch measures a launch, from a job to the Job's name, against its floor: nothing but the
// creation of the same object by the same client. The Jobs are suspended, so that no pod takes the machine's
// time from either. The two take turns, a fixed number of them; what is reported are medians, and their ratio.
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
	one := func(b *testing.B, do func(context.Context, job.Job) error) {
		if err := do(b.Context(), next()); err != nil {
			b.Error(err)
		}
	}
	many := func(b *testing.B, do func(context.Context, job.Job) error) {
		const jobs, callers = 500, 50
		queue := make(chan struct{}, jobs)
		for range jobs {
			queue <- struct{}{}
		}
		close(queue)
		var wait sync.WaitGroup
		for range callers {
			wait.Go(func() {
				for range queue {
					one(b, do)
				}
			})
		}
		wait.Wait()
	}
	for _, kind := range []struct {
		name   string
		rounds int
		do     func(*testing.B, func(context.Context, job.Job) error)
	}{{"one", 500, one}, {"many", 5, many}} {
		b.Run(kind.name, func(b *testing.B) {
			var launches, bares []time.Duration
			for range kind.rounds {
				began := time.Now()
				kind.do(b, launch)
				launches = append(launches, time.Since(began))
				began = time.Now()
				kind.do(b, bare)
				bares = append(bares, time.Since(began))
			}
			slices.Sort(launches)
			slices.Sort(bares)
			launched, created := launches[len(launches)/2], bares[len(bares)/2]
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(launched.Microseconds())/1000, "launch-ms")
			b.ReportMetric(float64(created.Microseconds())/1000, "create-ms")
			b.ReportMetric(float64(launched)/float64(created), "ratio")
		})
	}
}
