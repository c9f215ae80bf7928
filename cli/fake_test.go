package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
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
	stages []string // of its workflow
	logs   []string // what its log gets at each look; "@stage:" before it moves on to that stage
	reason string
	old    bool              // it knows no details of a list, and no call for one job's state
	queue  *client.Queue     // of jobs that wait
	holds  string            // the hindrance of jobs that wait
	moves  bool              // the place in it is one less with each look
	takes  time.Duration     // how long the next change takes that a client waits for
	files  map[string]string // by the API's name
	left   map[string]string // partial results of a job that failed

	warnings []client.Warning // what a start answers
	options  string           // the server's answer; empty: it has no such call
	notify   string           // what the last start asked to notify, as JSON
}

type fakeJob struct {
	id, secret, name string
	batch            string
	workflow         string
	config           string
	uploads          map[string]string
	started          bool
	looks            int
	stage            string // that writes
	logs             map[string]string
}

const annotated = `{"genome":{"genus":"Escherichia","species":"coli","strain":null},` +
	`"stats":{"size":3306,"gc":0.434,"coding_ratio":0.652,"n50":3306},
"features":[{"type":"cds","hypothetical":true},{"type":"cds","pseudogene":{}},{"type":"tRNA"}],"sequences":[{"id":"a"}],
"version":{"bakta":"1.12.2","db":{"version":"6.0","type":"full"}}}`

func newFake(t *testing.T) *fake {
	f := &fake{jobs: map[string]*fakeJob{}, stages: []string{"bakta"}, states: []string{"INIT", "RUNNING", "RUNNING", "SUCCESSFUL"},
		logs:  []string{"Bakta Command: bakta\n", "Parse genome sequences...\n", "Start annotation...\npredict tRNAs...\n\tfound: 1\n"},
		files: map[string]string{"json": annotated, "gff3": "##gff-version 3\n", "logs_txt": "Sequence(s):\n"}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := strings.TrimPrefix(r.URL.Path, "/api/v2/")
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
	if call == "job/status" && r.FormValue("wait") != "" {
		<-time.After(f.takes)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // an upload that its client gave up
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch call {
	case "version":
		fmt.Fprint(
			w,
			`{"backend_version":"v3","bakta_version":"1.12.2","bakta_db_version":"6.0","baktfold_version":"","baktfold_db_version":""}`,
		)
	case "options":
		if f.options == "" {
			w.WriteHeader(404)
			fmt.Fprint(w, `"Not Found"`)
			return
		}
		fmt.Fprint(w, f.options)
	case "workflows":
		fmt.Fprint(w, `[{"workflow_kind":"bakta","result_kind":"bakta","uploads":[{"upload_kind":"genome_fasta","required":true},`+
			`{"upload_kind":"replicons_table","required":false},{"upload_kind":"new_file","required":false}],"stages":["bakta"]},`+
			`{"workflow_kind":"new_kind","result_kind":"new","uploads":[{"upload_kind":"other","required":true}],"stages":["one","two"]}]`)
	case "job/init":
		var request struct {
			Name     string
			Workflow string `json:"workflow_kind"`
			Batch    string
		}
		json.Unmarshal(body, &request)
		kind, ok := workflow.Lookup(request.Workflow)
		if !ok || request.Workflow == workflow.Baktfold { // which it doesn't offer
			w.WriteHeader(400)
			fmt.Fprint(w, `"this server does not offer that"`)
			return
		}
		f.made++
		j := &fakeJob{id: fmt.Sprintf("%08x-0000-4000-8000-000000000000", f.made), secret: fmt.Sprintf("secret%d", f.made),
			name: request.Name, batch: request.Batch, workflow: request.Workflow,
			uploads: map[string]string{}, logs: map[string]string{}, stage: f.stages[0]}
		f.jobs[j.id] = j
		uploads := []map[string]any{}
		for _, u := range kind.Uploads {
			uploads = append(
				uploads,
				map[string]any{
					"upload_kind": u.Kind,
					"required":    u.Required,
					"url":         fmt.Sprintf("%s/%s/%s?signature=x", f.URL, j.id, u.Kind),
				},
			)
		}
		json.NewEncoder(w).
			Encode(map[string]any{"job": map[string]string{"job_id": j.id, "secret": j.secret}, "workflow_kind": j.workflow, "uploads": uploads})
	case "job/start", "job/submit":
		var request struct {
			Job struct {
				ID string `json:"job_id"`
			}
			Config json.RawMessage
			Notify json.RawMessage
		}
		json.Unmarshal(body, &request)
		f.notify = string(request.Notify)
		j := f.jobs[request.Job.ID]
		if j == nil {
			w.WriteHeader(404)
			fmt.Fprint(w, `"Job not found"`)
			return
		}
		j.started, j.config = true, string(request.Config)
		if call == "job/start" {
			fmt.Fprint(w, "null")
		} else {
			json.NewEncoder(w).Encode(map[string]any{"warnings": f.warnings})
		}
	case "job/list":
		var request struct {
			Jobs []struct {
				ID string `json:"job_id"`
			}
		}
		json.Unmarshal(body, &request)
		var known, failed []string
		for _, asked := range request.Jobs {
			if j := f.jobs[asked.ID]; j != nil {
				state, details := strings.ToLower(f.state(j)), ""
				if state == "init" && !f.old {
					details = fmt.Sprintf(`,"waiting":%v`, j.started)
					if f.queue != nil && j.started {
						at := f.waits(j)
						details += fmt.Sprintf(`,"queue":{"place":%d,"length":%d}`, at.Place, at.Length)
					}
				}
				known = append(
					known,
					fmt.Sprintf(
						`{"job_id":%q,"status":%q,"workflow_kind":%q,"result_kind":"bakta","name":%q,"started":"2026-01-31T12:00:00Z","updated":`+
							`"2026-01-31T12:07:31Z"%s}`,
						j.id,
						state,
						j.workflow,
						j.name,
						details,
					),
				)
			} else {
				failed = append(failed, fmt.Sprintf(`{"job_id":%q,"status":"not_found"}`, asked.ID))
			}
		}
		fmt.Fprintf(w, `{"jobs":[%s],"failed_jobs":[%s]}`, strings.Join(known, ","), strings.Join(failed, ","))
	case "job/status":
		j := f.jobs[r.FormValue("job_id")]
		if j == nil || f.old {
			w.WriteHeader(404)
			fmt.Fprint(w, `"Job not found"`)
			return
		}
		f.inFull(w, j)
	case "job/logs":
		j := f.jobs[r.FormValue("job_id")]
		if j == nil {
			w.WriteHeader(404)
			fmt.Fprint(w, `"Job not found"`)
			return
		}
		f.logsOf(w, j)
	case "job/result":
		var request struct {
			ID      string `json:"job_id"`
			Partial bool
		}
		json.Unmarshal(body, &request)
		f.result(w, f.jobs[request.ID], request.Partial)
	case "job/delete":
		delete(f.jobs, r.FormValue("job_id"))
	case "get":
		name := strings.TrimPrefix(r.URL.Path, "/file/")
		fmt.Fprint(w, cmp.Or(f.left[name], f.files[name]))
	default:
		if r.Method != http.MethodPut { // as an older server answers a call that it does not have
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `"Not Found"`)
			return
		}
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
		text := f.logs[j.looks]
		if stage, rest, ok := strings.Cut(text, ":"); ok && strings.HasPrefix(stage, "@") {
			j.stage, text = stage[1:], rest
		}
		j.logs[j.stage] += text
	}
	j.looks++
	return f.states[min(j.looks, len(f.states))-1]
}

// waits returns the place of a job that waits.
func (f *fake) waits(j *fakeJob) client.Queue {
	at := *f.queue
	if f.moves {
		at.Place -= j.looks
	}
	return at
}

// inFull tells the state of a job with all that belongs to it.
func (f *fake) inFull(w http.ResponseWriter, j *fakeJob) {
	state := strings.ToLower(f.state(j))
	answer := map[string]any{
		"job_id": j.id, "status": state, "workflow_kind": j.workflow, "result_kind": "bakta", "name": j.name,
		"started": "2026-01-31T12:00:00Z", "updated": "2026-01-31T12:07:31Z", "version": fmt.Sprint(j.looks),
	}
	stages := []map[string]string{}
	status, text := "succeeded", ""
	for _, stage := range f.stages {
		if stage == j.stage {
			if status = "running"; f.reason != "" {
				status = "failed"
			}
		}
		stages = append(stages, map[string]string{"stage": stage, "status": status})
		text += j.logs[stage]
		if stage == j.stage {
			status = "pending"
		}
	}
	answer["stages"] = stages
	switch {
	case state == "init":
		answer["waiting"] = j.started
		if j.started && f.holds != "" {
			answer["hindrance"] = f.holds
		}
		if j.started && f.queue != nil {
			answer["queue"] = f.waits(j)
		}
	case state == "running":
		answer["stage"] = j.stage
		if at, ok := workflow.StepOf(j.workflow, text); ok {
			answer["progress"] = map[string]any{"step": at.Number, "steps": at.Of, "text": at.Name}
		}
	case state == "error":
		answer["failure"] = map[string]string{"code": "bad_input", "message": f.reason}
	}
	json.NewEncoder(w).Encode(answer)
}

// logsOf tells the logs, and that all stages before the one that writes have succeeded.
func (f *fake) logsOf(w http.ResponseWriter, j *fakeJob) {
	logs := []map[string]string{}
	status := "succeeded"
	for _, stage := range f.stages {
		if stage == j.stage {
			status = "running"
			if f.reason != "" {
				status = "failed"
			}
		}
		logs = append(logs, map[string]string{"stage": stage, "status": status, "content": strings.TrimRight(j.logs[stage], "\n")})
		if stage == j.stage {
			status = "pending"
		}
	}
	json.NewEncoder(w).Encode(map[string]any{"workflow_kind": j.workflow, "stages": logs})
}

func (f *fake) result(w http.ResponseWriter, j *fakeJob, partial bool) {
	say := func(status int, text string) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(text)
	}
	files, failure := f.files, map[string]any{}
	switch {
	case j == nil:
		say(404, "Job not found")
		return
	case f.states[min(max(j.looks, 1), len(f.states))-1] == "SUCCESSFUL":
	case partial && f.reason != "":
		files, failure = f.left, map[string]any{"failure": f.reason}
	case f.reason != "":
		say(400, f.reason)
		return
	default:
		say(400, "the job has not ended")
		return
	}
	links := map[string]string{}
	for name := range files {
		links[name] = f.URL + "/file/" + name + "?signature=x"
	}
	answer := map[string]any{
		"job_id":        j.id,
		"workflow_kind": j.workflow,
		"result":        map[string]any{"result_kind": "bakta", "files": links},
		"name":          j.name,
		"started":       "2026-01-31T12:00:00Z",
		"updated":       "2026-01-31T12:07:31Z",
	}
	maps.Copy(answer, failure)
	json.NewEncoder(w).Encode(answer)
}

// seen returns the calls so far, lists and logs left out.
func (f *fake) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var seen []string
	for _, call := range f.calls {
		if call != "job/list" && call != "job/status" && call != "job/logs" {
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

// intercept lets a function see each request first, see before.
func (f *fake) intercept(before func(call string, w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = before
}

// all returns the jobs that are there.
func (f *fake) all() []fakeJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	var jobs []fakeJob
	for _, j := range f.jobs {
		jobs = append(jobs, *j)
	}
	return jobs
}

// allMade returns how many jobs were made, with those that are gone.
func (f *fake) allMade() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.made
}

// count returns how many jobs there are.
func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.jobs)
}
