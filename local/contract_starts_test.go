package local_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testSameStart holds what a start's JSON means, by starting jobs again: with the same configuration in other
// words that is a success, with another configuration a conflict.
func testSameStart(t *testing.T, s *site) {
	full := s.create(t, "everything")
	s.put(t, full.UploadLinkFasta, genome+genome[strings.IndexByte(genome, '\n')+1:]) // compliant, shorter sequences are left out
	s.put(t, full.UploadLinkProdigal, training())
	s.put(t, full.UploadLinkReplicons, "contig_1\tchr\tchromosome\tcircular\tmain\n")
	s.start(t, full, `{"hasProdigal":true,"hasReplicons":true,"translationTable":4,"completeGenome":true,"keepContigHeaders":false,`+
		`"minContigLength":20,"dermType":"DIDERM","genus":"Escherichia","species":"coli","strain":"--help;$(id)","plasmid":"pX1",`+
		`"locus":"L.1","locusTag":"TAG","compliant":true}`).must(t, `{}`)
	none := s.started(t, "nothing", `{}`)

	// everything is the same configuration, but for the fields that are replaced by others, or left out.
	everything := func(without string, instead string) string {
		fields := map[string]string{"hasProdigal": `true`, "hasReplicons": `true`, "translationTable": `4`, "completeGenome": `true`,
			"minContigLength": `20`, "dermType": `"DIDERM"`, "genus": `"Escherichia"`, "species": `"coli"`, "strain": `"--help;$(id)"`,
			"plasmid": `"pX1"`, "locus": `"L.1"`, "locusTag": `"TAG"`, "compliant": `true`}
		all := []string{instead}
		for name, value := range fields {
			if name != without {
				all = append(all, `"`+name+`":`+value)
			}
		}
		return "{" + strings.TrimPrefix(strings.Join(all, ","), ",") + "}"
	}
	for _, tt := range []struct {
		name   string
		job    made
		config string
		same   bool
	}{
		{"everything", full, everything("", ""), true},
		{"gRPC's name of the table", full, everything("translationTable", `"translationalTable":4`), true},
		{"the table as a text", full, everything("translationTable", `"translationTable":"4"`), true},
		{"the table as 4.0", full, everything("translationTable", `"translationTable":4.0`), true},
		{"the table as text 4.0", full, everything("translationTable", `"translationalTable":" 4.0 "`), true},
		{"another table", full, everything("translationTable", `"translationTable":25`), false},
		{"no table", full, everything("translationTable", ``), false},
		{"the table is 0", full, everything("translationTable", `"translationTable":0`), false},
		{"the length as a text", full, everything("minContigLength", `"minContigLength":"20"`), true},
		{"the length as 2e1", full, everything("minContigLength", `"minContigLength":2e1`), true},
		{"another length", full, everything("minContigLength", `"minContigLength":21`), false},
		{"locus_tag", full, everything("locusTag", `"locus_tag":"TAG"`), true},
		{"another locus_tag", full, everything("locusTag", `"locus_tag":"TAGS"`), false},
		{"true as a text", full, everything("completeGenome", `"completeGenome":"true"`), true},
		{"false", full, everything("completeGenome", `"completeGenome":false`), false},
		{"false as a text", full, everything("compliant", `"compliant":"False"`), false},
		{"the cell in small letters", full, everything("dermType", `"dermType":"diderm"`), true},
		{"the cell's number", full, everything("dermType", `"dermType":2`), true},
		{"the cell's number as a text", full, everything("dermType", `"dermType":"2"`), true},
		{"another cell", full, everything("dermType", `"dermType":"MONODERM"`), false},
		{"space around a text", full, everything("genus", `"genus":" Escherichia\t"`), true},
		{"another genus", full, everything("genus", `"genus":"escherichia"`), false},
		{"the training file's name", full, everything("hasProdigal", `"prodigalTrainingFile":"ecoli.trn"`), true},
		{"no training file", full, everything("hasProdigal", `"prodigalTrainingFile":null`), false},
		{"the training file declined", full, everything("hasProdigal", `"hasProdigal":false`), false},
		{"flags that are false", full, everything("keepContigHeaders", `"keepContigHeaders":null`), true},
		{"unknown fields", full, everything("", `"threads":64,"meta":true,"outdir":{"a":[]}`), true},

		{"an empty configuration", none, `{}`, true},
		{"null", none, `null`, true},
		{"an empty text", none, `""`, true},
		{"all fields null", none, `{"hasProdigal":null,"hasReplicons":null,"prodigalTrainingFile":null,"translationTable":null,` +
			`"translationalTable":null,"completeGenome":null,` +
			`"keepContigHeaders":null,"minContigLength":null,"dermType":null,"genus":null,"species":null,"strain":null,"plasmid":null,` +
			`"locus":null,"locusTag":null,"locus_tag":null,"compliant":null}`, true},
		{"all fields empty", none,
			`{"hasProdigal":"","hasReplicons":"","prodigalTrainingFile":"","translationTable":"","translationalTable":"","completeGenome":"",` +
				`"keepContigHeaders":"","minContigLength":"","dermType":"","genus":"","species":"","strain":"","plasmid":"","locus":"","locusTag":"",` +
				`"locus_tag":"","compliant":""}`, true},
		{"zeros", none, `{"translationTable":0,"minContigLength":0,"dermType":0}`, true},
		{"zeros as texts", none, `{"translationTable":"0","minContigLength":"0","dermType":"0"}`, true},
		{"nothing is known of the cell", none, `{"dermType":"UNKNOWN"}`, true},
		{"false", none, `{"completeGenome":false,"keepContigHeaders":false,"compliant":false}`, true},
		{"blank texts", none, `{"genus":" ","plasmid":"\t","prodigalTrainingFile":" "}`, true},
		{"a genus", none, `{"genus":"x"}`, false},
		{"the table declined", none, `{"hasReplicons":false}`, false},
	} {
		a := s.start(t, tt.job, tt.config)
		want := http.StatusOK
		if !tt.same {
			want = http.StatusConflict
		}
		if a.status != want {
			t.Errorf("%s: status %d, want %d: %s", tt.name, a.status, want, a.body)
		}
	}

	// The command line has the options of the start.
	s.await(t, full, "SUCCESSFUL")
	s.await(t, none, "SUCCESSFUL")
	log := s.log(t, full)
	for _, option := range []string{"--translation-table=4", "--complete", "--min-contig-length=20", "--gram=-", "--genus=Escherichia",
		"--species=coli",
		"--strain=--help;$(id)", "--plasmid=pX1", "--locus=L.1", "--locus-tag=TAG", "--compliant", "--prodigal-tf=", "--replicons="} {
		if line, _, _ := strings.Cut(log, "\n"); !strings.Contains(line, option) {
			t.Errorf("%s is not in %s", option, line)
		}
	}
	if diff := cmp.Diff([]string(nil), argv(t, s.log(t, none))); diff != "" {
		t.Errorf("options of a start without any: %s", diff)
	}
}

// testStartsAtOnce starts a job sixteen times at once, half of them with another configuration. One configuration
// wins, all starts that have it succeed, and the job runs with it.
func testStartsAtOnce(t *testing.T, s *site) {
	for _, tt := range []struct {
		name  string
		other string // what every second start says of the genus
	}{
		{"the same", "Escherichia"},
		{"two kinds", "Salmonella"},
	} {
		m := s.ready(t, "sixteen, "+tt.name)
		genera := []string{"Escherichia", tt.other}
		answers := atOnce(t, 16, func(i int) (answer, error) {
			return attempt(t.Context(), s.http1, http.MethodPost, s.url+"/api/v1/job/start",
				`{"job":`+m.auth()+`,"config":{"genus":"`+genera[i%2]+`"}}`)
		})
		winner := ""
		for i, a := range answers {
			if a.status == http.StatusOK {
				winner = genera[i%2]
			}
		}
		for i, a := range answers {
			if genera[i%2] == winner {
				a.must(t, `{}`)
			} else {
				a.refused(t, 409, 6, "another configuration")
			}
		}
		s.await(t, m, "SUCCESSFUL")
		log := s.log(t, m)
		if diff := cmp.Diff([]string{"--genus=" + winner}, argv(t, log)); diff != "" {
			t.Errorf("%s: options: %s", tt.name, diff)
		}
		if n := strings.Count(log, "Bakta Command: "); n != 1 {
			t.Errorf("%s: the log contains %d runs", tt.name, n)
		}
	}
}

// testDeletes deletes a job on each of the two paths, and with each spelling of the id.
func testDeletes(t *testing.T, s *site) {
	for _, call := range []func(m made) string{
		func(m made) string { return "/api/v1/delete?jobID=" + m.Job.JobID + "&secret=" + m.Job.Secret },
		func(m made) string { return "/api/v1/job/delete?secret=" + m.Job.Secret + "&jobID=" + m.Job.JobID },
		func(m made) string { return "/api/v1/delete?jobId=" + m.Job.JobID + "&secret=" + m.Job.Secret },
		func(m made) string {
			return "/api/v1/job/delete?secret=" + m.Job.Secret + "&jobId=" + strings.ToUpper(m.Job.JobID)
		},
	} {
		m := s.ready(t, "to be deleted")
		path := call(m)
		send(t, s.http1, http.MethodDelete, s.url+path, "").must(t, `{}`)
		send(t, s.http1, http.MethodDelete, s.url+path, "").refused(t, 404, 5, "no such job")
		s.post(t, "/api/v1/job/result", m.auth()).refused(t, 404, 5, "no such job")
		s.start(t, m, `{}`).refused(t, 404, 5, "no such job")
		s.get(t, "/api/v1/job/logs?"+m.query()).refused(t, 404, 5, "no such job")
		if got := s.state(t, m); got != "NOT_FOUND" {
			t.Errorf("%s: the list says %s", path, got)
		}
	}

	// "Delete removes all of its data": links that worked before lead to nothing.
	m := s.started(t, "to be deleted with results", `{}`)
	s.await(t, m, "SUCCESSFUL")
	links := s.results(t, m)
	send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.query(), "").must(t, `{}`)
	for name, link := range links {
		if a := send(t, s.http1, http.MethodGet, link, ""); a.status != http.StatusNotFound {
			t.Errorf("%s of a deleted job: status %d", name, a.status)
		}
	}

	// Of many deletes at once each is a success or finds the job gone.
	m = s.ready(t, "deleted at once")
	won := 0
	for _, a := range atOnce(t, 8, func(int) (answer, error) {
		return attempt(t.Context(), s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.query(), "")
	}) {
		if a.status == http.StatusOK {
			won++
		} else if a.status != http.StatusNotFound {
			t.Errorf("a delete among others is answered %d: %s", a.status, a.body)
		}
	}
	if won == 0 {
		t.Error("of many deletes at once none succeeds")
	}
}
