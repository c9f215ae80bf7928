package command_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/cli"
	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/local/command"
)

// TestMain lets the tests start the command as a user does: the test's binary is also `bakta-web`.
func TestMain(m *testing.M) {
	_, isPart := command.Parts()[strings.Join(os.Args[1:min(2, len(os.Args))], "")]
	if isPart || os.Getenv(clitest.Variable) == "command" {
		p := cli.Program{Version: "v1.2.3", Local: command.Local, Parts: command.Parts()}
		os.Exit(cli.Main(context.Background(), p, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
	}
	os.Exit(m.Run())
}

// user runs commands.
type user struct {
	*clitest.User
	t *testing.T
}

func newUser(t *testing.T, server string) *user { return &user{clitest.NewUser(t, server), t} }

// job is what `list --json` prints of a job.
type job struct {
	ID       string `json:"id"`
	State    string `json:"state"`
	Workflow string `json:"workflow"`
}

// Exit codes of the command.
const (
	exitFailed    = 1
	exitJobFailed = 3
)

// backend is a running `bakta-web local`.
type backend struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	err clitest.Screen
}

// serveLocal starts a local backend with the stand-in, and waits for its URL.
func (u *user) serveLocal(data string) *backend {
	u.t.Helper()
	return u.serve(data, "--bakta", "stand-in")
}

// serve starts a local backend, and waits for its URL.
func (u *user) serve(data string, args ...string) *backend {
	u.t.Helper()
	b := &backend{t: u.t, cmd: u.Command(append([]string{"local", "--listen", "127.0.0.1:0", "--data", data}, args...)...)}
	b.cmd.Stderr = &b.err
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		u.t.Fatal(err)
	}
	if err := b.cmd.Start(); err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { b.cmd.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.cmd.Wait()
		u.t.Fatalf("no URL: %v\n%s", err, &b.err)
	}
	b.url = strings.TrimSpace(line)
	return b
}

// stop stops the backend as Ctrl-C does.
func (b *backend) stop() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(os.Interrupt); err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		b.t.Errorf("the backend ends with %v\n%s", err, &b.err)
	}
}

// TestLocal runs all commands against a local backend, as the README describes.
func TestLocal(t *testing.T) {
	t.Parallel()
	u := newUser(t, "http://127.0.0.1:1")
	b := u.serveLocal("data")
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(clitest.Genome(1, 20_000)))
	w.Close()
	u.Write("my genome.fna.gz", packed.String())

	got := u.Must("submit", "my genome.fna.gz", "--genus", "Escherichia", "--species", "coli", "--complete", "--locus-tag", "ABC", "--out",
		"result")
	for _, want := range []string{"uploaded my genome.fna.gz (", "started job ", "finished after ", "downloaded "} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("%q is not in the messages:\n%s", want, got.Err)
		}
	}
	for _, want := range []string{"NOTE: ", "stand-in", "organism        Escherichia coli", "genome          20,000 bp in 1 sequence", "CDSs",
		"files are in result:"} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("%q is not in the output:\n%s", want, got.Out)
		}
	}
	for _, ending := range []string{"embl", "faa", "ffn", "fna", "gbff", "gff3", "json", "tsv", "txt", "svg", "png", "inference.tsv",
		"hypotheticals.tsv", "hypotheticals.faa"} {
		if !slices.Contains(u.Files("result"), "my_genome."+ending) {
			t.Errorf("no .%s among %v", ending, u.Files("result"))
		}
	}
	var jobs []job
	if err := json.Unmarshal([]byte(u.Must("list", "--json").Out), &jobs); err != nil || len(jobs) != 1 || jobs[0].State != "SUCCESSFUL" {
		t.Fatalf("%+v, %v", jobs, err)
	}
	first := jobs[0].ID
	if log := u.Must("logs", "-f", first[:6]).Out; !strings.HasPrefix(log, "Bakta Command: ") || !strings.Contains(log, "--locus-tag=ABC") &&
		!strings.Contains(log, "--locus-tag ABC") || !strings.Contains(log, "\npredict ") {
		t.Errorf("the log is\n%s", log)
	}
	if got := u.Must("status", first); !strings.Contains(got.Out, "state      SUCCESSFUL\n") {
		t.Errorf("%+v", got)
	}
	if got := u.Must("version"); !strings.Contains(got.Out, "server    "+b.url) {
		t.Errorf("%+v", got)
	}

	// The start does not find the fault in this genome. Bakta finds it, and the user sees Bakta's error.
	u.Write("broken.fna", clitest.Unchecked(clitest.Genome(2, 300_000)+">b\nACGT!ACGT\n"))
	got = u.Run("submit", "broken.fna", "--wait")
	if got.Code != exitJobFailed || !strings.Contains(got.Err, "the job failed: ") || !strings.Contains(got.Err, "wrong genome file format") {
		t.Errorf("%+v", got)
	}
	failed := u.Must("status").Out
	if !strings.Contains(failed, "state      ERROR (failed)\nreason     ") || !strings.Contains(failed, "wrong genome file format") {
		t.Errorf("status:\n%s", failed)
	}

	// A job is run again with its files: with its options and one more, without waiting for another upload.
	again := strings.TrimSpace(u.Must("rerun", first[:8], "--strain", "K-12", "--name", "again", "--out", "again").Out)
	if again == "" || len(u.Files("again")) != 14 {
		t.Errorf("the files of the rerun are %v", u.Files("again"))
	}
	if err := json.Unmarshal([]byte(u.Must("list", "--json").Out), &jobs); err != nil || len(jobs) != 3 {
		t.Fatalf("%+v, %v", jobs, err)
	}
	again = jobs[2].ID
	log := u.Must("logs", again).Out
	for _, option := range []string{"--genus=Escherichia", "--species=coli", "--complete", "--locus-tag=ABC", "--strain=K-12"} {
		if !strings.Contains(log, option) {
			t.Errorf("the rerun has no %s:\n%s", option, log)
		}
	}
	if got := u.Run("rerun", jobs[1].ID, "--wait"); got.Code != exitJobFailed || !strings.Contains(got.Err, "wrong genome file format") {
		t.Errorf("a rerun of the failed job: %+v", got)
	}

	// The backend stops and starts again while a client waits.
	id := strings.TrimSpace(u.Must("submit", "my genome.fna.gz", "--name", "second").Out)
	b.stop()
	if got := u.Run("status", id); got.Code != exitFailed || !strings.Contains(got.Err, "can't be reached") {
		t.Errorf("%+v", got)
	}
	b = u.serveLocal("data")
	waited := u.Must("results", "--wait", "--server", b.url, "--out", "second", id)
	if names := u.Files("second"); len(names) != 14 {
		t.Errorf("the files are %v\n%s", names, waited.Err)
	}
	for _, id := range []string{id, first, again} {
		u.Must("delete", "--server", b.url, id)
	}
	b.stop()
	if n := leftFiles(t, filepath.Join(u.Dir, "data")); n > 0 {
		t.Errorf("%d files of deleted jobs are left", n)
	}
}

// TestLocalJobs changes how many jobs a backend runs at the same time while it runs.
func TestLocalJobs(t *testing.T) {
	t.Parallel()
	u := newUser(t, "http://127.0.0.1:1")
	if got := u.Run("local", "jobs", "2", "--data", u.Dir); got.Code != exitFailed || !strings.Contains(got.Err, "no backend runs on "+u.Dir) {
		t.Errorf("without a backend: %+v", got)
	}
	u.Env = append(u.Env, "BAKTA_STAND_IN_STEP_DELAY=1h")
	b := u.serveLocal("data")
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)
	u.Write("genome.fna", clitest.Genome(1, 20_000))
	for range 4 {
		u.Must("submit", "genome.fna")
	}
	for _, tt := range []struct{ args, want string }{
		{"local jobs --data data", "At most 1 at the same time; 1 running, 3 waiting.\n"},
		{"local jobs 3 --data data", "At most 3 at the same time; 3 running, 1 waiting.\n"},
		{"local --data data jobs 2", "At most 2 at the same time; 3 running, 1 waiting.\n"},
		{"local jobs --data data", "At most 2 at the same time; 3 running, 1 waiting.\n"},
	} {
		if got := u.Must(strings.Fields(tt.args)...).Out; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.args, got, tt.want)
		}
	}
	b.stop()
	b = u.serveLocal("data")
	if got := u.Must("local", "jobs", "--data", "data").Out; got != "At most 1 at the same time; 1 running, 3 waiting.\n" {
		t.Errorf("after a restart: %q", got)
	}
	b.stop()
}

// TestRefused: the error for a wrong command line says what to write.
func TestRefused(t *testing.T) {
	u := newUser(t, "http://127.0.0.1:1")
	for args, says := range map[string]string{
		"local --jobs 0":    "--jobs must be",
		"local --keep soon": "--keep is",
		"local jobs 0":      "write a number from 1 to",
		"local jobs many":   "write a number from 1 to",
		"local jobs 1 2":    "one argument too many",
	} {
		if got := u.Run(strings.Fields(args)...); got.Code != 2 || !strings.Contains(got.Err, says) || got.Out != "" {
			t.Errorf("%s: %+v, want %q", args, got, says)
		}
	}
}

// leftFiles counts files below a directory that are named after results.
func leftFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, "gff3") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
