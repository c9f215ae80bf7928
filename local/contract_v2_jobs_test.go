package local_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/google/go-cmp/cmp"
)

// testBothVersions has jobs of each version read, logged, started and deleted by the other.
func testBothVersions(t *testing.T, s *siteV2) {
	old, young := s.ready(t, "old"), s.readyV2(t, "young")
	other := s.initV2(t, "proteins", "bakta_proteins")

	// One list, by either version, has jobs of both.
	entry := func(m madeV2, status, name string) string {
		return `{"jobID":"` + m.Job.ID + `","jobStatus":"` + status + `","started":"<time>","updated":"<time>","name":"` + name + `"}`
	}
	s.post(t, "/api/v1/job/list", `{"jobs":[`+young.old().auth()+`,`+old.auth()+`,`+other.old().auth()+`]}`).must(t,
		`{"jobs":[`+entry(young, "INIT", "young")+`,`+entry(old.young(), "INIT", "old")+`,`+entry(other, "INIT", "proteins")+`],"failedJobs":[]}`)
	s.post(t, "/api/v2/job/list", `{"jobs":[`+young.ref()+`,`+old.young().ref()+`,`+other.ref()+`]}`).must(t,
		`{"jobs":[`+young.entry("init", "young")+`,`+old.young().entry("init", "old")+`,`+other.entry("init", "proteins")+`],"failed_jobs":[]}`)

	// The first version's jobs are started by that version alone.
	s.startV2(t, old.young(), `{}`).says(t, 400, "^Wrong API version")
	if got := s.state(t, old); got != "INIT" {
		t.Errorf("the refused start left the job %s", got)
	}
	s.start(t, old, `{"genus":"Escherichia"}`).must(t, `{}`)
	s.startV2(t, old.young(), `{"genus":"Escherichia"}`).says(t, 400, "^Wrong API version")

	// The second version's jobs are started by either, but what the first does not know.
	s.start(t, other.old(), `{}`).refused(t, 400, 3, "Workflow kind mismatch: .*bakta_proteins")
	s.start(t, young.old(), `{"genus":"Salmonella"}`).must(t, `{}`)
	s.start(t, young.old(), `{"genus":"Salmonella"}`).must(t, `{}`)
	s.startV2(t, young, `{"genus":"Escherichia"}`).says(t, 409, "another configuration")

	s.awaitV2(t, old.young(), "successful")
	s.await(t, young.old(), "SUCCESSFUL")
	for name, m := range map[string]madeV2{"old": old.young(), "young": young} {
		if diff := cmp.Diff(keysOf(endings()), keysOf(s.results(t, m.old()))); diff != "" {
			t.Errorf("%s: the first version's results: %s", name, diff)
		}
		if diff := cmp.Diff(keysOf(filesOf("bakta")), keysOf(s.filesV2(t, m))); diff != "" {
			t.Errorf("%s: the second version's results: %s", name, diff)
		}
		log, logs := s.log(t, m.old()), s.logsV2(t, m)
		if logs[0].Content != strings.TrimSpace(log) || logs[0].Status != "succeeded" {
			t.Errorf("%s: the versions' logs differ: %q and %q", name, log, logs)
		}
		if s.results(t, m.old())["JSON"] == "" ||
			s.download(t, s.results(t, m.old())["JSON"]).body != s.download(t, s.filesV2(t, m)["json"]).body {
			t.Errorf("%s: the versions' files differ", name)
		}
	}
	if diff := cmp.Diff([]string{"--genus=Salmonella"}, argv(t, s.log(t, young.old()))); diff != "" {
		t.Errorf("options of a job that the other version started: %s", diff)
	}

	// Each deletes the other's.
	s.removeV2(t, old.young())
	send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+young.old().query(), "").must(t, `{}`)
	for name, m := range map[string]madeV2{"old": old.young(), "young": young} {
		if a, b := s.state(t, m.old()), s.stateV2(t, m); a != "NOT_FOUND" || b != "not_found" {
			t.Errorf("%s: after its deletion it is %s and %s", name, a, b)
		}
		s.removeV2(t, m)
		send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.old().query(), "").refused(t, 404, 5, "no such job")
	}
}

func keysOf[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// testWorkflowsV2 takes a job of each workflow from its creation to its deletion.
func testWorkflowsV2(t *testing.T, s *siteV2) {
	first := s.startedV2(t, "E. coli", `{}`)
	s.awaitV2(t, first, "successful")
	annotation := s.download(t, s.filesV2(t, first)["json"]).body
	for _, tt := range []struct{ kind, name, upload string }{
		{"bakta", "a genome", genome},
		{"bakta_proteins", "proteins & \"q\"", ">P1 some protein\nMKTAYIAKQRQISFVKSHFSRQ\n>P2\nMSTNPKPQRKTKRNTNRRPQDVKFPGG*\n"},
		{"baktfold", "", annotation},
		{"bakta_baktfold", "both 酵母", genome},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			m := s.initV2(t, tt.name, tt.kind)
			for _, u := range m.Uploads {
				if life := signed(t, u.URL); life < 10_000 {
					t.Errorf("the link of %s lives %d s", u.Kind, life)
				}
			}
			s.startV2(t, m, `{}`).says(t, 400, regexp.QuoteMeta(upload.Label(m.Uploads[0].Kind))+": the file was not uploaded")
			s.put(t, m.Uploads[0].URL, tt.upload)
			// Workflows without options ignore the configuration.
			s.startV2(t, m, `{}`).must(t, `null`)
			s.startV2(t, m, `{"threads":5}`).must(t, `null`)
			s.awaitV2(t, m, "successful")

			name, err := json.Marshal(tt.name)
			if err != nil {
				t.Fatal(err)
			}
			var links []string
			for key := range filesOf(tt.kind) {
				links = append(links, `"`+key+`":"<link>"`)
			}
			a := s.post(t, "/api/v2/job/result", m.ref())
			a.must(t, `{"job_id":"`+m.Job.ID+`","workflow_kind":"`+tt.kind+`","started":"<time>","updated":"<time>","name":`+string(name)+
				`,"result":{"result_kind":"`+resultKind(tt.kind)+`","files":{`+strings.Join(links, ",")+`}}}`)
			times := decode[struct{ Started, Updated time.Time }](t, a.body)
			if !times.Updated.After(times.Started) || time.Since(times.Started) > 5*time.Minute || time.Until(times.Updated) > time.Minute {
				t.Errorf("started %s, updated %s", times.Started, times.Updated)
			}
			for key, link := range s.filesV2(t, m) {
				if life := signed(t, link); life != 6*24*3600 {
					t.Errorf("the link of %s lives %d s", key, life)
				}
				called := tt.name
				if called == "" {
					called = "result"
				}
				if got := fileName(t, s.download(t, link)); !strings.HasSuffix(got, filesOf(tt.kind)[key]) || !strings.Contains(tt.name, `"`) &&
					got != called+filesOf(tt.kind)[key] {
					t.Errorf("%s is called %q", key, got)
				}
			}
			for _, log := range s.logsV2(t, m) {
				if log.Status != "succeeded" || !strings.Contains(log.Content, " Command: ") || strings.TrimRight(log.Content, " \t\n") != log.Content {
					t.Errorf("stage %s %s: %q", log.Stage, log.Status, log.Content)
				}
			}
			s.removeV2(t, m)
		})
	}
}

// testWebUIV2 sends the requests of the newer web UI in a browser.
func testWebUIV2(t *testing.T, s *siteV2) {
	const origin = "https://bakta.computational.bio"
	header := []string{"User-Agent", browser, "Accept", "application/json", "Content-Type", "application/json", "Origin", origin,
		"Referer", origin + "/", "Sec-Fetch-Mode", "cors"}
	call := func(t *testing.T, method, path, body string) answer {
		t.Helper()
		a := send(t, s.http1, method, s.url+path, body, header...)
		if got := a.header.Get("Access-Control-Allow-Origin"); got != "*" && got != origin {
			t.Errorf("%s %s: a page of %s may not read it: %q", method, path, origin, got)
		}
		return a
	}
	call(t, http.MethodGet, "/api/v2/workflows", "").must(t, workflowsV2()[0].answer)
	call(t, http.MethodGet, "/api/v2/version", "").must(t, versionV2()[0].answer)

	m := decode[madeV2](t, call(t, http.MethodPost, "/api/v2/job/init", `{"name":"NC_002127.1.fna","workflow_kind":"bakta"}`).
		must(t, createdV2("bakta")).body)
	// Files that the user did not choose are not sent, except the replicon table. No Content-Type is set.
	for kind, content := range map[string]string{"genome_fasta": genome, "replicons_table": ""} {
		if a := send(t, s.http1, http.MethodPut, m.link(t, kind), content, "User-Agent", browser, "Origin", origin); a.status/100 != 2 ||
			a.header.Get("Access-Control-Allow-Origin") == "" {
			t.Fatalf("uploading %s: status %d, %v", kind, a.status, a.header)
		}
	}
	call(t, http.MethodPost, "/api/v2/job/start",
		`{"job":`+m.ref()+`,"workflow_kind":"bakta","config":{"use_prodigal_training_file":false,"use_replicons":true,"use_regions":false,`+
			`"use_trusted_proteins":false,"use_hmms":false,"translation_table":11,"complete_genome":false,"keep_contig_headers":false,`+
			`"min_contig_length":1,"derm_type":"unknown","genus":"","species":"",`+
			`"strain":"","plasmid":"","locus":"","locus_tag":"","locus_tag_increment":1,"compliant":false,"meta":false,"skip_trna":false,`+
			`"skip_tmrna":false,"skip_rrna":false,"skip_ncrna":false,`+
			`"skip_ncrna_region":false,"skip_crispr":false,"skip_cds":false,"skip_pseudo":false,"skip_sorf":false,"skip_gap":false,`+
			`"skip_ori":false,"skip_filter":false,"skip_plot":false}}`).must(t, `null`)

	// It requests the list and the logs until the job's end, and draws the stages.
	var states, stages []string
	seen := func(list *[]string, state string) {
		if len(*list) == 0 || (*list)[len(*list)-1] != state {
			*list = append(*list, state)
		}
	}
	s.until(t, "the web UI sees the job's end", func() bool {
		a := call(t, http.MethodPost, "/api/v2/job/list", `{"jobs":[`+m.ref()+`]}`)
		a.must(t, `{"jobs":[`+m.entry("<~^(init|running|successful)$>", "NC_002127.1.fna")+`],"failed_jobs":[]}`)
		state := decode[struct{ Jobs []struct{ Status string } }](t, a.body).Jobs[0].Status
		seen(&states, state)
		l := call(t, http.MethodGet, "/api/v2/job/logs?job_id="+m.Job.ID+"&secret="+m.Job.Secret, "")
		l.must(t, `{"workflow_kind":"bakta","stages":[{"stage":"bakta","status":"<~^(pending|running|succeeded)$>","content":"<~>"}]}`)
		seen(&stages, decode[struct{ Stages []stageLog }](t, l.body).Stages[0].Status)
		return state == "successful"
	})
	if order := strings.Join(states, " "); !strings.HasSuffix("init running successful", order) && order != "init successful" {
		t.Errorf("the job went %s", order)
	}
	if order := strings.Join(stages, " "); !strings.HasSuffix("pending running succeeded", order) && order != "pending succeeded" {
		t.Errorf("the stage went %s", order)
	}

	a := call(t, http.MethodPost, "/api/v2/job/result", m.ref())
	files := decode[struct {
		Result struct{ Files map[string]string }
	}](t, a.body).Result.Files
	drawn := send(t, s.http1, http.MethodGet, files["json"], "", "User-Agent", browser, "Accept", "*/*", "Origin", origin)
	if drawn.status != http.StatusOK || drawn.length != int64(len(drawn.body)) || drawn.header.Get("Access-Control-Allow-Origin") == "" {
		t.Fatalf("the JSON: status %d, length %d, %v", drawn.status, drawn.length, drawn.header)
	}

	// "Run Baktfold" uploads the JSON to a new job.
	next := decode[madeV2](t, call(t, http.MethodPost, "/api/v2/job/init", `{"name":"NC_002127.1.fna","workflow_kind":"baktfold"}`).
		must(t, createdV2("baktfold")).body)
	s.put(t, next.link(t, "bakta_json"), drawn.body)
	call(t, http.MethodPost, "/api/v2/job/start", `{"job":`+next.ref()+`,"workflow_kind":"baktfold","config":{}}`).must(t, `null`)
	s.awaitV2(t, next, "successful")

	// The list of this browser's jobs: of both versions, with some that no longer exist.
	old, gone := s.create(t, "old"), s.initV2(t, "gone", "bakta")
	if a := call(t, http.MethodDelete, "/api/v2/job/delete?job_id="+gone.Job.ID+"&secret="+gone.Job.Secret, ""); a.status != http.StatusOK ||
		a.body != "" {
		t.Errorf("delete: status %d: %s", a.status, a.body)
	}
	call(t, http.MethodPost, "/api/v2/job/list",
		`{"jobs":[`+m.ref()+`,`+next.ref()+`,`+old.young().ref()+`,`+gone.ref()+`,`+unknownRef+`,{"job_id":"`+m.Job.ID+`","secret":"`+wrongSecret+
			`"}]}`).must(t,
		`{"jobs":[`+m.entry("successful", "NC_002127.1.fna")+`,`+next.entry("successful", "NC_002127.1.fna")+`,`+
			old.young().entry("init", "old")+
			`],"failed_jobs":[{"job_id":"`+gone.Job.ID+`","status":"not_found"},`+
			`{"job_id":"`+unknownID+`","status":"not_found"},{"job_id":"`+m.Job.ID+
			`","status":"unauthorized"}]}`)

	// It shows an error only if that is a text; and a job that it can't delete stays in its list.
	call(t, http.MethodPost, "/api/v2/job/result", old.young().ref()).says(t, 400, "^Job not finished")
	call(t, http.MethodPost, "/api/v2/job/result", gone.ref()).says(t, 404, "^Job not found$")
	call(t, http.MethodGet, "/api/v2/job/logs?job_id="+m.Job.ID+"&secret="+wrongSecret, "").says(t, 401, "^Unauthorized$")
	for range 2 {
		if a := call(t, http.MethodDelete, "/api/v2/job/delete?job_id="+m.Job.ID+"&secret="+m.Job.Secret, ""); a.status != http.StatusOK ||
			a.body != "" {
			t.Errorf("delete: status %d: %s", a.status, a.body)
		}
	}
	for _, ask := range []struct{ method, path string }{
		{http.MethodPost, "/api/v2/job/init"}, {http.MethodPost, "/api/v2/job/start"}, {http.MethodPost, "/api/v2/job/submit"},
		{http.MethodPost, "/api/v2/job/list"}, {http.MethodPost, "/api/v2/job/result"},
		{http.MethodGet, "/api/v2/job/logs"}, {http.MethodGet, "/api/v2/workflows"}, {http.MethodDelete, "/api/v2/job/delete?job_id=x&secret=y"},
	} {
		a := send(t, s.http1, http.MethodOptions, s.url+ask.path, "", "Origin", origin, "Access-Control-Request-Method", ask.method,
			"Access-Control-Request-Headers", "accept,content-type")
		if a.status != http.StatusNoContent && a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Methods") != ask.method ||
			a.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("before %s %s: status %d, %v", ask.method, ask.path, a.status, a.header)
		}
	}
}
