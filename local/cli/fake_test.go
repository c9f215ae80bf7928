package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// fake is a server and its object storage in one. It does what a real one does when all goes well, and lets a
// test make any call go wrong.
type fake struct {
	*httptest.Server
	// before, if set, sees each request first and may answer it itself. The name is that of the API's call,
	// "put genome" and the like for an upload, or "get" for a download.
	before func(call string, w http.ResponseWriter, r *http.Request) (answered bool)

	mu     sync.Mutex
	calls  []string
	jobs   map[string]*fakeJob
	made   int
	states []string // what a started job is at each look; the last stays
	logs   []string // what its log gets at each look
	reason string
	files  map[string]string // by the API's name
}

type fakeJob struct {
	id, secret, name string
	config           string
	uploads          map[string]string
	started          bool
	looks            int
	log              string
}

const annotation = `{"genome":{"genus":"Escherichia","species":"coli","strain":null},"stats":{"size":3306,"gc":0.434,"coding_ratio":0.652,"n50":3306},
"features":[{"type":"cds","hypothetical":true},{"type":"cds","pseudogene":{}},{"type":"tRNA"}],"sequences":[{"id":"a"}],
"version":{"bakta":"1.12.2","db":{"version":"6.0","type":"full"}}}`

func newFake(t *testing.T) *fake {
	f := &fake{jobs: map[string]*fakeJob{}, states: []string{"INIT", "RUNNING", "RUNNING", "SUCCESSFUL"},
		logs:  []string{"Bakta Command: bakta\n", "Parse genome sequences...\n", "Start annotation...\npredict tRNAs...\n\tfound: 1\n"},
		files: map[string]string{"JSON": annotation, "GFF3": "##gff-version 3\n", "TXTLogs": "Sequence(s):\n"}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := strings.TrimPrefix(r.URL.Path, "/api/v1/")
	if r.Method == http.MethodPut {
		call = "put " + strings.Split(r.URL.Path, "/")[2]
	} else if strings.HasPrefix(r.URL.Path, "/file/") {
		call = "get"
	}
	f.mu.Lock()
	f.calls = append(f.calls, call)
	before := f.before
	f.mu.Unlock()
	if before != nil && before(call, w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // an upload that its client gave up
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch call {
	case "version":
		fmt.Fprint(w, `{"toolVersion":"1.12.2","dbVersion":"6.0","backendVersion":"v3"}`)
	case "job/init":
		var request struct{ Name string }
		json.Unmarshal(body, &request)
		f.made++
		j := &fakeJob{id: fmt.Sprintf("%08x-0000-4000-8000-000000000000", f.made), secret: fmt.Sprintf("secret%d", f.made),
			name: request.Name, uploads: map[string]string{}}
		f.jobs[j.id] = j
		link := func(kind string) string { return fmt.Sprintf("%s/%s/%s?signature=x", f.URL, j.id, kind) }
		fmt.Fprintf(w, `{"uploadLinkFasta":%q,"uploadLinkReplicons":%q,"uploadLinkProdigal":%q,"job":{"jobID":%q,"secret":%q}}`,
			link("genome"), link("replicons"), link("training"), j.id, j.secret)
	case "job/start":
		var request struct {
			Job    struct{ JobID string }
			Config json.RawMessage
		}
		json.Unmarshal(body, &request)
		j := f.jobs[request.Job.JobID]
		j.started, j.config = true, string(request.Config)
		fmt.Fprint(w, "{}")
	case "job/list":
		var request struct{ Jobs []struct{ JobID string } }
		json.Unmarshal(body, &request)
		var known, failed []string
		for _, asked := range request.Jobs {
			if j := f.jobs[asked.JobID]; j != nil {
				known = append(known, fmt.Sprintf(`{"jobID":%q,"jobStatus":%q,"name":%q,"started":"2026-01-31T12:00:00Z","updated":"2026-01-31T12:07:31Z"}`, j.id, f.state(j), j.name))
			} else {
				failed = append(failed, fmt.Sprintf(`{"jobID":%q,"jobStatus":"NOT_FOUND"}`, asked.JobID))
			}
		}
		fmt.Fprintf(w, `{"jobs":[%s],"failedJobs":[%s]}`, strings.Join(known, ","), strings.Join(failed, ","))
	case "job/logs":
		j := f.jobs[r.FormValue("jobID")]
		var offset int
		fmt.Sscan(r.FormValue("offset"), &offset)
		fmt.Fprint(w, j.log[min(offset, len(j.log)):])
	case "job/result":
		var request struct{ JobID string }
		json.Unmarshal(body, &request)
		f.result(w, f.jobs[request.JobID])
	case "job/delete":
		if f.jobs[r.FormValue("jobID")] == nil {
			w.WriteHeader(404)
			fmt.Fprint(w, `{"code":5,"message":"no such job"}`)
			return
		}
		delete(f.jobs, r.FormValue("jobID"))
		fmt.Fprint(w, "{}")
	case "get":
		fmt.Fprint(w, f.files[strings.TrimPrefix(r.URL.Path, "/file/")])
	default:
		part := strings.Split(r.URL.Path, "/")
		f.jobs[part[1]].uploads[part[2]] = string(body)
	}
}

// state moves a job on, look by look.
func (f *fake) state(j *fakeJob) string {
	if !j.started {
		return "INIT"
	}
	if j.looks < len(f.logs) {
		j.log += f.logs[j.looks]
	}
	j.looks++
	return f.states[min(j.looks, len(f.states))-1]
}

func (f *fake) result(w http.ResponseWriter, j *fakeJob) {
	switch {
	case j == nil:
		w.WriteHeader(404)
		fmt.Fprint(w, `{"code":5,"message":"no such job"}`)
	case f.states[min(max(j.looks, 1), len(f.states))-1] != "SUCCESSFUL":
		message := "the job has not ended"
		if f.reason != "" {
			message = f.reason
		}
		w.WriteHeader(400)
		json.NewEncoder(w).Encode(map[string]any{"code": 9, "message": message})
	default:
		links := map[string]string{}
		for name := range f.files {
			links[name] = f.URL + "/file/" + name + "?signature=x"
		}
		json.NewEncoder(w).Encode(map[string]any{"jobID": j.id, "ResultFiles": links, "name": j.name,
			"started": "2026-01-31T12:00:00Z", "updated": "2026-01-31T12:07:31Z"})
	}
}

// seen returns the calls so far, lists and logs left out.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seen []string
	for _, call := range f.calls {
		if call != "job/list" && call != "job/logs" {
			seen = append(seen, call)
		}
	}
	return seen
}

// job returns the one job that is there.
func (f *fake) job(t *testing.T) fakeJob {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, j := range f.jobs {
		if len(f.jobs) == 1 {
			return *j
		}
	}
	t.Fatalf("there are %d jobs", len(f.jobs))
	return fakeJob{}
}

// count returns how many jobs there are.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.jobs)
}
