//go:build e2e

package backend_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The faults of alertCases. Each returns what mends it.

// crash lets the programs of three jobs fail.
func (a *alerting) crash(s suite) (mend func()) {
	for range 3 {
		s.becomes(s.run("fail-traceback"), "ERROR")
	}
	return func() {}
}

// withoutJobUpdate deletes jobupdate, and runs jobs.
func (a *alerting) withoutJobUpdate(s suite) (mend func()) {
	s.missing("ksvc/jobupdate")
	var mu sync.Mutex
	var all []ref
	stop := s.meanwhile(1, 15*time.Second, func(ctx context.Context) {
		r, err := s.create(ctx)
		if err == nil {
			err = s.begin(ctx, r, "fine")
		}
		if err != nil { // if many fail, another alert shows it
			return
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, r)
	})
	return func() {
		stop()
		a.redeploy()
		for _, r := range all {
			s.becomes(r, "SUCCESSFUL")
		}
	}
}

// missing deletes an object of the deployment.
func (s suite) missing(name string) {
	s.Helper()
	_, err := s.kubectl(s.Context(), "", "delete", name)
	s.must(err)
}

// slowStorage delays what S3 answers, and reads the log of a job.
func (a *alerting) slowStorage(s suite) (mend func()) {
	r := s.run("fine")
	s.becomes(r, "SUCCESSFUL")
	s.commits.delay.Store(int64(6 * time.Second)) // the alert is about more than 5 s
	s.Cleanup(func() { s.commits.delay.Store(0) })
	return s.meanwhile(10, time.Second, func(ctx context.Context) {
		_, _, _ = s.call(ctx, http.MethodGet, "/job/logs"+r.query(), nil) // its duration is what counts
	})
}

// meanwhile makes calls again and again, each caller with a pause after a call. What it returns ends that.
func (s suite) meanwhile(callers int, pause time.Duration, call func(ctx context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(s.Context())
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for ctx.Err() == nil {
				call(ctx)
				select {
				case <-ctx.Done():
				case <-time.After(pause):
				}
			}
		})
	}
	stop = func() { cancel(); group.Wait() }
	s.Cleanup(stop)
	return stop
}

// forbidJobs forbids Kubernetes Jobs by a quota, and starts jobs.
func (a *alerting) forbidJobs(s suite) (mend func()) {
	const quota = `{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {count/jobs.batch: 0}}}`
	s.applied(namespace, quota)
	s.wait("the quota", func(ctx context.Context) error {
		hard, err := s.kubectl(ctx, "", "get", "quota/none", "-o", "jsonpath={.status.hard}")
		if err == nil && hard == "" {
			err = errors.New("it is not counted yet")
		}
		return err
	})
	var all []ref
	for range 4 {
		all = append(all, s.run("fine"))
	}
	return func() {
		s.missing("quota/none")
		for _, r := range all {
			s.becomes(r, "SUCCESSFUL")
		}
	}
}

// refusePod starts a job whose pod is not admitted.
func (a *alerting) refusePod(s suite) (mend func()) {
	r, admit := s.queued()
	return func() {
		admit()
		s.becomes(r, "SUCCESSFUL")
	}
}

// withoutNotify deletes notify, and lets a job owe a message for longer than a quarter of an hour.
func (a *alerting) withoutNotify(s suite) (mend func()) {
	s.missing("ksvc/notify")
	var made created
	s.must(s.postV2(s.Context(), "/api/v2/job/init", map[string]string{"workflow_kind": "bakta", "name": "a test"}, &made))
	s.must(made.upload(s.Context()))
	r := made.ref()
	s.must(s.postV2(s.Context(), "/api/v2/job/submit", map[string]any{
		"job": map[string]string{"job_id": r.ID, "secret": r.Secret}, "workflow_kind": "bakta", "config": map[string]string{"strain": "fine"},
		"notify": map[string]string{"webhook": "https://" + s.target.mongo.Hostname() + ":1024/hook"}, // where nothing listens
	}, &struct{}{}))
	s.becomes(r, "SUCCESSFUL")
	jobs := s.database.Collection("annotationJobs")
	s.wait("the message to be owed since long", func(ctx context.Context) error {
		changed, err := jobs.UpdateOne(ctx, bson.M{"_id": r.ID, "deliveries.0.attempts": 0},
			bson.M{"$set": bson.M{"deliveries.0.owed": time.Now().Add(-20 * time.Minute)}})
		if err == nil && changed.MatchedCount != 1 {
			err = errors.New("no delivery is owed")
		}
		return err
	})
	// The sweep postpones the job by a minute each time. At the quicker pace, that is to the next sweep.
	stop := s.meanwhile(1, 2*time.Second, func(ctx context.Context) {
		if _, err := jobs.UpdateByID(ctx, r.ID, bson.M{"$min": bson.M{"due": time.Now()}}); err != nil && ctx.Err() == nil {
			s.Error(err)
		}
	})
	return func() {
		a.redeploy()
		s.wait("an attempt", func(ctx context.Context) error {
			n, err := jobs.CountDocuments(ctx, bson.M{"_id": r.ID, "deliveries.0.attempts": bson.M{"$gt": 0}})
			if err == nil && n == 0 {
				err = errors.New("there was none")
			}
			return err
		})
		stop()
	}
}

// cutMongo cuts MongoDB off from the pods, and makes calls and events.
func (a *alerting) cutMongo(s suite) (mend func()) {
	r := s.run("fine")
	s.becomes(r, "SUCCESSFUL")
	s.must(s.mongo.Shut())
	s.Cleanup(func() { s.must(s.mongo.Open()) })
	stop := s.meanwhile(4, time.Second, func(ctx context.Context) {
		_, _ = s.state(ctx, r) // refused; it is counted
		_, _, _ = request{at: s.target.inside, host: "jobupdate.bakta.svc.cluster.local", method: http.MethodPost, path: "/events",
			header: event("dev.knative.apiserver.ref.update", job.ObjectName(uuid.NewString(), 1)), body: "{}"}.do(ctx)
	})
	return func() {
		stop()
		s.must(s.mongo.Open())
		s.becomes(s.run("fine"), "SUCCESSFUL")
	}
}

// withoutTimer deletes the timer of the sweep.
func (a *alerting) withoutTimer(s suite) (mend func()) {
	s.missing("pingsource/sweep")
	return a.redeploy
}
