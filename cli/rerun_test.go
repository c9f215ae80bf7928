package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	libjob "github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// reruns answers the calls of a rerun for a fake server: it makes the job that the request stands for.
type reruns struct {
	*fake
	mu     sync.Mutex
	asked  []string                                         // the requests without job and key
	ids    []string                                         // of the jobs that they stand for
	config string                                           // that the state of a job shows
	answer func(w http.ResponseWriter, n int) (answer bool) // in place of the answer to the request of that number, from 0
}

func newReruns(t *testing.T) *reruns {
	r := &reruns{fake: newFake(t), config: `{"genus":"Escherichia","use_replicons":true,"translation_table":4,"derm_type":"diderm"}`}
	r.before = r.serve
	return r
}

func (f *reruns) serve(call string, w http.ResponseWriter, r *http.Request) bool {
	switch call {
	case "job/status":
		f.fake.mu.Lock()
		defer f.fake.mu.Unlock()
		j := f.jobs[r.FormValue("job_id")]
		if j == nil {
			return false
		}
		fmt.Fprintf(w, `{"job_id":%q,"status":"error","workflow_kind":"bakta","run":1,"config":%s}`, j.id, f.config)
		return true
	case "job/rerun":
	default:
		return false
	}
	var request struct {
		Job struct {
			ID     string `json:"job_id"`
			Secret string
		}
		Key    string `json:"request_key"`
		Config map[string]any
		Name   string
	}
	json.NewDecoder(r.Body).Decode(&request)
	id, secret, err := libjob.Rerun(request.Job.ID, request.Job.Secret, request.Key)
	if err != nil {
		panic(err)
	}
	asked, _ := json.Marshal(map[string]any{"config": request.Config, "name": request.Name})
	f.mu.Lock()
	n := len(f.ids)
	f.ids, f.asked = append(f.ids, id), append(f.asked, string(asked))
	answer := f.answer
	f.mu.Unlock()
	f.fake.mu.Lock()
	f.jobs[id] = &fakeJob{id: id, secret: secret, workflow: "bakta", started: true, logs: map[string]string{}, stage: "bakta"}
	f.fake.mu.Unlock()
	if answer != nil && answer(w, n) {
		return true
	}
	fmt.Fprintf(w, `{"job":{"job_id":%q,"secret":%q},"workflow_kind":"bakta","warnings":[{"code":"x","message":"Small."}]}`, id, secret)
	return true
}

// requests returns the jobs that were asked for, and what for, in order.
func (f *reruns) requests() (ids, asked []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ids), slices.Clone(f.asked)
}

// sent returns how many files were uploaded.
func (f *reruns) sent() (n int) {
	f.fake.mu.Lock()
	defer f.fake.mu.Unlock()
	for _, call := range f.calls {
		if strings.HasPrefix(call, "put ") {
			n++
		}
	}
	return n
}

// known returns the jobs in the user's book.
func known(t *testing.T, u *clitest.User) []book.Entry {
	t.Helper()
	jobs, err := book.Open(filepath.Join(u.Dir, ".jobs", "jobs.json")).Jobs()
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

func TestRerun(t *testing.T) {
	t.Parallel()
	f := newReruns(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	for _, row := range []struct {
		args  []string
		asked string
	}{
		{nil, `{"config":null,"name":""}`},
		{[]string{"--name", "x y"}, `{"config":null,"name":"x y"}`},
		{[]string{"--species", "coli"}, `{"config":{"derm_type":"diderm","genus":"Escherichia","species":"coli","translation_table":4,` +
			`"use_replicons":true},"name":""}`},
		{[]string{"--genus=", "--gram", "?", "--translation-table=11", "--complete", "--skip-plot", "--without", "replicons", "--with=regions"},
			`{"config":{"complete_genome":true,"derm_type":"unknown","skip_plot":true,"translation_table":11,"use_regions":true},"name":""}`},
	} {
		got := u.Must(append([]string{"rerun", "0000"}, row.args...)...)
		ids, asked := f.requests()
		n := len(ids) - 1
		if asked[n] != row.asked {
			t.Errorf("%q asks for\n%s, not\n%s", row.args, asked[n], row.asked)
		}
		if got.Out != ids[n]+"\n" || !strings.Contains(got.Err, "started job "+ids[n]) || !strings.Contains(got.Err, "warning: Small.\n") {
			t.Errorf("%q: %+v", row.args, got)
		}
		jobs := known(t, u)
		last := jobs[len(jobs)-1]
		if last.ID != ids[n] || last.Rerun == nil || *last.Rerun != (book.Rerun{Of: firstID}) || len(jobs) != n+2 {
			t.Errorf("%q: the last known job is %+v", row.args, last)
		}
	}
	for _, row := range []struct {
		args []string
		says string
		code int
	}{
		{[]string{"9999"}, "no job that was submitted from here", exitUsage},
		{[]string{"0000", "--translation-table", "7"}, "--translation-table", exitUsage},
		{[]string{"0000", "--without", "genome"}, `--without: "genome" is not the option of a file; choose from hmms, prodigal-tf`, exitUsage},
		{[]string{"0000", "--without", "hmms", "--with", "hmms"}, "--with and --without both name hmms", exitUsage},
		{[]string{"0000", "--replicons", "x"}, "unknown flag: --replicons", exitUsage},
	} {
		if got := u.Run(append([]string{"rerun"}, row.args...)...); got.Code != row.code || !strings.Contains(got.Err, row.says) {
			t.Errorf("%q: %+v", row.args, got)
		}
	}
	if got := len(known(t, u)); got != 5 {
		t.Errorf("%d jobs are known", got)
	}
}

// A lost answer and a killed command make no second job: the same command finds the first one, another one makes another.
func TestRerunInterrupted(t *testing.T) {
	t.Parallel()
	f := newReruns(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	asked := make(chan struct{})
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	f.mu.Lock()
	f.answer = func(w http.ResponseWriter, n int) bool {
		switch n {
		case 0: // until the command is killed
			close(asked)
			<-hold
			return true
		case 1: // not an answer of the API
			fmt.Fprint(w, "<html>")
			return true
		case 3:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `"genome: the file was replaced"`)
			return true
		}
		return false
	}
	f.mu.Unlock()
	cmd := u.Command("rerun", "0000", "--genus", "Salmonella")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := cmd.Process.Signal(os.Kill); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	jobs := known(t, u)
	ids, _ := f.requests()
	made := ids[0]
	if len(jobs) != 2 || jobs[1].ID != made || jobs[1].Rerun.RequestKey == "" {
		t.Fatalf("after the kill the known jobs are %+v", jobs)
	}
	got := u.Run("rerun", "0000", "--genus", "Salmonella")
	if got.Code != exitFailed || !strings.Contains(got.Err, "The same command finds out, and makes no second one.") {
		t.Errorf("%+v", got)
	}
	if got := u.Must("rerun", "0000", "--genus", "Salmonella"); got.Out != made+"\n" {
		t.Errorf("the repeated command makes %+v, and the first one made %s", got, made)
	}
	ids, _ = f.requests()
	if diff := cmp.Diff([]string{made, made, made}, ids); diff != "" {
		t.Errorf("jobs that were asked for (-want +got):\n%s", diff)
	}
	if jobs := known(t, u); len(jobs) != 2 || *jobs[1].Rerun != (book.Rerun{Of: firstID}) {
		t.Errorf("the known jobs are %+v", jobs)
	}
	// A refusal leaves nothing, and the command that was answered makes a new job.
	if got := u.Run("rerun", "0000"); got.Code != exitUsage || !strings.Contains(got.Err, "genome: the file was replaced") {
		t.Errorf("%+v", got)
	}
	if got := len(known(t, u)); got != 2 {
		t.Errorf("after the refusal %d jobs are known", got)
	}
	if got := u.Must("rerun", "0000", "--genus", "Salmonella"); got.Out == made+"\n" {
		t.Error("a further rerun makes no further job")
	}
}

// A server of before has no such call.
func TestRerunOlderServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.before = func(call string, w http.ResponseWriter, _ *http.Request) bool {
		if call != "job/rerun" {
			return false
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `"there is nothing at this path"`)
		return true
	}
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	got := u.Run("rerun", "0000")
	if got.Code != exitFailed || !strings.Contains(got.Err, "it is an older server; submit the file again") || len(known(t, u)) != 1 {
		t.Errorf("%+v", got)
	}
}
