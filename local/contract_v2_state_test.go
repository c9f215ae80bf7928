package local_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// statesV2 are requests for the state of one job in full. None of them waits for long.
func statesV2() []exchange {
	get := func(name, query string, status int, answer string) exchange {
		return exchange{"status: " + name, http.MethodGet, "/api/v2/job/status" + query, "", status, answer}
	}
	const (
		created = `{"job_id":"@created.id","name":"a job","batch":"","workflow_kind":"bakta_baktfold","result_kind":"bakta","status":"init",` +
			`"waiting":false,"created":"<time>","updated":"<time>","expires":"<time>","run":0,"stages":[],` +
			`"notifications":[],"version":"<~^[A-Za-z0-9_-]{12}$>"}`
		ended = `{"job_id":"@ended.id","name":"E. coli","batch":"","workflow_kind":"bakta","result_kind":"bakta","status":"successful",` +
			`"created":"<time>","started":"<time>","began":"<time>","ended":"<time>","updated":"<time>","expires":"<time>",` +
			`"run":1,"config":"<any>","stages":[{"stage":"bakta","status":"succeeded"}],"notifications":[],"version":"<text>"}`
		failed = `{"job_id":"@failed.id","name":"failed","batch":"","workflow_kind":"bakta","result_kind":"bakta","status":"error",` +
			`"created":"<time>","started":"<time>","began":"<time>","ended":"<time>","updated":"<time>","expires":"<time>",` +
			`"run":1,"config":"<any>","stages":[{"stage":"bakta","status":"failed"}],` +
			`"failure":{"code":"bad_input","message":"<~^Bakta >","stage":"bakta"},` +
			`"notifications":[],"version":"<text>"}`
		number = "wait must be a (whole )?number|wait is too large"
	)
	return []exchange{
		get("created", "?@created?", 200, created),
		get("ended", "?@ended?", 200, ended),
		get("failed", "?@failed?", 200, failed),
		get(
			"the id in capitals comes back so",
			"?job_id=@ended.ID&secret=@ended.secret",
			200,
			strings.ReplaceAll(ended, "@ended.id", "@ended.ID"),
		),
		get("lowerCamelCase", "?jobId=@ended.id&secret=@ended.secret", 200, ended),
		get("after without a wait", "?@created?&after=x", 200, created),
		get("an ended job does not wait", "?@ended?&wait=25", 200, ended),
		get("a huge wait for a job that differs", "?@created?&wait=9000000000000000000&after=other", 200, created),
		get("after of any text", "?@created?&wait=25&after=%00%F0%9F%A7%AC%20"+strings.Repeat("x", 5000), 200, created),
		get("an empty wait", "?@created?&wait=&after=", 200, created),
		get("a whole number in another form", "?@created?&wait=0.0", 200, created),
		get("wait 0", "?@created?&wait=0", 200, created),
		get("a negative wait", "?@created?&wait=-1", 400, saying("wait: .*negative")),
		get("a negative wait of an unknown job", "?job_id="+unknownID+"&secret=x&wait=-1", 400, saying("wait: .*negative")),
		get("wait is a text", "?@created?&wait=soon", 400, saying(number)),
		get("wait with a unit", "?@created?&wait=5s", 400, saying(number)),
		get("wait is a fraction", "?@created?&wait=0.5", 400, saying(number)),
		get("wait is out of range", "?@created?&wait=99999999999999999999", 400, saying(number)),
		get("two waits", "?@created?&wait=1&wait=2", 400, saying("wait more than once")),
		get("deleted", "?@deleted?", 404, `"Job not found"`),
		get("deleted, and a wait", "?@deleted?&wait=25", 404, `"Job not found"`),
		get("unknown", "?job_id="+unknownID+"&secret=x&wait=25&after=x", 404, `"Job not found"`),
		get("a wrong secret", "?job_id=@ended.id&wait=25&secret="+wrongSecret, 401, `"Unauthorized"`),
		get("no secret", "?job_id=@ended.id", 401, `"Unauthorized"`),
		get("no UUID", "?job_id=%27%20OR%201=1&secret=x", 400, saying("id of a job")),
		get("nothing", "", 400, saying("id of a job")),
		{"status: POST", http.MethodPost, "/api/v2/job/status", "@created", 405, saying("GET")},
	}
}

// shown is what an answer says of the state of a job.
type shown struct {
	Status   string
	Stage    string
	Stages   []struct{ Stage, Status string }
	Progress *struct {
		Step, Steps int
		Text        string
	}
	Queue    *struct{ Place, Length int }
	Expected *struct {
		Start, End time.Time
		LatestEnd  time.Time `json:"latest_end"`
		Runs       int
	}
	Failure *struct{ Code, Message, Stage string }
	Version string
}

// ask returns the state of a job, after waiting for a change of a version.
func (s *siteV2) ask(ctx context.Context, m madeV2, wait int, after string) (answer, error) {
	return attempt(ctx, s.http1, http.MethodGet, fmt.Sprintf("%s/api/v2/job/status?%s&wait=%d&after=%s", s.url, m.query(), wait, after), "")
}

// shows is ask for a state that must be available.
func (s *siteV2) shows(t *testing.T, m madeV2, wait int, after string) shown {
	t.Helper()
	a, err := s.ask(t.Context(), m, wait, after)
	if err != nil || a.status != http.StatusOK {
		t.Fatalf("the state of a job: %d %s, %v", a.status, a.body, err)
	}
	return decode[shown](t, a.body)
}

// follow waits for changes until the state is as wanted. Each answer must come because of a change: the bound is less than a wait.
func (s *siteV2) follow(t *testing.T, m madeV2, what string, wanted func(shown) bool) shown {
	t.Helper()
	now := s.shows(t, m, 0, "")
	for !wanted(now) {
		if now.Status == "successful" || now.Status == "error" {
			t.Fatalf("the job has ended, and was never as wanted: %s: %+v", what, now)
		}
		began := time.Now()
		next := s.shows(t, m, 25, now.Version)
		if next.Version == now.Version || time.Since(began) > 24*time.Second {
			t.Fatalf("no change of %+v was reported in %v; wanted is %s", now, time.Since(began), what)
		}
		now = next
	}
	return now
}

// testStateV2 follows jobs by their states alone: one that runs, and those that wait for it.
func testStateV2(t *testing.T, s *siteV2) {
	runs := s.startedV2(t, "runs", `{"strain":"play-hang"}`)
	at := s.follow(t, runs, "a step", func(now shown) bool { return now.Progress != nil && now.Progress.Text != "" })
	if at.Status != "running" || at.Stage != "bakta" || at.Progress.Step < 1 || at.Progress.Step > at.Progress.Steps || at.Queue != nil ||
		at.Failure != nil || at.Expected != nil {
		t.Errorf("a job that runs: %+v", at)
	}
	first, second := s.startedV2(t, "first", `{}`), s.startedV2(t, "second", `{}`)
	now := s.follow(t, second, "a place", func(now shown) bool { return now.Queue != nil })
	if now.Status != "init" || now.Queue.Place != 2 || now.Queue.Length != 2 || now.Stage != "" || now.Progress != nil {
		t.Errorf("a job that waits: %+v", now)
	}
	s.removeV2(t, first)
	s.follow(t, second, "a better place", func(now shown) bool { return now.Queue != nil && now.Queue.Place == 1 })

	// gRPC waits, too.
	conn := protov2.JobStateRequest{JobId: second.Job.ID, Secret: second.Job.Secret, Wait: 25}
	type outcome struct {
		answer *protov2.JobStateResponse
		err    error
	}
	waited := make(chan outcome, 1)
	go func() {
		answer, err := s.v2.JobState(t.Context(), &conn)
		waited <- outcome{answer, err}
	}()
	s.removeV2(t, runs) // its place is free
	if o := <-waited; o.err != nil || o.answer.GetQueue() != nil || o.answer.GetVersion() == "" {
		t.Errorf("by gRPC: %v, %v", o.answer, o.err)
	}
	var steps []int
	end := s.follow(t, second, "its end", func(now shown) bool {
		if now.Progress != nil {
			steps = append(steps, now.Progress.Step)
		}
		return now.Status == "successful"
	})
	if !slices.IsSorted(steps) || end.Stage != "" || end.Progress != nil || end.Queue != nil {
		t.Errorf("after the steps %v: %+v", steps, end)
	}

	// Nothing changes any more: the answer comes when its time has come.
	began := time.Now()
	if still := s.shows(t, second, 1, end.Version); still.Version != end.Version || time.Since(began) < time.Second {
		t.Errorf("after %v: %+v", time.Since(began), still)
	}
	// Except that it is deleted.
	gone := make(chan answer, 1)
	go func() {
		a, err := s.ask(context.WithoutCancel(t.Context()), second, 25, end.Version)
		if err != nil {
			t.Error(err)
		}
		gone <- a
	}()
	s.removeV2(t, second)
	(<-gone).says(t, http.StatusNotFound, "^Job not found$")

	// A client that goes leaves nothing behind; the backend does not complain, see open.
	made := s.initV2(t, "made", "bakta")
	before := s.shows(t, made, 0, "")
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.ask(ctx, made, 25, before.Version)
		left <- err
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("a client that goes: %v", err)
	}
	// The deadline of a caller counts.
	short, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	state, err := s.v2.JobState(short, &protov2.JobStateRequest{JobId: made.Job.ID, Secret: made.Job.Secret, Wait: 20, After: before.Version})
	if err != nil || state.GetVersion() != before.Version {
		t.Errorf("with a deadline: %v, %v", state, err)
	}
	_, err = s.v2.JobState(t.Context(), &protov2.JobStateRequest{JobId: made.Job.ID, Secret: made.Job.Secret, Wait: -1})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("a negative wait: %v", err)
	}
	s.removeV2(t, made)
}

// testExpectationsV2 lets as many jobs succeed as an expectation needs. Then a job that waits for one that hangs expects to start
// any moment, because no job took so long, and to end soon after that.
func testExpectationsV2(t *testing.T, s *siteV2) {
	var jobs []madeV2
	for range 5 {
		m := s.startedV2(t, "past", `{}`)
		s.follow(t, m, "its end", func(now shown) bool { return now.Status == "successful" })
		jobs = append(jobs, m)
	}
	hangs := s.startedV2(t, "hangs", `{"strain":"play-hang"}`)
	s.follow(t, hangs, "a step", func(now shown) bool { return now.Progress != nil })
	waits := s.startedV2(t, "waits", `{}`)
	now := s.follow(t, waits, "a place", func(now shown) bool { return now.Queue != nil })
	if e := now.Expected; e == nil || e.Runs < 5 || e.Start.IsZero() || e.End.Before(e.Start) || e.LatestEnd.Before(e.End) ||
		time.Until(e.End) < -time.Minute || time.Until(e.LatestEnd) > 10*time.Minute {
		t.Errorf("a job that waits expects %+v", e)
	}
	s.until(t, "the job takes longer than any before", func() bool { return s.shows(t, hangs, 0, "").Expected == nil })
	for _, m := range append(jobs, hangs, waits) {
		s.removeV2(t, m)
	}
}

// TestStateAtTheEnd checks that calls that wait are answered when the backend stops.
func TestStateAtTheEnd(t *testing.T) {
	t.Parallel()
	s := openV2(t, "--bakta", "stand-in")
	made := s.initV2(t, "made", "bakta")
	s.http1 = s.http2 // one connection, whose requests begin in order
	before := s.shows(t, made, 0, "")
	answers, sent := make(chan answer, 1), make(chan struct{})
	ctx := httptrace.WithClientTrace(context.WithoutCancel(t.Context()), &httptrace.ClientTrace{
		WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) },
	})
	go func() {
		a, err := s.ask(ctx, made, 25, before.Version)
		if err != nil {
			t.Error(err)
		}
		answers <- a
	}()
	<-sent
	s.get(t, "/api/v2/version")
	began := time.Now()
	s.stop()
	if a := <-answers; a.status != http.StatusOK || decode[shown](t, a.body).Version != before.Version {
		t.Errorf("answered %d: %s", a.status, a.body)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the backend took %v to stop while a call waited", took)
	}
}
