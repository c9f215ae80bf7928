package local_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// TestContract compares the backend with the requests and expectations of existing clients, byte for byte: all of it on the
// job database, and what has to do with it on a MongoDB, too; what has to do with files also in a bucket of an S3 store.
func TestContract(t *testing.T) {
	t.Parallel()
	for _, stores := range []string{"embedded", "mongod", "s3"} {
		t.Run(stores, func(t *testing.T) {
			t.Parallel()
			args := []string{"--bakta", "stand-in", "--jobs", "2", "--allow-origin", "https://bakta.computational.bio",
				"--allow-origin", "https://bakta.example.org"}
			if stores == "mongod" {
				args = append(args, "--mongodb", mongoDB(t))
			}
			var env []string
			if stores == "s3" {
				_, at, keys := bucketOf(t)
				args, env = append(args, at...), keys
			}
			s := openWith(t, env, args...)
			for _, part := range []struct {
				name   string
				test   func(*testing.T, *site)
				stored bool // it has to do with the database
				files  bool // it has to do with the object storage
			}{
				{"requests", testRequests, true, false},
				{"the same start", testSameStart, true, true},
				{"starts at once", testStartsAtOnce, true, false},
				{"deletes", testDeletes, true, false},
				{"times", testTimes, true, false},
				{"a job by gRPC", testJobByGRPC, true, true},
				{"gRPC calls", testGRPC, true, false},
				{"the web UI", testWebUI, true, true},
				{"uploads decide", testUploadsDecide, false, true},
				{"bad uploads", testBadUploads, false, true},
				{"files", testFiles, false, true},
				{"logs", testLogs, false, true},
				{"browsers", testBrowsers, false, true},
				{"documentation", testDocumentation, false, false},
				{"the documentation's commands", testCommands, false, false},
				{"a Python script", testPythonScript, false, true},
				{"other scripts", testOtherScripts, false, true},
			} {
				if stores == "mongod" && !part.stored || stores == "s3" && !part.files {
					continue
				}
				t.Run(part.name, func(t *testing.T) {
					t.Parallel()
					part.test(t, s)
				})
			}
		})
	}
}

// mongoDB returns the URI of a new database of a MongoDB.
func mongoDB(t *testing.T) string {
	t.Helper()
	uri, database := teststores.Mongo(t)
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + database
	return u.String()
}

// site is a backend as its clients see it: one address that speaks HTTP/1.1, HTTP/2 and gRPC.
type site struct {
	*backend
	http1, http2 *http.Client
	jobs         protov1.BaktaJobsClient
	updates      protov1.BaktaStatusUpdateClient
}

// open starts a backend for the test. When the test ends, the backend must not have complained of itself.
func open(t *testing.T, args ...string) *site {
	t.Helper()
	return openWith(t, nil, args...)
}

// openWith is open with more environment.
func openWith(t *testing.T, env []string, args ...string) *site {
	t.Helper()
	var s site
	t.Cleanup(func() { // runs after the backend's end
		if s.backend == nil {
			return
		}
		output := s.errors.String()
		for _, complaint := range []string{"level=ERROR", "DATA RACE", "panic", "goroutine "} {
			if strings.Contains(output, complaint) {
				t.Errorf("the backend complains of itself: %s", complaint)
			}
		}
		if t.Failed() {
			t.Logf("the output of the backend:\n%s", output)
		}
	})
	var err error
	s.backend, err = tryBackend(t, t.TempDir(), append(env,
		"BAKTA_STAND_IN_STEP_DELAY=0ms",
		"GORACE=atexit_sleep_ms=0", // else the race detector makes the end of each of a job's processes take a second
	), args...)
	if err != nil {
		t.Fatal(err)
	}
	s.http1, s.http2 = speaker(t, false), speaker(t, true)
	conn, err := grpc.NewClient(strings.TrimPrefix(s.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s.jobs, s.updates = protov1.NewBaktaJobsClient(conn), protov1.NewBaktaStatusUpdateClient(conn)
	return &s
}

// speaker returns a client of one version of HTTP, in clear text. It adds as little of its own to a request as
// it can.
func speaker(t *testing.T, http2 bool) *http.Client {
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * time.Minute}
}

// send sends a request with exactly this body and these headers: pairs of a name and a value.
func send(t *testing.T, c *http.Client, method, target, body string, header ...string) answer {
	t.Helper()
	a, err := attempt(t.Context(), c, method, target, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// attempt is send for goroutines, which can't end a test.
func attempt(ctx context.Context, c *http.Client, method, target, body string, header ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header["User-Agent"] = nil // none
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(content), response.ContentLength}, err
}

// atOnce makes n requests at the same time and returns their answers.
func atOnce(t *testing.T, n int, request func(i int) (answer, error)) []answer {
	t.Helper()
	answers, errs := make([]answer, n), make([]error, n)
	var all sync.WaitGroup
	begin := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-begin
			answers[i], errs[i] = request(i)
		})
	}
	close(begin)
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return answers
}

// post calls the API as scripts do.
func (s *site) post(t *testing.T, path, body string) answer {
	t.Helper()
	return send(t, s.http1, http.MethodPost, s.url+path, body, "Content-Type", "application/json")
}

// get calls the API.
func (s *site) get(t *testing.T, path string) answer {
	t.Helper()
	return send(t, s.http1, http.MethodGet, s.url+path, "")
}

// made is the answer of init.
type made struct {
	UploadLinkFasta, UploadLinkProdigal, UploadLinkReplicons string
	Job                                                      struct{ JobID, Secret string }
}

// auth is the job as it stands in bodies.
func (m made) auth() string {
	return fmt.Sprintf(`{"secret":"%s","jobID":"%s"}`, m.Job.Secret, m.Job.JobID)
}

// query is the job as it stands in queries.
func (m made) query() string { return "jobID=" + m.Job.JobID + "&secret=" + m.Job.Secret }

const createdAnswer = `{"uploadLinkFasta":"<link>","uploadLinkProdigal":"<link>","uploadLinkReplicons":"<link>",` +
	`"job":{"secret":"<secret>","jobID":"<id>"}}`

// create makes a job of that name.
func (s *site) create(t *testing.T, name string) made {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "repliconTableType": "TSV"})
	if err != nil {
		t.Fatal(err)
	}
	return decode[made](t, s.post(t, "/api/v1/job/init", string(body)).must(t, createdAnswer).body)
}

// decode reads JSON that is known to be of that form.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// put uploads as the object storage's clients do: without a Content-Type, unless there is one in the header.
func (s *site) put(t *testing.T, link, content string, header ...string) {
	t.Helper()
	if a := send(t, s.http1, http.MethodPut, link, content, header...); a.status != http.StatusOK {
		t.Fatalf("uploading: status %d: %s", a.status, a.body)
	}
}

// start starts a job with a configuration in JSON.
func (s *site) start(t *testing.T, m made, config string) answer {
	t.Helper()
	return s.post(t, "/api/v1/job/start", `{"config":`+config+`,"job":`+m.auth()+`}`)
}

// ready returns a job whose genome is uploaded.
func (s *site) ready(t *testing.T, name string) made {
	t.Helper()
	m := s.create(t, name)
	s.put(t, m.UploadLinkFasta, genome)
	return m
}

// started returns a job that was started.
func (s *site) started(t *testing.T, name, config string) made {
	t.Helper()
	m := s.ready(t, name)
	s.start(t, m, config).must(t, `{}`)
	return m
}

// state returns the state of a job, as the list shows it.
func (s *site) state(t *testing.T, m made) string {
	t.Helper()
	a := s.post(t, "/api/v1/job/list", `{"jobs":[`+m.auth()+`]}`)
	list := decode[struct{ Jobs, FailedJobs []struct{ JobStatus string } }](t, a.body)
	if a.status != http.StatusOK || len(list.Jobs)+len(list.FailedJobs) != 1 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return append(list.Jobs, list.FailedJobs...)[0].JobStatus
}

// await waits until a job is in a state, and fails the test when it comes to another end.
func (s *site) await(t *testing.T, m made, state string) {
	t.Helper()
	s.until(t, "the job is "+state, func() bool {
		now := s.state(t, m)
		if now != state && (now == "SUCCESSFUL" || now == "ERROR" || now == "NOT_FOUND") {
			t.Fatalf("the job is %s, want %s: %s", now, state, s.post(t, "/api/v1/job/result", m.auth()).body)
		}
		return now == state
	})
}

// until waits for something that has to come true.
func (s *site) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("timeout while waiting for: %s; the output of the backend:\n%s", what, s.errors.String())
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

// log returns the log of a job.
func (s *site) log(t *testing.T, m made) string {
	t.Helper()
	a := s.get(t, "/api/v1/job/logs?"+m.query())
	if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Fatalf("status %d, %s: %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return a.body
}

// argv returns the options that Bakta was started with, by the first line of a log. What has to do with the
// machine alone is left out.
func argv(t *testing.T, log string) []string {
	t.Helper()
	line, _, _ := strings.Cut(log, "\n")
	command, ok := strings.CutPrefix(line, "Bakta Command: ")
	if !ok {
		t.Fatalf("the log does not begin with the command: %q", line)
	}
	machine := regexp.MustCompile(`^--(db|output|prefix|force|tmp-dir|threads)\b`)
	var options []string
	for _, word := range strings.Fields(command) {
		word = strings.Trim(word, "'") // in which words stand that a shell would take for others
		if strings.HasPrefix(word, "--") && !machine.MatchString(word) {
			options = append(options, word)
		}
	}
	return options
}

// results returns the links of a job that succeeded.
func (s *site) results(t *testing.T, m made) map[string]string {
	t.Helper()
	a := s.post(t, "/api/v1/job/result", m.auth())
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return decode[struct{ ResultFiles map[string]string }](t, a.body).ResultFiles
}

// download fetches what is behind a link.
func (s *site) download(t *testing.T, link string) answer {
	t.Helper()
	a := send(t, s.http1, http.MethodGet, link, "")
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return a
}

// training is a Prodigal training file that passes for one.
func training() string {
	content := make([]byte, 558_392)
	copy(content, []byte{0, 0, 0, 0, 0, 0, 0xe0, 0x3f, 11}) // 50 % G and C, translation table 11
	return string(content)
}
