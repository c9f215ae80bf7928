package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// counter is a proxy of an S3 store that counts requests.
type counter struct{ requests atomic.Int64 }

func (c *counter) to(t *testing.T, s teststores.S3) teststores.S3 {
	t.Helper()
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(u)
		r.Out.Host = r.In.Host // the signature covers it
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.Endpoint = server.URL
	return s
}

// TestCallsAskNoMoreThanTheirFloors counts the requests of each call to the stores, and those of its floor. With distant
// stores, their number determines the time of a call.
func TestCallsAskNoMoreThanTheirFloors(t *testing.T) {
	ctx := t.Context()
	var called, floored counter
	uri, database := teststores.Mongo(t)
	bucket := teststores.Bucket(t)
	w, err := newWorld(ctx, endpoints{mongo: uri, backend: called.to(t, bucket), raw: floored.to(t, bucket)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s, err := w.newSite(ctx, database, "some", 400)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(ctx, s.jobs, s.templates, s.numbers, s.count, func(int) {}); err != nil {
		t.Fatal(err)
	}
	db := s.jobs.Database()
	// The server's profiler records every operation on this database. Its own collection has a megabyte, and loses the first ones.
	profile := options.CreateCollection().SetCapped(true).SetSizeInBytes(64 << 20)
	if err := db.CreateCollection(ctx, "system.profile", profile); err != nil {
		t.Fatal(err)
	}
	if err := db.RunCommand(ctx, bson.D{{Key: "profile", Value: 2}}).Err(); err != nil {
		t.Fatal(err)
	}
	operations := func() int64 {
		n, err := db.Collection("system.profile").CountDocuments(ctx, bson.D{{Key: "ns", Value: bson.D{{Key: "$in", Value: bson.A{
			s.jobs.Database().Name() + "." + collection, s.jobs.Database().Name() + "." + s.past().Name(),
			s.jobs.Database().Name() + ".annotationLimits"}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	compare := func(s *site, f figure, more int64) func(t *testing.T) {
		return func(t *testing.T) {
			step, err := f.open(s, ctx, 2)
			if err != nil {
				t.Fatal(err)
			}
			if step.renew != nil {
				if err := step.renew(ctx); err != nil {
					t.Fatal(err)
				}
			}
			asked := func(do func(context.Context, int) error, c *counter) (mongo, s3 int64) {
				t.Helper()
				if err := do(ctx, 0); err != nil { // opens connections
					t.Fatal(err)
				}
				mongo, s3 = operations(), c.requests.Load()
				if err := do(ctx, 1); err != nil {
					t.Fatal(err)
				}
				return operations() - mongo, c.requests.Load() - s3
			}
			mongo, s3 := asked(step.call, &called)
			leastMongo, leastS3 := asked(step.floor, &floored)
			t.Logf("MongoDB %d, S3 %d", mongo, s3)
			// Behind its answer, a call for an active job may have its manifest searched for: a find and a GET. The calls of both jobs
			// may have begun one.
			searches := int64(0)
			if f.name == "JobState of a job that runs" {
				searches = 2
			}
			if mongo < leastMongo || mongo > leastMongo+more+searches || s3 < leastS3 || s3 > leastS3+searches {
				t.Errorf("the call asks MongoDB %d and S3 %d times, its floor %d and %d times", mongo, s3, leastMongo, leastS3)
			}
			if step.close != nil {
				if err := step.close(ctx); err != nil {
					t.Error(err)
				}
			}
		}
	}
	l, err := s.limited()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures() {
		t.Run(f.name, compare(s, f, 0))
		if f.limited() { // a call is counted by at most one operation
			t.Run(f.name+" with limits", compare(l, f, 1))
		}
	}
}

// TestStockIsWhatTheStoreWrites reads jobs that were stored in bulk with the store that normally writes them.
func TestStockIsWhatTheStoreWrites(t *testing.T) {
	ctx := t.Context()
	uri, database := teststores.Mongo(t)
	bucket := teststores.Bucket(t)
	w, err := newWorld(ctx, endpoints{mongo: uri, backend: bucket, raw: bucket})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	const count = 1500 // more than one batch
	s, err := w.newSite(ctx, database, "some", count)
	if err != nil {
		t.Fatal(err)
	}
	if err := fill(ctx, s.jobs, s.templates, s.numbers, s.count, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.jobs.CountDocuments(ctx, bson.D{}); n != count || err != nil {
		t.Errorf("%d jobs are stored, %v, want %d", n, err, count)
	}
	etags := make(map[string]bool)
	for n := range 40 {
		p := s.numbers.job(n)
		j, err := s.store.Get(ctx, p.id)
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Authorise(job.Key{Secret: p.secret}); err != nil || string(j.State) != stateOf(n) || !j.Due.Equal(j.Expires) {
			t.Errorf("job %d: %v, %+v", n, err, j)
		}
		if age := time.Since(j.Created); age < 0 || age > keep+time.Minute || time.Until(j.Due) < 0 {
			t.Errorf("job %d was created %s ago and is due in %s", n, age, time.Until(j.Due))
		}
		if j.State == succeeded && (len(j.Results) != 14 || len(j.Logs) != 1) {
			t.Errorf("job %d: %d results, %d logs", n, len(j.Results), len(j.Logs))
		}
		for _, f := range j.Results {
			if etags[f.ETag] || !strings.Contains(f.Key, p.dir) || !strings.HasPrefix(f.Key, "jobs/"+p.id+"/") {
				t.Errorf("job %d: file %+v", n, f)
			}
			etags[f.ETag] = true
		}
	}
}

// TestReport checks the verdicts.
func TestReport(t *testing.T) {
	var out strings.Builder
	r := report{measure.NewReport(&out)}
	sites := []*site{{label: "few"}, {label: "many"}}
	flat := func(d time.Duration) measure.Sample {
		var s measure.Sample
		for range 100 {
			s = append(s, d)
		}
		return s
	}
	all := []measured{
		{figure: figure{name: "good"}, call: []measure.Sample{flat(140), flat(150)}, floor: []measure.Sample{flat(100), flat(100)}},
		{figure: figure{name: "slow"}, call: []measure.Sample{flat(160), flat(160)}, floor: []measure.Sample{flat(100), flat(100)}},
		{figure: figure{name: "grows"}, call: []measure.Sample{flat(100), flat(130)}, floor: []measure.Sample{flat(100), flat(100)}},
	}
	if err := r.calls(sites, all); err != nil {
		t.Fatal(err)
	}
	if r.Missed != 2 { // "slow", on both sites
		t.Errorf("%d targets of calls are missed, want 2:\n%s", r.Missed, &out)
	}
	r.Missed = 0
	if err := r.growth(sites[0], sites[1], all); err != nil {
		t.Fatal(err)
	}
	if r.Missed != 1 || r.Unclear != 0 {
		t.Errorf("%d targets of growth are missed, want 1:\n%s", r.Missed, &out)
	}
	r.Missed = 0
	if err := r.limits(all); err != nil {
		t.Fatal(err)
	}
	if r.Missed != 1 { // "grows"
		t.Errorf("%d targets of limits are missed, want 1:\n%s", r.Missed, &out)
	}
	r.Missed = 0
	if err := r.starts(
		flat(5*time.Millisecond),
		[]started{{"soon", flat(49 * time.Millisecond)}, {"late", flat(51 * time.Millisecond)}},
	); err != nil {
		t.Fatal(err)
	}
	if r.Missed != 1 {
		t.Errorf("%d programs are late, want 1:\n%s", r.Missed, &out)
	}
	r.Missed = 0
	loads := []loaded{
		{load: load{name: "Good" + severally, target: 0.7}, calls: 100, took: flat(1e8), floors: flat(75e6), empties: flat(25e6),
			used: flat(2e8), usedFloors: flat(1e8), usedEmptyCalls: flat(1e8)},
		{load: load{name: "Slow" + severally, target: 0.8}, calls: 100, took: flat(1e8), floors: flat(75e6), empties: flat(25e6),
			used: flat(2e8), usedFloors: flat(1e8), usedEmptyCalls: flat(1e8)},
	}
	if err := r.loads(loads); err != nil || r.Missed != 1 { // "Slow"
		t.Errorf("%d targets of several callers are missed, want 1: %v\n%s", r.Missed, err, &out)
	}
	text := loadsText(loads, "6", []float64{3, 20})
	for _, want := range []string{
		"| Good |  |  | 0 |  | 1.00 (2.00) | 0.75 (1.00) | 0.25 (1.00) | 0.75 | 0.75 (0.50) | 0.7 (reached) |\n",
		"| 0.8 (missed) |\n", "between 3 and 20", "100 rounds each",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report does not contain %q:\n%s", want, text)
		}
	}
}
