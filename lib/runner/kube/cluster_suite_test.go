//go:build e2e

package kube

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/runnertest"
)

// TestClusterRunner runs the suite that any runner passes, each of its tests in a namespace of its own.
func TestClusterRunner(t *testing.T) {
	t.Parallel()
	runnertest.Run(t, func(t *testing.T) runnertest.Fixture {
		c := newCluster(t)
		c.options.Specs = runnertest.Specs
		r := c.runner(c.options)
		s := runnertest.Fixture{Runner: r, Held: r, Files: c.files, Timeout: 5 * time.Minute}
		s.Wait = func(t *testing.T) job.Job {
			j, err := s.NewJob(t.Context(), runnertest.Succeed)
			if err != nil {
				t.Fatal(err)
			}
			o := c.options
			o.NodeSelector = map[string]string{"no": "node"}
			if _, err := c.runner(o).Launch(t.Context(), j); err != nil {
				t.Fatal(err)
			}
			return j
		}
		s.Executes = func(t *testing.T, id string) bool {
			pods, err := r.list(t.Context(), labels.Set{jobLabel: id})
			if err != nil {
				t.Fatal(err)
			}
			for i := range pods {
				if !over(&pods[i]) {
					return true
				}
			}
			return false
		}
		return s
	})
}
