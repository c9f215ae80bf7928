package local_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContractOfRunsV2 checks the second version's responses about jobs that wait, run, and fail.
func TestContractOfRunsV2(t *testing.T) {
	t.Parallel()
	t.Run("one stage", func(t *testing.T) {
		t.Parallel()
		s := secondVersion(t, openPlaying(t))
		// One after the other: only one job runs at a time, and the first part keeps it running.
		t.Run("states", func(t *testing.T) { testStatesV2(t, s) })
		t.Run("the state in full", func(t *testing.T) { testStateV2(t, s) })
		t.Run("expectations", func(t *testing.T) { testExpectationsV2(t, s) })
		t.Run("failures", func(t *testing.T) { testFailuresV2(t, s) })
	})
	t.Run("two stages", func(t *testing.T) {
		t.Parallel()
		s := openBoth(t)
		// The backend reads the versions of the programs while it serves, in the order of their names.
		s.until(t, "the versions are known",
			func() bool { return strings.Contains(s.get(t, "/api/v2/version").body, `"baktfold_version":"0.3.0"`) })
		s.get(t, "/api/v2/version").must(t, `{"backend_version":"<text>","bakta_version":"1.12.2","bakta_db_version":"6.0, light",`+
			`"baktfold_version":"0.3.0","baktfold_db_version":"<~>"}`)
		for name, test := range map[string]func(*testing.T, *siteV2){"the second runs on": testSecondStageRuns,
			"the second fails": testSecondStageFails, "the first fails": testFirstStageFails} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, s)
			})
		}
	})
}

// goingOn is the stand-in as Baktfold, controlled by the strain of the genome.
const goingOn = `#!/bin/sh
for word do
  case $word in
  --version) echo "baktfold, version 0.3.0"; exit 0 ;;
  --input=*) input=${word#--input=} ;;
  esac
done
BAKTA_STAND_IN_FAIL=$(sed -n 's/.*"strain": *"second-\([a-z]*\)".*/\1/p' "$input" | head -n 1)
BAKTA_STAND_IN_STEP_DELAY=0ms
export BAKTA_STAND_IN_FAIL BAKTA_STAND_IN_STEP_DELAY
exec '%s' stand-in baktfold "$@"
`

// openBoth starts a backend whose Bakta is that of openPlaying, and which has the Baktfold above.
func openBoth(t *testing.T) *siteV2 {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"bakta":           fmt.Sprintf(playing, self),
		"db/version.json": `{"date":"2025-02-24","major":6,"minor":0,"type":"light"}`,
		"baktfold":        fmt.Sprintf(goingOn, self),
		"db/baktfold.db":  "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return openV2(t, "--bakta", filepath.Join(dir, "bakta"), "--bakta-db", filepath.Join(dir, "db"),
		"--baktfold", filepath.Join(dir, "baktfold"), "--baktfold-db", filepath.Join(dir, "db"), "--jobs", "3")
}

// testStatesV2 checks the answers of all calls about a running job and about one that waits for it.
func testStatesV2(t *testing.T, s *siteV2) {
	runs := s.startedV2(t, "runs", `{"strain":"play-hang"}`)
	s.awaitV2(t, runs, "running")
	waits := s.startedV2(t, "waits", `{}`)
	s.post(t, "/api/v2/job/list", `{"jobs":[`+waits.ref()+`,`+runs.ref()+`]}`).must(t,
		`{"jobs":[`+waits.entry("init", "waits")+`,`+runs.entry("running", "runs")+`],"failed_jobs":[]}`)
	made := s.initV2(t, "made", "bakta")
	detailed := func(entry, details string) string { return strings.TrimSuffix(entry, "}") + `,` + details + `}` }
	at := s.follow(t, runs, "the step at which it hangs", func(now shown) bool {
		return now.Progress != nil && now.Progress.Text == "predict & annotate CDSs"
	}).Progress
	s.post(t, "/api/v2/job/list", `{"details":true,"jobs":[`+waits.ref()+`,`+runs.ref()+`,`+made.ref()+`]}`).must(t,
		`{"jobs":[`+detailed(waits.entry("init", "waits"), `"waiting":true,"queue":{"place":1,"length":1}`)+`,`+
			detailed(
				runs.entry("running", "runs"),
				fmt.Sprintf(`"stage":"bakta","progress":{"step":%d,"steps":%d,"text":%q}`, at.Step, at.Steps, at.Text),
			)+`,`+
			detailed(made.entry("init", "made"), `"waiting":false`)+`],"failed_jobs":[]}`)
	for _, m := range []madeV2{runs, waits} {
		s.post(t, "/api/v2/job/result", m.ref()).says(t, 400, "^Job not finished$")
		s.post(t, "/api/v2/job/result", `{"job_id":"`+m.Job.ID+`","secret":"`+m.Job.Secret+`","partial":true}`).says(t, 400, "^Job not finished$")
	}
	s.startV2(t, runs, `{"strain":"play-hang"}`).must(t, `null`)
	s.startV2(t, runs, `{}`).says(t, 409, "another configuration")
	if diff := cmp.Diff([]stageLog{{"bakta", "pending", ""}}, s.logsV2(t, waits)); diff != "" {
		t.Errorf("the logs of a job that waits: %s", diff)
	}
	// The log grows while the job runs.
	s.until(t, "the running job's log contains a step", func() bool {
		log := s.logsV2(t, runs)[0]
		return log.Status == "running" && strings.HasPrefix(log.Content, "Bakta Command: ") &&
			strings.Contains(log.Content, "predict CRISPR arrays...")
	})
	s.removeV2(t, runs)
	s.post(t, "/api/v2/job/list", `{"jobs":[`+runs.ref()+`]}`).must(t,
		`{"jobs":[],"failed_jobs":[{"job_id":"`+runs.Job.ID+`","status":"not_found"}]}`)
	s.get(t, "/api/v2/job/logs?"+runs.query()).says(t, 404, "^Job not found$")
	s.awaitV2(t, waits, "successful") // its place is free
}

// testFailuresV2 lets jobs fail in each way in which programs fail.
func testFailuresV2(t *testing.T, s *siteV2) {
	for _, tt := range []struct{ play, reason, log string }{
		{"error", "^Bakta .*played failure!", "ERROR: played failure!"},
		{"traceback", "^Bakta crashed: ValueError: played failure", "Traceback (most recent call last)"},
		{"kill", "memory", "predict & annotate CDSs..."},
		{"partial", "result|json|JSON", "Annotation successfully finished"},
	} {
		t.Run(tt.play, func(t *testing.T) {
			m := s.startedV2(t, "fails", `{"strain":"play-`+tt.play+`"}`)
			s.awaitV2(t, m, "error")
			a := s.post(t, "/api/v2/job/result", m.ref())
			a.says(t, 400, tt.reason)
			log := s.logsV2(t, m)[0]
			if log.Status != "failed" || !strings.HasPrefix(log.Content, "Bakta Command: ") || !strings.Contains(log.Content, tt.log) {
				t.Errorf("the log of a stage %s: %s", log.Status, log.Content)
			}
			if reason := decode[string](t, a.body); !strings.HasSuffix(log.Content, "\n\n"+reason) || strings.Count(log.Content, reason) != 1 {
				t.Errorf("the log does not end with the reason: %s", log.Content)
			}
			s.startV2(t, m, `{"strain":"play-`+tt.play+`"}`).must(t, `null`)
			s.awaitV2(t, m, "error") // the same start again starts nothing again
			s.removeV2(t, m)
		})
	}
}

// both returns a job of Bakta and Baktfold that was started.
func (s *siteV2) both(t *testing.T, strain string) madeV2 {
	t.Helper()
	m := s.initV2(t, "both", "bakta_baktfold")
	s.put(t, m.link(t, "genome_fasta"), genome)
	s.startV2(t, m, `{"strain":"`+strain+`"}`).must(t, `null`)
	return m
}

// testSecondStageRuns checks a job while its second stage runs.
func testSecondStageRuns(t *testing.T, s *siteV2) {
	m := s.both(t, "second-hang")
	s.until(t, "the second stage runs and says so", func() bool {
		logs := s.logsV2(t, m)
		return logs[0].Status == "succeeded" && logs[1].Status == "running" && logs[1].Content != ""
	})
	logs := s.logsV2(t, m)
	if !strings.HasPrefix(logs[0].Content, "Bakta Command: ") || !strings.HasPrefix(logs[1].Content, "Baktfold Command: ") ||
		strings.Contains(logs[0].Content, "Baktfold") {
		t.Errorf("logs: %q", logs)
	}
	s.post(t, "/api/v2/job/list", `{"jobs":[`+m.ref()+`]}`).must(t, `{"jobs":[`+m.entry("running", "both")+`],"failed_jobs":[]}`)
	s.post(t, "/api/v2/job/result", m.ref()).says(t, 400, "^Job not finished$")
	if log := s.log(t, m.old()); !strings.HasPrefix(log, "Bakta Command: ") || !strings.Contains(log, "\nBaktfold Command: ") {
		t.Errorf("the first version's log: %s", log)
	}
	s.removeV2(t, m)
	if got := s.stateV2(t, m); got != "not_found" {
		t.Errorf("after its deletion the job is %s", got)
	}
}

// testSecondStageFails checks a job whose second stage failed: the results of the first stage are available on request.
func testSecondStageFails(t *testing.T, s *siteV2) {
	m := s.both(t, "second-error")
	s.awaitV2(t, m, "error")
	a := s.post(t, "/api/v2/job/result", m.ref())
	a.says(t, 400, "^Baktfold .*played failure!")
	reason := decode[string](t, a.body)
	logs := s.logsV2(t, m)
	if logs[0].Status != "succeeded" || logs[1].Status != "failed" || strings.Contains(logs[0].Content, reason) ||
		!strings.HasSuffix(logs[1].Content, "\n\n"+reason) {
		t.Errorf("logs: %q", logs)
	}
	var links []string
	for key := range filesOf("bakta") {
		links = append(links, `"`+key+`":"<link>"`)
	}
	part := s.post(t, "/api/v2/job/result", `{"job_id":"`+m.Job.ID+`","secret":"`+m.Job.Secret+`","partial":true}`)
	part.must(t,
		`{"job_id":"`+m.Job.ID+
			`","workflow_kind":"bakta_baktfold","started":"<time>","updated":"<time>","name":"both","result":{"result_kind":"bakta","files":{`+
			strings.Join(links, ",")+`}},"failure":"<~^Baktfold >"}`)
	files := decode[struct {
		Result struct{ Files map[string]string }
	}](t, part.body).Result.Files
	if got := fileName(t, s.download(t, files["gff3"])); got != "both.gff3" {
		t.Errorf("a file of a failed job is called %q", got)
	}
	s.post(t, "/api/v1/job/result", m.old().auth()).refused(t, http.StatusBadRequest, 9, "^Baktfold ")
	if log := s.log(t, m.old()); !strings.HasSuffix(log, "\n"+reason+"\n") {
		t.Errorf("the first version's log: %s", log)
	}
	s.removeV2(t, m)
	if a := send(t, s.http1, http.MethodGet, files["gff3"], ""); a.status != http.StatusNotFound {
		t.Errorf("a file of a deleted job: status %d", a.status)
	}
}

// testFirstStageFails checks a job whose first stage failed: the second stage never began.
func testFirstStageFails(t *testing.T, s *siteV2) {
	m := s.both(t, "play-error")
	s.awaitV2(t, m, "error")
	a := s.post(t, "/api/v2/job/result", m.ref())
	a.says(t, 400, "^Bakta .*played failure!")
	logs := s.logsV2(t, m)
	if logs[0].Status != "failed" || logs[1].Status != "pending" || logs[1].Content != "" ||
		!strings.HasSuffix(logs[0].Content, decode[string](t, a.body)) {
		t.Errorf("logs: %q", logs)
	}
	s.post(t, "/api/v2/job/result", `{"job_id":"`+m.Job.ID+`","secret":"`+m.Job.Secret+`","partial":true}`).must(t,
		`{"job_id":"`+m.Job.ID+`","workflow_kind":"bakta_baktfold","started":"<time>","updated":"<time>","name":"both",`+
			`"result":{"result_kind":"bakta","files":{}},"failure":"<~^Bakta >"}`)
}
