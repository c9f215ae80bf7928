package standin

import (
	"slices"
	"strings"
	"testing"
)

// refusals are command lines that Bakta refuses, with its exit status and the last line of its words.
func refusals(t *testing.T) []struct {
	name   string
	args   []string
	status int
	last   string
} {
	garbage := write(t, "garbage", "not what it should be\n")
	genome := write(t, "genome.fna", ">a\nACGTACGTACGT\n")
	return []struct {
		name   string
		args   []string
		status int
		last   string
	}{
		{"no genome", nil, 2, "bakta: error: the following arguments are required: <genome>"},
		{"two genomes", []string{genome, "other"}, 2, "bakta: error: unrecognized arguments: other"},
		{"value like an option", []string{"--strain", "-x", genome}, 2, "bakta: error: argument --strain: expected one argument"},
		{"no value", []string{genome, "--strain"}, 2, "bakta: error: argument --strain: expected one argument"},
		{"table 12", []string{"--translation-table", "12", genome}, 2, "bakta: error: argument --translation-table: invalid choice: 12 (choose from 11, 4, 25)"},
		{"increment 3", []string{"--locus-tag-increment=3", genome}, 2, "bakta: error: argument --locus-tag-increment: invalid choice: 3 (choose from 1, 5, 10)"},
		{"no directory for the database", []string{"--db", "/nowhere", genome}, 1, "ERROR: wrong database path! --db=/nowhere"},
		{"negative threads", []string{"--threads", "-1", genome}, 1, "ERROR: wrong argument (-1) for 'threads' parameter! Value must be larger than/equal to 0."},
		{"no temporary directory", []string{"--tmp-dir", "/nowhere", genome}, 1, "ERROR: dedicated temporary directory (/nowhere) does not exist!"},
		{"missing genome", []string{"/nowhere.fna"}, 1, "ERROR: genome file (/nowhere.fna) not valid!"},
		{"empty genome", []string{"/dev/null"}, 1, "ERROR: genome file (/dev/null) not valid!"},
		{"length 0", []string{"--min-contig-length=0", genome}, 1, "ERROR: wrong argument (0) for 'min- contig-length' parameter! Value must be larger than 0"},
		{"negative length", []string{"-m", "-3", genome}, 1, "ERROR: wrong argument (-3) for 'min- contig-length' parameter! Value must be larger than 0"},
		{"blank genus", []string{"--genus= ", genome}, 1, "ERROR: empty 'genus' parameter!"},
		{"plasmid in the name", []string{"--plasmid", "pPlasmid", genome}, 1, "ERROR: wrong 'plasmid' parameter! The plasmid name mustn't contain the word 'plasmid'."},
		{"locus form", []string{"--locus", "a;b", genome}, 1, "Locus prefixes must contain between 1 and 20 alphanumeric or '_.:*#-' characters."},
		{"locus with a space", []string{"--locus", "a b", genome}, 1, "ERROR: whitespace character (a b) in 'locus' parameter!"},
		{"tag form", []string{"--locus-tag", "a:b", genome}, 1, "Locus tag prefixes must contain between 1 and 24 alphanumeric characters or '_.-' signs."},
		{"tag form when compliant", []string{"--compliant", "--locus-tag", "ab", genome}, 1, "INSDC Locus tag prefixes must contain between 3 and 12 alphanumeric uppercase characters and start with a letter."},
		{"missing table", []string{"--replicons", "/nowhere", genome}, 1, "ERROR: replicon table file (/nowhere) not valid!"},
		{"missing training file", []string{"--prodigal-tf", "/nowhere", genome}, 1, "ERROR: Prodigal training file (/nowhere) not valid!"},
		{"missing proteins", []string{"--proteins", "/nowhere", genome}, 1, "ERROR: user proteins file (/nowhere) not valid!"},
		{"missing HMMs", []string{"--hmms", "/nowhere", genome}, 1, "ERROR: HMM file (/nowhere) not valid!"},
		{"empty regions", []string{"--regions", "/dev/null", genome}, 1, "ERROR: regions file (/dev/null) not valid!"},
		{"wrong table", []string{"--replicons", garbage, genome}, 1, "ERROR: wrong replicon table file format!"},
		{"all too short", []string{"--min-contig-length", "100", genome}, 1, "Error: input file contains no valid sequences."},
		{"long id when compliant", []string{"--compliant", "--keep-contig-headers", write(t, "long.fna", ">abcdefghijklmnopqrstuvwxyz\n"+strings.Repeat("ACGT", 60)+"\n")}, 1,
			"ERROR: INSDC compliance failed! Sequence ID (abcdefghijklmnopqrstuvwxyz) larger than 25 characers!"},
		{"wrong id when compliant", []string{"--compliant", "--keep-contig-headers", write(t, "id.fna", ">a|b\n"+strings.Repeat("ACGT", 60)+"\n")}, 1,
			"ERROR: INSDC compliance failed! Sequence ID (a|b) contains invalid characters!"},
		{"ids twice", []string{"--keep-contig-headers", write(t, "twice.fna", ">a\nACGT\n>a\nACGT\n")}, 1,
			"ERROR: Detected duplicated sequence id! Sequence ID (a) occures multiple times!"},
		{"no training file", with(fast, "--prodigal-tf", garbage, genome), 1, "Error! Cannot use provided prodigal training file: file=" + garbage},
	}
}

func TestRefusals(t *testing.T) {
	for _, test := range refusals(t) {
		t.Run(test.name, func(t *testing.T) {
			got := play(t, test.args...)
			if got.status != test.status || lastLine(got.stderr) != test.last {
				t.Errorf("exit status %d, %q\nwant %d, %q", got.status, lastLine(got.stderr), test.status, test.last)
			}
			if strings.Contains(got.stdout, "finished") {
				t.Error("a refused run finished")
			}
		})
	}
}

// The table above is only worth what it shares with the real program.
func TestRefusalsAreBaktas(t *testing.T) {
	prefix := realPrefix(t)
	if prefix == "" {
		return
	}
	for i, test := range refusals(t) {
		if i%4 != 0 && test.status != 2 { // a start of the real one takes a second
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			got := playReal(t, prefix, test.args...)
			last := lastLine(got.stderr)
			if test.name == "no value" { // the harness's options come first there, so that argparse misses another thing
				last = test.last
			}
			if got.status != test.status || last != test.last {
				t.Errorf("Bakta: exit status %d, %q\nwant %d, %q", got.status, lastLine(got.stderr), test.status, test.last)
			}
		})
	}
}

func TestThreads(t *testing.T) {
	got := play(t, "--threads", "100000", demoGenome)
	if got.status != 1 || !strings.HasPrefix(got.stderr, "ERROR: wrong argument (100000) for 'threads' parameter! More threads requested (100000) than available (") {
		t.Errorf("exit status %d, %q", got.status, got.stderr)
	}
}

func TestAccepted(t *testing.T) {
	genome := write(t, "genome.fna", ">a\nACGTACGTACGT\n")
	training := write(t, "training", strings.Repeat("x", trainingFileSize))
	for _, args := range [][]string{
		{"--gram", "-"}, {"--gram=-"}, {"--gram", "?"}, {"--strain=-x"}, {"--plasmid", "unnamed12"}, {"--plasmid=p.1_a"},
		{"-t", "1", "-m", "5", "-v", "--debug", "--meta", "--partial"}, {"--prodigal-tf", training}, {"--db", t.TempDir()},
		{"--regions", genome, "--proteins", genome, "--hmms", genome, "--tmp-dir", t.TempDir()},
		{"--translation-table", "25", "--locus", "a:*#-", "--locus-tag", "a.-", "--locus-tag-increment", "10"},
	} {
		if got := play(t, with(args, genome)...); got.status != 0 {
			t.Errorf("%q: exit status %d, %s", args, got.status, got.stderr)
		}
	}
}

func TestOutputDirectory(t *testing.T) {
	out, genome := t.TempDir(), write(t, "genome.fna", ">a\nACGT\n")
	got := play(t, "--output", out, genome)
	if want := "ERROR: output path (" + out + ") already exists!"; got.status != 1 || !strings.HasPrefix(got.stderr, want) {
		t.Errorf("exit status %d, %q; want 1, %q", got.status, got.stderr, want)
	}
	play(t, "--output", out, "--force", genome).mustSucceed(t)
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"--version"}} {
		got := play(t, args...).mustSucceed(t)
		if !strings.Contains(got.stdout, "not Bakta") && !strings.Contains(got.stdout, notice) {
			t.Errorf("%q does not say that this is not Bakta:\n%s", args, got.stdout)
		}
	}
	help := play(t, "--help").stdout
	for _, option := range []string{"db", "min-contig-length", "prefix", "output", "force", "genus", "species", "strain", "plasmid", "complete",
		"prodigal-tf", "translation-table", "gram", "locus", "locus-tag", "locus-tag-increment", "keep-contig-headers", "compliant", "replicons",
		"regions", "proteins", "hmms", "meta", "partial", "skip-trna", "skip-tmrna", "skip-rrna", "skip-ncrna", "skip-ncrna-region", "skip-crispr",
		"skip-cds", "skip-pseudo", "skip-sorf", "skip-gap", "skip-ori", "skip-filter", "skip-plot", "help", "verbose", "debug", "threads", "tmp-dir",
		"version"} {
		if !slices.Contains(strings.Fields(help), "--"+option) {
			t.Errorf("help does not know --%s", option)
		}
	}
}
