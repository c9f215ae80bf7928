package local_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// playing is a program that is the stand-in, and does what the strain asks for: fails in some way, runs until it
// is killed, or leaves out the plots.
const playing = `#!/bin/sh
for word do
  case $word in
  --version) echo "bakta 1.12.2"; exit 0 ;;
  --strain=play-*) BAKTA_STAND_IN_FAIL=${word#--strain=play-}; export BAKTA_STAND_IN_FAIL ;;
  --strain=no-plots) plots=no ;;
  --output=*) output=${word#--output=} ;;
  esac
done
'%s' stand-in "$@" || exit $?
[ -z "$plots" ] || rm "$output"/*.png "$output"/*.svg
`

// openPlaying starts a backend whose Bakta is the program above. It runs one job at a time, and serves a web UI.
func openPlaying(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"bakta":                 fmt.Sprintf(playing, self),
		"db/version.json":       `{"date":"2025-02-24","major":6,"minor":0,"type":"light"}`,
		"ui/index.html":         "<!doctype html><title>UI</title>",
		"ui/assets/app.js":      "start()",
		"ui/config/config.json": `{"api":"https://elsewhere.example.org/api/v1"}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, "--bakta", filepath.Join(dir, "bakta"), "--bakta-db", filepath.Join(dir, "db"), "--ui", filepath.Join(dir, "ui"), "--jobs",
		"1")
}

// TestContractOfRuns holds what the contract says of jobs that wait, run, and fail.
func TestContractOfRuns(t *testing.T) {
	t.Parallel()
	s := openPlaying(t)
	// The backend asks the program for its version while it serves.
	s.until(t, "the version is known", func() bool { return strings.Contains(s.get(t, "/api/v1/version").body, "1.12.2") })
	s.get(t, "/api/v1/version").must(t, `{"toolVersion":"1.12.2","dbVersion":"6.0, light","backendVersion":"<text>"}`)
	// One after the other: only one job runs at a time, and the first parts keep it running.
	t.Run("states", func(t *testing.T) { testStates(t, s) })
	t.Run("failures", func(t *testing.T) { testFailures(t, s) })
	t.Run("files that are missing", func(t *testing.T) { testMissingFiles(t, s) })
	t.Run("a web UI", func(t *testing.T) { testServedUI(t, s) })
}

// testStates checks the answers of all calls about a running job and about jobs that wait for it.
func testStates(t *testing.T, s *site) {
	const unfinished = "^the job is not finished"
	runs := s.started(t, "runs", `{"strain":"play-hang"}`)
	s.await(t, runs, "RUNNING")
	waits := s.started(t, "waits", `{}`)
	replaced := s.started(t, "waits, and its genome is replaced", `{}`)
	s.put(t, replaced.UploadLinkFasta, ">another\nACGT\n")

	entry := func(m made, state, name string) string {
		return `{"jobID":"` + m.Job.JobID + `","jobStatus":"` + state + `","started":"<time>","updated":"<time>","name":"` + name + `"}`
	}
	s.post(t, "/api/v1/job/list", `{"jobs":[`+waits.auth()+`,`+runs.auth()+`]}`).must(t,
		`{"jobs":[`+entry(waits, "INIT", "waits")+`,`+entry(runs, "RUNNING", "runs")+`],"failedJobs":[]}`)
	s.post(t, "/api/v1/job/result", runs.auth()).refused(t, 400, 9, unfinished)
	s.post(t, "/api/v1/job/result", waits.auth()).refused(t, 400, 9, unfinished)
	s.start(t, runs, `{"strain":"play-hang"}`).must(t, `{}`)
	s.start(t, runs, `{}`).refused(t, 409, 6, "another configuration")
	s.start(t, waits, `{}`).must(t, `{}`)
	if log := s.log(t, waits); log != "" {
		t.Errorf("the log of a waiting job: %q", log)
	}
	// The log grows while the job runs.
	s.until(t, "the running job's log contains a step", func() bool { return strings.Contains(s.log(t, runs), "predict CRISPR arrays...") })
	if log := s.log(t, runs); !strings.HasPrefix(log, "Bakta Command: ") {
		t.Errorf("the log begins %.100q", log)
	}
	send(t, s.http1, http.MethodDelete, s.url+"/api/v1/job/delete?"+runs.query(), "").must(t, `{}`)
	s.post(t, "/api/v1/job/list", `{"jobs":[`+runs.auth()+`]}`).must(t,
		`{"jobs":[],"failedJobs":[{"jobID":"`+runs.Job.JobID+`","jobStatus":"NOT_FOUND"}]}`)
	s.until(t, "no process of the deleted job runs", func() bool {
		lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if content, err := os.ReadFile(line); err == nil && bytes.Contains(content, []byte(runs.Job.JobID)) {
				return false
			}
		}
		return true
	})
	// Its place is free.
	s.await(t, waits, "SUCCESSFUL")
	s.await(t, replaced, "ERROR")
	s.post(t, "/api/v1/job/result", replaced.auth()).refused(t, 400, 9, "(genome|upload|input).*(replaced|changed)")
}

// testFailures has jobs fail in the ways in which programs fail.
func testFailures(t *testing.T, s *site) {
	for _, tt := range []struct{ play, reason, log string }{
		{"error", "^Bakta .*played failure!", "ERROR: played failure!"},
		{"traceback", "^Bakta crashed: ValueError: played failure", "Traceback (most recent call last)"},
		{"kill", "memory", "predict & annotate CDSs..."},
		{"partial", "result|json|JSON", "Annotation successfully finished"},
	} {
		t.Run(tt.play, func(t *testing.T) {
			m := s.started(t, "fails", `{"strain":"play-`+tt.play+`"}`)
			s.await(t, m, "ERROR")
			s.post(t, "/api/v1/job/list", `{"jobs":[`+m.auth()+`]}`).must(t,
				`{"jobs":[{"jobID":"`+m.Job.JobID+`","jobStatus":"ERROR","started":"<time>","updated":"<time>","name":"fails"}],"failedJobs":[]}`)
			a := s.post(t, "/api/v1/job/result", m.auth())
			a.refused(t, 400, 9, tt.reason)
			log := s.log(t, m)
			if !strings.HasPrefix(log, "Bakta Command: ") || !strings.Contains(log, tt.log) {
				t.Errorf("the log: %s", log)
			}
			if reason := decode[struct{ Message string }](t, a.body).Message; !strings.Contains(log, reason) {
				t.Errorf("the log does not say why: %s", log)
			}
			s.start(t, m, `{"strain":"play-`+tt.play+`"}`).must(t, `{}`)
			s.await(t, m, "ERROR") // the same start again starts nothing again
			send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.query(), "").must(t, `{}`)
			s.post(t, "/api/v1/job/result", m.auth()).refused(t, 404, 5, "no such job")
		})
	}
}

// testMissingFiles holds that a file that was not written has no key.
func testMissingFiles(t *testing.T, s *site) {
	m := s.started(t, "no plots", `{"strain":"no-plots"}`)
	s.await(t, m, "SUCCESSFUL")
	got, want := make(map[string]bool), make(map[string]bool)
	for key := range s.results(t, m) {
		got[key] = true
	}
	for key := range endings() {
		want[key] = key != "PNGCircularPlot" && key != "SVGCircularPlot"
	}
	delete(want, "PNGCircularPlot")
	delete(want, "SVGCircularPlot")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// testServedUI opens a built web UI that the backend serves.
func testServedUI(t *testing.T, s *site) {
	for path, want := range map[string]string{
		"/":                     "<!doctype html><title>UI</title>",
		"/jobs":                 "<!doctype html><title>UI</title>",
		"/result/eyJqb2JJRCI6I": "<!doctype html><title>UI</title>",
		"/assets/app.js":        "start()",
		"/config/config.json":   `{"api":"` + s.url + `/api/v1"}` + "\n",
	} {
		if a := s.get(t, path); a.status != http.StatusOK || a.body != want {
			t.Errorf("%s: status %d: %s", path, a.status, a.body)
		}
	}
	if a := s.get(t, "/assets/missing.js"); a.status != http.StatusNotFound {
		t.Errorf("a part that is missing: status %d", a.status)
	}
	if a := s.get(t, "/..%2f..%2fbakta"); a.status == http.StatusOK && strings.Contains(a.body, "#!/bin/sh") {
		t.Error("a file outside of the UI is served")
	}
	if a := s.get(t, "/api-docs/"); a.status != http.StatusOK {
		t.Errorf("the API's documentation: status %d", a.status)
	}
}
