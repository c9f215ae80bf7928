//go:build e2e

package backend_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// A job from its making to its removal by REST, with every function at zero before.
func TestRESTFromZero(t *testing.T) {
	s := newSuite(t)
	s.atZero(functions()...)
	r := s.run("fine")
	s.becomes(r, "SUCCESSFUL")
	s.results(r)
	code, answer, err := s.call(t.Context(), http.MethodGet, "/job/logs"+r.query(), nil)
	s.must(err)
	if text, _ := answer["text"].(string); code != http.StatusOK || !strings.HasPrefix(text, "Bakta Command: ") {
		t.Errorf("the log is answered %d: %v", code, answer)
	}
	if code, answer, err := s.call(t.Context(), http.MethodDelete, "/delete"+r.query(), nil); err != nil || code != http.StatusOK {
		t.Errorf("the delete is answered %d: %v, %v", code, answer, err)
	}
	if code, _, err := s.call(t.Context(), http.MethodDelete, "/job/delete"+r.query(), nil); err != nil || code != http.StatusNotFound {
		t.Errorf("the second delete is answered %d, %v", code, err)
	}
	if got, err := s.state(t.Context(), r); err != nil || got != "NOT_FOUND" {
		t.Errorf("the job is %s, %v", got, err)
	}
	s.gone(r)
}

// The same by gRPC, which REST's clients have nothing to do with but the host.
func TestGRPCFromZero(t *testing.T) {
	s := newSuite(t)
	s.atZero(functions()...)
	api := pb.NewBaktaJobsClient(s.rpc)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	made, err := api.InitJob(ctx, &pb.InitJobRequest{Name: "a test"})
	s.must(err, upload(ctx, made.GetUploadLinkFasta(), genome))
	_, err = api.StartJob(ctx, &pb.StartJobRequest{Job: made.GetJob(), Config: &pb.JobConfig{Strain: "fine"}})
	s.must(err)
	r := ref{ID: made.GetJob().GetJobID(), Secret: made.GetJob().GetSecret()}
	s.wait("the end of the job", func(ctx context.Context) error {
		list, err := api.JobsStatus(ctx, &pb.JobStatusRequestList{Jobs: []*pb.JobAuth{r.auth()}})
		if err != nil {
			return err
		}
		switch got := list.GetJobs()[0].GetJobStatus(); got {
		case pb.JobStatusEnum_SUCCESSFUL:
			return nil
		case pb.JobStatusEnum_ERROR:
			_, err := api.JobResult(ctx, r.auth())
			t.Fatal(err)
			return err
		default:
			return fmt.Errorf("it is %s", got)
		}
	})
	result, err := api.JobResult(ctx, r.auth())
	s.must(err)
	if n := len(result.GetResultFiles().GetFields()); n < 10 {
		t.Errorf("the result has %d files", n)
	}
	body, err := api.Logs(ctx, &pb.LogsRequest{JobID: r.ID, Secret: r.Secret})
	s.must(err)
	if !strings.HasPrefix(string(body.GetData()), "Bakta Command: ") {
		t.Errorf("the log is %q", body.GetData())
	}
	_, err = api.Delete(ctx, r.auth())
	s.must(err)
	if _, err := api.Delete(ctx, r.auth()); status.Code(err) != codes.NotFound {
		t.Errorf("the second delete is answered %v", err)
	}
	s.gone(r)
}

// A job whose time is over is removed by the timer's next sweep.
func TestExpiry(t *testing.T) {
	s := newSuite(t)
	r := s.run("fine")
	s.becomes(r, "SUCCESSFUL")
	s.expire(r)
	s.becomes(r, "NOT_FOUND")
	s.gone(r)
}

// expire makes a job's time be over, once it owes nothing: whoever records that sets the time when it is due, too.
func (s suite) expire(r ref) {
	s.Helper()
	past := time.Now().Add(-time.Second)
	s.wait("what job "+r.ID+" owes to be done", func(ctx context.Context) error {
		found, err := s.database.Collection("annotationJobs").UpdateOne(ctx, bson.M{"_id": r.ID, "owed.0": bson.M{"$exists": false}},
			bson.M{"$set": bson.M{"expires": past, "due": past}})
		if err == nil && found.ModifiedCount != 1 {
			err = fmt.Errorf("the job's document: %+v", found)
		}
		return err
	})
}

// What is served behind the one host, and that nothing else is.
func TestOneHost(t *testing.T) {
	s := newSuite(t)
	ask := func(h, method, path string, header map[string]string) (int, string) {
		t.Helper()
		code, text, err := request{at: s.target.ingress, host: h, method: method, path: path, header: header}.do(t.Context())
		s.must(err)
		return code, text
	}
	for path, want := range map[string]string{"/": "<html", "/api-docs/": "<html", "/api-docs/openapi.json": `"swagger"`,
		"/api/v1/version": "toolVersion"} {
		if code, text := ask(s.target.host, http.MethodGet, path, nil); code != http.StatusOK || !strings.Contains(text, want) {
			t.Errorf("GET %s is answered %d: %s", path, code, trimmed(text))
		}
	}
	preflight := map[string]string{
		"Origin":                         "https://bakta.example.org",
		"Access-Control-Request-Method":  "POST",
		"Access-Control-Request-Headers": "content-type",
	}
	for _, path := range []string{"/api/v1/job/init", "/api/v1/job/list", "/api/v1/delete"} {
		if code, text := ask(s.target.host, http.MethodOptions, path, preflight); code/100 != 2 {
			t.Errorf("OPTIONS %s is answered %d: %s", path, code, trimmed(text))
		}
	}
	event := map[string]string{"Ce-Id": "1", "Ce-Specversion": "1.0", "Ce-Source": "/outside", "Ce-Type": "dev.knative.sources.ping"}
	for _, h := range []string{s.target.host, "jobupdate.bakta.svc.cluster.local", "expire.bakta.svc.cluster.local", "jobupdate.bakta",
		"expire.bakta." + s.target.domain} {
		for _, path := range []string{"/events", "/sweep", "//sweep", "/api-docs/../sweep", "/api-docs/%2e%2e/sweep",
			"/api/v1/delete/../../../sweep", "/api/v1/delete/sweep", "/healthz"} {
			if code, text := ask(h, http.MethodPost, path, event); code/100 == 2 || code/100 == 3 && !strings.Contains(text, "api-docs") {
				t.Errorf("POST http://%s%s is answered %d: %s", h, path, code, trimmed(text))
			}
		}
	}
}
