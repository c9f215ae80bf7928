package command_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

// samples is how many genomes TestLocalBatch annotates, unless the environment says otherwise.
func samples(t *testing.T) int {
	n := 60
	if text := os.Getenv("BATCH_SAMPLES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// genomes makes a folder of tiny genomes, and returns the names of the samples.
func (u *user) genomes(folder string, n int) []string {
	u.t.Helper()
	if err := os.Mkdir(filepath.Join(u.Dir, folder), 0o700); err != nil {
		u.t.Fatal(err)
	}
	var names []string
	for i := range n {
		name := fmt.Sprintf("g%04d", i)
		u.Write(filepath.Join(folder, name+".fna"), clitest.Genome(uint64(i+1), 1200))
		names = append(names, name)
	}
	return names
}

// listed returns the jobs that the user's book has, by name.
func (u *user) listed() map[string][]string {
	u.t.Helper()
	var jobs []struct{ Name, State string }
	if err := json.Unmarshal([]byte(u.Must("list", "--json").Out), &jobs); err != nil {
		u.t.Fatal(err)
	}
	states := make(map[string][]string)
	for _, j := range jobs {
		states[j.Name] = append(states[j.Name], j.State)
	}
	return states
}

// TestLocalBatch annotates many genomes, is killed twice on the way, and in the end there is one job and one folder for each.
func TestLocalBatch(t *testing.T) {
	t.Parallel()
	u := newUser(t, "http://127.0.0.1:1")
	u.Env = append(u.Env, "BAKTA_STAND_IN_STEP_DELAY=0ms")
	b := u.serve("data", "--bakta", "stand-in", "--jobs", "2")
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)
	names := u.genomes("genomes", samples(t))
	args := []string{"submit", "genomes", "--out", "out"}
	for _, moment := range []string{": started job ", ": done\n"} {
		cmd := u.Command(args...)
		var shows clitest.Screen
		cmd.Stderr = &shows
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shows.Await(t, moment)
		cmd.Process.Kill()
		cmd.Wait()
	}
	got := u.Must(args...)
	if want := fmt.Sprintf("\n%d samples: %d done, 0 failed", len(names), len(names)); !strings.Contains(got.Err, want) {
		t.Errorf("%q is not in\n%s", want, got.Err)
	}
	states := u.listed()
	for _, name := range names {
		if diff := cmp.Diff([]string{"SUCCESSFUL"}, states[name]); diff != "" {
			t.Errorf("the jobs of %s (-want +got)\n%s", name, diff)
		}
		if files := u.Files("out/" + name); !slices.Contains(files, name+".gff3") || len(files) != 14 {
			t.Errorf("%s has %v", name, files)
		}
	}
	summary, err := os.ReadFile(filepath.Join(u.Dir, "out", "summary.tsv"))
	if n := bytes.Count(summary, []byte("\tdone\t")); err != nil || n != len(names) {
		t.Errorf("%v: %d rows are done\n%s", err, n, summary)
	}
	b.stop()
}

// TestMultiQC: MultiQC finds every sample of the folder, under its own name.
func TestMultiQC(t *testing.T) {
	t.Parallel()
	program, err := filepath.Abs("../../.cache/multiqc/venv/bin/multiqc")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("ATTENTION: MultiQC is not installed, so it does not read the results of many samples; `make multiqc` installs it")
	}
	u := newUser(t, "http://127.0.0.1:1")
	u.Env = append(u.Env, "BAKTA_STAND_IN_STEP_DELAY=0ms")
	b := u.serveLocal("data")
	u.Env = append(u.Env, "BAKTA_WEB_SERVER="+b.url)
	// MultiQC would cut most of these as it is set up.
	want := []string{"GCF_000005845.2_ASM584v2_genomic", "_1", "access", "plain", "run_counts", "x.contigs", "x.fa.gz", "x.fastq_S1_val"}
	sheet := "name\tgenome\n"
	for i, name := range want {
		sheet += name + "\t" + u.Write(fmt.Sprintf("genome%d.fna", i), clitest.Genome(uint64(i+1), 1200)) + "\n"
	}
	want[1] = "1" // the folder's name, which is safe
	slices.Sort(want)
	u.Write("samples.tsv", sheet)
	u.Must("submit", "--sheet", "samples.tsv", "--out", "out")
	cmd := exec.CommandContext(t.Context(), program, "--module", "bakta", "--no-version-check", "--outdir", "../report", ".")
	cmd.Dir = filepath.Join(u.Dir, "out")
	cmd.Env = append(os.Environ(), "HOME="+u.Dir, "XDG_CONFIG_HOME="+u.Dir)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	text, err := os.ReadFile(filepath.Join(u.Dir, "report", "multiqc_data", "multiqc_bakta.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, row := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		name, rest, _ := strings.Cut(row, "\t")
		found = append(found, name)
		if !strings.HasPrefix(rest, "1200") { // bases
			t.Errorf("%s", row)
		}
	}
	slices.Sort(found)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("samples (-want +got)\n%s", diff)
	}
	b.stop()
}
