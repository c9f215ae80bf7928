package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

// newCollection returns a user with a folder of small genomes.
func newCollection(t *testing.T, server string, names ...string) *clitest.User {
	t.Helper()
	u := clitest.NewUser(t, server)
	if err := os.Mkdir(filepath.Join(u.Dir, "genomes"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		u.Write(filepath.Join("genomes", name), clitest.Genome(uint64(i+1), 200))
	}
	return u
}

// table returns the cells of a table by the names of rows and columns.
func table(t *testing.T, u *clitest.User, path string) map[string]map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(u.Dir, path))
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	columns := strings.Split(rows[0], "\t")
	found := make(map[string]map[string]string)
	for _, row := range rows[1:] {
		cells := strings.Split(row, "\t")
		if len(cells) != len(columns) || found[cells[0]] != nil {
			t.Fatalf("the row %q has %d cells of %d, or is there twice", row, len(cells), len(columns))
		}
		found[cells[0]] = make(map[string]string)
		for i, cell := range cells {
			found[cells[0]][columns[i]] = cell
		}
	}
	return found
}

// results are the result files of the fake server for a sample.
func results(name string) []string { return []string{name + ".gff3", name + ".json", name + ".txt"} }

// TestSubmitMany: one bad file fails alone; the others get a folder each, and all a row. The same call again does only what is missing.
func TestSubmitMany(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fa", "c.fasta")
	u.Write("genomes/bad.fna", "this is no FASTA\n")
	u.Write("genomes/notes.md", "x")
	args := []string{"submit", "genomes", "--genus", "Escherichia", "--out", "out"}
	got := u.Run(args...)
	if got.Code != exitSomeFailed || got.Out != "out/summary.tsv\n" {
		t.Errorf("%+v", got)
	}
	for _, want := range []string{
		"genomes: 4 genomes; left out: 1 (notes.md): not files to annotate, by their endings or content\n",
		"\nfailed:\n  bad: genomes/bad.fna: The genome file ", "\n4 samples: 3 done, 1 failed\n",
	} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("%q is not in\n%s", want, got.Err)
		}
	}
	for _, name := range []string{"a", "b", "c"} {
		if diff := cmp.Diff(results(name), u.Files("out/"+name)); diff != "" {
			t.Errorf("files (-want +got)\n%s", diff)
		}
	}
	rows := table(t, u, "out/summary.tsv")
	for column, want := range map[string]string{"file": "genomes/a.fna", "workflow": "bakta", "state": "done", "reason": "", "bases": "3306",
		"contigs": "1", "n50": "3306", "gc_percent": "43.40", "coding_percent": "65.20", "cds": "2", "trna": "1", "hypotheticals": "1",
		"pseudogenes": "1", "bakta": "1.12.2", "database": "6.0 (full)", "run_time_s": "451"} {
		if rows["a"][column] != want {
			t.Errorf("%s of a is %q, want %q", column, rows["a"][column], want)
		}
	}
	if rows["bad"]["state"] != "failed" || !strings.Contains(rows["bad"]["reason"], "The genome file ") || rows["bad"]["bases"] != "" {
		t.Errorf("%v", rows["bad"])
	}
	noSecrets(t, u, f, got)
	if made := f.count(); made != 3 {
		t.Errorf("%d jobs", made)
	}

	// The same again, with the bad file mended and another one changed.
	u.Write("genomes/bad.fna", clitest.Genome(9, 200))
	u.Write("genomes/b.fa", clitest.Genome(10, 300))
	again := u.Must(args...)
	if !strings.Contains(again.Err, "\n4 samples: 4 done, 0 failed (2 by an earlier call)\n") ||
		!strings.Contains(again.Err, "b: its file, its options or the server differ from those of job ") {
		t.Errorf("%s", again.Err)
	}
	if f.allMade() != 5 {
		t.Errorf("%d jobs were made", f.allMade())
	}
	// Another option is another job for each.
	u.Must(append(args, "--species", "coli")...)
	if f.allMade() != 9 {
		t.Errorf("%d jobs were made", f.allMade())
	}
	batches := make(map[string]bool)
	for _, j := range f.all() {
		batches[j.batch] = true
	}
	if len(batches) != 1 || batches[""] {
		t.Errorf("the jobs of the folder are of the batches %v", batches)
	}
	if rows := table(t, u, "out/summary.tsv"); len(rows) != 4 {
		t.Errorf("%v", rows)
	}
	// A file of a result that is missing is fetched again.
	if err := os.Remove(filepath.Join(u.Dir, "out", "a", "a.gff3")); err != nil {
		t.Fatal(err)
	}
	u.Must(append(args, "--species", "coli")...)
	if diff := cmp.Diff(results("a"), u.Files("out/a")); diff != "" || f.allMade() != 9 {
		t.Errorf("files (-want +got)\n%s%d jobs", diff, f.allMade())
	}
}

// noSecrets reports a secret of a job that shows anywhere but in files that only the user can read.
func noSecrets(t *testing.T, u *clitest.User, f *fake, got clitest.Result) {
	t.Helper()
	summary, err := os.ReadFile(filepath.Join(u.Dir, "out", "summary.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range f.all() {
		if strings.Contains(got.Out+got.Err+string(summary), j.secret) {
			t.Errorf("a secret is in\n%s%s%s", got.Out, got.Err, summary)
		}
	}
	for path, want := range map[string]os.FileMode{"out/.bakta-web": 0o700, "out/.bakta-web/jobs.jsonl": 0o600} {
		if info, err := os.Stat(filepath.Join(u.Dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// TestSubmitSheet: what a row says counts more than the command line, and each row is its own job.
func TestSubmitSheet(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	u.Write("genomes/p.faa", clitest.Proteins)
	u.Write("genomes/samples.csv", "\ufeffsample,fasta,genus,complete,workflow,country\r\none,a.fna,Salmonella,no,,DE\r\ntwo,b.fna,,,,\r\n"+
		"three,missing.fna,,,,\r\n")
	got := u.Run("submit", "--sheet", "genomes/samples.csv", "--genus", "Escherichia", "--complete", "--wait")
	if got.Code != exitSomeFailed ||
		!strings.Contains(got.Err, "  three (row 4 of samples.csv): the file genomes/missing.fna does not exist\n") ||
		!strings.Contains(got.Err, "genomes/samples.csv: these columns have no meaning here and are ignored: country\n") ||
		!strings.Contains(got.Err, "3 samples: 2 done, 1 failed\n") {
		t.Errorf("%+v", got)
	}
	configs := make(map[string]string)
	for _, j := range f.all() {
		configs[j.name] = j.config
	}
	want := map[string]string{"one": `{"genus":"Salmonella"}`, "two": `{"genus":"Escherichia","complete_genome":true}`}
	if diff := cmp.Diff(want, configs); diff != "" {
		t.Errorf("configurations (-want +got)\n%s", diff)
	}
	// Without a folder, the jobs are known by the book.
	got = u.Run("submit", "--sheet", "genomes/samples.csv", "--genus", "Escherichia", "--complete")
	if got.Code != exitSomeFailed || f.allMade() != 2 || !strings.Contains(got.Err, "(2 by an earlier call)") {
		t.Errorf("%+v, %d jobs", got, f.allMade())
	}
	if strings.Count(got.Out, "\n") != 2 || !strings.Contains(got.Out, "\tone\n") || !strings.Contains(got.Out, "\ttwo\n") {
		t.Errorf("the answer is %q", got.Out)
	}
	u.Run("submit", "--sheet", "genomes/samples.csv", "--genus", "Escherichia", "--complete", "--again")
	if f.allMade() != 4 {
		t.Errorf("%d jobs", f.allMade())
	}
}

// TestSubmitManyRefusedHere: a mistake in the form is shown before anything is sent, each at its place.
func TestSubmitManyRefusedHere(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	u.Write("genomes/p.faa", clitest.Proteins)
	u.Write("faults.tsv", "name\tgenome\tgram\tlocus-tag\tworkflow\n"+
		"x\tgenomes/a.fna\tz\ta_b+\t\nx\tgenomes/b.fna\t\t\tprokka\ny\tgenomes/p.faa\t-\t\tproteins\n")
	u.Write("twice.tsv", "genome\tgenus\ngenomes/a.fna\tA\ngenomes/a.fna\tB\n")
	u.Write("good.tsv", "genome\ngenomes/a.fna\n")
	if err := os.Mkdir(filepath.Join(u.Dir, "none"), 0o700); err != nil {
		t.Fatal(err)
	}
	for args, says := range map[string]string{
		"submit --sheet faults.tsv": "bakta-web: faults.tsv has 5 mistakes, and nothing was sent:\n" +
			"  row 2, column \"gram\": \"z\" is not valid; choose one of ?, +, -, unknown, monoderm, diderm\n" +
			"  row 2, column \"locus-tag\": \"a_b+\" is not a valid prefix of locus tags; use 1 to 24 letters, digits or characters of _.-\n" +
			"  row 3, column \"name\": \"x\" is also the name of row 2; give each sample a name of its own\n" +
			"  row 3, column \"workflow\": \"prokka\" is not valid; choose one of bakta, bakta+baktfold, baktfold, proteins\n" +
			"  row 4, column \"gram\": the workflow proteins does not have this option; leave the cell empty\n",
		"submit --sheet twice.tsv":                     "row 3: the sample would have the name",
		"submit --sheet missing.tsv":                   "--sheet: missing.tsv: open missing.tsv: no such file",
		"submit --sheet genomes":                       "--sheet: genomes: ",
		"submit --sheet good.tsv --name x":             "--name is for one file",
		"submit --sheet good.tsv --gram z":             "--gram: \"z\" is not valid",
		"submit --sheet good.tsv --locus-tag a_b+":     "--locus-tag: \"a_b+\" is not a valid prefix",
		"submit --sheet good.tsv --replicons none.tsv": "--replicons: none.tsv does not exist",
		"submit --sheet good.tsv --uploads 0":          "--uploads: 0 is not valid",
		"submit genomes/a.fna genomes/p.faa --genus x": "genomes/p.faa: --genus: the workflow proteins does not have this option",
		"submit none": "none is a directory without files to annotate",
		"submit genomes --workflow baktfold": "genomes is a directory without files to annotate; left out: 2 (a.fna, b.fna): genomes; " +
			"--workflow bakta",
		"submit genomes -w prokka":           "--workflow: \"prokka\" is not valid",
		"submit genomes --out genomes/a.fna": "--out: genomes/a.fna is a file",
		"submit genome.fna --retry-failed":   "--retry-failed is for several files",
		"submit":                             "the file to annotate is missing",
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

// lose lets a call take effect, and its answer never arrive.
func lose(t *testing.T, f *fake, call string, reached chan<- struct{}) func(string, http.ResponseWriter, *http.Request) bool {
	held := hold(t, call, reached)
	return func(name string, w http.ResponseWriter, r *http.Request) bool {
		if name == call {
			f.intercept(nil)
			f.ServeHTTP(httptest.NewRecorder(), r)
		}
		return held(name, w, r)
	}
}

// TestSubmitManyKilled: whatever kill -9 interrupts, the next call completes, with one job for each sample that is started.
func TestSubmitManyKilled(t *testing.T) {
	for _, row := range []struct {
		name    string
		call    string
		effect  bool // the call takes effect
		started int  // jobs that are started in the end, if not one for each sample
	}{
		{"before the job is made", "job/init", false, 0},
		{"its id is not known", "job/init", true, 0},
		{"during the upload", "put genome_fasta", false, 0},
		{"after the upload", "put genome_fasta", true, 0},
		{"before the start", "job/submit", false, 0},
		{"the start's answer is lost", "job/submit", true, 0},
		{"while it is watched", "job/list", false, 0},
		{"before the download", "job/result", false, 0},
		{"during the download", "get", false, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u := newCollection(t, f.URL, "a.fna", "b.fna")
			args := []string{"submit", "genomes", "--out", "out", "--uploads", "1"}
			reached := make(chan struct{}, 10)
			f.intercept(hold(t, row.call, reached))
			if row.effect {
				f.intercept(lose(t, f, row.call, reached))
			}
			cmd := u.Command(args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-reached
			cmd.Process.Kill()
			cmd.Wait()
			f.intercept(nil)
			got := u.Must(args...)
			if !strings.Contains(got.Err, "2 samples: 2 done, 0 failed") {
				t.Errorf("%s", got.Err)
			}
			names := make(map[string]int)
			for _, j := range f.all() {
				if j.started {
					names[j.name]++
				}
			}
			if diff := cmp.Diff(map[string]int{"a": 1, "b": 1}, names); diff != "" {
				t.Errorf("started jobs (-want +got)\n%s\n%s", diff, got.Err)
			}
			for _, name := range []string{"a", "b"} {
				if diff := cmp.Diff(results(name), u.Files("out/"+name)); diff != "" {
					t.Errorf("files (-want +got)\n%s", diff)
				}
			}
			if left := u.Files("out/.bakta-web/incomplete"); left != nil {
				t.Errorf("%v is left behind", left)
			}
			// Nothing is left to do.
			calls := len(f.seen())
			u.Must(args...)
			if more := f.seen()[calls:]; !slices.Equal(more, []string{"workflows"}) {
				t.Errorf("the third call calls %v", more)
			}
		})
	}
}

// TestSubmitManyKilledWithoutFolder is the same for jobs whose results are not asked for: the book and the server know them.
func TestSubmitManyKilledWithoutFolder(t *testing.T) {
	for _, row := range []struct {
		name, call string
		effect     bool
	}{
		{"its id is not known", "job/init", true},
		{"during the upload", "put genome_fasta", false},
		{"before the start", "job/submit", false},
		{"the start's answer is lost", "job/submit", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u := newCollection(t, f.URL, "a.fna", "b.fna")
			args := []string{"submit", "genomes", "--uploads", "1"}
			reached := make(chan struct{}, 10)
			f.intercept(hold(t, row.call, reached))
			if row.effect {
				f.intercept(lose(t, f, row.call, reached))
			}
			cmd := u.Command(args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-reached
			cmd.Process.Kill()
			cmd.Wait()
			f.intercept(nil)
			for range 2 {
				got := u.Must(args...)
				names := make(map[string]int)
				for _, j := range f.all() {
					if j.started {
						names[j.name]++
					}
				}
				if diff := cmp.Diff(map[string]int{"a": 1, "b": 1}, names); diff != "" || strings.Count(got.Out, "\n") != 2 {
					t.Errorf("started jobs (-want +got)\n%s\n%+v", diff, got)
				}
			}
		})
	}
}

// TestSubmitManyInterrupted: Ctrl-C leaves the jobs on the server, and says how to go on.
func TestSubmitManyInterrupted(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"RUNNING"}
	u := newCollection(t, f.URL, "a.fna", "b c.fna")
	cmd := u.Command("submit", "genomes/a.fna", "genomes/b c.fna", "--out", "out")
	var shows clitest.Screen
	cmd.Stderr = &shows
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "a: running")
	shows.Await(t, "b c: running")
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if want := "2 samples: 0 done, 0 failed, 2 on the server\nInterrupted. 2 jobs go on without you. To go on:\n" +
		"  bakta-web submit genomes/a.fna 'genomes/b c.fna' --out out\n"; !strings.HasSuffix(shows.String(), want) {
		t.Errorf("%s\nwant %s", &shows, want)
	}
	if rows := table(t, u, "out/summary.tsv"); rows["a"]["state"] != "running" || rows["b c"]["job_id"] == "" {
		t.Errorf("%v", rows)
	}
	f.mu.Lock()
	f.states = []string{"SUCCESSFUL"}
	f.mu.Unlock()
	// A new job would not help where a file is in the way of the results.
	if err := os.Mkdir(filepath.Join(u.Dir, "out/a"), 0o700); err != nil {
		t.Fatal(err)
	}
	u.Write("out/a/a.json", "mine")
	args := []string{"submit", "genomes/a.fna", "genomes/b c.fna", "--out", "out"}
	got := u.Run(args...)
	if got.Code != exitSomeFailed || !strings.Contains(got.Err, "--force") || strings.Contains(got.Err, "--retry-failed") ||
		!strings.Contains(got.Err, "a: goes on with job ") || strings.Contains(got.Err, "started job") {
		t.Errorf("%+v", got)
	}
	u.Must(append(args, "--force")...)
	if f.allMade() != 2 || len(u.Files("out/b_c")) != 3 {
		t.Errorf("%d jobs, %v", f.allMade(), u.Files("out"))
	}
}

// TestSubmitManyAfterFailures: a job that failed is made again only if that is asked for; one that is gone is made again.
func TestSubmitManyAfterFailures(t *testing.T) {
	for _, out := range []string{"out", ""} {
		t.Run("--out "+out, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.states, f.reason = []string{"RUNNING", "ERROR"}, "no genes\tfound"
			u := newCollection(t, f.URL, "a.fna", "b.fna")
			args := []string{"submit", "genomes", "--wait"}
			if out != "" {
				args = append(args, "--out", out)
			}
			for range 2 {
				got := u.Run(args...)
				if got.Code != exitSomeFailed || f.allMade() != 2 ||
					!strings.Contains(got.Err, "failed:\n  a: no genes found\n  b: no genes found\n") ||
					!strings.Contains(got.Err, "\n  bakta-web "+strings.Join(args, " ")+" --retry-failed\n") {
					t.Errorf("%+v, %d jobs", got, f.allMade())
				}
			}
			f.mu.Lock()
			f.states, f.reason = []string{"SUCCESSFUL"}, ""
			f.mu.Unlock()
			if got := u.Must(append(args, "--retry-failed")...); f.allMade() < 4 && out != "" {
				t.Errorf("%s: %d jobs", got.Err, f.allMade())
			}
			made := f.allMade()
			f.mu.Lock()
			clear(f.jobs)
			f.mu.Unlock()
			got := u.Must(args...)
			switch {
			case out != "" && f.allMade() != made:
				t.Errorf("results that are there are made again:\n%s", got.Err)
			case out == "" && (f.allMade() != made+2 ||
				!strings.Contains(got.Err, "the job is gone from the server: it was deleted, or it has expired")):
				t.Errorf("%s: %d jobs", got.Err, f.allMade())
			}
		})
	}
}

// TestSubmitManyRetries: jobs that failed are run again with the files that the server has. If it can't do that, they are sent again.
func TestSubmitManyRetries(t *testing.T) {
	for _, row := range []struct {
		name   string
		answer func(*reruns, http.ResponseWriter) // in place of the new job; nil: the new job
		sent   int                                // files in the calls after the first
		says   string
	}{
		{"the server runs them again", nil, 0, "warning: Small."},
		{"the job is gone", func(_ *reruns, w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `"Job not found"`)
		}, 2, "Job not found; its files are sent again"},
		{"an older server", func(_ *reruns, w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `"Not Found"`)
		}, 2, "it is an older server"},
		{"the answer is lost, and the job was made", func(_ *reruns, w http.ResponseWriter) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 0, ""},
		{"the request did not arrive", func(f *reruns, w http.ResponseWriter) {
			ids, _ := f.requests()
			f.fake.mu.Lock()
			defer f.fake.mu.Unlock()
			for _, id := range ids {
				delete(f.jobs, id)
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}, 2, "so it gets a new job"},
	} {
		for _, out := range []string{"out", ""} {
			t.Run(row.name+", --out "+out, func(t *testing.T) {
				t.Parallel()
				f := newReruns(t)
				f.states, f.reason = []string{"ERROR"}, "no genes found"
				u := newCollection(t, f.URL, "a.fna", "b.fna")
				args := []string{"submit", "genomes", "--wait"}
				if out != "" {
					args = append(args, "--out", out)
				}
				if got := u.Run(args...); got.Code != exitSomeFailed {
					t.Fatalf("%+v", got)
				}
				if row.answer != nil {
					f.answer = func(w http.ResponseWriter, _ int) bool { row.answer(f, w); return true }
				}
				before := f.sent()
				got := u.Run(append(args, "--retry-failed")...)
				if got.Code == exitFailed { // the server was away for as long as the command waits; the next call goes on
					f.mu.Lock()
					f.answer = nil
					f.mu.Unlock()
					got = u.Run(args...)
				}
				if sent := f.sent() - before; sent != row.sent || !strings.Contains(got.Err, row.says) {
					t.Errorf("%d files were sent, want %d:\n%s", sent, row.sent, got.Err)
				}
			})
		}
	}
}

// TestSubmitManyJSON: a line for each change, and one at the end.
func TestSubmitManyJSON(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna")
	u.Write("genomes/bad.fna", "x")
	got := u.Run("submit", "genomes", "--json", "--out", "out")
	states := make(map[string][]string)
	var last map[string]any
	for line := range strings.Lines(got.Out) {
		last = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if last["event"] == "sample" {
			name := fmt.Sprint(last["name"])
			states[name] = slices.Compact(append(states[name], fmt.Sprint(last["state"]))) // steps are changes, too
		}
	}
	wantStates := map[string][]string{
		"a":   {"checking", "uploading", "queued", "running", "downloading", "done"},
		"bad": {"checking", "failed"},
	}
	if diff := cmp.Diff(wantStates, states); diff != "" {
		t.Errorf("states (-want +got)\n%s", diff)
	}
	delete(last, "time")
	want := map[string]any{"event": "end", "total": 2.0, "done": 1.0, "submitted": 0.0, "failed": 1.0, "running": 0.0, "unsent": 0.0,
		"earlier": 0.0, "summary": "out/summary.tsv"}
	if diff := cmp.Diff(want, last); diff != "" || got.Code != exitSomeFailed {
		t.Errorf("the last line (-want +got)\n%s", diff)
	}
}

// TestSubmitManyToABusyServer: a call that is refused for the moment is made again when the server says so, and the others go on.
func TestSubmitManyToABusyServer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna")
	refused := map[string]int{"job/init": 2, "put genome_fasta": 2, "job/submit": 1, "job/list": 2, "job/result": 1, "get": 1}
	f.intercept(func(call string, w http.ResponseWriter, _ *http.Request) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		if refused[call] == 0 {
			return false
		}
		refused[call]--
		w.Header().Set("Retry-After", "1")
		w.WriteHeader([]int{429, 503}[refused[call]%2])
		fmt.Fprint(w, `"later"`)
		return true
	})
	got := u.Must("submit", "genomes", "--out", "out")
	if f.allMade() != 3 || !strings.Contains(got.Err, "3 samples: 3 done, 0 failed\n") ||
		!strings.Contains(got.Err, "later; waiting for 1s\n") {
		t.Errorf("%s, %d jobs", got.Err, f.allMade())
	}
}

// TestSubmitManyStorageAway: an object storage that is away for longer than one transfer is tried fails no sample.
func TestSubmitManyStorageAway(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"put genome_fasta", "get"} {
		f := newFake(t)
		u := newCollection(t, f.URL, "a.fna", "b.fna")
		var refusals atomic.Int64
		refusals.Store(10) // a transfer is tried eight times, or until the patience ends
		f.intercept(func(name string, w http.ResponseWriter, _ *http.Request) bool {
			if name != call || refusals.Add(-1) < 0 {
				return false
			}
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		})
		got := u.Must("submit", "genomes", "--out", "out", "--uploads", "1")
		if !strings.Contains(got.Err, "2 samples: 2 done, 0 failed\n") || f.count() != 2 || refusals.Load() > 0 {
			t.Errorf("%s: %s\n%d jobs, %d", call, got.Err, f.count(), refusals.Load())
		}
	}
}

// TestSubmitManyInterruptedUpload: what is not sent whole leaves no job behind.
func TestSubmitManyInterruptedUpload(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna")
	reached := make(chan struct{}, 10)
	f.intercept(hold(t, "put genome_fasta", reached))
	cmd := u.Command("submit", "genomes", "--out", "out", "--uploads", "2")
	var shows clitest.Screen
	cmd.Stderr = &shows
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	<-reached
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || f.count() != 0 || u.Must("list").Out != "" ||
		!strings.Contains(shows.String(), "3 samples: 0 done, 0 failed, 3 not sent\nInterrupted. No job goes on. To go on:\n") {
		t.Errorf("exit code %d, %d jobs\n%s", code, f.count(), &shows)
	}
}

// newNamesakes returns a user with two genomes whose files have one name: genomes/a.fna and more/a.fna.
func newNamesakes(t *testing.T, server string) *clitest.User {
	t.Helper()
	u := newCollection(t, server, "a.fna")
	if err := os.Mkdir(filepath.Join(u.Dir, "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	u.Write("more/a.fna", clitest.Genome(7, 200))
	return u
}

// TestSubmitManyOfOneName: files of one name are told apart.
func TestSubmitManyOfOneName(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newNamesakes(t, f.URL)
	got := u.Must("submit", "genomes/a.fna", "more/a.fna", "./genomes/a.fna", "--out", "out")
	if diff := cmp.Diff([]string{".bakta-web", "genomes_a", "more_a", "multiqc_config.yaml", "summary.tsv"}, u.Files("out")); diff != "" ||
		!strings.Contains(got.Err, "several files have one name: 2 samples are named after the folder, too (more/a.fna is more_a)\n") {
		t.Errorf("files (-want +got)\n%s%s", diff, got.Err)
	}
}

// TestSubmitManyOfOneNameLater: a file of another folder does not replace the results of one of that name that an earlier call annotated.
func TestSubmitManyOfOneNameLater(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newNamesakes(t, f.URL)
	u.Must("submit", "genomes", "--out", "out")
	first := table(t, u, "out/summary.tsv")["a"]["job_id"]
	got := u.Run("submit", "more", "--out", "out")
	if got.Code != exitSomeFailed || f.allMade() != 1 ||
		!strings.Contains(got.Err, "out/a is for the results of another file of that name, "+filepath.Join(u.Dir, "genomes/a.fna")) {
		t.Errorf("%d jobs, %+v", f.allMade(), got)
	}
	if diff := cmp.Diff(results("a"), u.Files("out/a")); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
	// The same file is the same sample, wherever it lies.
	if err := os.Rename(filepath.Join(u.Dir, "genomes"), filepath.Join(u.Dir, "moved")); err != nil {
		t.Fatal(err)
	}
	u.Must("submit", "moved", "--out", "out")
	if now := table(t, u, "out/summary.tsv")["a"]["job_id"]; now != first || f.allMade() != 1 {
		t.Errorf("the job is %s, not %s; %d jobs", now, first, f.allMade())
	}
	u.Must("submit", "more", "--out", "out", "--force")
	if f.allMade() != 2 {
		t.Errorf("%d jobs were made", f.allMade())
	}
}

// TestSubmitManyServerLost: a server that is away for too long ends the batch, not one sample after the other.
func TestSubmitManyServerLost(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna", "d.fna", "e.fna", "f.fna")
	f.intercept(func(call string, w http.ResponseWriter, _ *http.Request) bool {
		if call == "workflows" {
			return false
		}
		w.WriteHeader(503)
		return true
	})
	got := u.Run("submit", "genomes", "--out", "out", "--uploads", "1")
	if got.Code != exitFailed ||
		!strings.Contains(got.Err, "6 samples: 0 done, 1 failed, 5 not sent\nThe batch ended early. No job goes on.") {
		t.Errorf("%+v", got)
	}
}

// TestSubmitManyInTheWay: files of others are not replaced, and that shows before anything is sent.
func TestSubmitManyInTheWay(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	for _, dir := range []string{"out", "out/a"} {
		if err := os.Mkdir(filepath.Join(u.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	u.Write("out/a/a.json", "mine")
	got := u.Run("submit", "genomes", "--out", "out")
	if got.Code != exitSomeFailed || f.allMade() != 1 ||
		!strings.Contains(got.Err, "out/a has other files of the names that the results will have") {
		t.Errorf("%+v", got)
	}
	if text, _ := os.ReadFile(filepath.Join(u.Dir, "out/a/a.json")); string(text) != "mine" {
		t.Errorf("it is %q now", text)
	}
	u.Must("submit", "genomes", "--out", "out", "--force")
	if diff := cmp.Diff(results("a"), u.Files("out/a")); diff != "" {
		t.Errorf("files (-want +got)\n%s", diff)
	}
	// A folder that another call works on is left to it.
	reached := make(chan struct{}, 1)
	f.intercept(hold(t, "workflows", reached))
	cmd := u.Command("submit", "genomes", "--out", "out")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	got = u.Run("submit", "genomes", "--out", "out")
	if got.Code != exitFailed || !strings.Contains(got.Err, "another bakta-web works on this folder") {
		t.Errorf("%+v", got)
	}
	cmd.Process.Kill()
	cmd.Wait()
}

// TestSubmitManyBackToEarlierOptions: with the options of an earlier call, the results of that call's job are in the folder again, without
// another job, whether they can be told by their sizes from those that are there or not.
func TestSubmitManyBackToEarlierOptions(t *testing.T) {
	t.Parallel()
	for _, second := range []string{"##gff-version 3\n# longer\n", "##gff-version 2\n"} {
		f := newFake(t)
		u := newCollection(t, f.URL, "a.fna")
		first := f.files["gff3"]
		annotate := func(genus, gff string) {
			t.Helper()
			f.mu.Lock()
			f.files["gff3"] = gff
			f.mu.Unlock()
			got := u.Run("submit", "genomes", "--genus", genus, "--out", "out")
			if result, err := os.ReadFile(filepath.Join(u.Dir, "out/a/a.gff3")); err != nil || got.Code != 0 || string(result) != gff {
				t.Errorf("genus %s: exit code %d, result %q, %v, want %q\n%s", genus, got.Code, result, err, gff, got.Err)
			}
		}
		annotate("Escherichia", first)
		annotate("Bacillus", second)
		annotate("Escherichia", first)
		annotate("Bacillus", second)
		if f.allMade() != 2 {
			t.Errorf("%d jobs were made, want 2", f.allMade())
		}
	}
}

// TestSubmitManyAgainInterrupted: the same command goes on with the new jobs of an interrupted --again, until all samples are settled.
func TestSubmitManyAgainInterrupted(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, os.Kill} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna")
			args := []string{"submit", "genomes", "--out", "out", "--uploads", "1"}
			u.Must(args...)
			again := append(args, "--again")
			// Two samples get their new job, the third does not.
			var uploads atomic.Int64
			reached := make(chan struct{}, 1)
			held := hold(t, "put genome_fasta", reached)
			f.intercept(func(call string, w http.ResponseWriter, r *http.Request) bool {
				return call == "put genome_fasta" && uploads.Add(1) > 2 && held(call, w, r)
			})
			cmd := u.Command(again...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-reached
			cmd.Process.Signal(signal)
			cmd.Wait()
			f.intercept(nil)
			sent := f.number("job/submit")
			if sent != 3+2 {
				t.Fatalf("%d jobs were started", sent)
			}
			// A call for some of the samples does not end what is open.
			u.Must("submit", "genomes/a.fna", "genomes/b.fna", "--out", "out")
			got := u.Must(again...)
			if sent := f.number("job/submit"); sent != 6 || !strings.Contains(got.Err, "goes on with --again of 2") ||
				!strings.Contains(got.Err, "3 samples: 3 done, 0 failed") {
				t.Errorf("%d jobs were started, want 6\n%s", sent, got.Err)
			}
			// It ended, so the next one begins for all, and what came before counts for it no more than for a call without --again.
			u.Must(args...)
			if sent := f.number("job/submit"); sent != 6 {
				t.Errorf("%d jobs were started, want 6", sent)
			}
			if got := u.Must(again...); f.number("job/submit") != 9 || strings.Contains(got.Err, "goes on with --again") {
				t.Errorf("%d jobs were started, want 9\n%s", f.number("job/submit"), got.Err)
			}
		})
	}
}

// TestSubmitManyAgainUnfetched: a new job whose results could not be fetched is not made again.
func TestSubmitManyAgainUnfetched(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna")
	args := []string{"submit", "genomes", "--out", "out", "--again"}
	f.intercept(func(call string, w http.ResponseWriter, _ *http.Request) bool {
		if call == "get" {
			w.WriteHeader(http.StatusForbidden)
		}
		return call == "get"
	})
	if got := u.Run(args...); got.Code != exitSomeFailed {
		t.Fatalf("%+v", got)
	}
	f.intercept(nil)
	u.Must(args...)
	if f.allMade() != 1 {
		t.Errorf("%d jobs", f.allMade())
	}
}

// TestSubmitManyAgainFailed: what the command says to do next is not to make all jobs again.
func TestSubmitManyAgainFailed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states, f.reason = []string{"ERROR"}, "no genes found"
	u := newCollection(t, f.URL, "a.fna")
	got := u.Run("submit", "genomes", "--again", "--out", "out")
	if !strings.HasSuffix(got.Err, "With --retry-failed in place of --again, the same command runs those again that failed:\n"+
		"  bakta-web submit genomes --out out --retry-failed\n") {
		t.Errorf("%s", got.Err)
	}
}

// TestSubmitManyInterruptedWithoutWaiting: jobs that were started go on, and the command says so.
func TestSubmitManyInterruptedWithoutWaiting(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	var uploads atomic.Int64
	reached := make(chan struct{}, 1)
	held := hold(t, "put genome_fasta", reached)
	f.intercept(func(call string, w http.ResponseWriter, r *http.Request) bool {
		return call == "put genome_fasta" && uploads.Add(1) > 1 && held(call, w, r)
	})
	cmd := u.Command("submit", "genomes", "--uploads", "1", "--again")
	var shows clitest.Screen
	cmd.Stderr = &shows
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-reached
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if !strings.HasSuffix(shows.String(), "Interrupted. 1 job goes on without you. To make a new job for each sample again:\n"+
		"  bakta-web submit genomes --uploads 1 --again\n") {
		t.Errorf("%s", &shows)
	}
}
