package client

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
)

func TestRerun(t *testing.T) {
	t.Parallel()
	const old, key = `"job":{"job_id":"` + id + `","secret":"` + secret + `"}`, `"request_key":"a-random-key-of-a-test"`
	const answered = `{"job":{"job_id":"00000000-0000-4000-8000-000000000002","secret":"s"},"workflow_kind":"bakta","warnings":[` +
		`{"code":"small_genome","upload_kind":"genome_fasta","message":"Small."}]}`
	made := Made{Job: Ref{ID: "00000000-0000-4000-8000-000000000002", Secret: "s"}, Workflow: "bakta"}
	warnings := []Warning{{Code: "small_genome", Kind: "genome_fasta", Message: "Small."}}
	for _, row := range []struct {
		name string
		rerun
		sent string
	}{
		{"as before", rerun{}, `{` + old + `,` + key + `}`},
		{"with the default options", rerun{Config: &Config{}}, `{"config":{},` + old + `,` + key + `}`},
		{"with others", rerun{Config: &Config{SkipPlot: true}, Name: "n"}, `{"config":{"skip_plot":true},` + old + `,"name":"n",` + key + `}`},
	} {
		// The answers that are lost, or say to try again, are followed by the same request.
		s := serve(t, hangUp, answer(503, `"busy"`), answer(429, `"many"`, "Retry-After", "0"), answer(200, answered))
		row.Job, row.RequestKey = ref, "a-random-key-of-a-test"
		got, warned, err := s.client(t, Options{}).V2().Rerun(t.Context(), Rerun(row.rerun))
		if err != nil || cmp.Diff(made, got) != "" || cmp.Diff(warnings, warned) != "" {
			t.Errorf("%s: %+v, %+v, %v", row.name, got, warned, err)
		}
		requests := s.requests()
		if len(requests) != 4 {
			t.Errorf("%s: %d requests", row.name, len(requests))
		}
		for _, r := range requests {
			r.Body = compact(t, r.Body)
			if diff := cmp.Diff(request{"POST", "/api/v2/job/rerun", compact(t, row.sent)}, r); diff != "" {
				t.Errorf("%s (-want +got):\n%s", row.name, diff)
			}
		}
	}
}

// rerun is a Rerun to embed in a row.
type rerun Rerun

func TestRerunRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		status    int
		body      string
		code      codes.Code
		says      string
		transient bool
	}{
		{404, `"Job not found"`, codes.NotFound, "running the job again: Job not found", false},
		{404, `"there is nothing at this path"`, codes.Unimplemented, "it is an older server; submit the file again", false},
		{405, `"no such method"`, codes.Unimplemented, "it is an older server", false},
		{409, `"request_key: it was used before"`, codes.AlreadyExists, "used before", false},
		{503, `"busy"`, codes.Unavailable, "busy", true},
		{200, `{"job":{"job_id":"../x","secret":"s"}}`, codes.OK, "", false},
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(row.status)
			io.WriteString(w, row.body)
		})
		_, _, err := s.client(t, Options{Patience: -1}).V2().Rerun(t.Context(), Rerun{Job: ref, RequestKey: "a-random-key-of-a-test"})
		if err == nil || CodeOf(err) != row.code || !strings.Contains(err.Error(), row.says) || Transient(err) != row.transient {
			t.Errorf("%d %s: %v", row.status, row.body, err)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "a-random-key")) {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
}
