//go:build e2e

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// sent posts an event to a function from inside, and returns the status.
func (s suite) sent(function, path string, header map[string]string, body string) int {
	s.Helper()
	code, text, err := request{
		at:     s.target.inside,
		host:   function + ".bakta.svc.cluster.local",
		method: http.MethodPost,
		path:   path,
		header: header,
		body:   body,
	}.do(
		s.Context(),
	)
	s.must(err)
	if code/100 == 5 && code != http.StatusServiceUnavailable {
		s.Errorf("%s%s answers %d: %s", function, path, code, trimmed(text))
	}
	return code
}

func (s suite) updates() pb.BaktaStatusUpdateClient {
	s.Helper()
	conn, err := grpc.NewClient(
		s.target.inside,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("jobupdate.bakta.svc.cluster.local"),
	)
	s.must(err)
	s.Cleanup(func() { conn.Close() })
	return pb.NewBaktaStatusUpdateClient(conn)
}

// Every function comes back from zero for each that calls it, and goes there again by itself.
func TestScaleToZeroAndBack(t *testing.T) {
	s := newSuite(t)
	nobody := ref{ID: uuid.NewString(), Secret: "none"}
	api, updates := pb.NewBaktaJobsClient(s.rpc), s.updates()
	rest := func(method, path string, body any, want int) func(context.Context) error {
		return func(ctx context.Context) error {
			code, answer, err := s.call(ctx, method, path, body)
			if err == nil && code != want {
				err = &refused{code, answer}
			}
			return err
		}
	}
	notFound := func(err error) error {
		if status.Code(err) != codes.NotFound {
			return fmt.Errorf("answered %v", err) //nolint:errorlint // err may be nil
		}
		return nil
	}
	foreign := batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: job.ObjectName(uuid.NewString(), 1), Labels: map[string]string{
		"app.kubernetes.io/part-of": "bakta-web", "app.kubernetes.io/component": "job",
	}}}
	suspended := true
	foreign.Spec.Suspend = &suspended
	foreign.Spec.Template.Spec.RestartPolicy = "Never"
	foreign.Spec.Template.Spec.Containers = restricted("none.invalid/none:1")
	s.Cleanup(func() { _ = s.batch.Jobs(namespace).Delete(context.Background(), foreign.Name, metav1.DeleteOptions{}) })

	type way struct {
		what, wakes string
		call        func(context.Context) error
	}
	// Each round finds all of them at zero. A way wakes no function but its own, so the ways of a round share the wait.
	for _, round := range [][]way{
		{
			{"a REST call", "submit", rest(http.MethodPost, "/job/init", map[string]string{"name": "x"}, http.StatusOK)},
			{"a REST call", "status", rest(http.MethodPost, "/job/list", map[string]any{"jobs": []ref{nobody}}, http.StatusOK)},
			{"a REST call", "expire", rest(http.MethodDelete, "/job/delete"+nobody.query(), nil, http.StatusNotFound)},
			{"a job's own call", "jobupdate", func(ctx context.Context) error {
				_, err := updates.UpdateStatus(ctx, &pb.UpdateStatusRequest{JobID: nobody.ID})
				return err
			}},
		},
		{
			{"a gRPC call", "submit", func(ctx context.Context) error {
				_, err := api.InitJob(ctx, &pb.InitJobRequest{Name: "x"})
				return err
			}},
			{"a gRPC call", "status", func(ctx context.Context) error {
				_, err := api.JobResult(ctx, nobody.auth())
				return notFound(err)
			}},
			{"a gRPC call", "expire", func(ctx context.Context) error {
				_, err := api.Delete(ctx, nobody.auth())
				return notFound(err)
			}},
			{"an event of a Job", "jobupdate", func(ctx context.Context) error {
				_, err := s.batch.Jobs(namespace).Create(ctx, &foreign, metav1.CreateOptions{})
				return err
			}},
		},
		{{"the timer", "expire", func(context.Context) error { return nil }}},
	} {
		for _, w := range round {
			s.atZero(w.wakes)
		}
		for _, w := range round {
			t.Run(w.wakes+" by "+w.what, func(t *testing.T) {
				s := suite{t, s.world}
				s.atZero(w.wakes)
				s.must(w.call(t.Context()))
				s.awake(w.wakes)
			})
		}
	}
	s.atZero("submit", "status", "jobupdate")
}

// Events are taken for what they are: hints. Whatever comes, in whatever order, changes nothing that isn't so.
func TestEvents(t *testing.T) {
	s := newSuite(t)
	done := s.run("fine")
	s.becomes(done, "SUCCESSFUL")
	runs := s.run("after-25")
	s.becomes(runs, "RUNNING")
	name := job.ObjectName(done.ID, 1)
	const update, add, gone = "dev.knative.apiserver.ref.update", "dev.knative.apiserver.ref.add", "dev.knative.apiserver.ref.delete"
	twice := event(update, name)
	without := event(update, name)
	delete(without, "Ce-Type")
	large := strings.Repeat("x", 2<<20)
	for what, row := range map[string]struct {
		header map[string]string
		body   string
		want   []int
	}{
		"of a job that is over":             {twice, "{}", []int{204}},
		"the same again":                    {twice, "{}", []int{204}},
		"late":                              {event(add, name), "{}", []int{204}},
		"of its removal":                    {event(gone, name), "{}", []int{204}},
		"of a job that runs":                {event(add, job.ObjectName(runs.ID, 1)), "{}", []int{204}},
		"too early":                         {event(gone, job.ObjectName(runs.ID, 1)), "{}", []int{204}},
		"of a run that is to come":          {event(update, job.ObjectName(runs.ID, 2)), "{}", []int{204}},
		"of its pod":                        {event(update, job.ObjectName(runs.ID, 1)+"-x7k2p"), "{}", []int{204}},
		"of a job that nobody knows":        {event(update, job.ObjectName(uuid.NewString(), 1)), "{}", []int{204}},
		"of another one's object":           {event(update, "somebody-elses-job"), "{}", []int{204}},
		"of a strange kind":                 {event("com.example.strange", name), "{}", []int{204}},
		"without a type":                    {without, "{}", []int{400}},
		"that is none":                      {map[string]string{"Content-Type": "application/json"}, "{", []int{400}},
		"structured, and broken":            {map[string]string{"Content-Type": "application/cloudevents+json"}, "{", []int{400}},
		"that is larger than any should be": {event(update, name), large, []int{413}},
	} {
		if got := s.sent("jobupdate", "/events", row.header, row.body); got != row.want[0] {
			t.Errorf("an event %s is answered %d", what, got)
		}
	}
	for _, r := range []ref{done, runs} {
		s.becomes(r, "SUCCESSFUL")
		s.results(r)
	}
	jobs, err := s.batch.Jobs(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + runs.ID})
	s.must(err)
	if len(jobs.Items) != 1 {
		t.Errorf("the job has %d runs", len(jobs.Items))
	}
}

// Objects of others are left alone, even where they stand in the way.
func TestObjectsOfOthers(t *testing.T) {
	s := newSuite(t)
	r, err := s.create(t.Context())
	s.must(err)
	theirs := batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: job.ObjectName(r.ID, 1)}}
	theirs.Spec.Template.Spec.RestartPolicy = "Never"
	theirs.Spec.Template.Spec.Containers = restricted("none.invalid/none:1")
	suspended := true
	theirs.Spec.Suspend = &suspended
	made, err := s.batch.Jobs(namespace).Create(t.Context(), &theirs, metav1.CreateOptions{})
	s.must(err, s.begin(t.Context(), r, "fine"))
	for range 3 {
		s.sent("jobupdate", "/events", event("dev.knative.apiserver.ref.update", theirs.Name), "{}")
	}
	if got, err := s.state(t.Context(), r); err != nil || got != "INIT" {
		t.Errorf("a job whose name is taken is %s, %v", got, err)
	}
	now, err := s.batch.Jobs(namespace).Get(t.Context(), theirs.Name, metav1.GetOptions{})
	s.must(err)
	if now.UID != made.UID || now.DeletionTimestamp != nil || len(now.Finalizers) != len(made.Finalizers) {
		t.Errorf("the object of somebody else was changed: %+v", now.ObjectMeta)
	}
	// Once it is out of the way, the job runs.
	background := metav1.DeletePropagationBackground
	s.must(s.batch.Jobs(namespace).Delete(t.Context(), theirs.Name, metav1.DeleteOptions{PropagationPolicy: &background}))
	s.becomes(r, "SUCCESSFUL")
}

// silent deploys so that jobs don't tell of their ends: only events and the sweep do. What it returns does so again.
func (s suite) silent() (again func()) {
	s.Helper()
	return s.varyBy("", silence)
}

// silence is the configuration of jobs that tell nobody.
func silence(config string) string {
	return strings.Replace(config, "Name: jobupdate.bakta.svc.cluster.local\n  Port: 80", "Name: 127.0.0.1\n  Port: 9", 1)
}

// Whoever tells of the ends of jobs is away, and they are told all the same, in the end. All of it is tested with one deployment of jobs
// that don't tell themselves: a further one takes half a minute.
func TestEndsThatNobodyTells(t *testing.T) {
	s := newSuite(t)
	again := s.silent()
	t.Run("measured", func(t *testing.T) { suite{t, s.world}.measureEnds("it doesn't tell") })
	const adapter = "eventing.knative.dev/source=apiserver-source-controller"
	for what, away := range map[string]func() (back func()){
		"the source of events is killed again and again": func() func() {
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for ctx.Err() == nil {
					now := int64(0)
					_ = s.core.Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now},
						metav1.ListOptions{LabelSelector: adapter})
					select {
					case <-ctx.Done():
					case <-time.After(500 * time.Millisecond):
					}
				}
			}()
			return func() { cancel(); <-ended }
		},
		"jobupdate isn't there": func() func() {
			_, err := s.kubectl(t.Context(), "", "delete", "ksvc/jobupdate")
			s.must(err)
			return again
		},
	} {
		t.Run(what, func(t *testing.T) {
			s := suite{t, s.world}
			var all []ref
			for range 3 {
				all = append(all, s.run("after-10"))
			}
			s.becomes(all[0], "RUNNING")
			back := away()
			for _, r := range all {
				s.wait("the end of job "+r.ID, func(ctx context.Context) error {
					stored, err := s.manifests(ctx, r.ID)
					if err == nil && stored == 0 {
						err = errors.New("no manifest is stored")
					}
					return err
				})
			}
			if !full {
				s.dueNow(all)
			}
			for _, r := range all {
				s.becomes(r, "SUCCESSFUL")
			}
			back()
			s.released(all)
		})
	}
	t.Run("events alone tell, and no sweep looks", func(t *testing.T) {
		s := suite{t, s.world}
		_, err := s.kubectl(t.Context(), "", "delete", "pingsource/sweep") // the end of the test deploys it again
		s.must(err)
		good, bad := s.run("after-5"), s.run("fail-error")
		s.becomes(good, "RUNNING")
		s.becomes(good, "SUCCESSFUL")
		s.becomes(bad, "ERROR")
		s.released([]ref{good, bad})
	})
}

// dueNow has the next sweep look at jobs that it would look at soon, and holds that it would.
func (s suite) dueNow(all []ref) {
	s.Helper()
	const look = 2 * time.Minute // after the last news
	now := time.Now()
	for _, r := range all {
		var before struct {
			State string    `bson:"state"`
			Due   time.Time `bson:"due"`
		}
		open := bson.M{"_id": r.ID, "state": bson.M{"$ne": "succeeded"}}
		err := s.database.Collection("annotationJobs").
			FindOneAndUpdate(s.Context(), open, bson.M{"$min": bson.M{"due": now}}).
			Decode(&before)
		if errors.Is(err, mongo.ErrNoDocuments) { // a sweep was first
			continue
		}
		s.must(err)
		if before.Due.After(now.Add(look + slack)) {
			s.Errorf("job %s is %s, and the sweep looks at it only %s from now", r.ID, before.State, before.Due.Sub(now))
		}
	}
}

// Sources that say who they are are heard, and nobody else is.
func TestSourcesSayWhoTheyAre(t *testing.T) {
	s := newSuite(t)
	if !s.target.wholeCluster {
		t.Skip("NOT TESTED: it changes the configuration of Knative, and E2E_WHOLE_CLUSTER=yes is not set")
	}
	feature := func(value string) {
		t.Helper()
		_, err := s.kubectl(context.Background(), "", "--namespace=knative-eventing", "patch", "configmap/config-features", "--type=merge",
			"-p", fmt.Sprintf(`{"data":{"authentication-oidc":%q}}`, value))
		if err != nil {
			t.Error(err)
		}
	}
	feature("enabled")
	t.Cleanup(func() { feature("disabled") })
	s.varyBy("components: [%s/oidc]\n", func(config string) string { return silence(config) + "Events: {Audience: bakta-web}\n" })
	for function, path := range map[string]string{"jobupdate": "/events", "expire": "/sweep"} {
		s.wait("refusals by "+function, func(context.Context) error {
			for _, bearer := range []string{"", "Bearer x"} {
				header := event("dev.knative.apiserver.ref.update", job.ObjectName(uuid.NewString(), 1))
				header["Authorization"] = bearer
				if code := s.sent(function, path, header, "{}"); code != http.StatusUnauthorized {
					return fmt.Errorf("an event by %q is answered %d", bearer, code)
				}
			}
			return nil
		})
	}
	// A token of this cluster and for this audience, but somebody else's.
	token, err := s.kubectl(t.Context(), "", "--namespace=default", "create", "token", "default", "--audience=bakta-web")
	s.must(err)
	header := event("dev.knative.apiserver.ref.update", job.ObjectName(uuid.NewString(), 1))
	header["Authorization"] = "Bearer " + strings.TrimSpace(token)
	if code := s.sent("jobupdate", "/events", header, "{}"); code != http.StatusUnauthorized {
		t.Errorf("an event of another namespace's account is answered %d", code)
	}
	r := s.run("until-told")
	s.becomes(r, "RUNNING") // told by an event
	s.told(r)
	s.becomes(r, "SUCCESSFUL")
	s.released([]ref{r})
	expired := s.run("fine")
	s.becomes(expired, "SUCCESSFUL")
	s.expire(expired) // by the timer
	s.becomes(expired, "NOT_FOUND")
}

// released waits until no Job is held any more for its outcome to be recorded.
func (s suite) released(all []ref) {
	s.Helper()
	for _, r := range all {
		s.wait("the release of the Jobs of "+r.ID, func(ctx context.Context) error {
			jobs, err := s.batch.Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
			if err != nil {
				return err
			}
			for _, j := range jobs.Items {
				if len(j.Finalizers) > 0 {
					return fmt.Errorf("%s has %v", j.Name, j.Finalizers)
				}
			}
			return nil
		})
	}
}

// With a Broker, events outlive that jobupdate is away.
func TestBroker(t *testing.T) {
	s := newSuite(t)
	if _, err := s.kubectl(t.Context(), "", "--namespace=knative-eventing", "get", "deployment", "mt-broker-ingress"); err != nil {
		t.Skip("NOT TESTED: there is no broker; bring the cluster up with --broker")
	}
	dir := t.TempDir()
	below, err := relative(dir, s.overlay)
	s.must(err)
	components, err := relative(dir, filepath.Join(s.root, "kservices"))
	s.must(err)
	text := "resources: [" + below + "]\ncomponents: [" + components + "/broker]\n"
	s.must(write(filepath.Join(dir, "kustomization.yaml"), text), s.deploy(t.Context(), dir))
	t.Cleanup(func() {
		_, err := s.kubectl(context.Background(), "", "delete", "broker/runs", "trigger/jobupdate")
		if err := errors.Join(err, s.deploy(context.Background(), s.overlay)); err != nil {
			t.Error(err)
		}
	})
	_, err = s.kubectl(
		t.Context(),
		"",
		"wait",
		"--for=condition=Ready",
		"--timeout=3m",
		"broker/runs",
		"trigger/jobupdate",
		"apiserversource/runs",
	)
	s.must(err)
	r := s.run("fine")
	s.becomes(r, "SUCCESSFUL")
	s.released([]ref{r})
}
