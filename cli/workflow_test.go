package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Files that may be given beside a genome.
const (
	regions = "contig_1\tx\tCDS\t1\t30\t.\t+\t0\tID=a\n"
)

func profile(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../lib/upload/testdata/small.hmm")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestNamedWorkflow(t *testing.T) {
	for name, want := range map[string]string{
		"bakta": workflow.Bakta, "proteins": workflow.BaktaProteins, "Baktfold ": workflow.Baktfold, "bakta+baktfold": workflow.BaktaBaktfold,
		"bakta_proteins": workflow.BaktaProteins, "bakta-proteins": workflow.BaktaProteins, "bakta_baktfold": workflow.BaktaBaktfold,
	} {
		if w, err := namedWorkflow(name); err != nil || w.Kind != want {
			t.Errorf("%s is %s, %v", name, w.Kind, err)
		}
	}
	if _, err := namedWorkflow("prokka"); err == nil ||
		err.Error() != `--workflow: "prokka" is not valid; choose one of bakta, bakta+baktfold, baktfold, proteins` {
		t.Error(err)
	}
	for _, w := range workflow.Catalogue() {
		if workflowNames[w.Kind] == "" {
			t.Errorf("%s has no name", w.Kind)
		}
		if w.Uploads[0].Short == "" || !w.Uploads[0].Required {
			t.Errorf("what %s takes has no name", w.Kind)
		}
	}
}

// TestRequest: each option and each optional upload has a field of the client, whose JSON is what the API reads.
func TestRequest(t *testing.T) {
	t.Parallel()
	sent := func(c option.Config) string {
		config, err := request(c)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, row := range option.Table() {
		var c option.Config
		want := map[option.Kind]string{option.Text: `"diderm"`, option.Number: "11", option.Switch: "true", option.Step: "true"}[row.Kind]
		row.Set(&c, option.Value{Text: option.Diderm, Number: 11, On: true})
		if got := sent(c); got != `{"`+row.Name+`":`+want+`}` {
			t.Errorf("%s is %s", row.Name, got)
		}
	}
	for _, row := range upload.Table() {
		if got := sent(option.Config{Use: map[string]bool{row.Kind: true}}); row.Use != "" && got != `{"`+row.Use+`":true}` {
			t.Errorf("%s is %s", row.Kind, got)
		}
	}
}

func TestSubmitProteins(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.stages = []string{"bakta_proteins"}
	f.logs = []string{"Bakta Proteins Command: bakta_proteins\n", "Parse protein sequences...\n", "\timported: 1\n\nStart annotation...\n"}
	f.files = map[string]string{
		"json": `{"features":[{"type":"cds","hypothetical":true},{"type":"cds"}],"version":{"bakta":"1.12.2","db":{"version":` +
			`"6.0","type":"light"}}}`,
		"hypotheticals_tsv": "#\n",
	}
	u := clitest.NewUser(t, f.URL)
	u.Write("proteins.faa", clitest.Proteins)
	got := u.Must("submit", "--workflow", "proteins", "proteins.faa", "--out", "result")
	lines(t, "what goes on", took.ReplaceAllString(got.Err, "after a while"),
		"uploading proteins.faa", "uploaded proteins.faa (51 bytes)", "started job "+firstID+" on "+f.URL,
		"waiting for the job to begin", "[1/7] Parse protein sequences", "[2/7] Start annotation", "finished after a while",
		"downloading the results", "downloaded 2 files (133 bytes)")
	lines(t, "the answer", got.Out, "annotated by  Bakta 1.12.2, database 6.0 (light)", "proteins      2, of which 1 hypothetical",
		"", "2 files are in result:", "  proteins.hypotheticals.tsv", "  proteins.json")
	j := f.job(t)
	if j.workflow != "bakta_proteins" || j.config != "{}" || j.uploads["protein_fasta"] != clitest.Proteins {
		t.Errorf("%+v", j)
	}
	if got := u.Must("list").Out; !strings.Contains(got, "00000001  proteins  proteins  SUCCESSFUL") {
		t.Errorf("list:\n%s", got)
	}
	// The file shows what it is.
	got = u.Must("submit", "proteins.faa", "--wait")
	if !strings.HasPrefix(got.Err, "proteins.faa is not a genome, so the workflow is proteins\n") {
		t.Errorf("%+v", got)
	}
}

// TestStages: a job of two stages is shown stage by stage.
func TestStages(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.stages = []string{"bakta", "baktfold"}
	f.states = []string{"RUNNING", "RUNNING", "RUNNING", "SUCCESSFUL"}
	f.logs = []string{"Bakta Command: bakta\nParse genome sequences...\n", "predict tRNAs...\n\n",
		"@baktfold:Baktfold Command: baktfold run\n2026-01-31 12:00:00.000 | INFO     | baktfold.subcommands.predict:subcommand_predict:64 - " +
			"Predicting 3Di sequences using ProstT5\n"}
	u := clitest.NewUser(t, f.URL)
	got := u.Must("submit", "-w", "bakta+baktfold", "genome.fna", "--wait")
	_, waited, _ := strings.Cut(took.ReplaceAllString(got.Err, "after a while"), "on "+f.URL+"\n")
	lines(
		t,
		"what goes on",
		waited,
		"waiting for the job to begin",
		"[1/31] bakta: Parse genome sequences",
		"[3/31] bakta: predict tRNAs",
		"[23/31] baktfold: Predicting 3Di sequences using ProstT5",
		"finished after a while",
		"To download the results:",
		"  bakta-web results "+firstID,
	)
	first, second := "Bakta Command: bakta\nParse genome sequences...\npredict tRNAs...\n",
		"Baktfold Command: baktfold run\n2026-01-31 12:00:00.000 | INFO     | baktfold.subcommands.predict:subcommand_predict:64 - "+
			"Predicting 3Di sequences using ProstT5\n"
	for args, want := range map[string]string{"logs 0000": first + second, "logs --stage baktfold 0000": second,
		"logs -f --stage bakta 0000": first} {
		if got := u.Must(strings.Fields(args)...); got.Out != want {
			t.Errorf("%s: (-want +got)\n%s", args, cmp.Diff(want, got.Out))
		}
	}
	if got := u.Run("logs", "--stage", "prokka", "0000"); got.Code != exitUsage ||
		!strings.Contains(got.Err, `--stage: the job has no stage "prokka"; its stages are bakta, baktfold`) {
		t.Errorf("%+v", got)
	}
	if got := u.Must("status").Out; !strings.Contains(got, "workflow   bakta+baktfold\n") ||
		!strings.Contains(got, "stages     bakta succeeded, baktfold running\n") {
		t.Errorf("status:\n%s", got)
	}
	var told job
	if err := json.Unmarshal([]byte(u.Must("status", "--json").Out), &told); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]stage{{"bakta", "succeeded"}, {"baktfold", "running"}}, told.Stages); diff != "" ||
		told.Workflow != "bakta_baktfold" {
		t.Errorf("%+v %s", told, diff)
	}
	f.mu.Lock()
	j := f.jobs[firstID]
	j.looks, j.logs, j.stage = 0, map[string]string{"bakta": "Bakta Command: other\n"}, "bakta"
	f.mu.Unlock()
	// The step goes back where the job is run again.
	if at := u.Must("logs", "0000").Out; at != "Bakta Command: other\n" {
		t.Errorf("logs: %s", at)
	}
}

// TestPartialResults: what a failed job has comes when it is asked for, and does not pass for a success.
func TestPartialResults(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.stages = []string{"bakta", "baktfold"}
	f.logs = []string{"Bakta Command: bakta\n", "@baktfold:Baktfold Command: baktfold\n"}
	f.states, f.reason = []string{"RUNNING", "RUNNING", "ERROR"}, "Baktfold ended with an error: out of luck"
	f.left = map[string]string{"json": annotated, "gff3": "##gff-version 3\n"}
	u := clitest.NewUser(t, f.URL)
	got := u.Run("submit", "-w", "bakta+baktfold", "genome.fna", "--out", "result")
	if want := "bakta-web: the job failed: Baktfold ended with an error: out of luck\n`bakta-web logs " + firstID +
		"` shows what its programs wrote.\n" +
		"`bakta-web results --partial " + firstID + "` downloads the results of the stages before.\n"; got.Code != exitJobFailed ||
		!strings.HasSuffix(got.Err, want) {
		t.Errorf("%+v", got)
	}
	if names := u.Files("result"); len(names) > 0 {
		t.Errorf("files that nobody asked for: %v", names)
	}
	for _, more := range []string{"", "--wait"} {
		got = u.Run(strings.Fields("results --partial 0000 --out result " + more)...)
		if got.Code != exitJobFailed || !strings.Contains(got.Out, "2 files are in result:\n") ||
			!strings.HasSuffix(
				got.Err,
				"the job failed, and only the results of the stages before were downloaded: Baktfold ended with an error: out of luck\n",
			) {
			t.Errorf("%+v", got)
		}
		if diff := cmp.Diff([]string{"genome.gff3", "genome.json"}, u.Files("result")); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
	}
	var told outcome
	if got := u.Run("result", "--partial", "--wait", "--json", "0000", "--out", "result"); got.Code != exitJobFailed ||
		json.Unmarshal([]byte(got.Out), &told) != nil ||
		told.State != "ERROR" ||
		told.Reason != f.reason ||
		len(told.Files) != 2 {
		t.Errorf("%+v, %+v", got, told)
	}
	f.mu.Lock()
	f.left = nil
	f.mu.Unlock()
	if got := u.Run("results", "--partial", "0000", "--out", "none"); got.Code != exitJobFailed ||
		!strings.Contains(got.Err, "the job failed: Baktfold ended") ||
		len(u.Files("none")) > 0 {
		t.Errorf("%+v", got)
	}
}

func TestWorkflows(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	lines(t, "the answer", u.Must("workflows").Out,
		"WORKFLOW  TAKES             STAGES    MORE FILES",
		"bakta     a genome (FASTA)  bakta     --replicons",
		"                                      new_file",
		"new_kind  other             one, two")
	var told []offer
	if err := json.Unmarshal([]byte(u.Must("workflows", "--json").Out), &told); err != nil || len(told) != 2 || told[0].Name != "bakta" ||
		len(told[0].Uploads) != 3 {
		t.Errorf("%+v, %v", told, err)
	}
	u.Write("annotation.json", annotated)
	// What the server does not offer is refused by it, and nothing is left.
	u.Write("old.json", `{"genome":{"translation_table":11,"strain":null},"features":[],`+
		`"sequences":[{"id":"a","description":"","nt":"ACGT","length":4,"complete":false,"type":"contig","topology":"linear"}],"stats":{},`+
		`"version":{"bakta":"1.12.2"}}`)
	got := u.Run("submit", "-w", "baktfold", "old.json")
	if got.Code != exitUsage || !strings.Contains(got.Err, "this server does not offer that\n`bakta-web workflows` shows what the server "+
		"offers\n") || f.count() != 0 {
		t.Errorf("%+v", got)
	}
}

// TestNeverReplaced: no result takes the place of what was uploaded, whatever is forced.
func TestNeverReplaced(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	got := u.Run("submit", "genome.fna", "--force", "--out", ".")
	if got.Code != exitUsage || !strings.Contains(got.Err, "genome.fna is to be uploaded, and a result would overwrite it") ||
		f.count() != 0 {
		t.Errorf("%+v", got)
	}
	if err := os.Link(filepath.Join(u.Dir, "genome.fna"), filepath.Join(u.Dir, "other.fna")); err != nil {
		t.Fatal(err)
	}
	if got := u.Run("submit", "genome.fna", "--force", "--out", ".", "--name", "other"); got.Code != exitUsage ||
		!strings.Contains(got.Err, "other.fna is to be uploaded") {
		t.Errorf("%+v", got)
	}
	u.Must("submit", "genome.fna", "--force", "--out", ".", "--name", "free")
	if diff := cmp.Diff([]string{".jobs", "free.gff3", "free.json", "free.txt", "genome.fna", "other.fna"}, u.Files(".")); diff != "" {
		t.Error(diff)
	}
}
