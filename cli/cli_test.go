package cli

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// lines compares texts line by line; an empty want means nothing at all.
func lines(t *testing.T, what, got string, want ...string) {
	t.Helper()
	var have []string
	if got != "" {
		have = strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

// took is the one thing that differs from run to run.
var took = regexp.MustCompile(`after \d+ s`)

const firstID = "00000001-0000-4000-8000-000000000000"

func TestSubmitAndWait(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Write("replicons.tsv", "contig_1\tp1\tplasmid\tc\tpA\n")
	training := make([]byte, 558_392)
	binary.LittleEndian.PutUint64(training, math.Float64bits(0.5)) // the share of G and C
	training[8] = 11                                               // the translation table
	u.Write("training.tf", string(training))
	u.Write("genome.fna", clitest.Genome(1, 300))
	u.Write("regions.gff3", regions)
	u.Write("trusted.faa", clitest.TrustedProteins)
	u.Write("profiles.hmm", profile(t))
	got := u.Must(
		"submit",
		"genome.fna",
		"--genus",
		"Escherichia",
		"--species",
		"coli",
		"--strain=-x",
		"--plasmid",
		"p1",
		"--locus",
		"L",
		"--locus-tag",
		"ABC",
		"--translation-table",
		"4",
		"--gram",
		"-",
		"--complete",
		"--keep-contig-headers",
		"--compliant",
		"--min-contig-length",
		"200",
		"--replicons",
		"replicons.tsv",
		"--prodigal-tf",
		"training.tf",
		"--regions",
		"regions.gff3",
		"--proteins",
		"trusted.faa",
		"--hmms",
		"profiles.hmm",
		"--meta",
		"--locus-tag-increment",
		"5",
		"--skip-ncrna-region",
		"--skip-plot",
		"--out",
		"result",
	)
	lines(t, "what goes on", took.ReplaceAllString(got.Err, "after a while"),
		"uploading training.tf", "uploaded training.tf (558.4 kB)",
		"uploading replicons.tsv", "uploaded replicons.tsv (25 bytes)",
		"uploading regions.gff3", "uploaded regions.gff3 ("+bytesText(int64(len(regions)))+")",
		"uploading trusted.faa", "uploaded trusted.faa ("+bytesText(int64(len(clitest.TrustedProteins)))+")",
		"uploading profiles.hmm", "uploaded profiles.hmm ("+bytesText(int64(len(profile(t))))+")",
		"uploading genome.fna", "uploaded genome.fna (323 bytes)",
		"started job "+firstID+" on "+f.URL,
		"waiting for the job to begin", "[1/20] Parse genome sequences", "[3/20] predict tRNAs", "finished after a while",
		"downloading the results", "downloaded 3 files (347 bytes)")
	lines(t, "the answer", got.Out,
		"annotated by    Bakta 1.12.2, database 6.0 (full)",
		"organism        Escherichia coli",
		"genome          3,306 bp in 1 sequence, N50 3,306 bp",
		"GC              43.4 %",
		"coding density  65.2 %",
		"tRNAs           1",
		"CDSs            2, of which 1 hypothetical and 1 pseudogenes",
		"", "3 files are in result:", "  genome.gff3", "  genome.json", "  genome.txt")
	if diff := cmp.Diff([]string{"genome.gff3", "genome.json", "genome.txt"}, u.Files("result")); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
	j := f.job(t)
	want := map[string]string{
		"genome_fasta":           clitest.Genome(1, 300),
		"replicons_table":        "contig_1\tp1\tplasmid\tc\tpA\n",
		"prodigal_training_file": string(training),
		"regions_file":           regions,
		"trusted_proteins_file":  clitest.TrustedProteins,
		"hmms_file":              profile(t),
	}
	if diff := cmp.Diff(want, j.uploads); diff != "" {
		t.Errorf("uploads (-want +got)\n%s", diff)
	}
	var config map[string]any
	if err := json.Unmarshal([]byte(j.config), &config); err != nil {
		t.Fatal(err)
	}
	wantConfig := map[string]any{
		"genus":                      "Escherichia",
		"species":                    "coli",
		"strain":                     "-x",
		"plasmid":                    "p1",
		"locus":                      "L",
		"locus_tag":                  "ABC",
		"locus_tag_increment":        5.0,
		"translation_table":          4.0,
		"derm_type":                  "diderm",
		"complete_genome":            true,
		"keep_contig_headers":        true,
		"compliant":                  true,
		"meta":                       true,
		"min_contig_length":          200.0,
		"use_replicons":              true,
		"use_prodigal_training_file": true,
		"use_regions":                true,
		"use_trusted_proteins":       true,
		"use_hmms":                   true,
		"skip_ncrna_region":          true,
		"skip_plot":                  true,
	}
	if diff := cmp.Diff(wantConfig, config); diff != "" {
		t.Errorf("config (-want +got)\n%s", diff)
	}
}

func TestSubmitAlone(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, "http://127.0.0.1:1")
	got := u.Must("submit", "genome.fna", "--server", f.URL+"/api/v2/", "--name", "näme \"x\"\n")
	lines(t, "the answer", got.Out, firstID)
	if !strings.Contains(got.Err, "\n  bakta-web results --wait "+firstID+"\n") {
		t.Errorf("it isn't said how to come back:\n%s", got.Err)
	}
	if diff := cmp.Diff([]string{"job/init", "put genome_fasta", "job/submit"}, f.seen()); diff != "" {
		t.Errorf("calls (-want +got)\n%s", diff)
	}
	if name := f.job(t).name; name != "näme \"x\"\n" {
		t.Errorf("the name is %q", name)
	}
	// The job's own server is known from now on.
	got = u.Must("results", "--wait", "0000")
	if diff := cmp.Diff([]string{"näme__x-00000001"}, dirs(u)); diff != "" {
		t.Errorf("directories (-want +got)\n%s\n%s", diff, got.Err)
	}
	if diff := cmp.Diff([]string{"näme__x.gff3", "näme__x.json", "näme__x.txt"}, u.Files("näme__x-00000001")); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
}

func TestSubmitWarns(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.warnings = []client.Warning{
		{Code: "small_genome", Kind: "genome_fasta", Message: "It is small.\x1b[2J"},
		{Code: "x", Message: "Another."},
	}
	got := clitest.NewUser(t, f.URL).Must("submit", "genome.fna")
	if !strings.Contains(got.Err, "warning: It is small.·[2J\nwarning: Another.\n") || got.Out != firstID+"\n" {
		t.Errorf("%+v", got)
	}
}

func TestJobFails(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states, f.reason = []string{"RUNNING", "ERROR"}, "Bakta refused the genome:\n\tERROR: wrong \x1b[31mformat!"
	u := clitest.NewUser(t, f.URL)
	for _, args := range [][]string{{"submit", "genome.fna", "--wait"}, {"results", "0000"}, {"results", "--wait", "0000"}} {
		got := u.Run(args...)
		want := "bakta-web: the job failed: Bakta refused the genome:\n   ERROR: wrong ·[31mformat!\n`bakta-web logs " + firstID +
			"` shows what its programs wrote.\n"
		if got.Code != exitJobFailed || got.Out != "" || !strings.HasSuffix(got.Err, want) {
			t.Errorf("%v: %+v", args, got)
		}
	}
	got := u.Must("status")
	if !strings.Contains(
		got.Out,
		"state      ERROR (failed)\nreason     Bakta refused the genome:\n            ERROR: wrong ·[31mformat!\n",
	) {
		t.Errorf("status:\n%s", got.Out)
	}
	var told job
	if err := json.Unmarshal([]byte(u.Must("status", "--json").Out), &told); err != nil || told.Reason != f.reason ||
		told.State != "ERROR" {
		t.Errorf("%+v, %v", told, err)
	}
	var failed outcome
	if got := u.Run("results", "--json", "0000"); json.Unmarshal([]byte(got.Out), &failed) != nil || failed.Reason != f.reason ||
		got.Code != exitJobFailed {
		t.Errorf("%+v", got)
	}
}

func TestInterruptWhileWaiting(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING"}
	u := clitest.NewUser(t, f.URL)
	cmd := u.Command("submit", "genome.fna", "--out", "a dir")
	var shows clitest.Screen
	cmd.Stderr = &shows
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "predict tRNAs")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	back := "bakta-web results --wait --out 'a dir' " + firstID
	if !strings.HasSuffix(shows.String(), "The job goes on without you. To come back:\n  "+back+"\n") {
		t.Errorf("it says:\n%s", &shows)
	}
	if !f.job(t).started {
		t.Error("the job doesn't go on")
	}
	f.mu.Lock()
	f.states = []string{"SUCCESSFUL"}
	f.mu.Unlock()
	u.Must("results", "--wait", "--out", "a dir", firstID)
	if n := len(u.Files("a dir")); n != 3 {
		t.Errorf("%d files", n)
	}
}

// TestServerAwayWhileWaiting: it is said once each time, and the wait goes on.
func TestServerAwayWhileWaiting(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING", "RUNNING", "SUCCESSFUL"}
	f.logs = []string{"Parse genome sequences...\n"}
	looks := 0
	f.before = func(call string, w http.ResponseWriter, _ *http.Request) bool {
		if call != "job/status" {
			return false
		}
		f.mu.Lock()
		looks++
		away := looks > 1 && looks < 8 || looks == 9
		f.mu.Unlock()
		if away {
			w.WriteHeader(503)
			fmt.Fprint(w, `"the store is away"`)
		}
		return away
	}
	u := clitest.NewUser(t, f.URL)
	got := u.Must("submit", "genome.fna", "--wait")
	_, waited, _ := strings.Cut(took.ReplaceAllString(got.Err, "after a while"), "on "+f.URL+"\n")
	lines(t, "what goes on", waited, "waiting for the job to begin", "[1/20] Parse genome sequences", "the store is away; trying again",
		"the store is away; trying again", "finished after a while", "To download the results:", "  bakta-web results "+firstID)
}

// hold lets a call wait until the test is over; its client is told nothing.
func hold(t *testing.T, call string, reached chan<- struct{}) func(string, http.ResponseWriter, *http.Request) bool {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	return func(name string, _ http.ResponseWriter, r *http.Request) bool {
		if name != call {
			return false
		}
		reached <- struct{}{}
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return true
	}
}

func TestStoppedWhileUploading(t *testing.T) {
	for _, row := range []struct {
		name   string
		signal os.Signal
		code   int
		gone   bool
	}{
		{"interrupted", os.Interrupt, exitInterrupted, true},
		{"killed", os.Kill, -1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			reached := make(chan struct{}, 1)
			f.before = hold(t, "put genome_fasta", reached)
			u := clitest.NewUser(t, f.URL)
			cmd := u.Command("submit", "genome.fna")
			var shows clitest.Screen
			cmd.Stderr = &shows
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-reached
			cmd.Process.Signal(row.signal)
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != row.code {
				t.Errorf("exit code %d\n%s", code, &shows)
			}
			listed := u.Must("list")
			if row.gone {
				if !strings.HasSuffix(shows.String(), "Nothing was started.\n") || f.count() != 0 || listed.Out != "" {
					t.Errorf("%s\n%d jobs\n%s", &shows, f.count(), listed.Out)
				}
				return
			}
			if !strings.Contains(listed.Out, "NOT STARTED") {
				t.Errorf("the job is not known:\n%s", listed.Out)
			}
			u.Must("delete", firstID)
			if f.count() != 0 || u.Must("list").Out != "" {
				t.Error("the job is still there")
			}
		})
	}
}

func TestStartRefused(t *testing.T) {
	refuse := func(status int, body string) func(string, http.ResponseWriter, *http.Request) bool {
		return func(call string, w http.ResponseWriter, _ *http.Request) bool {
			if call != "job/submit" {
				return false
			}
			if status == 0 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
			return true
		}
	}
	for _, row := range []struct {
		name   string
		before func(string, http.ResponseWriter, *http.Request) bool
		code   int
		says   string
		known  bool
	}{
		{"bad input", refuse(400, `"species: must not be blank"`), exitUsage, "bakta-web: starting the job: species: must not be blank\n", false},
		{"broken server", refuse(500, `"internal"`), exitFailed, "bakta-web: starting the job: internal\n", false},
		{"no answer", refuse(0, ""), exitFailed, "The job may have started or not. To see:\n  bakta-web status " + firstID, true},
		{"busy for long", refuse(503, `"away"`), exitFailed, "bakta-web: starting the job: away\n", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.before = row.before
			u := clitest.NewUser(t, f.URL)
			got := u.Run("submit", "genome.fna")
			if got.Code != row.code || !strings.Contains(got.Err, row.says) || got.Out != "" {
				t.Errorf("%+v", got)
			}
			if known := u.Must("list").Out != ""; known != row.known || (f.count() == 1) != row.known {
				t.Errorf("known: %v, jobs: %d", known, f.count())
			}
		})
	}
}

// TestRefusedHere: what can be seen here costs no call.
func TestRefusedHere(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Write("empty.fna", "")
	u.Write("text.fna", "this is no FASTA\n")
	u.Write("table.tsv", "a\tb\n")
	u.Write("blank.tf", " \n")
	u.Write("proteins.faa", clitest.Proteins)
	u.Write("far.gff", "contig_9\tx\tCDS\t1\t30\t.\t+\t0\tID=a\n")
	if err := os.Mkdir(filepath.Join(u.Dir, "dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	for args, says := range map[string]string{
		"submit none.fna":                           "bakta-web: the file none.fna does not exist\n",
		"submit dir":                                "dir is a directory",
		"submit /dev/null":                          "is not a regular file",
		"submit empty.fna":                          "is empty",
		"submit text.fna":                           "text.fna: The genome file ",
		"submit genome.fna --replicons none":        "the file none does not exist",
		"submit genome.fna --replicons table.tsv":   "table.tsv: ",
		"submit genome.fna --prodigal-tf empty.fna": "empty.fna is empty",
		"submit genome.fna --prodigal-tf blank.tf":  "blank.tf: the file is empty",
		"submit genome.fna --workflow prokka": "--workflow: \"prokka\" is not valid; choose one of bakta, bakta+baktfold, baktfold, " +
			"proteins",
		"submit text.fna -w proteins":                 "text.fna: The protein",
		"submit genome.fna -w baktfold":               "genome.fna: The ",
		"submit proteins.faa --complete":              "--complete: the workflow proteins does not have this option",
		"submit proteins.faa -w proteins --hmms none": "--hmms: the workflow proteins does not have this option",
		"submit genome.fna --regions text.fna":        "text.fna: The regions file ",
		"submit genome.fna --proteins genome.fna":     "genome.fna: ",
		"submit genome.fna --hmms text.fna":           "text.fna: The profile HMMs file ",
		"submit genome.fna --locus-tag-increment 3":   "--locus-tag-increment: ",
		"submit genome.fna --regions far.gff":         "regions",
		"submit genome.fna --gram x":                  "--gram: \"x\"",
		"submit genome.fna --locus-tag a_b+":          "--locus-tag: \"a_b+\"",
		"submit genome.fna --translation-table 5":     "choose 4, 11 or 25\n`",
		"submit genome.fna --translation-table eight": "--translation-table: \"eight\" is not valid; " +
			"it stands for: translation table: 4, 11 or 25\n",
		"submit genome.fna --min-contig-length -1": "--min-contig-length: -1",
		"submit genome.fna --server ftp://x":       "must be a URL",
		"submit genome.fna --out genome.fna":       "--out: genome.fna is a file",
		"submit genome.fna --out genome.fna/x":     "can't be made",
		"submit genome.fna --out .":                "genome.fna is to be uploaded, and a result would overwrite it; give another",
		"submit genome.fna --out /proc/self":       "nothing can be put in",
		"status 77":                                "no job that was submitted from here",
		"status":                                   "no job was submitted from here yet",
		"logs":                                     "the ID of a job is missing",
		"frob":                                     "does not exist",
		"help frob":                                "the command \"frob\" does not exist",
		"help local frob":                          "the command \"frob\" does not exist",
		"help lost":                                "do you mean",
	} {
		got := u.Run(strings.Fields(args)...)
		if got.Code != exitUsage || !strings.Contains(got.Err, says) || got.Out != "" {
			t.Errorf("%s: %+v, want %q", args, got, says)
		}
	}
	if calls := f.seen(); calls != nil {
		t.Errorf("calls: %v", calls)
	}
}

// TestPlainServer: a server without TLS that is asked by https says what its address is.
func TestPlainServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, strings.Replace(f.URL, "http:", "https:", 1))
	if got := u.Run("submit", "genome.fna"); got.Code != exitFailed || !strings.Contains(got.Err, "begins with http://") {
		t.Errorf("%+v", got)
	}
}

func TestDamagedBookStopsBeforeTheJob(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	if err := os.Mkdir(filepath.Join(u.Dir, ".jobs"), 0o700); err != nil {
		t.Fatal(err)
	}
	u.Write(".jobs/jobs.json", "{")
	if got := u.Run("submit", "genome.fna"); got.Code != exitFailed || !strings.Contains(got.Err, "is damaged") || f.seen() != nil {
		t.Errorf("%+v, %v", got, f.seen())
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	f, other := newFake(t), newFake(t)
	other.made = 0x10
	u := clitest.NewUser(t, f.URL)
	lines(t, "nothing", u.Must("list").Out)
	lines(t, "nothing as JSON", u.Must("list", "--json").Out, "[]")
	u.Must("submit", "genome.fna", "--name", "first")
	u.Must("submit", "genome.fna", "--name", "second\nline")
	u.Must("submit", "genome.fna", "--server", other.URL)
	f.mu.Lock()
	delete(f.jobs, firstID)
	f.mu.Unlock()
	got := u.Must("list")
	rows := strings.Split(got.Out, "\n")
	head := []string{"ID", "NAME", "WORKFLOW", "STATE", "SUBMITTED"}
	for i, want := range [][]string{{"On " + f.URL + ":"}, head, {"00000001", "first", "bakta", "NOT_FOUND"},
		{"00000002", "second·line", "WAITING"}, nil,
		{"On " + other.URL + ":"}, head, {"00000011", "genome", "bakta", "WAITING"}} {
		for _, part := range want {
			if !strings.Contains(rows[i], part) {
				t.Errorf("line %d has no %q: %s", i, part, rows[i])
			}
		}
	}
	if strings.Contains(got.Out+got.Err, "secret") {
		t.Error("a secret shows")
	}
	var jobs []job
	if err := json.Unmarshal([]byte(u.Must("list", "--json", "--server", other.URL).Out), &jobs); err != nil || len(jobs) != 1 ||
		jobs[0].State != "RUNNING" {
		t.Errorf("%+v, %v", jobs, err)
	}
	if got := u.Must("list", "--server", "http://127.0.0.1:1"); got.Out != "" || !strings.Contains(got.Err, "3 jobs are on other servers") {
		t.Errorf("%+v", got)
	}
	other.Close()
	got = u.Run("list")
	if got.Code != exitFailed || !strings.Contains(got.Out, "UNREACHABLE") || !strings.Contains(got.Out, "00000002  second·line") ||
		!strings.Contains(got.Err, other.URL+" can't be reached") {
		t.Errorf("%+v", got)
	}
}

// A table is no wider than a terminal usually is, whatever the names.
func TestListIsWhole(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.stages = []string{"bakta", "baktfold"}
	f.states = []string{"INIT"}
	u := clitest.NewUser(t, f.URL)
	for _, name := range []string{strings.Repeat("name of a genome ", 10), strings.Repeat("酵母", 40), "short"} {
		u.Must("submit", "genome.fna", "--workflow", "bakta+baktfold", "--name", name)
	}
	f.mu.Lock()
	f.jobs["00000003-0000-4000-8000-000000000000"].started = false
	f.mu.Unlock()
	got := u.Must("list")
	rows := strings.Split(strings.TrimRight(got.Out, "\n"), "\n")
	at := runewidth.StringWidth(rows[0][:strings.Index(rows[0], "STATE")])
	for i, want := range []string{"STATE", "WAITING", "WAITING", "NOT STARTED"} {
		if w := runewidth.StringWidth(rows[i]); w > 80 {
			t.Errorf("line %d has %d columns", i, w)
		}
		if before, _, ok := strings.Cut(rows[i], want); !ok || runewidth.StringWidth(before) != at {
			t.Errorf("line %d doesn't have %s in column %d:\n%s", i, want, at, got.Out)
		}
	}
	for _, row := range strings.Split(u.Must("workflows").Out, "\n") {
		if w := runewidth.StringWidth(row); w > 80 {
			t.Errorf("%d columns: %s", w, row)
		}
	}
	f.mu.Lock()
	f.old = true
	f.mu.Unlock()
	if got := u.Must("list").Out; !strings.Contains(got, "INIT") || strings.Contains(got, "STARTED") {
		t.Errorf("of a server that doesn't say which jobs wait:\n%s", got)
	}
}

// hostile is a text that moves a terminal's cursor, colours what follows, and sets its title; by C1 codes, too.
const hostile = "a\x1b[31mb\x1b]0;title\ac\u009b2Jd\u202ee\x7f"

// No text from a server reaches a person's terminal as it is, whichever call answers it and whether it is a success.
func TestTextsOfOthers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"ERROR"}
	f.reason = hostile
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	bad := func(text string) bool { return strings.ContainsAny(text, "\x1b\a\u009b\u202e\x7f") }
	for _, args := range []string{"status", "status --json", "results 0", "results --json 0", "list", "list --json"} {
		if got := u.Run(strings.Fields(args)...); bad(got.Out+got.Err) ||
			!strings.Contains(args, "list") && !strings.Contains(got.Out+got.Err, "[31mb") {
			t.Errorf("%s: %+q", args, got.Out+got.Err)
		}
	}
	var told job
	if err := json.Unmarshal([]byte(u.Must("status", "--json").Out), &told); err != nil || told.Reason != hostile {
		t.Errorf("JSON for scripts has the reason as %q, %v", told.Reason, err)
	}
	text, err := json.Marshal(hostile)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ args, calls string }{
		{"version", "version"}, {"workflows", "workflows"}, {"submit genome.fna", "job/init job/start"}, {"list", "job/list"},
		{"status", "job/list job/logs job/result"}, {"results 0", "job/result"}, {"logs -f 0", "job/list job/logs"}, {"delete 0",
			"job/list job/delete"},
	} {
		for _, call := range strings.Fields(row.calls) {
			for status, answer := range map[int]string{
				200: `[{"workflow_kind":%[1]s,"result_kind":%[1]s,"uploads":[{"upload_kind":%[1]s}],"stages":[%[1]s]}]`,
				203: `{"backend_version":%s}`, 400: `%s`, 404: `{"code":5,"message":%s}`,
			} {
				f.mu.Lock()
				f.before = func(asked string, w http.ResponseWriter, _ *http.Request) bool {
					if asked == call {
						w.WriteHeader(status)
						fmt.Fprintf(w, answer, text)
					}
					return asked == call
				}
				f.mu.Unlock()
				if got := u.Run(strings.Fields(row.args)...); bad(got.Out + got.Err) {
					t.Errorf("%s, when %s answers %d: %+q", row.args, call, status, got.Out+got.Err)
				}
			}
		}
	}
}

// What a job's programs wrote goes to a file as it is, and to a terminal without what would control it.
func TestLogsOfOthers(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.logs = []string{"Bakta Command: bakta\n" + hostile + "\n"}
	f.states = []string{"SUCCESSFUL"}
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna", "--wait")
	if got := u.Must("logs", "0"); !strings.Contains(got.Out, hostile) {
		t.Errorf("a file gets %q", got.Out)
	}
	tty, _, shows := terminal(t)
	cmd := u.Command("logs", "0")
	cmd.Stdout = tty
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "b·]0;title·c·2Jd·e·")
	if strings.ContainsAny(shows.String(), "\x1b\u009b\u202e") {
		t.Errorf("a terminal gets %q", shows)
	}
}

// Results that are larger than what was allowed are not kept, even if the server says nothing of their size.
func TestDownloadsHaveALimit(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna", "--wait")
	got := u.Run("results", "0", "--max-download", "300B", "--out", "out")
	if got.Code != exitFailed || !strings.Contains(got.Err, "--max-download") || len(u.Files("out")) > 0 {
		t.Errorf("%+v, %v", got, u.Files("out"))
	}
	if got := u.Run("results", "0", "--max-download", "much"); got.Code != exitUsage || !strings.Contains(got.Err, "--max-download") {
		t.Errorf("%+v", got)
	}
	u.Must("results", "0", "--max-download", "1MB", "--out", "out")
	if n := len(u.Files("out")); n != 3 {
		t.Errorf("%d files", n)
	}
	// Of many jobs, it limits each.
	u.Write("b.fna", clitest.Genome(2, 200))
	u.Must("submit", "genome.fna", "b.fna", "--max-download", "400B", "--out", "many")
	if help := u.Must("submit", "--help").Out; !strings.Contains(help, "download at most this size of each job, ") {
		t.Errorf("the help is\n%s", help)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING"}
	f.logs = []string{strings.Join(f.logs, "")}
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	got := u.Must("status", "0000")
	for _, want := range []string{"id         " + firstID, "name       genome", "state      RUNNING (step 3 of 20: predict tRNAs)",
		"server     " + f.URL} {
		if !strings.Contains(got.Out, want+"\n") {
			t.Errorf("there is no %q in\n%s", want, got.Out)
		}
	}
	var told job
	err := json.Unmarshal([]byte(u.Must("status", "--json").Out), &told)
	if diff := cmp.Diff(&step{3, 20, "predict tRNAs"}, told.Step); err != nil || diff != "" || told.ID != firstID {
		t.Errorf("%+v, %v", told, err)
	}
	if got := u.Run("results", "0000"); got.Code != exitFailed ||
		!strings.Contains(got.Err, "has not ended yet (RUNNING); --wait waits for it") {
		t.Errorf("%+v", got)
	}
	f.mu.Lock()
	clear(f.jobs)
	f.mu.Unlock()
	if got := u.Must("status"); !strings.Contains(got.Out, "NOT_FOUND (deleted or expired)") {
		t.Errorf("%+v", got)
	}
	for _, command := range []string{"results", "logs -f", "results --wait"} {
		if got := u.Run(append(strings.Fields(command), "0000")...); got.Code != exitJobFailed ||
			!strings.Contains(got.Err, "the job is gone") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	if got := u.Must("logs", "0000"); got.Out != "" || got.Err != "The log is empty so far.\n" {
		t.Errorf("%+v", got)
	}
	all := strings.Join(f.logs, "")
	if got := u.Must("logs", "-f", "0000"); got.Out != all || got.Err != "" {
		t.Errorf("%+v", got)
	}
	if got := u.Must("logs", "0000"); got.Out != all {
		t.Errorf("%+v", got)
	}
}

// TestLogsWhileServerIsAway: a log that is followed goes on when the server is back, where it was.
func TestLogsWhileServerIsAway(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"job/list", "job/logs"} {
		f := newFake(t)
		u := clitest.NewUser(t, f.URL)
		u.Must("submit", "genome.fna")
		calls := 0
		f.intercept(func(name string, w http.ResponseWriter, _ *http.Request) bool {
			if name != call {
				return false
			}
			f.mu.Lock()
			calls++
			away := calls > 2 && calls < 10 // for longer than one call is tried
			f.mu.Unlock()
			if away {
				w.WriteHeader(503)
				fmt.Fprint(w, `"the store is away"`)
			}
			return away
		})
		got := u.Must("logs", "-f", "0000")
		if got.Out != strings.Join(f.logs, "") || got.Err != "the store is away; trying again\n" {
			t.Errorf("%s: %+v", call, got)
		}
	}
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	f.intercept(func(_ string, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(503); return true })
	began := time.Now()
	if got := u.Run("logs", "-f", "0000"); got.Code != exitFailed || time.Since(began) < 3*time.Second {
		t.Errorf("after %s: %+v", time.Since(began), got)
	}
}

func TestResultsReplaceNothing(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"SUCCESSFUL"}
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna", "--out", ".", "--name", "a genome", "--force")
	f.mu.Lock()
	f.files["fna"] = "other than what is there"
	f.files["NEW.thing/.."] = "of a newer server"
	f.mu.Unlock()
	u.Write("a_genome.fna", "there before")
	got := u.Run("results", "0000", "--out", ".")
	if got.Code != exitFailed || !strings.Contains(got.Err, "nothing was replaced: a_genome.fna; give another directory") {
		t.Errorf("%+v", got)
	}
	if content, _ := os.ReadFile(filepath.Join(u.Dir, "a_genome.fna")); string(content) != "there before" {
		t.Errorf("the file is now %s", content)
	}
	u.Must("results", "0000", "--out", ".", "--force")
	if content, _ := os.ReadFile(filepath.Join(u.Dir, "a_genome.fna")); string(content) != "other than what is there" {
		t.Errorf("the file is now %s", content)
	}
	// What the job was made of is never replaced.
	if err := os.Remove(filepath.Join(u.Dir, "a_genome.fna")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("genome.fna", filepath.Join(u.Dir, "a_genome.fna")); err != nil {
		t.Fatal(err)
	}
	got = u.Run("results", "0000", "--out", ".", "--force")
	if got.Code != exitFailed || !strings.Contains(got.Err, "a_genome.fna is an input of the job, and nothing was replaced") {
		t.Errorf("%+v", got)
	}
	if err := os.Remove(filepath.Join(u.Dir, "a_genome.fna")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(u.Dir, "half", "a_genome.txt"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{nil, {"--force"}} {
		got = u.Run(append([]string{"results", "0000", "--out", "half"}, more...)...)
		if names := u.Files("half"); got.Code != exitFailed || !strings.Contains(got.Err, "a_genome.txt is a directory") ||
			len(names) != 1 {
			t.Errorf("%+v, %v", got, names)
		}
	}
	var told outcome
	if err := json.Unmarshal([]byte(u.Must("results", "0000", "--out", ".", "--json").Out), &told); err != nil {
		t.Fatal(err)
	}
	want := []string{"a_genome.fna", "a_genome.gff3", "a_genome.json", "a_genome.new.thing", "a_genome.txt"}
	if diff := cmp.Diff(want, told.Files); diff != "" || told.Summary == nil || told.Summary.Size != 3306 || told.State != "SUCCESSFUL" {
		t.Errorf("%+v (-want +got)\n%s", told, diff)
	}
	for _, name := range u.Files(".") {
		if strings.HasPrefix(name, ".bakta-web") || strings.HasSuffix(name, ".part") {
			t.Errorf("%s is left behind", name)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	u.Must("submit", "genome.fna")
	if got := u.Run("delete", "0000"); got.Code != exitUsage || !strings.Contains(got.Err, "stands for 2 jobs") || f.count() != 2 {
		t.Errorf("%+v", got)
	}
	f.mu.Lock()
	delete(f.jobs, firstID) // gone already
	f.mu.Unlock()
	got := u.Must("delete", "00000001", "00000002")
	lines(t, "what is said", got.Err, f.URL+" has no such job any more", "forgot "+firstID+" (genome)",
		"deleted 00000002-0000-4000-8000-000000000000 (genome)")
	if f.count() != 0 || u.Must("list").Out != "" {
		t.Error("something is still there")
	}
	u.Must("submit", "genome.fna")
	f.Close()
	if got := u.Run("delete", "0000"); got.Code != exitFailed || !strings.Contains(u.Run("list").Out, "00000003") {
		t.Errorf("a job that couldn't be deleted is forgotten: %+v", got)
	}
}

// TestDeleteElsewhere: a server that doesn't have the job takes nothing away.
func TestDeleteElsewhere(t *testing.T) {
	t.Parallel()
	home, other := newFake(t), newFake(t)
	nothing := newFake(t)
	nothing.before = func(_ string, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(404)
		fmt.Fprint(w, `{"code":5,"message":"Not Found"}`)
		return true
	}
	u := clitest.NewUser(t, home.URL)
	u.Must("submit", "genome.fna")
	for server, says := range map[string]string{
		other.URL:   other.URL + " does not have this job: " + firstID + " was created on " + home.URL,
		nothing.URL: "there is no Bakta-Web server at " + nothing.URL,
	} {
		got := u.Run("delete", "0000", "--server", server)
		if got.Code != exitFailed || !strings.Contains(got.Err, says) || strings.Contains(got.Err, "deleted") {
			t.Errorf("%+v", got)
		}
		if home.count() != 1 || !strings.Contains(u.Must("list").Out, "00000001") {
			t.Fatal("the job is forgotten")
		}
	}
	got := u.Must("delete", "0000", "--server", other.URL, "--forget")
	if !strings.HasSuffix(got.Err, "\nforgot "+firstID+" (genome)\n") || u.Must("list").Out != "" || home.count() != 1 {
		t.Errorf("%+v", got)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	if got := u.Must("version"); !strings.Contains(got.Out, "bakta-web v1.2.3\nserver    "+f.URL+": v3, Bakta 1.12.2, database 6.0\n") {
		t.Errorf("%+v", got)
	}
	f.Close()
	if got := u.Must("version"); !strings.HasPrefix(got.Out, "bakta-web ") || !strings.Contains(got.Err, "No server answers at "+f.URL) {
		t.Errorf("%+v", got)
	}
	if got := u.Run("version", "--server", f.URL); got.Code != exitFailed {
		t.Errorf("%+v", got)
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	for args, want := range map[string]string{
		"__complete results ":             firstID + "\tgenome\n",
		"__complete submit --gram ":       "monoderm\n",
		"__complete submit --workflow ":   "bakta+baktfold\n",
		"__complete submit --locus-tag-i": "--locus-tag-increment\t",
		"__complete submit x.fna --skip-": "--skip-ncrna-region\t",
		"__complete logs --stage ":        "bakta_proteins\n",
		"__complete sub":                  "submit\t",
		"completion bash":                 "bash completion",
		"completion zsh":                  "#compdef bakta-web",
		"__complete submit x.fna --compl": "--compliant\t",
	} {
		fields := strings.Split(args, " ")
		if got := u.Must(fields...); !strings.Contains(got.Out, want) {
			t.Errorf("%s:\n%s", args, got.Out)
		}
	}
}

// TestHelp: each command says what it does, shows how, and explains its flags.
func TestHelp(t *testing.T) {
	root := (&app{}).root()
	for _, cmd := range root.Commands() {
		if cmd.Short == "" || cmd.Example == "" && cmd.Name() != "completion" && cmd.Name() != "help" {
			t.Errorf("%s has no example", cmd.Name())
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 82 {
				t.Errorf("%s: the line is too long for a terminal: %s", cmd.Name(), line)
			}
		}
	}
}

// dirs lists the directories of a user.
func dirs(u *clitest.User) []string {
	var dirs []string
	for _, name := range u.Files(".") {
		if info, err := os.Stat(filepath.Join(u.Dir, name)); err == nil && info.IsDir() && !strings.HasPrefix(name, ".") {
			dirs = append(dirs, name)
		}
	}
	return dirs
}

// What no server accepts is refused before the file is uploaded.
func TestNotifyOptions(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := clitest.NewUser(t, f.URL)
	for _, row := range []struct{ flag, value, want string }{
		{"--notify-webhook", "http://example.org/x", "--notify-webhook: only https is allowed; write a URL such as"},
		{"--notify-webhook", "example.org", "--notify-webhook: only https is allowed"},
		{"--notify-webhook", "https://ada:pw@example.org/", "--notify-webhook: a user name or password"},
		{"--notify-webhook", "https://example.org:22/", "--notify-webhook: the port must be 443"},
		{"--notify-email", "Ada <ada@example.org>", "--notify-email: this is not an e-mail address; write one address"},
	} {
		got := u.Run("submit", "genome.fna", row.flag, row.value)
		if got.Code != exitUsage || !strings.Contains(got.Err, row.want) || f.seen() != nil {
			t.Errorf("%s %s: %+v, %v", row.flag, row.value, got, f.seen())
		}
	}
}

// What the server does not offer is refused before there is a job. A server without the call, or whose answer has no such field, is older.
func TestNotifyOffer(t *testing.T) {
	t.Parallel()
	webhook := []string{"--notify-webhook", "https://example.org/hook"}
	email := []string{"--notify-email", "ada@example.org"}
	for _, row := range []struct {
		options string
		flags   []string
		want    string // in the error; empty: the job is started
	}{
		{"", email, "--notify-email: SERVER does not send mail; submit without this option"},
		{"", webhook, "--notify-webhook: SERVER does not send webhooks; submit without this option"},
		{`{"options":[]}`, email, "--notify-email: SERVER does not send mail"},
		{`{"notify":{"webhook":true,"email":false}}`, slices.Concat(webhook, email), "--notify-email: SERVER does not send mail"},
		{`{"notify":{"webhook":false,"email":true}}`, slices.Concat(webhook, email), "--notify-webhook: SERVER does not send webhooks"},
		{`{"notify":{"webhook":false,"email":true}}`, email, ""},
	} {
		f := newFake(t)
		f.options = row.options
		got := clitest.NewUser(t, f.URL).Run(append([]string{"submit", "genome.fna"}, row.flags...)...)
		if row.want == "" {
			if got.Code != 0 || f.notify != `{"email":"ada@example.org"}` {
				t.Errorf("%s at %s: %+v, notify %s", row.flags, row.options, got, f.notify)
			}
			continue
		}
		want := strings.ReplaceAll(row.want, "SERVER", f.URL)
		if got.Code != exitUsage || !strings.Contains(got.Err, want) || !slices.Equal(f.seen(), []string{"options"}) {
			t.Errorf("%s at %s: %+v, calls %v", row.flags, row.options, got, f.seen())
		}
	}
	f := newFake(t)
	f.intercept(func(_ string, w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInternalServerError)
		return true
	})
	if got := clitest.NewUser(t, f.URL).Run(append([]string{"submit", "genome.fna"}, email...)...); got.Code != exitFailed ||
		!strings.Contains(got.Err, "asking which notifications the server offers") || slices.Contains(f.seen(), "job/init") {
		t.Errorf("a server that fails: %+v, %v", got, f.seen())
	}
}
