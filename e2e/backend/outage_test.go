//go:build e2e

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
)

// restricted is a container that the namespace takes.
func restricted(image string) []corev1.Container {
	no, yes := false, true
	return []corev1.Container{{Name: "main", Image: image, SecurityContext: &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, RunAsNonRoot: &yes,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}}}
}

// client makes jobs and starts them, one after the other, whatever it is answered, and keeps what was acknowledged. It rests between two:
// each job is four programs, and a job a second keeps two cores busy, on which a deployment has to come up beside it.
type client struct {
	mu             sync.Mutex
	made, started  []ref
	refused, other int
}

func (c *client) work(ctx context.Context, w *world) {
	for ctx.Err() == nil {
		r, err := w.create(ctx)
		c.note(err)
		if r.ID != "" {
			c.mu.Lock()
			c.made = append(c.made, r)
			c.mu.Unlock()
		}
		if err == nil {
			err = w.begin(ctx, r, "fine")
			c.note(err)
			if err == nil {
				c.mu.Lock()
				c.started = append(c.started, r)
				c.mu.Unlock()
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(4 * time.Second):
		}
	}
}

// acknowledged returns how many starts were.
func (c *client) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.started)
}

func (c *client) note(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if no := (*refused)(nil); errors.As(err, &no) && no.code != http.StatusServiceUnavailable && no.code != http.StatusGatewayTimeout {
		c.other++
	}
	c.refused++
}

// A store is away while jobs run, end and are made. What was acknowledged is so afterwards.
func TestStoresAway(t *testing.T) {
	s := newSuite(t)
	s.needsGates()
	for what, row := range map[string]struct {
		gate  *gate
		event int // how an event is answered while it is away
	}{
		"MongoDB": {s.mongo, http.StatusServiceUnavailable},
		"S3":      {s.s3, http.StatusServiceUnavailable},
	} {
		t.Run(what, func(t *testing.T) {
			s := suite{t, s.world}
			t.Cleanup(func() {
				if err := row.gate.Open(); err != nil {
					t.Error(err)
				}
			})
			// One ends while the store is away, one after it is back.
			ends, runs := s.run("after-10"), s.run("after-50")
			s.becomes(ends, "RUNNING")
			s.becomes(runs, "RUNNING")
			var c client
			ctx, stop := context.WithCancel(t.Context())
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() { c.work(ctx, s.world) })
			}
			defer group.Wait()
			defer stop()
			more := func(than int) func(context.Context) error {
				return func(context.Context) error {
					if n := c.acknowledged(); n <= than {
						return fmt.Errorf("%d starts are acknowledged", n)
					}
					return nil
				}
			}
			s.wait("a start before the store is away", more(0))
			s.must(row.gate.Shut())
			away := time.Now()
			s.wait("refusals", func(context.Context) error {
				c.mu.Lock()
				defer c.mu.Unlock()
				if c.refused < 3 {
					return fmt.Errorf("%d calls were refused", c.refused)
				}
				return nil
			})
			if code := s.sent(
				"jobupdate",
				"/events",
				event("dev.knative.apiserver.ref.update", job.ObjectName(ends.ID, 1)),
				"{}",
			); code != row.event {
				t.Errorf("an event is answered %d", code)
			}
			s.wait("the store's being away for long enough", func(context.Context) error {
				if d := time.Since(away); d < 40*time.Second {
					return fmt.Errorf("it has been away for %s", d)
				}
				return nil
			})
			before := c.acknowledged()
			s.must(row.gate.Open())
			s.wait("a start after the store is back", more(before))
			s.becomes(ends, "SUCCESSFUL")
			s.becomes(runs, "SUCCESSFUL")
			stop()
			group.Wait()
			if c.other > 0 {
				t.Errorf("%d calls were refused for another reason than the store", c.other)
			}
			for _, r := range c.made {
				var got string
				// On a busy machine the ingress or Knative's activator may miss its readiness probes, and the ingress answers 503 for a moment.
				s.wait("the state of job "+r.ID, func(ctx context.Context) (err error) {
					got, err = s.state(ctx, r)
					return err
				})
				if got == "NOT_FOUND" || got == "UNAUTHORIZED" {
					t.Errorf("job %s, which was made, is %s", r.ID, got)
				}
			}
			for _, r := range c.started {
				s.becomes(r, "SUCCESSFUL")
			}
			s.results(ends)
			s.released(append(c.started, ends, runs))
			t.Logf("%d jobs were made, %d of them started, %d calls refused", len(c.made), len(c.started), c.refused)
		})
	}
}

// Many start at once through the one host. None is lost and none is run twice.
func TestManyAtOnce(t *testing.T) {
	s := newSuite(t)
	many := 60 // more than an instance of a function takes at once (50)
	if full {
		many = 200 // more than there can be pods (110)
	}
	all := make([]ref, many)
	errs := make([]error, many)
	var group sync.WaitGroup
	began := time.Now()
	for i := range all {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			// A client that is told to come later does.
			errs[i] = eventually(ctx, time.Second, func(ctx context.Context) (err error) {
				if all[i].ID == "" {
					if all[i], err = s.create(ctx); err != nil {
						return err
					}
				}
				return s.begin(ctx, all[i], "fine")
			})
		})
	}
	group.Wait()
	s.must(errs...)
	started := time.Since(began)
	ids := make(map[string]bool)
	for _, r := range all {
		ids[r.ID] = true
	}
	if len(ids) != many {
		t.Fatalf("%d jobs have %d ids", many, len(ids))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	s.must(eventually(ctx, time.Second, func(ctx context.Context) error {
		left, err := s.unfinished(ctx, all)
		if err == nil && left > 0 {
			err = fmt.Errorf("%d jobs have no end", left)
		}
		return err
	}))
	ended := time.Since(began)
	s.released(all)
	jobs, err := s.batch.Jobs(
		namespace,
	).List(
		t.Context(),
		metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of=bakta-web,app.kubernetes.io/component=job"},
	)
	s.must(err)
	runs := make(map[string]int)
	for _, j := range jobs.Items {
		runs[j.Labels["bakta.computational.bio/job"]]++
	}
	for id := range ids {
		if runs[id] != 1 {
			t.Errorf("job %s has %d runs", id, runs[id])
		}
		manifests, err := s.manifests(t.Context(), id)
		s.must(err)
		if manifests != 1 {
			t.Errorf("job %s has %d manifests", id, manifests)
		}
	}
	n, err := s.database.Collection(
		"annotationJobs",
	).CountDocuments(
		t.Context(),
		bson.M{"_id": bson.M{"$in": keys(ids)}, "state": "succeeded"},
	)
	s.must(err)
	if n != int64(many) {
		t.Errorf("%d of %d documents say succeeded", n, many)
	}
	out := newTable(fmt.Sprintf("%d jobs at once", many), "")
	out.row("all started after", seconds(started))
	out.row("all SUCCESSFUL after", seconds(ended))
	out.print()
}

// manifests returns how many runs of a job have stored their manifest, which they do last.
func (s suite) manifests(ctx context.Context, id string) (n int, err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the list
	defer cancel()
	for o := range s.files.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: "jobs/" + id + "/runs/", Recursive: true}) {
		if o.Err != nil {
			return 0, o.Err
		}
		if strings.HasSuffix(o.Key, "/manifest.json") {
			n++
		}
	}
	return n, nil
}

// needsGates skips a test that cuts stores off, or sees what is stored in them, where it can't.
func (s suite) needsGates() {
	s.Helper()
	if !s.target.gates {
		s.Skip("NOT TESTED: the tests do not stand between the pods and the stores (E2E_GATES)")
	}
}

// unfinished returns how many jobs have no end yet, unless the call fails. A job that failed, or is lost, ends the test.
func (s suite) unfinished(ctx context.Context, all []ref) (int, error) {
	s.Helper()
	code, answer, err := s.call(ctx, http.MethodPost, "/job/list", map[string]any{"jobs": all})
	if err == nil && (code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout) {
		err = &refused{code, answer}
	}
	if err != nil {
		return 0, err
	}
	jobs, _ := answer["jobs"].([]any)
	if code != http.StatusOK || len(jobs) != len(all) {
		s.Fatalf("%d of %d jobs are listed: %d %v", len(jobs), len(all), code, answer["failedJobs"])
	}
	left := 0
	for _, j := range jobs {
		switch j := j.(map[string]any); j["jobStatus"] {
		case "SUCCESSFUL":
		case "ERROR":
			s.Fatalf("job %v failed", j)
		default:
			left++
		}
	}
	return left, nil
}
