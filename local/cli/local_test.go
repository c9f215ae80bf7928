package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// backend is a `bakta-web local` that runs.
type backend struct {
	t   *testing.T
	cmd *exec.Cmd
	url string
	err screen
}

// serveLocal starts a local backend with the stand-in, and waits for its URL.
func (u *user) serveLocal(data string) *backend {
	u.t.Helper()
	return u.serve(data, "--bakta", "stand-in")
}

// serve starts a local backend, and waits for its URL.
func (u *user) serve(data string, args ...string) *backend {
	u.t.Helper()
	b := &backend{t: u.t, cmd: u.command(append([]string{"local", "--listen", "127.0.0.1:0", "--data", data}, args...)...)}
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

// stop ends the backend as Ctrl-C does.
func (b *backend) stop() {
	b.t.Helper()
	if err := b.cmd.Process.Signal(os.Interrupt); err != nil {
		b.t.Fatal(err)
	}
	if err := b.cmd.Wait(); err != nil {
		b.t.Errorf("the backend ends with %v\n%s", err, &b.err)
	}
}

// genome returns a FASTA text of random bases, always the same for one seed.
func genome(seed uint64, length int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	var text strings.Builder
	fmt.Fprintf(&text, ">contig_%d made up\n", seed)
	for i := range length {
		if i > 0 && i%70 == 0 {
			text.WriteByte('\n')
		}
		text.WriteByte("ACGT"[random.IntN(4)])
	}
	return text.String() + "\n"
}

// TestLocal goes through all commands against a local backend, as its README would have a user do it.
func TestLocal(t *testing.T) {
	t.Parallel()
	u := newUser(t, "http://127.0.0.1:1")
	b := u.serveLocal("data")
	u.env = append(u.env, "BAKTA_WEB_SERVER="+b.url)

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write([]byte(genome(1, 20_000)))
	w.Close()
	u.write("my genome.fna.gz", packed.String())

	got := u.must("submit", "my genome.fna.gz", "--genus", "Escherichia", "--species", "coli", "--complete", "--locus-tag", "ABC", "--out", "result")
	for _, want := range []string{"uploaded my genome.fna.gz (", "started job ", "finished after ", "downloaded "} {
		if !strings.Contains(got.Err, want) {
			t.Errorf("%q isn't said:\n%s", want, got.Err)
		}
	}
	for _, want := range []string{"NOTE: ", "stand-in", "organism        Escherichia coli", "genome          20,000 bp in 1 sequence", "CDSs", "files are in result:"} {
		if !strings.Contains(got.Out, want) {
			t.Errorf("%q isn't told:\n%s", want, got.Out)
		}
	}
	for _, ending := range []string{"embl", "faa", "ffn", "fna", "gbff", "gff3", "json", "tsv", "txt", "svg", "png", "inference.tsv", "hypotheticals.tsv", "hypotheticals.faa"} {
		if !slices.Contains(u.files("result"), "my_genome."+ending) {
			t.Errorf("there is no .%s among %v", ending, u.files("result"))
		}
	}
	var jobs []job
	if err := json.Unmarshal([]byte(u.must("list", "--json").Out), &jobs); err != nil || len(jobs) != 1 || jobs[0].State != "SUCCESSFUL" {
		t.Fatalf("%+v, %v", jobs, err)
	}
	first := jobs[0].ID
	if log := u.must("logs", "-f", first[:6]).Out; !strings.HasPrefix(log, "Bakta Command: ") || !strings.Contains(log, "--locus-tag=ABC") && !strings.Contains(log, "--locus-tag ABC") || !strings.Contains(log, "\npredict ") {
		t.Errorf("the log is\n%s", log)
	}
	if got := u.must("status", first); !strings.Contains(got.Out, "state      SUCCESSFUL\n") {
		t.Errorf("%+v", got)
	}
	if got := u.must("version"); !strings.Contains(got.Out, "server    "+b.url) {
		t.Errorf("%+v", got)
	}

	// A genome whose fault a start does not see: Bakta finds it, and its own words reach the user.
	u.write("broken.fna", unseen(genome(2, 300_000)+">b\nACGT!ACGT\n"))
	got = u.run("submit", "broken.fna", "--wait")
	if got.Code != exitJobFailed || !strings.Contains(got.Err, "the job failed: ") || !strings.Contains(got.Err, "wrong genome file format") {
		t.Errorf("%+v", got)
	}
	failed := u.must("status").Out
	if !strings.Contains(failed, "state      ERROR (failed)\nreason     ") || !strings.Contains(failed, "wrong genome file format") {
		t.Errorf("status:\n%s", failed)
	}

	// The backend goes and comes back while somebody waits.
	id := strings.TrimSpace(u.must("submit", "my genome.fna.gz", "--name", "second").Out)
	b.stop()
	if got := u.run("status", id); got.Code != exitFailed || !strings.Contains(got.Err, "can't be reached") {
		t.Errorf("%+v", got)
	}
	b = u.serveLocal("data")
	waited := u.must("results", "--wait", "--server", b.url, "--out", "second", id)
	if names := u.files("second"); len(names) != 14 {
		t.Errorf("the files are %v\n%s", names, waited.Err)
	}
	for _, id := range []string{id, first} {
		u.must("delete", "--server", b.url, id)
	}
	b.stop()
	if n := leftFiles(t, filepath.Join(u.dir, "data")); n > 0 {
		t.Errorf("%d files of deleted jobs are left", n)
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

// unseen is a text as a zstd file, uncompressed, that asks for a window of 16 MiB: programs read it, and a start accepts it
// unread, since it takes no more than 8.
func unseen(text string) string {
	const block = 64 << 10
	file := "\x28\xb5\x2f\xfd\x00\x70"
	for more := true; more; {
		part := text[:min(block, len(text))]
		text = text[len(part):]
		more = text != ""
		header := len(part) << 3
		if !more {
			header |= 1 // the last one
		}
		file += string([]byte{byte(header), byte(header >> 8), byte(header >> 16)}) + part
	}
	return file
}
