package local_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"

// testWebUI says word for word what the web UI 1.2.0 to 1.3.2 says in a browser.
func testWebUI(t *testing.T, s *site) {
	const origin = "https://bakta.computational.bio"
	header := func(contentType string) []string {
		return []string{"User-Agent", browser, "Accept", "application/json", "Accept-Language", "de,en-US;q=0.7", "Content-Type", contentType,
			"Origin", origin, "Referer", origin + "/", "Sec-Fetch-Mode", "cors"}
	}
	for name, files := range map[string]struct{ table, training, used string }{
		"without files": {"", "", ""},
		"with files":    {"contig_1\tchr\tchromosome\tcircular\tmain\n\n", training(), "--prodigal-tf= --replicons="},
	} {
		m := decode[made](t, send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/init", `{"name":"NC_002127.1.fna","repliconTableType":"TSV"}`,
			header("application/json")...).must(t, createdAnswer).body)

		// All three at once; fetch gives a text a type of its own.
		links := []string{m.UploadLinkFasta, m.UploadLinkReplicons, m.UploadLinkProdigal}
		bodies := []string{genome, files.table, files.training}
		types := []string{"text/plain;charset=UTF-8", "text/plain;charset=UTF-8", "application/octet-stream"}
		for i, a := range atOnce(t, 3, func(i int) (answer, error) {
			return attempt(t.Context(), s.http1, http.MethodPut, links[i], bodies[i], header(types[i])...)
		}) {
			if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") == "" {
				t.Fatalf("%s: upload %d: status %d, %v: %s", name, i, a.status, a.header, a.body)
			}
		}

		send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/start", `{"config":{"completeGenome":false,"compliant":false,`+
			`"dermType":"UNKNOWN","genus":"","hasReplicons":true,"keepContigHeaders":false,"locus":"","locusTag":"",`+
			`"minContigLength":1,"plasmid":"","prodigalTrainingFile":null,"species":"","strain":"","translationTable":11},"job":{"jobID":"`+
			m.Job.JobID+`","secret":"`+m.Job.Secret+`"}}`,
			header("application/json")...).must(t, `{}`)

		var states []string
		s.until(t, "the web UI sees the job's end", func() bool {
			a := send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/list", `{"jobs":[`+m.auth()+`]}`, header("application/json")...)
			a.must(t, `{"jobs":[{"jobID":"`+m.Job.JobID+
				`","jobStatus":"<~^(INIT|RUNNING|SUCCESSFUL)$>","started":"<time>","updated":"<time>","name":"NC_002127.1.fna"}],"failedJobs":[]}`)
			state := decode[struct{ Jobs []struct{ JobStatus string } }](t, a.body).Jobs[0].JobStatus
			if len(states) == 0 || states[len(states)-1] != state {
				states = append(states, state)
			}
			return state == "SUCCESSFUL"
		})
		if order := strings.Join(states, " "); !strings.HasSuffix("INIT RUNNING SUCCESSFUL", order) && order != "INIT SUCCESSFUL" {
			t.Errorf("%s: the job went %s", name, order)
		}

		a := send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/result", m.auth(), header("application/json")...)
		a.must(t, `{"jobID":"`+m.Job.JobID+`","ResultFiles":{`+resultFiles+`},"started":"<time>","updated":"<time>","name":"NC_002127.1.fna"}`)
		link := decode[struct{ ResultFiles map[string]string }](t, a.body).ResultFiles["JSON"]
		drawn := send(t, s.http1, http.MethodGet, link, "", "User-Agent", browser, "Accept", "*/*", "Origin", origin)
		if drawn.status != http.StatusOK || drawn.length != int64(len(drawn.body)) || drawn.header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s: the JSON: status %d, length %d, %v", name, drawn.status, drawn.length, drawn.header)
		}
		if exposed := strings.ToLower(drawn.header.Get("Access-Control-Expose-Headers")); !strings.Contains(exposed, "content-length") &&
			exposed != "*" {
			// Scripts may read this one without leave, in browsers of our time. Older ones want it.
			t.Errorf("%s: the JSON: scripts may read %q", name, exposed)
		}
		viewed := decode[struct{ Genome, Stats, Features, Sequences any }](t, drawn.body)
		if viewed.Features == nil || viewed.Sequences == nil || viewed.Stats == nil || viewed.Genome == nil {
			t.Errorf("%s: the JSON lacks what the viewer draws: %.200s", name, drawn.body)
		}

		// The query is put together without encoding.
		log := send(t, s.http1, http.MethodGet, s.url+"/api/v1/job/logs?jobID="+m.Job.JobID+"&secret="+m.Job.Secret, "", "User-Agent", browser,
			"Accept", "*/*", "Origin", origin)
		if log.status != http.StatusOK || !strings.HasPrefix(log.body, "Bakta Command: ") ||
			!strings.HasPrefix(log.header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s: the log: status %d, %s: %.100s", name, log.status, log.header.Get("Content-Type"), log.body)
		}
		var used []string
		for _, option := range argv(t, log.body) {
			key, _, _ := strings.Cut(option, "=")
			if key == "--replicons" || key == "--prodigal-tf" {
				used = append(used, key+"=")
			}
		}
		if diff := cmp.Diff(files.used, strings.Join(used, " ")); diff != "" {
			t.Errorf("%s: files used: %s", name, diff)
		}
		send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?jobID="+m.Job.JobID+"&secret="+m.Job.Secret, "", "User-Agent", browser,
			"Origin", origin).must(t, `{}`)
		gone := send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/list", `{"jobs":[`+m.auth()+`]}`, header("application/json")...)
		gone.must(t, `{"jobs":[],"failedJobs":[{"jobID":"`+m.Job.JobID+`","jobStatus":"NOT_FOUND"}]}`)
	}
}

// testPythonScript says what scripts with the library requests say: a table with commas that is declined, nulls,
// zeros, and the job's state asked for right after the start.
func testPythonScript(t *testing.T, s *site) {
	header := func(contentType ...string) []string {
		return append([]string{"User-Agent", "python-requests/2.31.0", "Accept-Encoding", "gzip, deflate", "Accept", "*/*",
			"Connection", "keep-alive"}, contentType...)
	}
	asJSON := header("Content-Type", "application/json")
	m := decode[made](t, send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/init", `{"name": "sample_1", "repliconTableType": "CSV"}`,
		asJSON...).must(t, createdAnswer).body)
	s.put(t, m.UploadLinkFasta, genome, header()...)
	s.put(t, m.UploadLinkReplicons, "contig_1,chr,chromosome,circular,main\n", header()...)
	s.put(t, m.UploadLinkProdigal, "", header()...)
	send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/start", `{"config": {"completeGenome": false, "compliant": true, `+
		`"dermType": null, "genus": null, "hasReplicons": false, "keepContigHeaders": false, `+
		`"locus": null, "locusTag": null, "minContigLength": 0, "plasmid": null, "prodigalTrainingFile": null, "species": null, `+
		`"strain": null, "translationTable": 11}, `+
		`"job": {"jobID": "`+m.Job.JobID+`", "secret": "`+m.Job.Secret+`"}}`, asJSON...).
		refused(t, 400, 3, "200") // no sequence of the genome has the minimum length

	s.put(t, m.UploadLinkFasta, genome+genome[strings.IndexByte(genome, '\n')+1:], header()...)
	send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/start", `{"config": {"completeGenome": false, "compliant": true, `+
		`"dermType": null, "genus": null, "hasReplicons": false, "keepContigHeaders": false, `+
		`"locus": null, "locusTag": null, "minContigLength": 0, "plasmid": null, "prodigalTrainingFile": null, "species": null, `+
		`"strain": null, "translationTable": 11}, `+
		`"job": {"jobID": "`+m.Job.JobID+`", "secret": "`+m.Job.Secret+`"}}`, asJSON...).must(t, `{}`)
	a := send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/list", `{"jobs": [{"jobID": "`+m.Job.JobID+`", "secret": "`+m.Job.Secret+`"}]}`,
		asJSON...)
	a.must(t, `{"jobs":[{"jobID":"<id>","jobStatus":"<~^(INIT|RUNNING)$>","started":"<time>","updated":"<time>","name":"sample_1"}],`+
		`"failedJobs":[]}`)
	s.await(t, m, "SUCCESSFUL")
	if diff := cmp.Diff([]string{"--translation-table=11", "--compliant"}, argv(t, s.log(t, m))); diff != "" {
		t.Errorf("options: %s", diff)
	}
}

// testOtherScripts sends the requests of further kinds of clients.
func testOtherScripts(t *testing.T, s *site) {
	for name, script := range map[string]struct {
		contentType string // of the calls; empty: none
		upload      string // Content-Type of the upload; empty: none
		table       bool
		config      string
		options     []string
	}{
		"the documentation's own example": {"application/x-www-form-urlencoded", "application/x-www-form-urlencoded", false,
			`{"completeGenome":true}`, []string{"--complete"}},
		"an example with a null": {"application/json", "", false, `{"dermType":null,"minContigLength":200}`,
			[]string{"--min-contig-length=200"}},
		"a TypeScript client": {"application/json;charset=utf-8", "text/plain", true,
			`{"completeGenome":false,"translationTable":"4","locus_tag":"ABC"}`,
			[]string{"--translation-table=4", "--locus-tag=ABC", "--replicons"}},
		"PowerShell": {"application/json; charset=utf-8", "application/octet-stream", false,
			`{"genus":"Escherichia","hasReplicons":false,"minContigLength":"1"}`, []string{"--genus=Escherichia"}},
		"a client without manners": {"", "multipart/form-data", false, `{"genus":""}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var asCall, asUpload []string
			if script.contentType != "" {
				asCall = []string{"Content-Type", script.contentType}
			}
			if script.upload != "" {
				asUpload = []string{"Content-Type", script.upload}
			}
			m := decode[made](t, send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/init", `{"name":"`+name+`"}`, asCall...).
				must(t, createdAnswer).body)
			s.put(t, m.UploadLinkFasta, ">contig_1\n"+strings.Repeat("ACGTTGCA", 50)+"\n", asUpload...)
			if script.table {
				s.put(t, m.UploadLinkReplicons, replicons, asUpload...)
			}
			send(t, s.http1, http.MethodPost, s.url+"/api/v1/job/start", `{"config":`+script.config+`,"job":`+m.auth()+`}`, asCall...).must(t, `{}`)
			s.await(t, m, "SUCCESSFUL")
			var options []string
			for _, option := range argv(t, s.log(t, m)) {
				if strings.HasPrefix(option, "--replicons=") {
					option = "--replicons"
				}
				options = append(options, option)
			}
			if diff := cmp.Diff(script.options, options); diff != "" {
				t.Errorf("options: %s", diff)
			}
		})
	}

	// curl asks for leave before it sends more than a megabyte.
	m := s.create(t, "large")
	s.put(t, m.UploadLinkFasta, ">contig_1\n"+strings.Repeat(strings.Repeat("ACGT", 20)+"\n", 20_000), "Expect", "100-continue",
		"User-Agent", "curl/7.88.1")
	s.start(t, m, `{}`).must(t, `{}`)
	send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.query(), "").must(t, `{}`)
}
