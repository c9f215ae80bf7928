//go:build e2e

package backend_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// full is whether the tests take the time that they need at their full size (make e2e-full).
var full = os.Getenv("E2E_FULL") != ""

// rounds is how often each thing is measured: E2E_ROUNDS, or few.
func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("E2E_ROUNDS")); err == nil {
		return n
	}
	if full {
		return 9
	}
	return 3
}

// figures are what was measured of one thing, round by round.
type figures []time.Duration

func (f figures) quantile(q float64) time.Duration {
	if len(f) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(f))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (f figures) median() time.Duration { return f.quantile(0.5) }

// slack is what a busy machine adds to anything, and no bound is without it.
const slack = time.Second

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// table prints what was measured, each thing beside its floor.
type table struct {
	lines strings.Builder
	out   *tabwriter.Writer
}

func newTable(heads ...string) *table {
	t := new(table)
	t.out = tabwriter.NewWriter(&t.lines, 0, 0, 2, ' ', 0)
	t.row(heads...)
	return t
}

func (t *table) row(cells ...string) { fmt.Fprintln(t.out, strings.Join(cells, "\t")) }

func (t *table) print() { fmt.Printf("\n%s\n", t.text()) }

func (t *table) text() string {
	t.out.Flush()
	return t.lines.String()
}

func event(kind, name string) map[string]string {
	return map[string]string{
		"Ce-Id": uuid.NewString(), "Ce-Specversion": "1.0", "Ce-Source": "/tests", "Ce-Type": kind,
		"Ce-Subject": "/apis/batch/v1/namespaces/bakta/jobs/" + name, "Content-Type": "application/json",
	}
}

// TestColdStarts measures how long a call takes that finds its function at zero, against a service that does nothing.
// Each call asks the stores, as real ones do.
func TestColdStarts(t *testing.T) {
	s := newSuite(t)
	if s.target.hello == "" {
		t.Skip("NOT MEASURED: no image of a service that does nothing is named (E2E_HELLO_IMAGE)")
	}
	hello, err := os.ReadFile("testdata/hello.yaml")
	s.must(err)
	_, err = s.kubectl(t.Context(), strings.ReplaceAll(string(hello), "dev.local/cluster/hello:built", s.target.hello), "apply", "-f", "-")
	s.must(err)
	t.Cleanup(func() { _, _ = s.kubectl(context.Background(), "", "delete", "ksvc/hello") })
	_, err = s.kubectl(t.Context(), "", "wait", "--for=condition=Ready", "--timeout=3m", "ksvc/hello")
	s.must(err)
	nobody := ref{ID: uuid.NewString(), Secret: rand.Text()}
	idle, err := s.create(t.Context())
	s.must(err)
	calls := map[string]request{
		"hello": {method: http.MethodGet, path: "/"},
		"submit": {
			method: http.MethodPost,
			path:   "/api/v1/job/start",
			body:   fmt.Sprintf(`{"job":{"jobID":%q,"secret":%q},"config":{}}`, nobody.ID, nobody.Secret),
		},
		"status": {
			method: http.MethodPost,
			path:   "/api/v1/job/list",
			body:   fmt.Sprintf(`{"jobs":[{"jobID":%q,"secret":%q}]}`, nobody.ID, nobody.Secret),
		},
		"expire": {method: http.MethodDelete, path: "/api/v1/job/delete" + nobody.query()},
		"jobupdate": {
			method: http.MethodPost,
			path:   "/events",
			header: event("dev.knative.apiserver.ref.update", job.ObjectName(idle.ID, 1)),
			body:   "{}",
		},
	}
	answers := map[string]int{"hello": 200, "submit": 404, "status": 200, "expire": 404, "jobupdate": 204}
	names := []string{"hello", "submit", "status", "expire", "jobupdate"}
	cold, warm := make(map[string]figures), make(map[string]figures)
	// Nobody else wakes a function meanwhile.
	_, err = s.kubectl(t.Context(), "", "delete", "pingsource/sweep")
	s.must(err)
	t.Cleanup(func() {
		if err := s.deploy(context.Background(), s.overlay); err != nil {
			t.Error(err)
		}
	})
	for round := range rounds() {
		s.atZero(names...)
		for i := range names {
			name := names[(i+round)%len(names)]
			call := calls[name]
			call.at, call.host = s.target.inside, name+".bakta.svc.cluster.local"
			for _, to := range []map[string]figures{cold, warm} {
				began := time.Now()
				code, text, err := call.do(t.Context())
				to[name] = append(to[name], time.Since(began))
				s.must(err)
				if code != answers[name] {
					t.Fatalf("%s answers %d: %s", name, code, text)
				}
			}
		}
	}
	out := newTable("a call that finds its function at zero", "median", "quartiles", "of hello", "the next call")
	floor := cold["hello"].median()
	for _, name := range names {
		f := cold[name]
		out.row(name, seconds(f.median()), seconds(f.quantile(0.25))+" to "+seconds(f.quantile(0.75)),
			fmt.Sprintf("%.2f", f.median().Seconds()/floor.Seconds()), fmt.Sprintf("%.1f ms", 1000*warm[name].median().Seconds()))
	}
	out.print()
	for _, name := range names[1:] {
		if f := cold[name].median(); f > 2*floor+slack {
			t.Errorf("a call that finds %s at zero takes %s, one of hello %s", name, seconds(f), seconds(floor))
		}
	}
	t.Logf("%v", cold) // a start takes one or two ticks of the kubelet's, so few of them have two medians
}

// end runs a job and measures from the moment at which its manifest is stored: until JobsStatus says SUCCESSFUL, and
// until Kubernetes says Complete. What has to be so at that moment is brought about by meanwhile.
func (s suite) end(strain string, meanwhile func(ref)) (told, complete time.Duration) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	r := s.run(strain)
	completed := make(chan time.Time, 1)
	go func() { completed <- s.completion(ctx, r) }()
	meanwhile(r)
	api := pb.NewBaktaJobsClient(s.rpc)
	var stored, asked time.Time
	s.must(eventually(ctx, 2*time.Millisecond, func(ctx context.Context) error {
		var ok bool
		if stored, ok = s.commits.of(r.ID); ok {
			return nil
		}
		// A caller who waits for the job asks from time to time. Else the status function scales to zero, and its start is measured.
		if time.Since(asked) > time.Second {
			if _, err := api.JobsStatus(ctx, &pb.JobStatusRequestList{Jobs: []*pb.JobAuth{r.auth()}}); err != nil {
				return err
			}
			asked = time.Now()
		}
		return errors.New("no manifest is stored")
	}))
	s.must(eventually(ctx, 5*time.Millisecond, func(ctx context.Context) error {
		list, err := api.JobsStatus(ctx, &pb.JobStatusRequestList{Jobs: []*pb.JobAuth{r.auth()}})
		if err != nil {
			return err
		}
		told = time.Since(stored)
		switch got := list.GetJobs()[0].GetJobStatus(); got {
		case pb.JobStatusEnum_SUCCESSFUL:
			return nil
		case pb.JobStatusEnum_ERROR:
			s.Fatal("the job failed")
		}
		return errors.New("it is not SUCCESSFUL")
	}))
	select {
	case at := <-completed:
		return told, at.Sub(stored)
	case <-ctx.Done():
		s.Fatal("Kubernetes never says Complete")
		return 0, 0
	}
}

// completion waits until Kubernetes says that a job's Job is complete.
func (s suite) completion(ctx context.Context, r ref) time.Time {
	only := fields.OneTermEqualSelector("metadata.name", job.ObjectName(r.ID, 1)).String()
	w, err := s.batch.Jobs(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: only})
	if err != nil {
		return time.Time{}
	}
	defer w.Stop()
	for change := range w.ResultChan() {
		j, ok := change.Object.(*batchv1.Job)
		if ok && slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == batchv1.JobComplete }) {
			return time.Now()
		}
	}
	return time.Time{}
}

// TestEnds measures how soon a job is SUCCESSFUL once its results are stored: with jobupdate at zero and awake. Kubernetes' own Complete
// is the floor, of the same jobs. TestEndsThatNobodyTells measures it of jobs that don't tell.
func TestEnds(t *testing.T) { newSuite(t).measureEnds("the job tells") }

func (s suite) measureEnds(what string) {
	s.Helper()
	s.needsGates()
	updates := s.updates()
	awake := func(ref) {
		_, err := updates.UpdateStatus(s.Context(), &pb.UpdateStatusRequest{JobID: uuid.NewString()})
		s.must(err)
	}
	atZero := func(r ref) {
		s.becomes(r, "RUNNING")
		s.atZero("jobupdate")
		s.told(r)
	}
	out := newTable("from the stored manifest", "to SUCCESSFUL", "quartiles", "to Kubernetes' Complete", "quartiles")
	for _, state := range []struct {
		name, strain string
		meanwhile    func(ref)
		times        int
	}{{"jobupdate awake", "fine", awake, rounds()}, {"jobupdate at zero", "until-told", atZero, (rounds() + 2) / 3}} {
		var told, complete figures
		for range state.times {
			a, b := s.end(state.strain, state.meanwhile)
			told, complete = append(told, a), append(complete, b)
		}
		s.Logf("%s, %s: to SUCCESSFUL %v, to Complete %v", what, state.name, told, complete)
		if told.median() > complete.median()+slack {
			s.Errorf(
				"%s, %s: SUCCESSFUL comes after %s, Kubernetes' Complete after %s",
				what,
				state.name,
				seconds(told.median()),
				seconds(complete.median()),
			)
		}
		out.row(what+", "+state.name, seconds(told.median()), seconds(told.quantile(0.25))+" to "+seconds(told.quantile(0.75)),
			seconds(complete.median()), seconds(complete.quantile(0.25))+" to "+seconds(complete.quantile(0.75)))
	}
	out.print()
}

// varyBy deploys with more of an overlay, in which %s is the folder kservices, and another configuration, until the test
// ends. What it returns does so again.
func (s suite) varyBy(more string, change func(config string) string) (again func()) {
	s.Helper()
	before, err := os.ReadFile(filepath.Join(s.overlay, "config.yaml"))
	s.must(err)
	after := change(string(before))
	if after == string(before) {
		s.Fatal("nothing varies")
	}
	dir := s.TempDir()
	below, err := relative(dir, s.overlay)
	s.must(err)
	components, err := relative(dir, filepath.Join(s.root, "kservices"))
	s.must(err, write(filepath.Join(dir, "config.yaml"), after),
		write(filepath.Join(dir, "kustomization.yaml"), "resources: ["+below+"]\n"+
			"configMapGenerator: [{name: bakta-web, namespace: bakta, behavior: replace, files: [config.yaml]}]\n"+strings.ReplaceAll(more, "%s",
			components)),
		s.deploy(s.Context(), dir))
	s.varied = dir
	s.Cleanup(func() {
		s.varied = ""
		if err := s.deploy(context.Background(), s.overlay); err != nil {
			s.Error(err)
		}
	})
	return func() { s.must(s.deploy(s.Context(), dir)) }
}
