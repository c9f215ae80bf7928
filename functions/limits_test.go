package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/cloudevent"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// limited is a backend with limits, on the real stores, behind one proxy that writes the address of the caller.
type limited struct {
	testing.TB
	url   string
	grpc  *grpc.ClientConn
	jobs  *mongo.Store
	files *s3.Store
	clock atomic.Int64 // how far it is ahead, in nanoseconds
	all   *functions.Functions

	refusals, uncounted atomic.Int32
}

func (l *limited) Refused(context.Context, string) { l.refusals.Add(1) }
func (l *limited) Uncounted(context.Context)       { l.uncounted.Add(1) }

func (l *limited) now() time.Time { return limitNoon.Add(time.Duration(l.clock.Load())) }

// A century ahead: MongoDB removes documents of callers that are over by its own clock, once a minute.
var limitNoon = time.Date(2126, 3, 1, 12, 0, 0, 0, time.UTC)

// idle is a runner whose runs wait.
type idle struct{}

func (idle) Launch(_ context.Context, j job.Job) (string, error) {
	return job.ObjectName(j.ID, j.Run), nil
}
func (idle) Observe(context.Context, job.Job) (job.Observation, error) {
	return job.Observation{Phase: job.Waiting}, nil
}
func (idle) Log(context.Context, job.Job, string) (io.ReadCloser, error)  { return nil, missing("log") }
func (idle) Tail(context.Context, job.Job, string, int64) ([]byte, error) { return nil, missing("log") }
func (idle) Release(context.Context, job.Job) error                       { return nil }
func (idle) Discard(context.Context, job.Job) error                       { return nil }
func (idle) Stop(context.Context, string) error                           { return nil }

func serveLimited(t testing.TB, limits settings.Caller) *limited {
	t.Helper()
	uri, database := teststores.Mongo(t)
	bucket := teststores.Bucket(t)
	l := &limited{TB: t}
	l.jobs = must(mongo.New(mongo.Options{URI: uri, Database: database}))
	l.files = must(s3.New(s3.Options{Endpoint: bucket.Endpoint, Region: bucket.Region, Bucket: bucket.Bucket,
		AccessKey: bucket.AccessKey, SecretKey: bucket.SecretKey}))
	t.Cleanup(func() {
		l.files.Close()
		_ = l.jobs.Close(context.Background())
	})
	if err := l.jobs.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.files.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	set := settings.Default()
	set.Caller = limits
	set.Caller.IPv4Prefix, set.Caller.IPv6Prefix = 32, 64
	log := slog.New(slog.DiscardHandler)
	limiter := must(functions.NewLimiter(functions.LimitParts{
		Limits: l.jobs, Jobs: l.jobs, Secret: []byte("secret"), Recorder: l, Now: l.now, Log: log,
	}, set))
	l.all = must(functions.New(functions.Parts{
		Jobs: l.jobs, Files: l.files, Runner: idle{}, Offered: workflow.Catalogue(), Now: l.now, Log: log, Holder: "test",
		Limiter: limiter, Turns: l.jobs,
	}, set))
	srv := must(server.New(server.Options{
		Log: log, Proxies: caller.Proxies{Count: 1}, Admit: limiter.Admit, Finish: limiter.Finish, ReadEvent: cloudevent.Read,
	}))
	if err := errors.Join(l.all.Register(srv), l.all.RegisterEvents(srv)); err != nil {
		t.Fatal(err)
	}
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	l.url = "http://" + listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Run(ctx, listener) }()
	l.grpc = must(grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())))
	t.Cleanup(func() {
		_ = l.grpc.Close()
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l
}

// answered is an answer, by any way.
type answered struct {
	refused bool // by a limit
	limit   string
	after   time.Duration
	policy  string
	left    string
	id      string
	secret  string
}

// way is one of the ways to call the backend.
type way struct {
	name    string
	version int
	rest    bool
}

func ways() []way {
	return []way{{"v1", 1, true}, {"v2", 2, true}, {"v1 by gRPC", 1, false}, {"v2 by gRPC", 2, false}}
}

// call calls "version", "init", "start" or "delete" from an address. An answer other than success and 429 ends the test.
func (l *limited) call(w way, from, what string, of answered) answered {
	l.Helper()
	if w.rest {
		return l.callREST(w, from, what, of)
	}
	return l.callGRPC(w, from, what, of)
}

func (l *limited) callREST(w way, from, what string, of answered) answered {
	l.Helper()
	method, path, body := http.MethodGet, "version", ""
	switch what {
	case "init":
		method, path, body = http.MethodPost, "job/init", `{"name":"n","repliconTableType":"CSV"}`
		if w.version == 2 {
			body = `{"name":"n","workflow_kind":"bakta"}`
		}
	case "start":
		method, path = http.MethodPost, "job/start"
		if body = fmt.Sprintf(`{"job":{"jobID":%q,"secret":%q}}`, of.id, of.secret); w.version == 2 {
			body = fmt.Sprintf(`{"job":{"job_id":%q,"secret":%q},"workflow_kind":"bakta","config":{}}`, of.id, of.secret)
		}
	case "delete":
		method, path = http.MethodDelete, "job/delete?jobID="+of.id+"&secret="+of.secret
		if w.version == 2 {
			path = "job/delete?job_id=" + of.id + "&secret=" + of.secret
		}
	}
	request := must(
		http.NewRequestWithContext(l.Context(), method, fmt.Sprintf("%s/api/v%d/%s", l.url, w.version, path), strings.NewReader(body)),
	)
	request.Header.Set("X-Forwarded-For", "198.51.100.1, "+from)
	response := must(http.DefaultClient.Do(request))
	defer response.Body.Close()
	content := must(io.ReadAll(response.Body))
	a := answered{policy: response.Header.Get("RateLimit-Policy"), left: response.Header.Get("RateLimit"), id: of.id, secret: of.secret}
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		a.refused = true
		a.after = time.Duration(must(strconv.Atoi(response.Header.Get("Retry-After")))) * time.Second
		text := string(content)
		if w.version == 1 {
			var e struct{ Message string }
			if err := json.Unmarshal(content, &e); err != nil {
				l.Fatalf("%s: %s", err, content)
			}
			text = e.Message
		}
		_, rest, _ := strings.Cut(text, "the limit ")
		a.limit, _, _ = strings.Cut(rest, " is reached: ")
	case response.StatusCode != http.StatusOK:
		l.Fatalf("%s %s answers %s: %s", w.name, what, response.Status, content)
	case what == "init":
		var made struct {
			Job struct {
				JobID1 string `json:"jobID"`
				JobID2 string `json:"job_id"`
				Secret string `json:"secret"`
			} `json:"job"`
		}
		if err := json.Unmarshal(content, &made); err != nil {
			l.Fatal(err)
		}
		a.id, a.secret = made.Job.JobID1+made.Job.JobID2, made.Job.Secret
	}
	return a
}

func (l *limited) callGRPC(w way, from, what string, of answered) answered {
	l.Helper()
	ctx := metadata.AppendToOutgoingContext(l.Context(), "x-forwarded-for", "198.51.100.1, "+from)
	one, two := protov1.NewBaktaJobsClient(l.grpc), protov2.NewBaktaJobsClient(l.grpc)
	a := answered{id: of.id, secret: of.secret}
	var err error
	switch {
	case what == "version" && w.version == 1:
		_, err = one.Version(ctx, &protov1.Empty{})
	case what == "version":
		_, err = two.Version(ctx, &protov2.VersionRequest{})
	case what == "init" && w.version == 1:
		var made *protov1.InitJobResponse
		if made, err = one.InitJob(ctx, &protov1.InitJobRequest{Name: "n"}); err == nil {
			a.id, a.secret = made.GetJob().GetJobID(), made.GetJob().GetSecret()
		}
	case what == "init":
		var made *protov2.InitJobResponse
		made, err = two.InitJob(ctx, &protov2.InitJobRequest{Name: "n", WorkflowKind: protov2.WorkflowKind_WORKFLOW_KIND_BAKTA})
		if err == nil {
			a.id, a.secret = made.GetJob().GetJobId(), made.GetJob().GetSecret()
		}
	case what == "start" && w.version == 1:
		_, err = one.StartJob(ctx, &protov1.StartJobRequest{Job: &protov1.JobAuth{JobID: of.id, Secret: of.secret}})
	case what == "start":
		_, err = two.StartJob(ctx, &protov2.StartJobRequest{
			Job: &protov2.JobRef{
				JobId:  of.id,
				Secret: of.secret,
			}, WorkflowKind: protov2.WorkflowKind_WORKFLOW_KIND_BAKTA, Config: &protov2.JobConfig{},
		})
	case what == "delete" && w.version == 1:
		_, err = one.Delete(ctx, &protov1.JobAuth{JobID: of.id, Secret: of.secret})
	case what == "delete":
		_, err = two.Delete(ctx, &protov2.DeleteRequest{JobId: of.id, Secret: of.secret})
	}
	switch st := status.Convert(err); {
	case err == nil:
	case st.Code() != codes.ResourceExhausted:
		l.Fatalf("%s %s answers %v", w.name, what, err)
	default:
		a.refused = true
		for _, d := range st.Details() {
			switch d := d.(type) {
			case *errdetails.RetryInfo:
				a.after = d.GetRetryDelay().AsDuration()
			case *errdetails.ErrorInfo:
				a.limit = d.GetMetadata()["limit"]
			}
		}
	}
	return a
}

// upload uploads a genome for a job.
func (l *limited) upload(id string) {
	l.Helper()
	must(l.files.Put(l.Context(), job.UploadKey(id, upload.GenomeFASTA), bytes.NewReader([]byte(genome)), int64(len(genome))))
}

// Each limit allows what is below and at its bound, and refuses what is above, by both versions and gRPC; and it allows calls again
// when the time has passed or a job has left the list.
func TestLimits(t *testing.T) {
	bakta, _ := workflow.Lookup(workflow.Bakta)
	var perJob int64
	for _, u := range bakta.Uploads {
		perJob += u.MaxSize
	}
	for _, row := range []struct {
		name   string
		limits settings.Caller
		bound  int
		policy string
		use    func(l *limited, w way, from string) answered // one more
		open   func(l *limited, w way, from string, first answered)
	}{
		{"calls-per-minute", settings.Caller{CallsPerMinute: 3}, 3, `"calls-per-minute";q=3;w=60`, func(l *limited, w way, from string) answered {
			return l.call(w, from, "version", answered{})
		}, func(l *limited, _ way, _ string, _ answered) { l.clock.Add(int64(66 * time.Second)) }},
		{"starts-per-hour", settings.Caller{StartsPerHour: 3}, 3, `"starts-per-hour";q=3;w=3600`, startOne,
			func(l *limited, _ way, _ string, _ answered) { l.clock.Add(int64(66 * time.Minute)) }},
		{"starts-per-day", settings.Caller{StartsPerDay: 2}, 2, `"starts-per-day";q=2;w=86400`, startOne,
			func(l *limited, _ way, _ string, _ answered) { l.clock.Add(int64(27 * time.Hour)) }},
		{"unstarted-jobs", settings.Caller{Unstarted: 3}, 3, `"unstarted-jobs";q=3;qu="concurrent-requests"`, initOne,
			func(l *limited, w way, from string, first answered) { l.call(w, from, "delete", first) }},
		{"unstarted-jobs", settings.Caller{Unstarted: 3}, 3, `"unstarted-jobs";q=3;qu="concurrent-requests"`, initOne,
			func(l *limited, w way, from string, first answered) {
				l.upload(first.id)
				l.call(w, from, "start", first)
			}},
		{"upload-bytes", settings.Caller{UploadBytes: 2 * perJob}, 2, fmt.Sprintf(`"upload-bytes";q=%d;qu="content-bytes"`, 2*perJob), initOne,
			func(l *limited, w way, from string, first answered) { l.call(w, from, "delete", first) }},
		{"active-jobs", settings.Caller{Active: 3}, 3, `"active-jobs";q=3;qu="concurrent-requests"`, startOne,
			func(l *limited, w way, from string, first answered) {
				if ok, err := l.jobs.Finish(l.Context(), first.id, 1, job.End{State: job.Succeeded}); !ok || err != nil {
					l.Fatal(ok, err)
				}
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			l := serveLimited(t, row.limits)
			for i, w := range ways() {
				from := fmt.Sprintf("192.0.2.%d", i+1)
				var first answered
				for n := 1; n <= row.bound; n++ {
					a := row.use(l, w, from)
					if a.refused {
						t.Fatalf("%s: use %d of %d is refused by %q", w.name, n, row.bound, a.limit)
					}
					if n == 1 {
						first = a
					}
					left := (row.bound - n)
					if row.name == "upload-bytes" {
						left *= int(perJob)
					}
					if want := fmt.Sprintf(`"%s";r=%d`, row.name, left); w.rest && (a.policy != row.policy || !strings.HasPrefix(a.left, want)) {
						t.Errorf("%s: use %d has the policy %s and %s left, want %s and %s", w.name, n, a.policy, a.left, row.policy, want)
					}
				}
				over := row.use(l, w, from)
				if !over.refused || over.limit != row.name || over.after < time.Second ||
					w.rest && (over.policy != row.policy || !strings.HasPrefix(over.left, fmt.Sprintf(`"%s";r=0`, row.name))) {
					t.Errorf("%s: use %d of %d: %+v", w.name, row.bound+1, row.bound, over)
				}
				if other := row.use(l, w, "203.0.113."+strconv.Itoa(i+1)); other.refused {
					t.Errorf("%s: another caller is refused by %s", w.name, other.limit)
				}
				row.open(l, w, from, first)
				if again := row.use(l, w, from); again.refused {
					t.Errorf("%s: refused by %s for longer than needed", w.name, again.limit)
				}
			}
			if n := l.refusals.Load(); int(n) != len(ways()) || l.uncounted.Load() != 0 {
				t.Errorf("%d refusals are recorded, %d calls were not counted", n, l.uncounted.Load())
			}
		})
	}
}

func initOne(l *limited, w way, from string) answered { return l.call(w, from, "init", answered{}) }

// startOne creates a job, from an address without limits, and starts it.
func startOne(l *limited, w way, from string) answered {
	made := l.call(w, "unknown", "init", answered{})
	l.upload(made.id)
	return l.call(w, from, "start", made)
}

// A retry after the time that a refusal names succeeds.
func TestRetryAfter(t *testing.T) {
	l := serveLimited(t, settings.Caller{CallsPerMinute: 2})
	for _, w := range ways() {
		for range 5 {
			a := l.call(w, "192.0.2.1", "version", answered{})
			for range 2 {
				if !a.refused {
					l.clock.Add(int64(7 * time.Second))
					a = l.call(w, "192.0.2.1", "version", answered{})
				}
			}
			if !a.refused {
				continue
			}
			if a.after > 66*time.Second {
				t.Errorf("%s: try again in %s", w.name, a.after)
			}
			l.clock.Add(int64(a.after))
			if a := l.call(w, "192.0.2.1", "version", answered{}); a.refused {
				t.Errorf("%s: still refused", w.name)
			}
		}
	}
}

// A network of IPv6 is one caller, and so is an IPv4 address however it is written. A call of an unknown address has no limit.
func TestCallers(t *testing.T) {
	l := serveLimited(t, settings.Caller{CallsPerMinute: 1})
	w := ways()[0]
	for _, row := range []struct {
		from    string
		refused bool
	}{
		{"2001:db8:1:2::1", false}, {"2001:db8:1:2:ffff::2", true}, {"[2001:db8:1:2::3]:1234", true}, {"2001:db8:1:3::1", false},
		{"192.0.2.1", false}, {"::ffff:192.0.2.1", true}, {"192.0.2.1:99", true}, {"192.0.2.2", false},
	} {
		if a := l.call(w, row.from, "version", answered{}); a.refused != row.refused {
			t.Errorf("%s: refused %t", row.from, a.refused)
		}
	}
}

// What is repeated because its answer was lost counts once, and what fails before it has an effect is counted as a call alone.
func TestCountedOnce(t *testing.T) {
	l := serveLimited(t, settings.Caller{StartsPerHour: 2, Active: 2, Unstarted: 2, CallsPerMinute: 12})
	w := ways()[0]
	first, second := initOne(l, w, "192.0.2.1"), initOne(l, w, "192.0.2.1")
	l.upload(first.id)
	l.upload(second.id)
	for range 3 {
		if a := l.call(w, "192.0.2.1", "start", first); a.refused {
			t.Fatalf("the same start again is refused by %s", a.limit)
		}
	}
	client := protov1.NewBaktaJobsClient(l.grpc)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "192.0.2.1")
	for range 3 { // a wrong secret
		_, err := client.StartJob(ctx, &protov1.StartJobRequest{Job: &protov1.JobAuth{JobID: second.id, Secret: first.secret}})
		if status.Code(err) != codes.Unauthenticated {
			t.Fatal(err)
		}
	}
	if a := l.call(w, "192.0.2.1", "start", second); a.refused {
		t.Errorf("the second start is refused by %s", a.limit)
	}
	third := initOne(l, w, "192.0.2.1")
	l.upload(third.id)
	if a := l.call(w, "192.0.2.1", "start", third); a.limit != "starts-per-hour" {
		t.Errorf("the third start is refused by %q", a.limit)
	}
	if a := l.call(w, "192.0.2.1", "version", answered{}); a.refused { // the twelfth call
		t.Errorf("the twelfth call is refused by %s", a.limit)
	}
	_, err := client.StartJob(ctx, &protov1.StartJobRequest{Job: &protov1.JobAuth{JobID: third.id, Secret: first.secret}})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a call above the limit that fails otherwise: %v", err)
	}
}

// Runs call the backend, too, and are not limited; nor are events.
func TestRunsAreNotLimited(t *testing.T) {
	l := serveLimited(t, settings.Caller{CallsPerMinute: 1})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-forwarded-for", "192.0.2.1")
	for range 3 {
		_, err := protov1.NewBaktaStatusUpdateClient(l.grpc).
			UpdateStatus(ctx, &protov1.UpdateStatusRequest{JobID: "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"})
		if status.Code(err) == codes.ResourceExhausted {
			t.Fatal(err)
		}
		request := must(http.NewRequestWithContext(t.Context(), http.MethodPost, l.url+"/sweep", http.NoBody))
		for name, value := range map[string]string{
			"Ce-Specversion": "1.0", "Ce-Id": "1", "Ce-Type": "t", "Ce-Source": "/s", "X-Forwarded-For": "192.0.2.1",
		} {
			request.Header.Set(name, value)
		}
		response := must(http.DefaultClient.Do(request))
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNoContent {
			t.Fatal(response.Status)
		}
	}
}

// A counter that can't be written lets calls pass, and is counted itself.
func TestUncounted(t *testing.T) {
	l := serveLimited(t, settings.Caller{CallsPerMinute: 1, Unstarted: 1, Active: 1})
	if err := l.jobs.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	broken := must(
		mongo.New(mongo.Options{URI: "mongodb://127.0.0.1:1/", Database: "d", Timeout: 100 * time.Millisecond}),
	)
	set := settings.Default()
	set.Caller = settings.Caller{CallsPerMinute: 1, IPv4Prefix: 32, IPv6Prefix: 64}
	limiter := must(functions.NewLimiter(functions.LimitParts{
		Limits: broken, Jobs: broken, Secret: []byte("s"), Recorder: l, Now: l.now, Log: slog.New(slog.DiscardHandler),
	}, set))
	who := caller.Caller{Subject: "someone"}
	for n := range 4 {
		method := "/" + protov1.BaktaJobs_ServiceDesc.ServiceName + "/Version"
		ctx, err := limiter.Admit(t.Context(), who, method)
		if err == nil {
			err = limiter.Finish(ctx, nil)
		}
		if err != nil || int(l.uncounted.Load()) != n+1 {
			t.Errorf("call %d: %v, %d not counted", n, err, l.uncounted.Load())
		}
	}
}

// Two hundred calls of one caller at once, by all ways, never exceed a limit, and reach it.
func TestLimitsAtOnce(t *testing.T) {
	const calls, bound = 200, 70
	l := serveLimited(t, settings.Caller{Active: bound, Unstarted: 150, CallsPerMinute: 1_000_000})
	all := ways()
	atOnce := func(n int, do func(i int) bool) int {
		var done atomic.Int32
		var group sync.WaitGroup
		begin := make(chan struct{})
		for i := range n {
			group.Go(func() {
				<-begin
				if do(i) {
					done.Add(1)
				}
			})
		}
		close(begin)
		group.Wait()
		return int(done.Load())
	}
	made := make([]answered, calls)
	if n := atOnce(calls, func(i int) bool {
		made[i] = initOne(l, all[i%len(all)], "192.0.2.1")
		return !made[i].refused
	}); n != 150 {
		t.Errorf("%d jobs were created, the limit is 150", n)
	}
	made = slices.DeleteFunc(made, func(a answered) bool { return a.refused })
	for _, a := range made {
		l.upload(a.id)
	}
	if n := atOnce(len(made), func(i int) bool { return !l.call(all[i%2*2], "192.0.2.1", "start", made[i]).refused }); n != bound {
		t.Errorf("%d jobs were started, the limit is %d", n, bound)
	}
	active := 0
	for _, a := range made {
		if j := must(l.jobs.Get(t.Context(), a.id)); j.State.Active() {
			active++
		}
	}
	if active != bound {
		t.Errorf("%d jobs are active, the limit is %d", active, bound)
	}
}

// A start above the caller's share of runs is accepted and waits. The end of a job launches the next one, and so does the sweep.
func TestTurns(t *testing.T) {
	l := serveLimited(t, settings.Caller{Launched: 2})
	w, from := ways()[1], "192.0.2.1"
	var jobs []answered
	for range 5 {
		if a := startOne(l, w, from); a.refused {
			t.Fatalf("a start is refused by %s", a.limit)
		} else {
			jobs = append(jobs, a)
		}
		l.clock.Add(int64(time.Second))
	}
	other := startOne(l, w, "192.0.2.2")
	launched := func(want ...bool) {
		t.Helper()
		for i, a := range jobs {
			if j := must(l.jobs.Get(t.Context(), a.id)); (j.RunName != "") != want[i] || j.Start.Waits == want[i] {
				t.Errorf("job %d: launched as %q, waits: %t", i, j.RunName, j.Start.Waits)
			}
		}
		if j := must(l.jobs.Get(t.Context(), other.id)); j.RunName == "" {
			t.Error("the job of another caller waits")
		}
	}
	launched(true, true, false, false, false)
	// The two that are launched and wait for a node, with the one of the other caller, and the three that wait for their turn.
	for i, want := range [][2]int32{{1, 3}, {2, 3}, {1, 3}, {2, 3}, {3, 3}} {
		state := must(protov2.NewBaktaJobsClient(l.grpc).JobState(t.Context(),
			&protov2.JobStateRequest{JobId: jobs[i].id, Secret: jobs[i].secret}))
		if q := state.GetQueue(); int32(q.GetPlace()) != want[0] || int32(q.GetLength()) != want[1] || state.GetExpected() != nil {
			t.Errorf("job %d is shown in the queue as %v, expected %v", i, q, state.GetExpected())
		}
	}
	l.clock.Add(int64(time.Minute))
	sweep := func() {
		t.Helper()
		if swept, err := must(l.all.Expire()).Sweep(t.Context()); err != nil || swept.Failed > 0 {
			t.Fatal(swept, err)
		}
	}
	sweep()
	launched(true, true, false, false, false)
	l.clock.Add(int64(25 * time.Hour)) // longer than Job.PendingTimeout
	sweep()
	launched(true, true, false, false, false)

	l.end(jobs[1].id)
	if err := must(l.all.JobUpdate()).Look(t.Context(), jobs[1].id); err != nil {
		t.Fatal(err)
	}
	launched(true, true, true, false, false)
	l.call(w, from, "delete", jobs[0])
	l.clock.Add(int64(time.Minute))
	jobs = jobs[1:] // its document has been emptied
	sweep()
	launched(true, true, true, false)
}

// end stores the outcome of a job's run.
func (l *limited) end(id string) {
	l.Helper()
	put := func(key string, content []byte) job.File {
		return must(l.files.Put(l.Context(), key, bytes.NewReader(content), int64(len(content))))
	}
	result := put(job.RunPrefix(id, 1)+"result.json", []byte("{}"))
	result.Name = "json"
	put(job.ManifestKey(id, 1), must(json.Marshal(stage.Manifest{
		Version: stage.ManifestVersion, Job: id, Run: 1, Outcome: stage.Succeeded,
		Stages: []stage.Result{{Name: "bakta", Status: job.StageSucceeded}}, Files: []job.File{result},
	})))
}
