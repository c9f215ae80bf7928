package local_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

const unknownRef = `{"job_id":"` + unknownID + `","secret":"` + wrongSecret + `"}`

// testRequestsV2 goes through the calls of the second version with good and bad requests. None of them changes any
// of the jobs that they name, so they may come in any order, and by either version of HTTP. In their texts jobs are
// named as in testRequests.
func testRequestsV2(t *testing.T, s *siteV2) {
	jobs := map[string]madeV2{
		"created": s.initV2(t, "a job", "bakta_baktfold"),
		"ended":   s.startedV2(t, "E. coli", `{"genus":"Escherichia"}`),
		"deleted": s.initV2(t, "deleted", "bakta"),
		"failed":  s.initV2(t, "failed", "bakta"),
		"old":     s.create(t, "old").young(), // made by the first version
	}
	// Bakta does not take the genome for a reason that the start does not see.
	s.put(t, jobs["failed"].link(t, "genome_fasta"), clitest.Unchecked(">a\nACGT\n>b\nACGT!\n"))
	s.startV2(t, jobs["failed"], `{}`).must(t, `null`)
	s.removeV2(t, jobs["deleted"])
	s.awaitV2(t, jobs["ended"], "successful")
	s.awaitV2(t, jobs["failed"], "error")

	var stands []string
	for name, m := range jobs {
		stands = append(stands, "@"+name+".id", m.Job.ID, "@"+name+".ID", strings.ToUpper(m.Job.ID), "@"+name+".secret", m.Job.Secret,
			"@"+name+"?", m.query())
	}
	for name, m := range jobs { // after the longer ones: the first that fits is taken
		stands = append(stands, "@"+name, m.ref())
	}
	fill := strings.NewReplacer(stands...)
	for version, c := range map[string]*http.Client{"HTTP/1.1": s.http1, "HTTP/2": s.http2} {
		for _, group := range [][]exchange{
			workflowsV2(), versionV2(), initsV2(), startsV2(), listsV2(), statesV2(), resultsV2(), logsOfV2(), deletesV2(), pathsV2(),
		} {
			for _, e := range group {
				t.Run(version+"/"+e.name, func(t *testing.T) {
					a := send(t, c, e.method, s.url+fill.Replace(e.path), fill.Replace(e.body), "Content-Type", "application/json")
					if a.status != e.status {
						t.Errorf("status %d, want %d", a.status, e.status)
					}
					want := "application/json"
					if e.answer == "" {
						want = "text/plain; charset=utf-8"
						if a.body != "" {
							t.Errorf("answered %q", a.body)
						}
					} else if diff := unlike(fill.Replace(e.answer), a.body); diff != "" {
						t.Error(diff)
					}
					if got := a.header.Get("Content-Type"); got != want {
						t.Errorf("Content-Type %q", got)
					}
				})
			}
		}
	}
}

func workflowsV2() []exchange {
	var rows []string
	for _, kind := range []string{"bakta", "bakta_proteins", "bakta_baktfold", "baktfold"} {
		w := catalogue()[kind]
		var uploads []string
		for i, u := range w.uploads {
			uploads = append(uploads, fmt.Sprintf(`{"upload_kind":"%s","required":%t}`, u, i == 0))
		}
		rows = append(rows, `{"workflow_kind":"`+kind+`","result_kind":"`+resultKind(kind)+`","uploads":[`+strings.Join(uploads, ",")+
			`],"stages":["`+strings.Join(w.stages, `","`)+`"]}`)
	}
	all := "[" + strings.Join(rows, ",") + "]"
	return []exchange{
		{"workflows", http.MethodGet, "/api/v2/workflows", "", 200, all},
		{"workflows with a query", http.MethodGet, "/api/v2/workflows?page=2", "", 200, all},
		{"workflows: POST", http.MethodPost, "/api/v2/workflows", "{}", 405, saying("GET")},
	}
}

func versionV2() []exchange {
	const answer = `{"backend_version":"<text>","bakta_version":"<text>","bakta_db_version":"<text>","baktfold_version":"<~>",` +
		`"baktfold_db_version":"<~>"}`
	return []exchange{{"version", http.MethodGet, "/api/v2/version", "", 200, answer}}
}

func initsV2() []exchange {
	const path = "/api/v2/job/init"
	var exchanges []exchange
	for kind := range catalogue() {
		exchanges = append(exchanges, post("init: "+kind, path, `{"name":"test.fasta","workflow_kind":"`+kind+`"}`, 200, createdV2(kind)))
	}
	for name, body := range map[string]string{
		"the name last":          `{"workflow_kind":"bakta","name":"x"}`,
		"no name":                `{"workflow_kind":"bakta"}`,
		"the name is null":       `{"workflow_kind":"bakta","name":null}`,
		"an empty name":          `{"workflow_kind":"bakta","name":""}`,
		"capitals":               `{"workflow_kind":"BAKTA","name":"x"}`,
		"lowerCamelCase":         `{"workflowKind":"bakta","name":"x"}`,
		"unknown fields":         `{"name":"x","workflow_kind":"bakta","email":"a@example.org","nested":{"a":[1,2,{"b":null}]}}`,
		"quotes and line breaks": `{"workflow_kind":"bakta","name":"say \"hi\"\r\nSet-Cookie: a=b\t\u0000'; DROP TABLE jobs;--"}`,
		"names of no label":      `{"workflow_kind":"bakta","name":"_.-_"}`,
		"any language":           `{"workflow_kind":"bakta","name":"Bäckerhefe 酵母 \ud83e\uddec \u202egnp.exe"}`,
		"the longest name":       `{"workflow_kind":"bakta","name":"` + strings.Repeat("x", 1024) + `"}`,
		"a batch":                `{"workflow_kind":"bakta","batch":"2026-11-30_plate.3"}`,
		"the longest batch":      `{"workflow_kind":"bakta","batch":"` + strings.Repeat("x", 64) + `"}`,
		"an empty batch":         `{"workflow_kind":"bakta","batch":""}`,
		"the batch is null":      `{"workflow_kind":"bakta","batch":null}`,
	} {
		exchanges = append(exchanges, post("init: "+name, path, body, 200, createdV2("bakta")))
	}
	for name, bad := range map[string]struct {
		body    string
		status  int
		message string
	}{
		"a name too long":      {`{"workflow_kind":"bakta","name":"` + strings.Repeat("x", 1025) + `"}`, 400, "name.*1024"},
		"a batch too long":     {`{"workflow_kind":"bakta","batch":"` + strings.Repeat("x", 65) + `"}`, 400, "batch.*64"},
		"a blank in a batch":   {`{"workflow_kind":"bakta","batch":"plate 3"}`, 400, "batch.*letters.*hyphens"},
		"a hyphen first":       {`{"workflow_kind":"bakta","batch":"-3"}`, 400, "batch.*begins with a letter"},
		"an umlaut in a batch": {`{"workflow_kind":"bakta","batch":"Bäcker"}`, 400, "batch.*letters"},
		"a number as batch":    {`{"workflow_kind":"bakta","batch":5}`, 422, "batch must be a text"},
		"no workflow":          {`{"name":"x"}`, 422, "workflow_kind is missing"},
		"the workflow is null": {`{"name":"x","workflow_kind":null}`, 422, "workflow_kind is missing"},
		"an unknown workflow": {`{"name":"x","workflow_kind":"prokka"}`, 422,
			"workflow_kind must be one of bakta, bakta_proteins, bakta_baktfold, baktfold"},
		"protobuf's name":      {`{"name":"x","workflow_kind":"WORKFLOW_KIND_BAKTA"}`, 422, "workflow_kind must be one of bakta"},
		"a number as workflow": {`{"name":"x","workflow_kind":1}`, 422, "workflow_kind must be one of bakta"},
		"the first version's":  {`{"name":"x","repliconTableType":"TSV"}`, 422, "workflow_kind is missing"},
		"a number as name":     {`{"name":5,"workflow_kind":"bakta"}`, 422, "name must be a text"},
		"an operator":          {`{"name":{"$ne":null},"workflow_kind":"bakta"}`, 422, "name must be a text"},
		"a list":               {`[]`, 422, "object"},
		"nothing":              {``, 422, "workflow_kind is missing"},
		"null":                 {`null`, 422, "workflow_kind is missing"},
		"no JSON":              {`name=x&workflow_kind=bakta`, 400, "not JSON"},
		"a cut off object":     {`{"name":"x"`, 400, "not JSON"},
		"a name given twice":   {`{"workflow_kind":"bakta","name":"x","name":"y"}`, 400, "name.*twice"},
		"no UTF-8":             {"{\"workflow_kind\":\"bakta\",\"name\":\"\xff\"}", 400, "UTF-8"},
		"deeply nested":        {`{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, 400, "nested"},
		"a body too large":     {`{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "too large.*1048576"},
	} {
		exchanges = append(exchanges, post("init: "+name, path, bad.body, bad.status, saying(bad.message)))
	}
	return exchanges
}

func startsV2() []exchange {
	const (
		path = "/api/v2/job/start"
		rest = `,"workflow_kind":"bakta","config":{}}`
	)
	exchanges := []exchange{
		post("start: no genome", path, `{"job":@created,"workflow_kind":"bakta_baktfold","config":{}}`, 400, saying("genome.*not uploaded")),
		post("start: an unknown job", path, `{"job":`+unknownRef+rest, 404, `"Job not found"`),
		post("start: a deleted job", path, `{"job":@deleted`+rest, 404, `"Job not found"`),
		post("start: a wrong secret", path, `{"job":{"job_id":"@ended.id","secret":"`+wrongSecret+`"}`+rest, 401, `"Unauthorized"`),
		post("start: no secret", path, `{"job":{"job_id":"@ended.id"}`+rest, 401, `"Unauthorized"`),
		post("start: the secret and more", path, `{"job":{"job_id":"@ended.id","secret":"@ended.secret "}`+rest, 401, `"Unauthorized"`),
		post("start: no UUID", path, `{"job":{"job_id":"x","secret":"x"}`+rest, 400, saying("id of a job")),
		post("start: an empty job", path, `{"job":{}`+rest, 400, saying("id of a job")),
		post("start: the job is null", path, `{"job":null`+rest, 422, saying("job is missing")),
		post("start: no job", path, `{"workflow_kind":"bakta","config":{}}`, 422, saying("job is missing")),
		post("start: nothing", path, ``, 422, saying("is missing")),
		post("start: the job is a text", path, `{"job":"@ended.id"`+rest, 422, saying("job must be an object")),
		post("start: an operator as secret", path, `{"job":{"job_id":"@ended.id","secret":{"$ne":null}}`+rest, 422,
			saying(`job\.secret must be a text`)),
		post("start: no JSON", path, `job=@ended.id`, 400, saying("not JSON")),
		post("start: no config", path, `{"job":@ended,"workflow_kind":"bakta"}`, 422, saying("config is missing")),
		post("start: config is null", path, `{"job":@ended,"workflow_kind":"bakta","config":null}`, 422, saying("config is missing")),
		post("start: config is a list", path, `{"job":@ended,"workflow_kind":"bakta","config":[]}`, 422, saying("config must be an object")),
		post("start: no workflow", path, `{"job":@ended,"config":{}}`, 422, saying("workflow_kind is missing")),
		post("start: an unknown workflow", path, `{"job":@ended,"workflow_kind":"prokka","config":{}}`, 422,
			saying("workflow_kind must be one of")),
		post("start: another workflow", path, `{"job":@ended,"workflow_kind":"bakta_proteins","config":{}}`, 400,
			saying("^Workflow kind mismatch: .*bakta$")),
		post("start: another workflow and a wrong secret", path,
			`{"job":{"job_id":"@ended.id","secret":"x"},"workflow_kind":"baktfold","config":{}}`, 401, `"Unauthorized"`),
		post("start: a job of the first version", path, `{"job":@old`+rest, 400, saying("^Wrong API version")),
		post("start: again", path, `{"job":@ended,"workflow_kind":"bakta","config":{"genus":"Escherichia"}}`, 200, `null`),
		post("start: again, the id in capitals", path,
			`{"job":{"job_id":"@ended.ID","secret":"@ended.secret"},"workflow_kind":"bakta","config":{"genus":"Escherichia"}}`, 200, `null`),
		post("start: again, otherwise", path, `{"job":@ended,"workflow_kind":"bakta","config":{"genus":"Salmonella"}}`, 409,
			saying("another configuration")),
	}
	// An error about an option is returned even without a genome.
	for config, bad := range map[string]struct {
		status  int
		message string
	}{
		`{"translation_table":12}`:            {400, `^Invalid translation_table: 12 .*4, 11 or 25`},
		`{"translation_table":"12"}`:          {400, `^Invalid translation_table: 12`},
		`{"translation_table":-11}`:           {400, `^Invalid translation_table`},
		`{"translation_table":"eleven"}`:      {422, `config\.translation_table must be a number`},
		`{"translation_table":11.5}`:          {422, `config\.translation_table must be a whole number`},
		`{"translation_table":{"$gt":1}}`:     {422, `config\.translation_table must be a number, not an object`},
		`{"translation_table":true}`:          {422, `config\.translation_table must be a number`},
		`{"locus_tag_increment":3}`:           {400, `^Invalid locus_tag_increment: .*1, 5 or 10`},
		`{"locus_tag_increment":-1}`:          {400, `^Invalid locus_tag_increment`},
		`{"min_contig_length":-1}`:            {400, `^Invalid min_contig_length: -1`},
		`{"derm_type":"gram"}`:                {422, `config\.derm_type must be one of unknown, monoderm, diderm`},
		`{"derm_type":1}`:                     {422, `config\.derm_type must be one of`},
		`{"complete_genome":"perhaps"}`:       {422, `config\.complete_genome must be true or false`},
		`{"meta":1}`:                          {422, `config\.meta must be true or false`},
		`{"skip_cds":[]}`:                     {422, `config\.skip_cds must be true or false`},
		`{"use_regions":"regions.gff"}`:       {422, `config\.use_regions must be true or false`},
		`{"genus":5}`:                         {422, `config\.genus must be a text`},
		`{"genus":"a\nb"}`:                    {400, `^Invalid genus: .*control character`},
		`{"strain":"a\u2028b"}`:               {400, `^Invalid strain`},
		`{"plasmid":"my plasmid"}`:            {400, `^Invalid plasmid`},
		`{"locus":"a b"}`:                     {400, `^Invalid locus: `},
		`{"locus_tag":"é"}`:                   {400, `^Invalid locus_tag: `},
		`{"locus_tag":"ab","compliant":true}`: {400, `^Invalid locus_tag: .*upper-case`},
		`{"translation_table":1,"plasmid":"x","locus_tag_increment":2}`: {400,
			`^Invalid translation_table: .*; Invalid plasmid: .*; Invalid locus_tag_increment: `},
		`{"genus":"x","genus":1}`: {400, `"genus" is given twice`},
	} {
		exchanges = append(exchanges, post("start: "+config, path, `{"job":@created,"workflow_kind":"bakta_baktfold","config":`+config+`}`,
			bad.status, saying(bad.message)))
	}
	return exchanges
}

func listsV2() []exchange {
	const (
		path    = "/api/v2/job/list"
		times   = `"started":"<time>","updated":"<time>"`
		created = `{"job_id":"@created.id","status":"init","workflow_kind":"bakta_baktfold","result_kind":"bakta",` + times + `,"name":"a job"}`
		ended   = `{"job_id":"@ended.id","status":"successful","workflow_kind":"bakta","result_kind":"bakta",` + times + `,"name":"E. coli"}`
		failed  = `{"job_id":"@failed.id","status":"error","workflow_kind":"bakta","result_kind":"bakta",` + times + `,"name":"failed"}`
		old     = `{"job_id":"@old.id","status":"init","workflow_kind":"bakta","result_kind":"bakta",` + times + `,"name":"old"}`
	)
	missing := func(id string) string { return `{"job_id":"` + id + `","status":"not_found"}` }
	list := func(jobs, failed string) string { return `{"jobs":[` + jobs + `],"failed_jobs":[` + failed + `]}` }
	many := func(n int) string {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = fmt.Sprintf(`{"job_id":"00000000-0000-4000-8000-%012d","secret":"x"}`, i)
		}
		return strings.Join(entries, ",")
	}
	return []exchange{
		post("list: empty", path, `{"jobs":[]}`, 200, list("", "")),
		post("list: null", path, `{"jobs":null}`, 422, saying("jobs is missing")),
		post("list: no jobs", path, `{}`, 422, saying("jobs is missing")),
		post("list: not a list", path, `{"jobs":@created}`, 422, saying("jobs must be a list")),
		post("list: created", path, `{"jobs":[@created]}`, 200, list(created, "")),
		post("list: ended", path, `{"jobs":[@ended]}`, 200, list(ended, "")),
		post("list: failed", path, `{"jobs":[@failed]}`, 200, list(failed, "")),
		post("list: made by the first version", path, `{"jobs":[@old]}`, 200, list(old, "")),
		post("list: deleted", path, `{"jobs":[@deleted]}`, 200, list("", missing("@deleted.id"))),
		post("list: unknown", path, `{"jobs":[`+unknownRef+`]}`, 200, list("", missing(unknownID))),
		post("list: a wrong secret", path, `{"jobs":[{"job_id":"@ended.id","secret":"`+wrongSecret+`"}]}`, 200,
			list("", `{"job_id":"@ended.id","status":"unauthorized"}`)),
		post("list: no UUID", path, `{"jobs":[{"job_id":"x","secret":"y"}]}`, 200, list("", missing("x"))),
		post("list: the id in capitals comes back so", path, `{"jobs":[{"job_id":"@ended.ID","secret":"@ended.secret"}]}`, 200,
			list(strings.ReplaceAll(ended, "@ended.id", "@ended.ID"), "")),
		post("list: unknown fields", path,
			`{"jobs":[{"job_id":"@created.id","secret":"@created.secret","workflow_kind":"bakta","name":"x"}],"page":2}`, 200, list(created, "")),
		post("list: an entry that says nothing", path, `{"jobs":[null,{},@ended]}`, 200, list(ended, missing("")+","+missing(""))),
		post("list: an entry that is not an object", path, `{"jobs":["@ended.id"]}`, 422, saying(`jobs\[0\] must be an object`)),
		post("list: all at once, in order", path, `{"jobs":[@failed,`+unknownRef+`,@created,@deleted,@old,@ended,@failed]}`, 200,
			list(failed+","+created+","+old+","+ended+","+failed, missing(unknownID)+","+missing("@deleted.id"))),
		post("list: as many as there may be", path, `{"jobs":[`+many(1000)+`]}`, 200,
			list("", strings.ReplaceAll(many(1000), `"secret":"x"`, `"status":"not_found"`))),
		post("list: one too many", path, `{"jobs":[`+many(1001)+`]}`, 400, saying("1001.*at most 1000")),
	}
}

func resultsV2() []exchange {
	const path = "/api/v2/job/result"
	var files []string
	for key := range filesOf("bakta") {
		files = append(files, `"`+key+`":"<link>"`)
	}
	ended := func(id string) string {
		return `{"job_id":"` + id +
			`","workflow_kind":"bakta","started":"<time>","updated":"<time>","name":"E. coli","result":{"result_kind":"bakta","files":{` +
			strings.Join(files, ",") + `}}}`
	}
	return []exchange{
		post("result: ended", path, `@ended`, 200, ended("@ended.id")),
		post("result: ended, all or part", path, `{"job_id":"@ended.id","secret":"@ended.secret","partial":true}`, 200, ended("@ended.id")),
		post("result: the id in capitals comes back so", path, `{"job_id":"@ended.ID","secret":"@ended.secret"}`, 200, ended("@ended.ID")),
		post("result: created", path, `@created`, 400, saying("^Job not finished: .*not started")),
		post("result: created, even a part", path, `{"job_id":"@created.id","secret":"@created.secret","partial":true}`, 400,
			saying("^Job not finished")),
		post("result: failed", path, `@failed`, 400, saying("^Bakta ")),
		post("result: a part of failed", path, `{"job_id":"@failed.id","secret":"@failed.secret","partial":true}`, 200,
			`{"job_id":"@failed.id","workflow_kind":"bakta","started":"<time>","updated":"<time>","name":"failed",`+
				`"result":{"result_kind":"bakta","files":{}},"failure":"<~^Bakta >"}`),
		post("result: deleted", path, `@deleted`, 404, `"Job not found"`),
		post("result: unknown", path, unknownRef, 404, `"Job not found"`),
		post("result: a wrong secret", path, `{"job_id":"@ended.id","secret":"`+wrongSecret+`"}`, 401, `"Unauthorized"`),
		post("result: no secret", path, `{"job_id":"@ended.id"}`, 401, `"Unauthorized"`),
		post("result: no UUID", path, `{"job_id":"x","secret":"x"}`, 400, saying("id of a job")),
		post("result: nothing", path, `{}`, 400, saying("id of a job")),
		post("result: a job in a job", path, `{"job":@ended}`, 400, saying("id of a job")),
	}
}

func logsOfV2() []exchange {
	get := func(name, query string, status int, answer string) exchange {
		return exchange{"logs: " + name, http.MethodGet, "/api/v2/job/logs" + query, "", status, answer}
	}
	pending := func(stage string) string { return `{"stage":"` + stage + `","status":"pending","content":""}` }
	return []exchange{
		get("created", "?@created?", 200, `{"workflow_kind":"bakta_baktfold","stages":[`+pending("bakta")+`,`+pending("baktfold")+`]}`),
		get("made by the first version", "?@old?", 200, `{"workflow_kind":"bakta","stages":[`+pending("bakta")+`]}`),
		get("ended", "?@ended?", 200, `{"workflow_kind":"bakta","stages":[{"stage":"bakta","status":"succeeded","content":"<~^Bakta Command: `+
			`.*Annotation successfully finished[^\n]*\\S$>"}]}`),
		get("the other way round", "?secret=@ended.secret&job_id=@ended.id", 200,
			`{"workflow_kind":"bakta","stages":[{"stage":"bakta","status":"succeeded","content":"<text>"}]}`),
		get("lowerCamelCase", "?jobId=@ended.id&secret=@ended.secret", 200,
			`{"workflow_kind":"bakta","stages":[{"stage":"bakta","status":"succeeded","content":"<text>"}]}`),
		get("failed", "?@failed?", 200,
			`{"workflow_kind":"bakta","stages":[{"stage":"bakta","status":"failed","content":"<~^Bakta Command: .*\n\nBakta .*\\S$>"}]}`),
		get("deleted", "?@deleted?", 404, `"Job not found"`),
		get("unknown", "?job_id="+unknownID+"&secret=x", 404, `"Job not found"`),
		get("a wrong secret", "?job_id=@ended.id&secret="+wrongSecret, 401, `"Unauthorized"`),
		get("no secret", "?job_id=@ended.id", 401, `"Unauthorized"`),
		get("no UUID", "?job_id=%27%20OR%201=1&secret=x", 400, saying("id of a job")),
		get("nothing", "", 400, saying("id of a job")),
		get("two secrets", "?@ended?&secret=x", 400, saying("secret more than once")),
		// With the secret in the body it is the same call.
		post("logs: POST", "/api/v2/job/logs", `@ended`, 200,
			`{"workflow_kind":"bakta","stages":[{"stage":"bakta","status":"succeeded","content":"<text>"}]}`),
		post("logs: POST, deleted", "/api/v2/job/logs", `@deleted`, 404, `"Job not found"`),
		post("logs: POST, a wrong secret", "/api/v2/job/logs", `{"job_id":"@ended.id","secret":"`+wrongSecret+`"}`, 401, `"Unauthorized"`),
		post("logs: POST, nothing", "/api/v2/job/logs", `{}`, 400, saying("id of a job")),
		post("logs: POST, the query does not count", "/api/v2/job/logs?@ended?", `{}`, 400, saying("id of a job")),
	}
}

func deletesV2() []exchange {
	remove := func(name, query string, status int, answer string) exchange {
		return exchange{"delete: " + name, http.MethodDelete, "/api/v2/job/delete" + query, "", status, answer}
	}
	return []exchange{
		remove("deleted", "?@deleted?", 200, ""),
		remove("deleted, with any secret", "?job_id=@deleted.id&secret=x", 200, ""),
		remove("deleted, without a secret", "?job_id=@deleted.id", 401, `"Unauthorized"`),
		remove("unknown", "?job_id="+unknownID+"&secret=x", 200, ""),
		remove("a wrong secret", "?secret="+wrongSecret+"&job_id=@ended.id", 401, `"Unauthorized"`),
		remove("no secret", "?job_id=@ended.id", 401, `"Unauthorized"`),
		remove("no UUID", "?job_id=x&secret=x", 400, saying("id of a job")),
		remove("nothing", "", 400, saying("id of a job")),
		post("delete: POST, deleted", "/api/v2/job/delete", `@deleted`, 200, ""),
		post("delete: POST, a wrong secret", "/api/v2/job/delete", `{"job_id":"@ended.id","secret":"`+wrongSecret+`"}`, 401, `"Unauthorized"`),
		post("delete: POST, nothing", "/api/v2/job/delete", `{}`, 400, saying("id of a job")),
		{"delete: GET", http.MethodGet, "/api/v2/job/delete?@ended?", "", 405, saying("DELETE")},
		{"delete: the first version's other path", http.MethodDelete, "/api/v2/delete?@ended?", "", 404, saying("nothing at this path")},
	}
}

func pathsV2() []exchange {
	return []exchange{
		{"a path of no call", http.MethodGet, "/api/v2/job", "", 404, saying("nothing at this path")},
		{"a path too long", http.MethodPost, "/api/v2/job/init/", "{}", 404, saying("nothing at this path")},
		{"init: GET", http.MethodGet, "/api/v2/job/init", "", 405, saying("POST")},
		{"version: POST", http.MethodPost, "/api/v2/version", "{}", 405, saying("GET")},
	}
}
