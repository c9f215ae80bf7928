package ferretdb_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/ferretdb"
)

// earlier is what the version that wrote testdata/documents.tar.gz answered about its jobs.
type earlier struct {
	Request struct {
		Jobs []struct {
			ID     string `json:"job_id"`
			Secret string `json:"secret"`
		} `json:"jobs"`
	} `json:"request"`
	Answer struct {
		Jobs []struct {
			ID       string    `json:"job_id"`
			Name     string    `json:"name"`
			Workflow string    `json:"workflow_kind"`
			Started  time.Time `json:"started"`
			Updated  time.Time `json:"updated"`
		} `json:"jobs"`
	} `json:"answer"`
	States map[string]job.State `json:"states"`
}

func unpack(t *testing.T) (dir string, said earlier) {
	t.Helper()
	parent := t.TempDir()
	if out, err := exec.Command("tar", "-C", parent, "-xzf", "testdata/documents.tar.gz").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile("testdata/list.json")
	if err == nil {
		err = json.Unmarshal(content, &said)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(parent, "documents"), said
}

// jobs reads the jobs of a directory, and the errors of the documents that are not jobs.
func jobs(t *testing.T, dir string) (map[string]job.Job, map[string]error) {
	t.Helper()
	found, bad := make(map[string]job.Job), make(map[string]error)
	err := ferretdb.Jobs(t.Context(), dir, func(j job.Job) error {
		found[j.ID] = j
		return nil
	}, func(id string, err error) { bad[id] = err })
	if err != nil {
		t.Fatal(err)
	}
	return found, bad
}

// TestJobs reads jobs in each state, some of them from the log that a killed process left, and compares them with what the
// version that wrote them answered.
func TestJobs(t *testing.T) {
	dir, said := unpack(t)
	if in, err := ferretdb.In(dir); !in || err != nil {
		t.Fatal(in, err)
	}
	found, bad := jobs(t, dir)
	if len(bad) > 0 || len(found) != len(said.Request.Jobs) || len(found) != len(job.States()) {
		t.Errorf("%d jobs of %d, and %v", len(found), len(said.Request.Jobs), bad)
	}
	byState := make(map[job.State]job.Job)
	for _, asked := range said.Request.Jobs {
		j := found[asked.ID]
		byState[j.State] = j
		if !j.Opens(asked.Secret) || j.Opens("another") || j.State != said.States[j.ID] || j.API != 2 {
			t.Errorf("%+v, want one that is %s and opens by its secret", j, said.States[j.ID])
		}
		for name, at := range map[string]time.Time{"created": j.Created, "updated": j.Updated, "due": j.Due, "expires": j.Expires} {
			if at.Year() < 2026 || at.Year() > 2027 || at.Location() != time.UTC {
				t.Errorf("%s is %s at %s", j.ID, name, at)
			}
		}
	}
	for _, is := range said.Answer.Jobs {
		j := found[is.ID]
		if j.State == job.Created {
			j.Started = j.Created // as the API shows it
		}
		if j.Name != is.Name || j.Workflow != is.Workflow || !j.Started.Equal(is.Started) || !j.Updated.Equal(is.Updated) {
			t.Errorf("%+v, want %+v", j, is)
		}
	}

	succeeded := byState[job.Succeeded]
	if s := succeeded.Start; s == nil || len(s.Inputs) != 1 || s.Inputs[0].Size == 0 || s.Inputs[0].ETag == "" || s.Inputs[0].Name == "" ||
		len(s.Warnings) == 0 || s.Warnings[0].Code == "" || s.Warnings[0].Message == "" || !strings.Contains(string(s.Config), `K-12 \"é\"`) {
		t.Errorf("the start is %+v", s)
	}
	if len(succeeded.Results) < 10 || len(succeeded.Logs) != 1 || succeeded.Run != 1 || succeeded.RunName != job.ObjectName(succeeded.ID, 1) ||
		slices.ContainsFunc(succeeded.Results, func(f job.File) bool { return f.Name == "" || f.Key == "" || f.ETag == "" }) {
		t.Errorf("%+v", succeeded)
	}
	if f := byState[job.Failed].Failure; f == nil || f.Code != job.BadInput || f.Stage != "bakta" ||
		!strings.Contains(f.Message, "played failure") {
		t.Errorf("the failure is %+v", f)
	}
	if j := byState[job.Running]; j.Run != 2 || j.RunName != job.ObjectName(j.ID, 2) {
		t.Errorf("%+v, want the second run", j)
	}
	if j := byState[job.Created]; j.Start != nil || j.Run != 0 || !j.Started.IsZero() || j.Stages != nil {
		t.Errorf("%+v, want nothing of a start", j)
	}
	if j := byState[job.Deleting]; j.Start != nil || j.Name != "" {
		t.Errorf("%+v, want an empty one", j)
	}
}

// change executes a statement on the table of jobs, which is named jobs in it.
func change(t *testing.T, dir, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "bakta.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var table string
	if err := db.QueryRow("SELECT table_name FROM _ferretdb_collections WHERE name = 'annotationJobs'").Scan(&table); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(strings.ReplaceAll(statement, "jobs", table)); err != nil {
		t.Fatal(err)
	}
}

// TestFirstVersions reads documents without the fields that were added later: the version of the API, effects, warnings.
func TestFirstVersions(t *testing.T) {
	dir, _ := unpack(t)
	before, _ := jobs(t, dir)
	change(t, dir, "UPDATE jobs SET _ferretdb_sjson = json_remove(_ferretdb_sjson, '$.api', '$.owed', '$.start.warnings', '$.start.trace')")
	after, bad := jobs(t, dir)
	if len(bad) > 0 || len(after) != len(before) {
		t.Fatal(bad, len(after))
	}
	for id, j := range after {
		if j.API != 0 || j.Owed != nil || j.State != before[id].State || j.Start != nil && j.Start.Warnings != nil ||
			j.Name != before[id].Name || !j.Due.Equal(before[id].Due) {
			t.Errorf("%+v", j)
		}
	}
}

// TestOtherFields reads effects that are owed, a trace, and fields that this version does not know.
func TestOtherFields(t *testing.T) {
	dir, _ := unpack(t)
	change(t, dir, `UPDATE jobs SET _ferretdb_sjson = json_set(_ferretdb_sjson, '$.start', json('{"config":"{}","trace":"00-ab"}'),
		'$.owed', json('[{"id":"release_run-2","kind":"release_run","run":2}]'), '$.other', json('{"a":[1]}'),
		'$.failure', NULL, '$.batch', 'b')`)
	found, bad := jobs(t, dir)
	if len(bad) > 0 || len(found) == 0 {
		t.Fatal(bad, len(found))
	}
	for _, j := range found {
		if !slices.Equal(j.Owed, []job.Effect{job.OwesRun(job.ReleaseRun, 2)}) || j.Start.Trace != "00-ab" || j.Failure != nil || j.Batch != "b" {
			t.Errorf("%+v", j)
		}
	}
}

// TestUnreadable names a document that is not a job, and reads the others.
func TestUnreadable(t *testing.T) {
	dir, said := unpack(t)
	id := said.Request.Jobs[0].ID
	change(t, dir, `UPDATE jobs SET _ferretdb_sjson = json_set(_ferretdb_sjson, '$.stages', 'all') WHERE _ferretdb_sjson ->> '_id' = '`+id+`'`)
	found, bad := jobs(t, dir)
	if len(found) != len(said.Request.Jobs)-1 || !slices.Equal(slices.Collect(maps.Keys(bad)), []string{id}) {
		t.Errorf("%d jobs and %v, want the others, and this one's id", len(found), bad)
	}
}

func TestNoJobs(t *testing.T) {
	dir := t.TempDir()
	if in, err := ferretdb.In(dir); in || err != nil {
		t.Error(in, err)
	}
	if in, err := ferretdb.In(filepath.Join(dir, "missing")); in || err != nil {
		t.Error(in, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bakta.sqlite"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if found, bad := jobs(t, dir); len(found)+len(bad) > 0 {
		t.Error(found, bad)
	}
	if err := os.WriteFile(filepath.Join(dir, "bakta.sqlite"), []byte(strings.Repeat("not a database", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	err := ferretdb.Jobs(t.Context(), dir, func(job.Job) error { return nil }, func(string, error) {})
	if err == nil || !strings.Contains(err.Error(), "restore the directory "+dir) {
		t.Errorf("of a damaged database: %v", err)
	}
}

// TestVisitFails returns the error of the caller as it is.
func TestVisitFails(t *testing.T) {
	dir, _ := unpack(t)
	refused := errors.New("refused")
	n := 0
	err := ferretdb.Jobs(t.Context(), dir, func(job.Job) error { n++; return refused }, func(string, error) {})
	if err != refused || n != 1 { //nolint:errorlint // the very same
		t.Errorf("%v after %d jobs", err, n)
	}
}
