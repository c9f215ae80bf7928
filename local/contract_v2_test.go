package local_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// TestContractV2 holds the backend to what clients of the API's second version say and expect: all of it on the
// job database, and what has to do with it on a MongoDB, too; what has to do with files also in a bucket of an S3 store.
func TestContractV2(t *testing.T) {
	t.Parallel()
	for _, stores := range []string{"embedded", "mongod", "s3"} {
		t.Run(stores, func(t *testing.T) {
			t.Parallel()
			args := []string{"--bakta", "stand-in", "--jobs", "2", "--allow-origin", "https://bakta.computational.bio"}
			if stores == "mongod" {
				args = append(args, "--mongodb", mongoDB(t))
			}
			var env []string
			if stores == "s3" {
				_, at, keys := bucketOf(t)
				args, env = append(args, at...), keys
			}
			s := secondVersion(t, openWith(t, env, args...))
			for _, part := range []struct {
				name   string
				test   func(*testing.T, *siteV2)
				stored bool // it has to do with the database
				files  bool // it has to do with the object storage
			}{
				{"requests", testRequestsV2, true, false},
				{"the same start", testSameStartV2, true, true},
				{"warnings", testSubmitV2, true, false},
				{"both versions", testBothVersions, true, true},
				{"run again", testRerunV2, true, true},
				{"workflows", testWorkflowsV2, true, false},
				{"the web UI", testWebUIV2, true, true},
				{"gRPC", testGRPCV2, true, false},
				{"options", testOptionsV2, false, false},
				{"uploads", testUploadsV2, false, true},
				{"documentation", testDocumentationV2, false, false},
				{"the documentation's commands", testCommandsV2, false, false},
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

// siteV2 is a backend as clients of both versions see it.
type siteV2 struct {
	*site
	v2 protov2.BaktaJobsClient
}

// openV2 starts a backend for the test.
func openV2(t *testing.T, args ...string) *siteV2 {
	t.Helper()
	return secondVersion(t, open(t, args...))
}

// secondVersion adds what clients of the second version need.
func secondVersion(t *testing.T, s *site) *siteV2 {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(s.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &siteV2{s, protov2.NewBaktaJobsClient(conn)}
}

// says holds that the answer is a refusal of the second version with that status: a JSON string that matches.
func (a answer) says(t *testing.T, status int, pattern string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	if diff := unlike(saying(pattern), a.body); diff != "" {
		t.Error(diff)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

// saying is the pattern of a JSON string that matches.
func saying(pattern string) string {
	quoted, err := json.Marshal("<~" + pattern + ">")
	if err != nil {
		panic(err) // no text does that
	}
	return string(quoted)
}

// madeV2 is the answer of init.
type madeV2 struct {
	Job struct {
		ID     string `json:"job_id"`
		Secret string `json:"secret"`
	} `json:"job"`
	Kind    string `json:"workflow_kind"`
	Uploads []struct {
		Kind     string `json:"upload_kind"`
		Required bool   `json:"required"`
		URL      string `json:"url"`
	} `json:"uploads"`
}

// ref is the job as it stands in bodies.
func (m madeV2) ref() string {
	return fmt.Sprintf(`{"job_id":"%s","secret":"%s"}`, m.Job.ID, m.Job.Secret)
}

// query is the job as it stands in queries.
func (m madeV2) query() string { return "job_id=" + m.Job.ID + "&secret=" + m.Job.Secret }

// link returns the upload link of that kind.
func (m madeV2) link(t *testing.T, kind string) string {
	t.Helper()
	for _, u := range m.Uploads {
		if u.Kind == kind {
			return u.URL
		}
	}
	t.Fatalf("a job of %s has no upload %s", m.Kind, kind)
	return ""
}

// old is the job as the first version calls it.
func (m madeV2) old() made {
	var old made
	old.Job.JobID, old.Job.Secret = m.Job.ID, m.Job.Secret
	return old
}

// young is the job as the second version calls it.
func (m made) young() madeV2 {
	young := madeV2{Kind: "bakta"}
	young.Job.ID, young.Job.Secret = m.Job.JobID, m.Job.Secret
	return young
}

// catalogue holds the workflows: uploads, of which the first is required, and stages.
func catalogue() map[string]struct{ uploads, stages []string } {
	genome := []string{"genome_fasta", "prodigal_training_file", "replicons_table", "regions_file", "trusted_proteins_file", "hmms_file"}
	return map[string]struct{ uploads, stages []string }{
		"bakta":          {genome, []string{"bakta"}},
		"bakta_proteins": {[]string{"protein_fasta"}, []string{"bakta_proteins"}},
		"bakta_baktfold": {genome, []string{"bakta", "baktfold"}},
		"baktfold":       {[]string{"bakta_json"}, []string{"baktfold"}},
	}
}

// resultKind is what the results of a workflow look like.
func resultKind(kind string) string { return strings.TrimSuffix(kind, "_baktfold") }

// createdV2 is the pattern of init's answer.
func createdV2(kind string) string {
	var uploads []string
	for i, u := range catalogue()[kind].uploads {
		uploads = append(uploads, fmt.Sprintf(`{"upload_kind":"%s","required":%t,"url":"<link>"}`, u, i == 0))
	}
	return `{"job":{"job_id":"<id>","secret":"<secret>"},"workflow_kind":"` + kind + `","uploads":[` + strings.Join(uploads, ",") + `]}`
}

// initV2 makes a job of that name.
func (s *siteV2) initV2(t *testing.T, name, kind string) madeV2 {
	t.Helper()
	body, err := json.Marshal(map[string]string{"name": name, "workflow_kind": kind})
	if err != nil {
		t.Fatal(err)
	}
	return decode[madeV2](t, s.post(t, "/api/v2/job/init", string(body)).must(t, createdV2(kind)).body)
}

// startV2 starts a job with a configuration in JSON.
func (s *siteV2) startV2(t *testing.T, m madeV2, config string) answer {
	t.Helper()
	return s.post(t, "/api/v2/job/start", `{"job":`+m.ref()+`,"workflow_kind":"`+m.Kind+`","config":`+config+`}`)
}

// readyV2 returns a job of Bakta whose genome is uploaded.
func (s *siteV2) readyV2(t *testing.T, name string) madeV2 {
	t.Helper()
	m := s.initV2(t, name, "bakta")
	s.put(t, m.link(t, "genome_fasta"), genome)
	return m
}

// startedV2 returns a job of Bakta that was started.
func (s *siteV2) startedV2(t *testing.T, name, config string) madeV2 {
	t.Helper()
	m := s.readyV2(t, name)
	s.startV2(t, m, config).must(t, `null`)
	return m
}

// awaitV2 waits until a job is in a state, and fails the test when it comes to another end.
func (s *siteV2) awaitV2(t *testing.T, m madeV2, state string) {
	t.Helper()
	s.until(t, "the job is "+state, func() bool {
		now := s.stateV2(t, m)
		if now != state && (now == "successful" || now == "error" || now == "not_found") {
			t.Fatalf("the job is %s, want %s: %s", now, state, s.post(t, "/api/v2/job/result", m.ref()).body)
		}
		return now == state
	})
}

// stateV2 returns the state of a job, as the list shows it.
func (s *siteV2) stateV2(t *testing.T, m madeV2) string {
	t.Helper()
	a := s.post(t, "/api/v2/job/list", `{"jobs":[`+m.ref()+`]}`)
	list := decode[struct {
		Jobs   []struct{ Status string } `json:"jobs"`
		Failed []struct{ Status string } `json:"failed_jobs"`
	}](t, a.body)
	if a.status != http.StatusOK || len(list.Jobs)+len(list.Failed) != 1 {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return append(list.Jobs, list.Failed...)[0].Status
}

// entryV2 is the pattern of a job in a list.
func (m madeV2) entry(state, name string) string {
	return `{"job_id":"` + m.Job.ID + `","status":"` + state + `","workflow_kind":"` + m.Kind + `","result_kind":"` + resultKind(m.Kind) +
		`","started":"<time>","updated":"<time>","name":"` + name + `"}`
}

// stageLog is the answer of logs about a stage.
type stageLog struct{ Stage, Status, Content string }

// logsV2 returns the logs of a job, whose stages must be those of its workflow.
func (s *siteV2) logsV2(t *testing.T, m madeV2) []stageLog {
	t.Helper()
	a := s.get(t, "/api/v2/job/logs?"+m.query())
	var stages []string
	for _, stage := range catalogue()[m.Kind].stages {
		stages = append(stages, `{"stage":"`+stage+`","status":"<~^(pending|running|succeeded|failed)$>","content":"<~>"}`)
	}
	a.must(t, `{"workflow_kind":"`+m.Kind+`","stages":[`+strings.Join(stages, ",")+`]}`)
	return decode[struct{ Stages []stageLog }](t, a.body).Stages
}

// filesV2 returns the links of a job that succeeded.
func (s *siteV2) filesV2(t *testing.T, m madeV2) map[string]string {
	t.Helper()
	a := s.post(t, "/api/v2/job/result", m.ref())
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	return decode[struct {
		Result struct{ Files map[string]string }
	}](t, a.body).Result.Files
}

// removeV2 deletes a job.
func (s *siteV2) removeV2(t *testing.T, m madeV2) {
	t.Helper()
	if a := send(t, s.http1, http.MethodDelete, s.url+"/api/v2/job/delete?"+m.query(), ""); a.status != http.StatusOK || a.body != "" {
		t.Fatalf("status %d: %q", a.status, a.body)
	}
}

// filesOf holds the endings of a workflow's result files, by their keys.
func filesOf(kind string) map[string]string {
	files := map[string]string{"json": ".json", "tsv": ".tsv", "faa": ".faa", "hypotheticals_tsv": ".hypotheticals.tsv"}
	if kind == "bakta_proteins" {
		return files
	}
	for key, ending := range map[string]string{"embl": ".embl", "ffn": ".ffn", "fna": ".fna", "gbff": ".gbff", "gff3": ".gff3",
		"hypotheticals_faa": ".hypotheticals.faa", "inference_tsv": ".inference.tsv", "logs_txt": ".txt"} {
		files[key] = ending
	}
	if kind == "baktfold" { // it writes none of these, so it has no key for them
		delete(files, "hypotheticals_tsv")
		delete(files, "hypotheticals_faa")
		return files
	}
	files["circular_plot_png"], files["circular_plot_svg"] = ".png", ".svg"
	return files
}
