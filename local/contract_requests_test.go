package local_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

// exchange is a request and what comes back. In its texts "@created" stands for a job's id and secret as they
// stand in bodies, "@created?" for the same in a query and "@created.id" for the id alone; so do the other jobs'
// names, see testRequests.
type exchange struct {
	name         string
	method, path string
	body         string
	status       int
	answer       string // pattern, see unlike
}

const (
	unknownJob  = `{"jobID":"123e4567-e89b-42d3-a456-426614174000","secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`
	unknownID   = "123e4567-e89b-42d3-a456-426614174000"
	wrongSecret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
)

// testRequests goes through the calls of the API with good and bad requests. None of them changes any of the
// jobs that they name, so they may come in any order, and by either version of HTTP.
func testRequests(t *testing.T, s *site) {
	jobs := map[string]made{
		"created": s.create(t, "a job"),
		"ended":   s.started(t, "E. coli", `{"genus":"Escherichia"}`),
		"deleted": s.create(t, "deleted"),
		"failed":  s.create(t, "failed"),
	}
	// Bakta does not take the genome for a reason that the start does not see.
	s.put(t, jobs["failed"].UploadLinkFasta, clitest.Unchecked(">a\nACGT\n>b\nACGT!\n"))
	s.start(t, jobs["failed"], `{}`).must(t, `{}`)
	send(t, s.http1, http.MethodDelete, s.url+"/api/v1/job/delete?"+jobs["deleted"].query(), "").must(t, `{}`)
	s.await(t, jobs["ended"], "SUCCESSFUL")
	s.await(t, jobs["failed"], "ERROR")

	var stands []string
	for name, m := range jobs {
		stands = append(stands, "@"+name+".id", m.Job.JobID, "@"+name+".ID", strings.ToUpper(m.Job.JobID),
			"@"+name+".secret", m.Job.Secret, "@"+name+"?", m.query())
	}
	for name, m := range jobs { // after the longer ones: the first that fits is taken
		stands = append(stands, "@"+name, m.auth())
	}
	fill := strings.NewReplacer(stands...)
	for version, c := range map[string]*http.Client{"HTTP/1.1": s.http1, "HTTP/2": s.http2} {
		for _, group := range [][]exchange{versionExchanges(), initExchanges(), startExchanges(), listExchanges(), resultExchanges(),
			logExchanges(), deleteExchanges(), pathExchanges()} {
			for _, e := range group {
				t.Run(version+"/"+e.name, func(t *testing.T) {
					a := send(t, c, e.method, s.url+fill.Replace(e.path), fill.Replace(e.body), "Content-Type", "application/json")
					if a.status != e.status {
						t.Errorf("status %d, want %d", a.status, e.status)
					}
					if diff := unlike(fill.Replace(e.answer), a.body); diff != "" {
						t.Error(diff)
					}
					if got := a.header.Get("Content-Type"); got != "application/json" {
						t.Errorf("Content-Type %q", got)
					}
				})
			}
		}
	}
}

func post(name, path, body string, status int, answer string) exchange {
	return exchange{name, http.MethodPost, path, body, status, answer}
}

func versionExchanges() []exchange {
	const answer = `{"toolVersion":"<text>","dbVersion":"<text>","backendVersion":"<text>"}`
	return []exchange{
		{"version", http.MethodGet, "/api/v1/version", "", 200, answer},
		{"version with a query", http.MethodGet, "/api/v1/version?a=b", "", 200, answer},
	}
}

func initExchanges() []exchange {
	exchanges := []exchange{
		post("init: the web UI", "/api/v1/job/init", `{"name":"test.fasta","repliconTableType":"TSV"}`, 200, createdAnswer),
		post("init: CSV", "/api/v1/job/init", `{"repliconTableType":"CSV","name":"x"}`, 200, createdAnswer),
	}
	for name, body := range map[string]string{
		"nothing":                     ``,
		"an empty object":             `{}`,
		"null":                        `null`,
		"white space":                 " \n",
		"a name alone":                `{"name":"x"}`,
		"nulls":                       `{"name":null,"repliconTableType":null}`,
		"empty texts":                 `{"name":"","repliconTableType":""}`,
		"a number for the type":       `{"repliconTableType":1}`,
		"small letters":               `{"repliconTableType":"tsv"}`,
		"unknown fields":              `{"name":"x","email":"a@example.org","nested":{"a":[1,2,{"b":null}]}}`,
		"a byte order mark":           "\ufeff" + `{"name":"x","repliconTableType":"TSV"}`,
		"a byte order mark alone":     "\ufeff",
		"quotes and line breaks":      `{"name":"say \"hi\"\r\nSet-Cookie: a=b\t\u0000'; DROP TABLE jobs;--"}`,
		"any language":                `{"name":"Bäckerhefe 酵母 \ud83e\uddec \u202egnp.exe"}`,
		"a path":                      `{"name":"../../etc/passwd"}`,
		"the longest name":            `{"name":"` + strings.Repeat("x", 1024) + `"}`,
		"an operator inside the name": `{"name":"{\"$ne\":null}"}`,
	} {
		exchanges = append(exchanges, post("init: "+name, "/api/v1/job/init", body, 200, createdAnswer))
	}
	for name, bad := range map[string]struct{ body, message string }{
		"a name too long":    {`{"name":"` + strings.Repeat("x", 1025) + `"}`, "name.*1024"},
		"a name of 10 kB":    {`{"name":"` + strings.Repeat("長", 3400) + `"}`, "name.*1024"},
		"a number as name":   {`{"name":5}`, "name"},
		"an operator":        {`{"name":{"$ne":null}}`, "name"},
		"a list as name":     {`{"name":["x"]}`, "name"},
		"an unknown type":    {`{"repliconTableType":"XLSX"}`, "repliconTableType.*CSV.*TSV"},
		"a type of no use":   {`{"repliconTableType":2}`, "repliconTableType"},
		"a list":             {`[]`, "object"},
		"a text":             {`"name"`, "object"},
		"no JSON":            {`name=x&repliconTableType=TSV`, "not JSON"},
		"a web page":         {`<html>`, "not JSON"},
		"a cut off object":   {`{"name":"x"`, "not JSON"},
		"two objects":        {`{"name":"x"}{"name":"y"}`, "not JSON"},
		"a name given twice": {`{"name":"x","name":"y"}`, "name.*twice"},
		"UTF-16":             {"\xff\xfe{\x00}\x00", "UTF-16; send it as UTF-8"},
		"no UTF-8":           {"{\"name\":\"\xff\"}", "UTF-8"},
		"deeply nested":      {`{"x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`, "nested"},
		"deeply nested, cut": {strings.Repeat(`{"a":`, 100_000), "nested"},
		"many values":        {`{"x":[` + strings.Repeat("0,", 100_000) + `0]}`, "values"},
	} {
		exchanges = append(exchanges, post("init: "+name, "/api/v1/job/init", bad.body, 400, refusal(3, bad.message)))
	}
	return append(exchanges, post("init: a body too large", "/api/v1/job/init", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`, 413,
		refusal(8, "too large.*1048576")))
}

func startExchanges() []exchange {
	const path = "/api/v1/job/start"
	exchanges := []exchange{
		post("start: no genome", path, `{"job":@created,"config":{}}`, 400, refusal(3, "genome.*not uploaded")),
		post("start: an unknown job", path, `{"job":`+unknownJob+`,"config":{}}`, 404, refusal(5, "no such job")),
		post("start: a deleted job", path, `{"job":@deleted,"config":{}}`, 404, refusal(5, "no such job")),
		post("start: a wrong secret", path, `{"job":{"jobID":"@ended.id","secret":"`+wrongSecret+`"},"config":{}}`, 401, refusal(16, "secret")),
		post("start: no secret", path, `{"job":{"jobID":"@ended.id"},"config":{}}`, 401, refusal(16, "secret")),
		post("start: an empty secret", path, `{"job":{"jobID":"@ended.id","secret":""},"config":{}}`, 401, refusal(16, "secret")),
		post("start: the secret and more", path, `{"job":{"jobID":"@ended.id","secret":"@ended.secret "},"config":{}}`, 401,
			refusal(16, "secret")),
		post("start: no UUID", path, `{"job":{"jobID":"x","secret":"x"},"config":{}}`, 400, refusal(3, "id of a job")),
		post("start: no job", path, `{"config":{}}`, 400, refusal(3, "id of a job")),
		post("start: nothing", path, ``, 400, refusal(3, "id of a job")),
		post("start: the job is null", path, `{"job":null,"config":null}`, 400, refusal(3, "id of a job")),
		post("start: the job is a text", path, `{"job":"@ended.id"}`, 400, refusal(3, "job must be an object")),
		post("start: an operator as secret", path, `{"job":{"jobID":"@ended.id","secret":{"$ne":null}}}`, 400, refusal(3, `job\.secret`)),
		post("start: an operator as id", path, `{"job":{"jobID":{"$gt":""},"secret":"x"}}`, 400, refusal(3, `job\.jobID`)),
		post("start: no JSON", path, `job=@ended.id`, 400, refusal(3, "not JSON")),
		post("start: again", path, `{"job":@ended,"config":{"genus":"Escherichia"}}`, 200, `{}`),
		post("start: again, the id in capitals", path, `{"job":{"jobID":"@ended.ID","secret":"@ended.secret"},"config":{"genus":"Escherichia"}}`,
			200, `{}`),
		post("start: again, jobId", path, `{"job":{"jobId":"@ended.id","secret":"@ended.secret"},"config":{"genus":"Escherichia"}}`, 200, `{}`),
		post("start: again, otherwise", path, `{"job":@ended,"config":{"genus":"Salmonella"}}`, 409, refusal(6, "another configuration")),
		post("start: again, without a configuration", path, `{"job":@ended}`, 409, refusal(6, "another configuration")),
	}
	// An error about an option uses its name in this API, even without a genome.
	for config, message := range map[string]string{
		`{"translationTable":12}`:                             `^translationTable: 12 .*4, 11 or 25`,
		`{"translationalTable":"12"}`:                         `^translationTable: 12`,
		`{"translationTable":-11}`:                            `^translationTable`,
		`{"translationTable":"eleven"}`:                       `config\.translationTable must be a number`,
		`{"translationTable":11.5}`:                           `config\.translationTable must be a whole number`,
		`{"translationTable":1e99}`:                           `config\.translationTable is too large`,
		`{"translationTable":{"$gt":1}}`:                      `config\.translationTable must be a number, not an object`,
		`{"translationTable":true}`:                           `config\.translationTable must be a number`,
		`{"translationTable":[11]}`:                           `config\.translationTable must be a number`,
		`{"translationTable":"0x0b"}`:                         `config\.translationTable must be a number`,
		`{"minContigLength":-1}`:                              `^minContigLength: -1`,
		`{"minContigLength":"-200"}`:                          `^minContigLength`,
		`{"minContigLength":"1 kb"}`:                          `config\.minContigLength must be a number`,
		`{"dermType":"GRAM"}`:                                 `config\.dermType must be one of UNKNOWN, MONODERM, DIDERM`,
		`{"dermType":7}`:                                      `config\.dermType must be one of`,
		`{"dermType":{}}`:                                     `config\.dermType`,
		`{"completeGenome":"perhaps"}`:                        `config\.completeGenome must be true or false`,
		`{"completeGenome":1}`:                                `config\.completeGenome must be true or false`,
		`{"keepContigHeaders":[]}`:                            `config\.keepContigHeaders`,
		`{"compliant":{"$exists":true}}`:                      `config\.compliant`,
		`{"hasReplicons":"some"}`:                             `config\.hasReplicons must be true or false`,
		`{"prodigalTrainingFile":{}}`:                         `config\.prodigalTrainingFile`,
		`{"genus":{"$ne":""}}`:                                `config\.genus must be a text`,
		`{"genus":5}`:                                         `config\.genus must be a text`,
		`{"genus":"a\nb"}`:                                    `^genus: .*control character`,
		`{"species":"\u0000"}`:                                `^species`,
		`{"strain":"a\u2028b"}`:                               `^strain`,
		`{"strain":"LONG"}`:                                   `^strain: .*200`,
		`{"plasmid":"my plasmid"}`:                            `^plasmid`,
		`{"plasmid":"x1"}`:                                    `^plasmid`,
		`{"plasmid":"p"}`:                                     `^plasmid`,
		`{"plasmid":"unnamed1234"}`:                           `^plasmid`,
		`{"locus":"a b"}`:                                     `^locus: `,
		`{"locus":"123456789012345678901"}`:                   `^locus: `,
		`{"locusTag":"é"}`:                                    `^locusTag: `,
		`{"locus_tag":"a b"}`:                                 `^locusTag: `,
		`{"locusTag":"ab","compliant":true}`:                  `^locusTag: .*upper-case`,
		`{"locusTag":"1234567890123456789012345"}`:            `^locusTag: `,
		`{"translationTable":1,"plasmid":"x","locusTag":"é"}`: `^translationTable: .*; plasmid: .*; locusTag: `,
		`[]`:                      `config must be an object`,
		`"x"`:                     `config must be an object`,
		`{"genus":"x","genus":1}`: `"genus" is given twice`,
	} {
		body := strings.Replace(config, "LONG", strings.Repeat("x", 10_000), 1)
		exchanges = append(exchanges, post("start: "+config, path, `{"job":@created,"config":`+body+`}`, 400, refusal(3, message)))
	}
	return exchanges
}

func listExchanges() []exchange {
	const (
		path      = "/api/v1/job/list"
		nothing   = `{"jobs":[],"failedJobs":[]}`
		created   = `{"jobID":"@created.id","jobStatus":"INIT","started":"<time>","updated":"<time>","name":"a job"}`
		ended     = `{"jobID":"@ended.id","jobStatus":"SUCCESSFUL","started":"<time>","updated":"<time>","name":"E. coli"}`
		failed    = `{"jobID":"@failed.id","jobStatus":"ERROR","started":"<time>","updated":"<time>","name":"failed"}`
		forbidden = `{"jobID":"@ended.id","jobStatus":"UNAUTHORIZED"}`
	)
	missing := func(id string) string { return `{"jobID":"` + id + `","jobStatus":"NOT_FOUND"}` }
	many := func(n int) string {
		entries := make([]string, n)
		for i := range entries {
			entries[i] = fmt.Sprintf(`{"jobID":"00000000-0000-4000-8000-%012d","secret":"x"}`, i)
		}
		return strings.Join(entries, ",")
	}
	manyMissing := strings.ReplaceAll(many(1000), `"secret":"x"`, `"jobStatus":"NOT_FOUND"`)
	return []exchange{
		post("list: empty", path, `{"jobs":[]}`, 200, nothing),
		post("list: null", path, `{"jobs":null}`, 200, nothing),
		post("list: an empty object", path, `{}`, 200, nothing),
		post("list: nothing", path, ``, 200, nothing),
		post("list: a text that is empty", path, `{"jobs":""}`, 200, nothing),
		post("list: created", path, `{"jobs":[@created]}`, 200, `{"jobs":[`+created+`],"failedJobs":[]}`),
		post("list: ended", path, `{"jobs":[@ended]}`, 200, `{"jobs":[`+ended+`],"failedJobs":[]}`),
		post("list: failed", path, `{"jobs":[@failed]}`, 200, `{"jobs":[`+failed+`],"failedJobs":[]}`),
		post("list: deleted", path, `{"jobs":[@deleted]}`, 200, `{"jobs":[],"failedJobs":[`+missing("@deleted.id")+`]}`),
		post("list: unknown", path, `{"jobs":[`+unknownJob+`]}`, 200, `{"jobs":[],"failedJobs":[`+missing(unknownID)+`]}`),
		post("list: a wrong secret", path, `{"jobs":[{"jobID":"@ended.id","secret":"`+wrongSecret+`"}]}`, 200,
			`{"jobs":[],"failedJobs":[`+forbidden+`]}`),
		post("list: no UUID", path, `{"jobs":[{"jobID":"x","secret":"y"}]}`, 200, `{"jobs":[],"failedJobs":[`+missing("x")+`]}`),
		post("list: jobId", path, `{"jobs":[{"jobId":"@ended.id","secret":"@ended.secret"}]}`, 200, `{"jobs":[`+ended+`],"failedJobs":[]}`),
		post("list: the id in capitals comes back so", path, `{"jobs":[{"jobID":"@ended.ID","secret":"@ended.secret"}]}`, 200,
			`{"jobs":[`+strings.ReplaceAll(ended, "@ended.id", "@ended.ID")+`],"failedJobs":[]}`),
		post("list: unknown fields", path, `{"jobs":[{"jobID":"@created.id","secret":"@created.secret","name":"x","date":5}],"page":2}`, 200,
			`{"jobs":[`+created+`],"failedJobs":[]}`),
		post("list: good and bad, in order", path,
			`{"jobs":[`+unknownJob+`,@ended,{"jobID":"@ended.id","secret":"`+wrongSecret+
				`"},@created,@deleted,null,{},{"jobID":null,"secret":""},{"jobID":"{\"$ne\":null}","secret":"x"},@failed]}`, 200,
			`{"jobs":[`+ended+`,`+created+`,`+failed+`],"failedJobs":[`+missing(unknownID)+`,`+forbidden+`,`+missing("@deleted.id")+`,`+
				missing("")+`,`+missing("")+`,`+missing("")+`,`+missing(`{\"$ne\":null}`)+`]}`),
		post("list: a job twice", path, `{"jobs":[@created,@created]}`, 200, `{"jobs":[`+created+`,`+created+`],"failedJobs":[]}`),
		post("list: an id of 10 kB", path, `{"jobs":[{"jobID":"`+strings.Repeat("a", 10_000)+`","secret":"x"}]}`, 200,
			`{"jobs":[],"failedJobs":[`+missing(strings.Repeat("a", 10_000))+`]}`),
		post("list: as many as may be", path, `{"jobs":[`+many(1000)+`]}`, 200, `{"jobs":[],"failedJobs":[`+manyMissing+`]}`),
		post("list: one too many", path, `{"jobs":[`+many(1001)+`]}`, 400, refusal(3, "jobs: 1001 .*1000")),
		post("list: huge", path, `{"jobs":[`+many(20_000)+`]}`, 413, refusal(8, "too large")),
		post("list: an object", path, `{"jobs":{"$gt":""}}`, 400, refusal(3, "jobs must be a list")),
		post("list: a text", path, `{"jobs":"@ended.id"}`, 400, refusal(3, "jobs must be a list")),
		post("list: texts", path, `{"jobs":["@ended.id"]}`, 400, refusal(3, `jobs\[0\] must be an object`)),
		post("list: operators", path, `{"jobs":[@ended,{"jobID":{"$gt":""},"secret":{"$ne":null}}]}`, 400, refusal(3, `jobs\[1\]`)),
		post("list: no object", path, `[@ended]`, 400, refusal(3, "object")),
	}
}

// resultFiles are the keys of all result files.
const resultFiles = `"EMBL":"<link>","FAA":"<link>","FAAHypothetical":"<link>","FFN":"<link>","FNA":"<link>","GBFF":"<link>",` +
	`"GFF3":"<link>","JSON":"<link>","TSV":"<link>","TSVHypothetical":"<link>","TSVInference":"<link>",` +
	`"TXTLogs":"<link>","PNGCircularPlot":"<link>",` +
	`"SVGCircularPlot":"<link>"`

func resultExchanges() []exchange {
	const (
		path   = "/api/v1/job/result"
		result = `{"jobID":"@ended.id","ResultFiles":{` + resultFiles + `},"started":"<time>","updated":"<time>","name":"E. coli"}`
	)
	return []exchange{
		post("result", path, `@ended`, 200, result),
		post("result: jobId", path, `{"jobId":"@ended.id","secret":"@ended.secret"}`, 200, result),
		post("result: the id in capitals comes back so", path, `{"jobID":"@ended.ID","secret":"@ended.secret"}`, 200,
			strings.ReplaceAll(result, "@ended.id", "@ended.ID")),
		post("result: of a failed job is the reason", path, `@failed`, 400, refusal(9, "^Bakta .*wrong genome file format")),
		post("result: not started", path, `@created`, 400, refusal(9, "not finished")),
		post("result: deleted", path, `@deleted`, 404, refusal(5, "no such job")),
		post("result: unknown", path, unknownJob, 404, refusal(5, "no such job")),
		post("result: a wrong secret", path, `{"jobID":"@ended.id","secret":"`+wrongSecret+`"}`, 401, refusal(16, "secret")),
		post("result: another job's secret", path, `{"jobID":"@ended.id","secret":"@failed.secret"}`, 401, refusal(16, "secret")),
		post("result: no UUID", path, `{"jobID":"@ended.id'","secret":"@ended.secret"}`, 400, refusal(3, "id of a job")),
		post("result: nothing", path, ``, 400, refusal(3, "id of a job")),
		post("result: operators", path, `{"jobID":{"$gt":""},"secret":{"$gt":""}}`, 400, refusal(3, "jobID|secret")),
		post("result: a list", path, `[@ended]`, 400, refusal(3, "object")),
	}
}

func logExchanges() []exchange {
	const path = "/api/v1/job/logs"
	get := func(name, query string, status, code int, message string) exchange {
		return exchange{"logs: " + name, http.MethodGet, path + query, "", status, refusal(code, message)}
	}
	return []exchange{
		get("unknown", "?jobID="+unknownID+"&secret="+wrongSecret, 404, 5, "no such job"),
		get("deleted", "?@deleted?", 404, 5, "no such job"),
		get("a wrong secret", "?jobID=@ended.id&secret="+wrongSecret, 401, 16, "secret"),
		get("no secret", "?jobID=@ended.id", 401, 16, "secret"),
		get("nothing", "", 400, 3, "id of a job"),
		get("no UUID", "?jobID=..%2f..%2fetc&secret=x", 400, 3, "id of a job"),
		get("two ids", "?jobID=@ended.id&jobID=@created.id&secret=@ended.secret", 400, 3, "jobID more than once"),
		get("an operator", "?jobID[$ne]=x&secret[$ne]=x", 400, 3, "id of a job"),
		get("a bad escape", "?jobID=%zz&secret=x", 400, 3, "query"),
		get("an offset that is none", "?@ended?&offset=x", 400, 3, "offset"),
		get("an offset below 0", "?@ended?&offset=-1", 400, 3, "offset"),
		post("logs: POST", path, `@ended`, 405, refusal(12, "GET")),
	}
}

func deleteExchanges() []exchange {
	var exchanges []exchange
	for _, path := range []string{"/api/v1/delete", "/api/v1/job/delete"} {
		remove := func(name, query string, status, code int, message string) {
			exchanges = append(exchanges, exchange{path + ": " + name, http.MethodDelete, path + query, "", status, refusal(code, message)})
		}
		remove("unknown", "?jobID="+unknownID+"&secret="+wrongSecret, 404, 5, "no such job")
		remove("deleted", "?@deleted?", 404, 5, "no such job")
		remove("a wrong secret", "?secret="+wrongSecret+"&jobID=@ended.id", 401, 16, "secret")
		remove("no secret", "?jobId=@ended.id", 401, 16, "secret")
		remove("nothing", "", 400, 3, "id of a job")
		remove("no UUID", "?jobID=%27%20OR%201=1&secret=x", 400, 3, "id of a job")
		exchanges = append(exchanges,
			exchange{path + ": GET", http.MethodGet, path + "?@ended?", "", 405, refusal(12, "DELETE")},
			exchange{path + ": POST", http.MethodPost, path, "@ended", 405, refusal(12, "DELETE")})
	}
	return exchanges
}

func pathExchanges() []exchange {
	return []exchange{
		{"a path of no call", http.MethodGet, "/api/v1/job", "", 404, refusal(5, "nothing at this path")},
		{"a path too long", http.MethodPost, "/api/v1/job/init/", "{}", 404, refusal(5, "nothing at this path")},
		{"an odd path", http.MethodGet, "/api/v1/..%2f..%2fetc/passwd", "", 404, refusal(5, "nothing at this path")},
		{"init: GET", http.MethodGet, "/api/v1/job/init", "", 405, refusal(12, "POST")},
		{"list: GET", http.MethodGet, "/api/v1/job/list", "", 405, refusal(12, "POST")},
		{"version: POST", http.MethodPost, "/api/v1/version", "{}", 405, refusal(12, "GET")},
		{"events are not for users", http.MethodPost, "/events", "{}", 404, refusal(5, "nothing at this path")},
		{"sweeps are not for users", http.MethodPost, "/sweep", "{}", 404, refusal(5, "nothing at this path")},
	}
}
