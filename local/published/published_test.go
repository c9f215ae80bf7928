// Package published takes a job through its whole life on this backend with the Go client that was published for the first
// backend, which existing programs use. It is a separate module, because that client registers the same message names as
// ours.
package published

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	api "github.com/ag-computational-bio/bakta-web-api-go/bakta/web/api/proto/v1"
)

const genome = ">contig_1\nTTGACATTTTCCTAGGAGGTTAACAATGAAACGCATTAGCACCACCATTACCACCACCATCACCATTACCACAGGTAACGGTGCGGGCTGA\n"

// serve builds the command bakta-web, starts a local backend and returns its URL.
func serve(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "bakta-web")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/bakta-web")
	build.Dir = ".."
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off") // as the Makefile builds it
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the command: %v\n%s", err, out)
	}
	c := exec.Command(program, "local", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--bakta", "stand-in")
	c.Env = append(os.Environ(), "BAKTA_STAND_IN_STEP_DELAY=0ms")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := c.Wait(); err != nil {
			t.Errorf("the backend's end: %v", err)
		}
	})
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the backend prints no URL: %v", err)
	}
	return strings.TrimSpace(url)
}

// dial connects as programs do that know only the address of this backend.
func dial(t *testing.T, url string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestPublished(t *testing.T) {
	conn := dial(t, serve(t))
	t.Run("client", func(t *testing.T) { testClient(t, conn) })
	t.Run("gateway", func(t *testing.T) { testGateway(t, conn) })
}

// testClient takes a job through its whole life, with all refusals on the way.
func testClient(t *testing.T, conn *grpc.ClientConn) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	jobs, updates := api.NewBaktaJobsClient(conn), api.NewBaktaStatusUpdateClient(conn)

	version, err := jobs.Version(ctx, &api.Empty{})
	if err != nil || version.GetToolVersion() == "" || version.GetDbVersion() == "" || version.GetBackendVersion() == "" {
		t.Errorf("version: %v, %v", version, err)
	}
	made, err := jobs.InitJob(ctx, &api.InitJobRequest{RepliconTableType: api.RepliconTableType_TSV, Name: "published"})
	if err != nil {
		t.Fatal(err)
	}
	job := made.GetJob()
	stranger := &api.JobAuth{JobID: job.GetJobID(), Secret: "wrong"}
	unknown := &api.JobAuth{JobID: "123e4567-e89b-42d3-a456-426614174000", Secret: "x"}
	config := &api.JobConfig{HasReplicons: true, TranslationalTable: 11, MinContigLength: 1, DermType: api.DermType_DIDERM,
		Genus: "Escherichia", LocusTag: "TAG"}
	start := func(job *api.JobAuth, c *api.JobConfig) error {
		_, err := jobs.StartJob(ctx, &api.StartJobRequest{Job: job, Config: c})
		return err
	}

	refused(t, "a start without a genome", start(job, config), codes.InvalidArgument)
	upload(t, made.GetUploadLinkFasta(), genome)
	refused(t, "a start without the table that it promises", start(job, config), codes.InvalidArgument)
	upload(t, made.GetUploadLinkReplicons(), "contig_1\tchr\tchromosome\tcircular\tmain\n")
	upload(t, made.GetUploadLinkProdigal(), "")
	refused(t, "a stranger's start", start(stranger, config), codes.Unauthenticated)
	refused(t, "a start of nothing", start(unknown, config), codes.NotFound)
	refused(t, "a start with a bad option", start(job, &api.JobConfig{TranslationalTable: 5}), codes.InvalidArgument)
	_, err = jobs.JobResult(ctx, job)
	refused(t, "a result before the start", err, codes.FailedPrecondition)
	for range 2 {
		if err := start(job, config); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "another start", start(job, &api.JobConfig{Genus: "Salmonella"}), codes.AlreadyExists)

	// The call of the containers of jobs, for a job and for an unknown ID.
	for _, id := range []string{job.GetJobID(), unknown.GetJobID(), "x", ""} {
		if _, err := updates.UpdateStatus(ctx, &api.UpdateStatusRequest{JobID: id}); err != nil {
			t.Errorf("a status update of %q: %v", id, err)
		}
	}

	list := &api.JobStatusRequestList{Jobs: []*api.JobAuth{unknown, job, stranger, {JobID: "x"}}}
	for done := false; !done; {
		all, err := jobs.JobsStatus(ctx, list)
		if err != nil {
			t.Fatal(err)
		}
		if len(all.GetJobs()) != 1 || len(all.GetFailedJobs()) != 3 {
			t.Fatalf("list: %v", all)
		}
		for i, want := range []api.JobFailedStatus{api.JobFailedStatus_NOT_FOUND, api.JobFailedStatus_UNAUTHORIZED,
			api.JobFailedStatus_NOT_FOUND} {
			if got := all.GetFailedJobs()[i].GetJobStatus(); got != want {
				t.Errorf("failed job %d is %s, want %s", i, got, want)
			}
		}
		now := all.GetJobs()[0]
		if now.GetJobID() != job.GetJobID() || now.GetName() != "published" || now.GetStarted() == nil || now.GetUpdated() == nil {
			t.Errorf("listed: %v", now)
		}
		switch now.GetJobStatus() {
		case api.JobStatusEnum_SUCCESSFULL:
			done = true
		case api.JobStatusEnum_ERROR:
			_, err := jobs.JobResult(ctx, job)
			t.Fatalf("the job failed: %v", err)
		default:
			time.Sleep(100 * time.Millisecond) // between two looks
		}
	}

	result, err := jobs.JobResult(ctx, job)
	if err != nil {
		t.Fatal(err)
	}
	if result.GetJobID() != job.GetJobID() || result.GetName() != "published" || result.GetStarted() == nil || result.GetUpdated() == nil {
		t.Errorf("result: %v", result)
	}
	files := result.GetResultFiles().AsMap()
	for _, key := range []string{"EMBL", "FAA", "FAAHypothetical", "FFN", "FNA", "GBFF", "GFF3", "JSON", "TSV", "TSVHypothetical",
		"TSVInference", "TXTLogs", "PNGCircularPlot", "SVGCircularPlot"} {
		link, ok := files[key].(string)
		if !ok {
			t.Errorf("%s is %v", key, files[key])
			continue
		}
		if content := download(t, link); key == "JSON" && !json.Valid([]byte(content)) {
			t.Errorf("JSON: %.200s", content)
		}
		delete(files, key)
	}
	if len(files) > 0 {
		t.Errorf("these result files are too many: %v", files)
	}

	_, err = jobs.Delete(ctx, stranger)
	refused(t, "a stranger's delete", err, codes.Unauthenticated)
	if _, err := jobs.Delete(ctx, job); err != nil {
		t.Fatal(err)
	}
	_, err = jobs.Delete(ctx, job)
	refused(t, "a second delete", err, codes.NotFound)
	_, err = jobs.JobResult(ctx, job)
	refused(t, "the result of a deleted job", err, codes.NotFound)
	all, err := jobs.JobsStatus(ctx, &api.JobStatusRequestList{Jobs: []*api.JobAuth{job}})
	if err != nil || len(all.GetJobs()) != 0 || len(all.GetFailedJobs()) != 1 {
		t.Errorf("the list of a deleted job: %v, %v", all, err)
	}
}

// testGateway puts the published client's REST gateway, which was the front of the first backend, in front of this one.
func testGateway(t *testing.T, conn *grpc.ClientConn) {
	mux := runtime.NewServeMux()
	if err := api.RegisterBaktaJobsHandler(t.Context(), mux, conn); err != nil {
		t.Fatal(err)
	}
	gateway := httptest.NewServer(mux)
	t.Cleanup(gateway.Close)
	call := func(method, path, body string) map[string]any {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, gateway.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		code, content := do(t, request)
		var answer map[string]any
		if err := json.Unmarshal([]byte(content), &answer); err != nil || code != http.StatusOK {
			t.Fatalf("%s %s: status %d: %s", method, path, code, content)
		}
		return answer
	}
	made := call(http.MethodPost, "/api/v1/job/init", `{"name":"by the old gateway","repliconTableType":"CSV"}`)
	upload(t, fmt.Sprint(made["uploadLinkFasta"]), genome)
	job, err := json.Marshal(made["job"])
	if err != nil {
		t.Fatal(err)
	}
	call(http.MethodPost, "/api/v1/job/start",
		`{"job":`+string(job)+`,"config":{"completeGenome":true,"translationalTable":11,"locusTag":"TAG"}}`)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) { // between two looks
		list := fmt.Sprint(call(http.MethodPost, "/api/v1/job/list", `{"jobs":[`+string(job)+`]}`))
		if strings.Contains(list, "SUCCESSFULL") {
			break
		}
		if strings.Contains(list, "ERROR") || time.Now().After(deadline) {
			t.Fatalf("the job: %s", list)
		}
	}
	result := call(http.MethodPost, "/api/v1/job/result", string(job))
	if files, ok := result["ResultFiles"].(map[string]any); !ok || len(files) != 14 {
		t.Errorf("result: %v", result)
	}
}

// refused checks that a call ended with a code and a text.
func refused(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if s := status.Convert(err); s.Code() != code || s.Message() == "" {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func upload(t *testing.T, link, content string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, link, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if code, answer := do(t, request); code != http.StatusOK {
		t.Fatalf("uploading: status %d: %s", code, answer)
	}
}

func download(t *testing.T, link string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	code, content := do(t, request)
	if code != http.StatusOK {
		t.Fatalf("downloading: status %d: %s", code, content)
	}
	return content
}

func do(t *testing.T, request *http.Request) (code int, content string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}
