package client

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inFull answers the state of the job, with more fields.
func inFull(status, version, more string) http.HandlerFunc {
	return answer(200, `{"job_id":"`+id+`","name":"E. coli","batch":"","workflow_kind":"bakta","result_kind":"bakta","status":"`+status+
		`","created":"2026-01-31T12:00:00Z","run":0,"stages":[],"version":"`+version+`"`+more+`}`)
}

func TestState(t *testing.T) {
	t.Parallel()
	s := serve(t, inFull("running", "v", `,"started":"2026-01-31T12:01:00Z","began":"2026-01-31T12:02:00Z","stage":"bakta",`+
		`"stages":[{"stage":"bakta","status":"running"}],"progress":{"step":2,"steps":24,"text":"predict tRNAs"},"run":1,`+
		`"queue":{"place":3,"length":9},"expected":{"end":"2026-01-31T12:09:00Z","runs":7},"failure":{"code":"internal","message":"m"}`))
	got, err := s.client(t, Options{}).V2().State(t.Context(), ref, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute int) time.Time { return time.Date(2026, 1, 31, 12, minute, 0, 0, time.UTC) }
	want := JobState{
		Status: Status{ID: id, State: Running, Name: "E. coli", Started: at(1), Workflow: "bakta", ResultKind: "bakta", Stage: "bakta",
			Progress: &Progress{2, 24, "predict tRNAs"}, Queue: &Queue{3, 9}, Expected: &Expected{End: at(9), Runs: 7},
			Failure: &Failure{Code: "internal", Message: "m"}},
		Created: at(0), Began: at(2), Run: 1, Stages: []StageState{{"bakta", "running"}}, Version: "v",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := serve(t, answer(200, `{}`)).client(t, Options{}).V2().State(t.Context(), ref, 0, ""); err == nil {
		t.Error("an answer without a job is taken for its state")
	}
}

// Watch passes the version of each state, and pauses after an answer that came early and says nothing new.
func TestWatch(t *testing.T) {
	t.Parallel()
	s := serve(
		t,
		inFull("init", "1", `,"waiting":true`),
		inFull("running", "2", ""),
		inFull("running", "2", ""),
		inFull("successful", "3", ""),
	)
	var seen []string
	last, err := s.client(t, Options{}).V2().Watch(t.Context(), ref, time.Millisecond, func(s JobState, err error) {
		seen = append(seen, s.Version)
		if err != nil {
			t.Error(err)
		}
	})
	if err != nil || last.State != Successful {
		t.Errorf("%+v, %v", last, err)
	}
	if diff := cmp.Diff([]string{"1", "2", "2", "3"}, seen); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, r := range s.requests() {
		got = append(got, strings.TrimPrefix(r.Target, "/api/v2/job/status?"))
	}
	query := "job_id=" + id + "&secret=" + secret
	if diff := cmp.Diff([]string{query, "after=1&" + query + "&wait=25", "after=2&" + query + "&wait=25", "after=2&" + query + "&wait=25"},
		got); diff != "" {
		t.Error(diff)
	}
}

// An older server has no such call, and answers like one that does not have the job.
func TestWatchOfAnOlderServer(t *testing.T) {
	t.Parallel()
	list := func(jobs, failed string) http.HandlerFunc {
		return answer(200, `{"jobs":[`+jobs+`],"failed_jobs":[`+failed+`]}`)
	}
	row := func(status string) string {
		return `{"job_id":"` + id + `","status":"` + status + `","workflow_kind":"bakta","started":"2026-01-31T12:00:00Z"}`
	}
	for _, refusal := range []int{404, 405, 501} {
		s := serve(t, answer(refusal, `"no"`), list(row("running"), ""), list(row("successful"), ""))
		last, err := s.client(t, Options{}).V2().Watch(t.Context(), ref, time.Millisecond, nil)
		if err != nil || last.State != Successful || last.Version != "" {
			t.Errorf("%d: %+v, %v", refusal, last, err)
		}
	}
	for status, want := range map[string]State{"not_found": NotFound, "unauthorized": Unauthorized} {
		s := serve(t, answer(map[string]int{"not_found": 404, "unauthorized": 401}[status], `"no"`),
			list("", `{"job_id":"`+id+`","status":"`+status+`"}`))
		if last, err := s.client(t, Options{}).V2().Look(t.Context(), ref); err != nil || last.State != want {
			t.Errorf("%+v, %v", last, err)
		}
	}
	// A job that is deleted while it is watched.
	s := serve(t, inFull("running", "1", ""), answer(404, `"Job not found"`), list("", `{"job_id":"`+id+`","status":"not_found"}`))
	if last, err := s.client(t, Options{}).V2().Watch(t.Context(), ref, time.Millisecond, nil); err != nil || last.State != NotFound {
		t.Errorf("%+v, %v", last, err)
	}
}
