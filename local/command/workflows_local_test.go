package command_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// resultsOf returns the result files of a workflow for a job of that name, except those with the given endings.
func resultsOf(t *testing.T, kind, name string, without ...string) (files []string) {
	t.Helper()
	w, ok := workflow.Lookup(kind)
	if !ok {
		t.Fatalf("no workflow %s", kind)
	}
	for _, r := range w.Results {
		if !slices.Contains(without, r.Ending) {
			files = append(files, name+"."+r.Ending)
		}
	}
	slices.Sort(files)
	return files
}

// hypotheticals are the endings of the files that Baktfold does not write.
var hypotheticals = []string{"hypotheticals.faa", "hypotheticals.tsv"}

func profile(t *testing.T) string {
	t.Helper()
	content, err := os.ReadFile("../../lib/upload/testdata/small.hmm")
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// ids returns the IDs of the known jobs, the oldest first.
func (u *user) ids() (ids []string) {
	u.t.Helper()
	var jobs []job
	if err := json.Unmarshal([]byte(u.Must("list", "--json").Out), &jobs); err != nil {
		u.t.Fatal(err)
	}
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	return ids
}

// holds checks that a directory contains exactly these files.
func (u *user) holds(dir string, want []string) {
	u.t.Helper()
	if diff := cmp.Diff(want, u.Files(dir)); diff != "" {
		u.t.Errorf("%s (-want +got)\n%s", dir, diff)
	}
}

func (u *user) read(path string) string {
	u.t.Helper()
	content, err := os.ReadFile(filepath.Join(u.Dir, path))
	if err != nil {
		u.t.Fatal(err)
	}
	return string(content)
}

// known is a coding sequence of the demonstration's genome. The name of its file lacks the ending by which Bakta detects
// the format.
const known = "demo_chromosome\tx\tCDS\t26\t724\t.\t-\t0\tID=a\n"

// TestLocalWorkflows runs all workflows on a local backend with the stand-in.
func TestLocalWorkflows(t *testing.T) {
	t.Parallel()
	u := newUser(t, "http://127.0.0.1:1")
	u.Env = append(u.Env, "BAKTA_STAND_IN_STEP_DELAY=0s")
	b := u.serveLocal("data")
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)
	if got := u.Must("workflows").Out; strings.Count(got, "a genome (FASTA)") != 2 || strings.Count(got, "--hmms\n") != 2 ||
		!strings.Contains(got, "\nproteins        proteins (FASTA)              bakta_proteins\n") ||
		!strings.Contains(got, "\nbaktfold        an annotation") {
		t.Errorf("workflows:\n%s", got)
	}
	demo, err := filepath.Abs("../demo/genome.fna")
	if err != nil {
		t.Fatal(err)
	}
	u.Write("regions.txt", known)
	u.Write("trusted", clitest.TrustedProteins)
	u.Write("profiles", profile(t))
	u.Must("submit", demo, "--name", "one", "--regions", "regions.txt", "--proteins", "trusted", "--hmms", "profiles", "--locus-tag-increment",
		"10",
		"--locus-tag", "ABC", "--meta", "--skip-trna", "--skip-plot", "--out", "one")
	u.holds("one", resultsOf(t, workflow.Bakta, "one", "png", "svg"))
	if !strings.Contains(u.read("one/one.json"), `"locus": "ABC_0010"`) {
		t.Error("the locus tags do not have the requested increment")
	}
	log := u.Must("logs", u.ids()[0]).Out
	for _, option := range []string{"--regions=", ".gff3 ", "--proteins=", ".faa ", "--hmms=", "--meta", "--locus-tag-increment=10",
		"--skip-trna", "--skip-plot", "skip tRNA prediction..."} {
		if !strings.Contains(strings.ReplaceAll(log, "\n", " \n"), option) {
			t.Errorf("the log has no %s:\n%s", option, log)
		}
	}

	got := u.Must("submit", "one/one.faa", "--name", "two", "--out", "two")
	u.holds("two", resultsOf(t, workflow.BaktaProteins, "two"))
	if !strings.Contains(got.Out, "proteins      ") || !strings.Contains(got.Out, "NOTE: ") {
		t.Errorf("proteins: %s", got.Out)
	}

	got = u.Must("submit", "one/one.json", "--name", "three", "--out", "three")
	u.holds("three", resultsOf(t, workflow.Baktfold, "three", hypotheticals...))
	if !strings.Contains(got.Out, "; Baktfold 0.3.0+stand-in\n") ||
		!strings.Contains(got.Err, "one.json is not a genome, so the workflow is baktfold\n") {
		t.Errorf("baktfold: %s%s", got.Out, got.Err)
	}

	got = u.Must("submit", demo, "--workflow", "bakta+baktfold", "--name", "four", "--out", "four")
	u.holds("four", resultsOf(t, workflow.BaktaBaktfold, "four"))
	if !strings.Contains(u.read("four/four.json"), `"baktfold": "0.3.0+stand-in"`) || !strings.Contains(u.read("four/four.txt"), "Bakta:\n") {
		t.Error("the JSON file is not Baktfold's, or the summary not Bakta's")
	}
	status := u.Must("status").Out
	if !strings.Contains(status, "stages     bakta succeeded, baktfold succeeded\n") || !strings.Contains(status, "state      SUCCESSFUL\n") {
		t.Errorf("status:\n%s", status)
	}
	var jobs []job
	if err := json.Unmarshal([]byte(u.Must("list", "--json").Out), &jobs); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, j := range jobs {
		kinds = append(kinds, j.Workflow+" "+j.State)
	}
	if diff := cmp.Diff([]string{"bakta SUCCESSFUL", "bakta_proteins SUCCESSFUL", "baktfold SUCCESSFUL", "bakta_baktfold SUCCESSFUL"},
		kinds); diff != "" {
		t.Error(diff)
	}
	b.stop()
}

// TestLocalSecondStageFails: the results of the first stage are kept, and the error names the failed stage.
func TestLocalSecondStageFails(t *testing.T) {
	t.Parallel()
	u := newUser(t, "http://127.0.0.1:1")
	u.Env = append(u.Env, "BAKTA_STAND_IN_STEP_DELAY=0s", "BAKTA_STAND_IN_FAIL=baktfold:error")
	b := u.serveLocal("data")
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)
	u.Write("genome.fna", clitest.Genome(1, 20_000))
	got := u.Run("submit", "-w", "bakta+baktfold", "genome.fna", "--out", "result")
	if got.Code != exitJobFailed || !strings.Contains(got.Err, "the job failed: Baktfold ") || !strings.Contains(got.Err, "played failure") ||
		!strings.Contains(got.Err, "`bakta-web results --partial ") {
		t.Errorf("%+v", got)
	}
	u.holds("result", nil)
	if status := u.Must("status").Out; !strings.Contains(status, "stages     bakta succeeded, baktfold failed\n") {
		t.Errorf("status:\n%s", status)
	}
	id := u.ids()[0]
	if log := u.Must("logs", "--stage", "baktfold", id).Out; !strings.HasPrefix(log, "Baktfold Command: ") ||
		!strings.Contains(log, "ERROR: played failure!") {
		t.Errorf("log:\n%s", log)
	}
	got = u.Run("results", "--partial", "--out", "result", id)
	if got.Code != exitJobFailed || !strings.Contains(got.Out, "14 files are in result:") {
		t.Errorf("%+v", got)
	}
	u.holds("result", resultsOf(t, workflow.BaktaBaktfold, "genome"))
	b.stop()
}

// TestLocalWithRealPrograms runs jobs on the backend with the real programs, Baktfold without its searches.
func TestLocalWithRealPrograms(t *testing.T) {
	t.Parallel()
	real, ok := realbakta.Find(t)
	baktfold, database, okFold := realbakta.Baktfold(t)
	if !ok || !okFold {
		return
	}
	u := newUser(t, "http://127.0.0.1:1")
	b := u.serve("data", "--bakta", real.Bakta, "--bakta-db", real.Database, "--baktfold", baktfold, "--baktfold-db", database)
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)
	// The backend asks the programs for their versions while it serves.
	version := u.Must("version").Out
	for deadline := time.Now().Add(5 * time.Minute); !strings.Contains(version, "Bakta 1.12.2, database 6.0") ||
		!strings.Contains(version, "Baktfold 0.3.0\n"); {
		if time.Now().After(deadline) {
			t.Fatalf("version: %s", version)
		}
		version = u.Must("version").Out
	}
	if got := u.Must("workflows").Out; !strings.Contains(got, "\nproteins ") ||
		!strings.Contains(got, "\nbaktfold ") { // bakta_proteins was found beside Bakta
		t.Errorf("workflows:\n%s", got)
	}
	demo, err := filepath.Abs("../demo/genome.fna")
	if err != nil {
		t.Fatal(err)
	}
	u.Write("regions.txt", known)
	got := u.Must("submit", demo, "-w", "bakta+baktfold", "--name", "both", "--skip-trna", "--skip-rrna", "--skip-ncrna",
		"--skip-ncrna-region",
		"--skip-crispr", "--regions", "regions.txt", "--out", "both")
	if n := strings.Count(u.read("both/both.json"), `"source": "user-provided"`); n != 1 {
		t.Errorf("%d of the regions are in the JSON file, want 1", n)
	}
	u.holds("both", resultsOf(t, workflow.BaktaBaktfold, "both"))
	for path, begins := range map[string]string{"tsv": "# Annotated with Baktfold\n", "txt": "Sequence(s):\n",
		"hypotheticals.tsv": "#Annotated with Bakta "} {
		if text := u.read("both/both." + path); !strings.HasPrefix(text, begins) {
			t.Errorf("%s begins %.60q", path, text)
		}
	}
	if !strings.Contains(got.Err, "] bakta: predict & annotate CDSs\n") || !strings.Contains(got.Out, "; Baktfold 0.3.0\n") {
		t.Errorf("%+v", got)
	}

	got = u.Must("submit", "both/both.faa", "--name", "proteins", "--out", "proteins")
	u.holds("proteins", resultsOf(t, workflow.BaktaProteins, "proteins"))
	if !strings.Contains(got.Out, "annotated by  Bakta 1.12.2, database 6.0 (full)\nproteins      ") {
		t.Errorf("%+v", got)
	}
	got = u.Must("submit", "both/both.json", "--name", "again", "--out", "again")
	u.holds("again", resultsOf(t, workflow.Baktfold, "again", hypotheticals...))

	// The start does not find this fault. Bakta finds it, and the user sees Bakta's error.
	u.Write("unseen.faa", clitest.Unchecked(clitest.Proteins+">last\nMK*K\n"))
	got = u.Run("submit", "unseen.faa", "--workflow", "proteins", "--wait")
	if got.Code != exitJobFailed || !strings.Contains(got.Err, "unallowed characters in amino acid sequences") {
		t.Errorf("%+v", got)
	}
	b.stop()
}
