//go:build e2e

package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

const genome = ">contig_1\nATGACGTACGTTAGCATCGATCGATCGACTAGCTAGCATCGATCAGCTACGACTAGCATCAGCATCGACTACGACTAA\n"

// call makes a call of the REST API's first version through the one host. A body that isn't text is sent as JSON.
func (w *world) call(ctx context.Context, method, path string, body any) (int, map[string]any, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	code, text, err := request{at: w.target.ingress, host: w.target.host, method: method, path: "/api/v1" + path, body: string(content),
		header: map[string]string{"Content-Type": "application/json"}}.do(ctx)
	if err != nil {
		return 0, nil, err
	}
	answer := map[string]any{}
	if json.Unmarshal([]byte(text), &answer) != nil {
		answer = map[string]any{"text": text}
	}
	return code, answer, nil
}

// ref names a job and opens it.
type ref struct {
	ID     string `json:"jobID"`
	Secret string `json:"secret"`
}

func (r ref) auth() *pb.JobAuth { return &pb.JobAuth{JobID: r.ID, Secret: r.Secret} }

func (r ref) query() string { return "?jobID=" + r.ID + "&secret=" + r.Secret }

// refused is a call that was answered with an error.
type refused struct {
	code   int
	answer map[string]any
}

func (r *refused) Error() string { return fmt.Sprintf("answered %d: %v", r.code, r.answer) }

// create makes a job and uploads a small genome.
func (w *world) create(ctx context.Context) (ref, error) {
	r, link, err := w.initialise(ctx)
	if err != nil {
		return r, err
	}
	return r, upload(ctx, link, genome)
}

// initialise makes a job, and returns the link for its genome.
func (w *world) initialise(ctx context.Context) (ref, string, error) {
	code, made, err := w.call(ctx, http.MethodPost, "/job/init", map[string]string{"name": "a test", "repliconTableType": "TSV"})
	if err != nil {
		return ref{}, "", err
	}
	auth, ok := made["job"].(map[string]any)
	if code != http.StatusOK || !ok {
		return ref{}, "", &refused{code, made}
	}
	return ref{ID: auth["jobID"].(string), Secret: auth["secret"].(string)}, made["uploadLinkFasta"].(string), nil
}

func upload(ctx context.Context, link, content string) error {
	put, err := http.NewRequestWithContext(ctx, http.MethodPut, link, strings.NewReader(content))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(put)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the upload is answered %s", answer.Status)
	}
	return nil
}

// begin starts a job. What plays Bakta goes by the strain.
func (w *world) begin(ctx context.Context, r ref, strain string) error {
	code, answer, err := w.call(ctx, http.MethodPost, "/job/start", map[string]any{"job": r, "config": map[string]any{"strain": strain}})
	if err == nil && code != http.StatusOK {
		err = &refused{code, answer}
	}
	return err
}

// run makes a job and starts it.
func (s suite) run(strain string) ref {
	s.Helper()
	r, err := s.create(s.Context())
	s.must(err, s.begin(s.Context(), r, strain))
	return r
}

// state returns what the list says of a job.
func (w *world) state(ctx context.Context, r ref) (string, error) {
	code, answer, err := w.call(ctx, http.MethodPost, "/job/list", map[string]any{"jobs": []ref{r}})
	if err != nil {
		return "", err
	}
	for _, list := range []string{"jobs", "failedJobs"} {
		if jobs, _ := answer[list].([]any); code == http.StatusOK && len(jobs) == 1 {
			return jobs[0].(map[string]any)["jobStatus"].(string), nil
		}
	}
	return "", &refused{code, answer}
}

// becomes waits until the list says one of the states of a job.
func (s suite) becomes(r ref, states ...string) {
	s.Helper()
	s.wait(fmt.Sprintf("job %s to be %v", r.ID, states), func(ctx context.Context) error {
		got, err := s.state(ctx, r)
		if err != nil {
			return err
		}
		if slices.Contains(states, got) {
			return nil
		}
		if got == "ERROR" || got == "NOT_FOUND" || got == "SUCCESSFUL" && !slices.Contains(states, "NOT_FOUND") { // it stays so
			_, answer, err := s.call(ctx, http.MethodPost, "/job/result", r)
			s.Fatalf("job %s is %s, not %v: %v %v", r.ID, got, states, answer["message"], err)
		}
		return errors.New("it is " + got)
	})
}

// results downloads the files of a job that succeeded.
func (s suite) results(r ref) {
	s.Helper()
	code, answer, err := s.call(s.Context(), http.MethodPost, "/job/result", r)
	s.must(err)
	files, _ := answer["ResultFiles"].(map[string]any)
	if code != http.StatusOK || len(files) < 10 {
		s.Fatalf("the result is answered %d: %v", code, answer)
	}
	for _, key := range []string{"JSON", "GFF3", "TSV"} {
		link, _ := files[key].(string)
		if s.download(link) == "" {
			s.Errorf("%s is empty", key)
		}
	}
}

// download returns what a link leads to.
func (s suite) download(link string) string {
	s.Helper()
	get, err := http.NewRequestWithContext(s.Context(), http.MethodGet, link, nil)
	s.must(err)
	answer, err := http.DefaultClient.Do(get)
	s.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	s.must(err)
	if answer.StatusCode != http.StatusOK {
		s.Fatalf("a download is answered %s: %s", answer.Status, trimmed(string(content)))
	}
	return string(content)
}

// gone waits until nothing is left of a job: no object, no file, no document.
func (s suite) gone(r ref) {
	s.Helper()
	s.wait("the end of what job "+r.ID+" left", func(ctx context.Context) error {
		jobs, err := s.batch.Jobs(namespace).List(ctx, metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		if err != nil {
			return err
		}
		pods, err := s.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		if err != nil {
			return err
		}
		if n := len(jobs.Items) + len(pods.Items); n > 0 {
			return fmt.Errorf("%d Jobs and pods are left", n)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		//nolint:staticcheck // the first that is left is enough
		for o := range s.files.ListObjects(ctx, bucket, minio.ListObjectsOptions{Prefix: "jobs/" + r.ID, Recursive: true}) {
			if o.Err != nil {
				return o.Err
			}
			return errors.New(o.Key + " is left")
		}
		return nil
	})
}
