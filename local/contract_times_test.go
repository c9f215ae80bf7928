package local_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// testTimes holds what the times of a job mean, from its creation to its end.
func testTimes(t *testing.T, s *site) {
	type times struct{ Started, Updated time.Time }
	listed := func(m made) times {
		t.Helper()
		a := s.post(t, "/api/v1/job/list", `{"jobs":[`+m.auth()+`]}`)
		return decode[struct{ Jobs [1]times }](t, a.body).Jobs[0]
	}
	before := time.Now().Truncate(time.Millisecond) // as times are kept
	m := s.ready(t, "times")
	created := listed(m)
	if !created.Started.Equal(created.Updated) || created.Started.Before(before) || created.Started.After(time.Now()) {
		t.Errorf("a job that was not started: %v, created after %v", created, before)
	}
	if again := listed(m); again != created {
		t.Errorf("without a change the times go from %v to %v", created, again)
	}
	s.start(t, m, `{}`).must(t, `{}`)
	started := listed(m)
	if started.Started.Before(created.Started) || started.Updated.Before(started.Started) {
		t.Errorf("a job that was started: %v, created at %v", started, created.Started)
	}
	s.await(t, m, "SUCCESSFUL")
	ended := listed(m)
	if !ended.Started.Equal(started.Started) || ended.Updated.Before(started.Updated) || ended.Updated.After(time.Now()) {
		t.Errorf("a job that ended: %v, after its start %v", ended, started)
	}
	if result := decode[times](t, s.post(t, "/api/v1/job/result", m.auth()).body); result != ended {
		t.Errorf("the result says %v, the list %v", result, ended)
	}
}

// testLogs reads a log whole and in parts.
func testLogs(t *testing.T, s *site) {
	m := s.ready(t, "logs")
	if log := s.log(t, m); log != "" {
		t.Errorf("the log of a job that was not started: %q", log)
	}
	s.start(t, m, `{"genus":"Escherichia"}`).must(t, `{}`)
	s.await(t, m, "SUCCESSFUL")
	whole := s.log(t, m)
	if !strings.HasPrefix(whole, "Bakta Command: ") || !strings.Contains(whole, "\nAnnotation successfully finished in ") {
		t.Fatalf("the log: %s", whole)
	}
	for _, c := range []*http.Client{s.http1, s.http2} {
		for query, want := range map[string]string{
			"?" + m.query(): whole,
			"?secret=" + m.Job.Secret + "&jobId=" + m.Job.JobID:     whole,
			"?" + m.query() + "&offset=":                            whole,
			"?" + m.query() + "&offset=100":                         whole[100:],
			"?" + m.query() + "&offset=" + strconv.Itoa(len(whole)): "",
			"?" + m.query() + "&offset=1000000000000":               "",
		} {
			a := send(t, c, http.MethodGet, s.url+"/api/v1/job/logs"+query, "")
			if a.status != http.StatusOK || a.body != want || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
				t.Errorf("%s: status %d, %s: %q", strings.ReplaceAll(query, m.Job.Secret, "…"), a.status, a.header.Get("Content-Type"), a.body)
			}
		}
	}
}
