package workflow

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// commandTests are configurations with the options that each adds to a command line, and what Bakta's own
// parser makes of them.
func commandTests() []commandTest {
	return []commandTest{
		{name: "nothing"},
		{name: "no least length", c: option.Config{MinContigLength: 1}},
		{
			name:   "least length",
			c:      option.Config{MinContigLength: 500},
			args:   []string{"--min-contig-length=500"},
			parsed: map[string]any{"min_contig_length": 500.0},
		},
		{
			name:   "genus",
			c:      option.Config{Genus: "Escherichia"},
			args:   []string{"--genus=Escherichia"},
			parsed: map[string]any{"genus": "Escherichia"},
		},
		{
			name:   "species",
			c:      option.Config{Species: "coli O157:H7"},
			args:   []string{"--species=coli O157:H7"},
			parsed: map[string]any{"species": "coli O157:H7"},
		},
		{name: "strain", c: option.Config{Strain: "--help"}, args: []string{"--strain=--help"}, parsed: map[string]any{"strain": "--help"}},
		{
			name:   "strain for a shell",
			c:      option.Config{Strain: "-x; $(id) `id` \"'\\ é"},
			args:   []string{"--strain=-x; $(id) `id` \"'\\ é"},
			parsed: map[string]any{"strain": "-x; $(id) `id` \"'\\ é"},
		},
		{
			name:   "plasmid",
			c:      option.Config{Plasmid: "pOSAK1"},
			args:   []string{"--plasmid=pOSAK1"},
			parsed: map[string]any{"plasmid": "pOSAK1"},
		},
		{name: "complete", c: option.Config{CompleteGenome: true}, args: []string{"--complete"}, parsed: map[string]any{"complete": true}},
		{
			name:   "training file",
			inputs: []job.Input{{Kind: upload.ProdigalTrainingFile, Name: "training.trn"}},
			args:   []string{"--prodigal-tf=DIR/in/training.trn"},
			parsed: map[string]any{"prodigal_tf": "DIR/in/training.trn"},
		},
		{
			name:   "table 4",
			c:      option.Config{TranslationTable: 4},
			args:   []string{"--translation-table=4"},
			parsed: map[string]any{"translation_table": 4.0},
		},
		{name: "table 11", c: option.Config{TranslationTable: 11}, args: []string{"--translation-table=11"}},
		{
			name:   "table 25",
			c:      option.Config{TranslationTable: 25},
			args:   []string{"--translation-table=25"},
			parsed: map[string]any{"translation_table": 25.0},
		},
		{name: "monoderm", c: option.Config{DermType: option.Monoderm}, args: []string{"--gram=+"}, parsed: map[string]any{"gram": "+"}},
		{name: "diderm", c: option.Config{DermType: option.Diderm}, args: []string{"--gram=-"}, parsed: map[string]any{"gram": "-"}},
		{name: "unknown derm", c: option.Config{DermType: option.DermUnknown}, args: []string{"--gram=?"}},
		{name: "locus", c: option.Config{Locus: "-l"}, args: []string{"--locus=-l"}, parsed: map[string]any{"locus": "-l"}},
		{name: "locus tag", c: option.Config{LocusTag: "-t"}, args: []string{"--locus-tag=-t"}, parsed: map[string]any{"locus_tag": "-t"}},
		{
			name:   "keep headers",
			c:      option.Config{KeepContigHeaders: true},
			args:   []string{"--keep-contig-headers"},
			parsed: map[string]any{"keep_contig_headers": true},
		},
		{name: "compliant", c: option.Config{Compliant: true}, args: []string{"--compliant"}, parsed: map[string]any{"compliant": true}},
		{
			name:   "replicon table",
			inputs: []job.Input{{Kind: upload.RepliconsTable, Name: "replicons.tsv"}},
			args:   []string{"--replicons=DIR/in/replicons.tsv"},
			parsed: map[string]any{"replicons": "DIR/in/replicons.tsv"},
		},
		{
			name:   "regions",
			inputs: []job.Input{{Kind: upload.RegionsFile, Name: "regions.gff3"}},
			args:   []string{"--regions=DIR/in/regions.gff3"},
			parsed: map[string]any{"regions": "DIR/in/regions.gff3"},
		},
		{
			name:   "trusted proteins",
			inputs: []job.Input{{Kind: upload.TrustedProteinsFile, Name: "proteins.faa"}},
			args:   []string{"--proteins=DIR/in/proteins.faa"},
			parsed: map[string]any{"proteins": "DIR/in/proteins.faa"},
		},
		{
			name:   "profiles",
			inputs: []job.Input{{Kind: upload.HMMsFile, Name: "profiles.hmm"}},
			args:   []string{"--hmms=DIR/in/profiles.hmm"},
			parsed: map[string]any{"hmms": "DIR/in/profiles.hmm"},
		},
		{name: "meta", c: option.Config{Meta: true}, args: []string{"--meta"}, parsed: map[string]any{"meta": true}},
		{name: "increment 1", c: option.Config{LocusTagIncrement: 1}},
		{
			name:   "increment 5",
			c:      option.Config{LocusTagIncrement: 5},
			args:   []string{"--locus-tag-increment=5"},
			parsed: map[string]any{"locus_tag_increment": 5.0},
		},
		{
			name:   "increment 10",
			c:      option.Config{LocusTagIncrement: 10},
			args:   []string{"--locus-tag-increment=10"},
			parsed: map[string]any{"locus_tag_increment": 10.0},
		},
		{
			name:   "skip tRNA",
			c:      option.Config{Skip: []string{"trna"}},
			args:   []string{"--skip-trna"},
			parsed: map[string]any{"skip_trna": true},
		},
		{
			name:   "skip tmRNA",
			c:      option.Config{Skip: []string{"tmrna"}},
			args:   []string{"--skip-tmrna"},
			parsed: map[string]any{"skip_tmrna": true},
		},
		{
			name:   "skip rRNA",
			c:      option.Config{Skip: []string{"rrna"}},
			args:   []string{"--skip-rrna"},
			parsed: map[string]any{"skip_rrna": true},
		},
		{
			name:   "skip ncRNA",
			c:      option.Config{Skip: []string{"ncrna"}},
			args:   []string{"--skip-ncrna"},
			parsed: map[string]any{"skip_ncrna": true},
		},
		{
			name:   "skip ncRNA regions",
			c:      option.Config{Skip: []string{"ncrna_region"}},
			args:   []string{"--skip-ncrna-region"},
			parsed: map[string]any{"skip_ncrna_region": true},
		},
		{
			name:   "skip CRISPR",
			c:      option.Config{Skip: []string{"crispr"}},
			args:   []string{"--skip-crispr"},
			parsed: map[string]any{"skip_crispr": true},
		},
		{name: "skip CDS", c: option.Config{Skip: []string{"cds"}}, args: []string{"--skip-cds"}, parsed: map[string]any{"skip_cds": true}},
		{
			name:   "skip pseudogenes",
			c:      option.Config{Skip: []string{"pseudo"}},
			args:   []string{"--skip-pseudo"},
			parsed: map[string]any{"skip_pseudo": true},
		},
		{
			name:   "skip sORFs",
			c:      option.Config{Skip: []string{"sorf"}},
			args:   []string{"--skip-sorf"},
			parsed: map[string]any{"skip_sorf": true},
		},
		{
			name:   "skip gaps",
			c:      option.Config{Skip: []string{"gap"}},
			args:   []string{"--skip-gap"},
			parsed: map[string]any{"skip_gap": true},
		},
		{
			name:   "skip origins",
			c:      option.Config{Skip: []string{"ori"}},
			args:   []string{"--skip-ori"},
			parsed: map[string]any{"skip_ori": true},
		},
		{
			name:   "skip filters",
			c:      option.Config{Skip: []string{"filter"}},
			args:   []string{"--skip-filter"},
			parsed: map[string]any{"skip_filter": true},
		},
		{
			name:   "skip plots",
			c:      option.Config{Skip: []string{"plot"}},
			args:   []string{"--skip-plot"},
			parsed: map[string]any{"skip_plot": true},
		},
		{
			name: "promises are no inputs",
			c:    option.Config{Use: map[string]bool{upload.RepliconsTable: true, upload.ProdigalTrainingFile: true}},
		},
		{
			name: "everything",
			c: option.Config{
				MinContigLength:   2,
				Genus:             "G",
				Species:           "s",
				Strain:            "st",
				Plasmid:           "p1",
				CompleteGenome:    true,
				TranslationTable:  4,
				DermType:          option.Diderm,
				Locus:             "L",
				LocusTag:          "TAG",
				KeepContigHeaders: true,
				Compliant:         true,
			},
			inputs: []job.Input{{Kind: upload.RepliconsTable, Name: "r"}, {Kind: upload.ProdigalTrainingFile, Name: "t"}},
			args: []string{
				"--min-contig-length=2",
				"--genus=G",
				"--species=s",
				"--strain=st",
				"--plasmid=p1",
				"--complete",
				"--translation-table=4",
				"--gram=-",
				"--locus=L",
				"--locus-tag=TAG",
				"--keep-contig-headers",
				"--compliant",
				"--prodigal-tf=DIR/in/t",
				"--replicons=DIR/in/r",
			},
			parsed: map[string]any{
				"min_contig_length":   2.0,
				"genus":               "G",
				"species":             "s",
				"strain":              "st",
				"plasmid":             "p1",
				"complete":            true,
				"prodigal_tf":         "DIR/in/t",
				"translation_table":   4.0,
				"gram":                "-",
				"locus":               "L",
				"locus_tag":           "TAG",
				"keep_contig_headers": true,
				"compliant":           true,
				"replicons":           "DIR/in/r",
			},
		},
	}
}

type commandTest struct {
	name   string
	c      option.Config
	inputs []job.Input // besides the genome
	args   []string    // besides those of every run; DIR stands for the run's directory
	parsed map[string]any
}

func (tt commandTest) command(t *testing.T, l testLayout) program.Command {
	t.Helper()
	w, _ := Lookup(Bakta)
	inputs := append([]job.Input{{Kind: upload.GenomeFASTA, Name: "genome.fna.gz"}}, tt.inputs...)
	c, err := w.Stages[0].Command(
		tt.c,
		inputs,
		l,
		program.Environment{Command: []string{"/entrypoint.sh", "bakta"}, Database: string(l), Threads: 1},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCommand(t *testing.T) {
	for _, tt := range commandTests() {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.command(t, "/run/j")
			want := slices.Concat(
				[]string{
					"/entrypoint.sh",
					"bakta",
					"--db=/run/j",
					"--output=/run/j/out/bakta",
					"--prefix=result",
					"--force",
					"--tmp-dir=/run/j/tmp",
					"--threads=1",
				},
				tt.args,
				[]string{"/run/j/in/genome.fna.gz"},
			)
			for i := range want {
				want[i] = strings.ReplaceAll(want[i], "DIR", "/run/j")
			}
			if diff := cmp.Diff(program.Command{Argv: want, Env: []string{"PYTHONUNBUFFERED=1"}}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCommandParses has the real Bakta's own parser read every command line of the table.
func TestCommandParses(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	l := newLayout(t)
	genome := l.put(t, "genome.fna.gz", gzipFile([]byte(">a\n"+strings.Repeat("ACGT", 200)+"\n")))
	for _, name := range []string{"training.trn", "t", "regions.gff3", "proteins.faa", "profiles.hmm"} {
		l.put(t, name, []byte("x")) // looked at only when genes are predicted
	}
	for _, name := range []string{"replicons.tsv", "r"} {
		l.put(t, name, []byte("a\t\tc\tc\t\n"))
	}
	tests := commandTests()
	var commands [][]string
	for _, tt := range tests {
		commands = append(commands, tt.command(t, l).Argv[2:])
	}
	for i, v := range realbakta.Judge(t, prefix, commands) {
		want := map[string]any{
			"genome": genome, "db": string(l), "output": l.Output("bakta"), "prefix": "result", "force": true, "tmp_dir": l.Temp(), "threads": 1.0,
			"min_contig_length": 1.0, "translation_table": 11.0, "gram": "?", "locus_tag_increment": 1.0,
		}
		maps.Copy(want, tests[i].parsed)
		for k, value := range want {
			if s, ok := value.(string); ok {
				want[k] = strings.ReplaceAll(s, "DIR", string(l))
			}
		}
		if diff := cmp.Diff(want, v.Options); v.Error != "" || diff != "" {
			t.Errorf("%s: %s\n%s", tests[i].name, v.Error, diff)
		}
	}
}

// The other programs have no options but where they run, and a GPU.
func TestOtherCommands(t *testing.T) {
	for _, tt := range []struct {
		kind  string
		stage int
		input job.Input
		env   program.Environment
		want  program.Command
	}{
		{BaktaProteins, 0, job.Input{Kind: upload.ProteinFASTA, Name: "proteins.faa.gz"},
			program.Environment{Command: []string{"/run.sh", "bakta_proteins"}, Database: "/db", Threads: 3}, program.Command{
				Argv: []string{"/run.sh", "bakta_proteins", "--db=/db", "--output=/run/j/out/bakta_proteins", "--prefix=result", "--force",
					"--tmp-dir=/run/j/tmp", "--threads=3", "/run/j/in/proteins.faa.gz"},
				Env: []string{"PYTHONUNBUFFERED=1"},
			}},
		{Baktfold, 0, job.Input{Kind: upload.BaktaJSON, Name: "annotation.json.gz"},
			program.Environment{Command: []string{"baktfold"}, Database: "/db", Threads: 3}, program.Command{
				Argv: []string{"baktfold", "run", "--input=/run/j/in/annotation.json.gz", "--output=/run/j/out/baktfold", "--prefix=result",
					"--database=/db", "--threads=3", "--force", "--cpu"},
				Env: []string{"PYTHONUNBUFFERED=1", "HF_HUB_OFFLINE=1"},
			}},
		{BaktaBaktfold, 1, job.Input{Kind: upload.GenomeFASTA, Name: "genome.fna"},
			program.Environment{Command: []string{"baktfold"}, Database: "/db", Threads: 3, GPU: true}, program.Command{
				Argv: []string{"baktfold", "run", "--input=/run/j/out/bakta/result.json", "--output=/run/j/out/baktfold", "--prefix=result",
					"--database=/db", "--threads=3", "--force"},
				Env: []string{"PYTHONUNBUFFERED=1", "HF_HUB_OFFLINE=1"},
			}},
	} {
		w, _ := Lookup(tt.kind)
		got, err := w.Stages[tt.stage].Command(option.Config{}, []job.Input{tt.input}, testLayout("/run/j"), tt.env)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", tt.kind, err, diff)
		}
		if _, err := w.Stages[0].Command(
			option.Config{},
			[]job.Input{{Kind: upload.HMMsFile, Name: "x"}},
			testLayout("/run/j"),
			tt.env,
		); err == nil {
			t.Errorf("%s runs without what it annotates", tt.kind)
		}
	}
}

func TestCommandNeeds(t *testing.T) {
	w, _ := Lookup(Bakta)
	genome := []job.Input{{Kind: upload.GenomeFASTA, Name: "genome.fna"}}
	env := program.Environment{Command: []string{"bakta"}, Database: "/db", Threads: 2}
	for _, tt := range []struct {
		name   string
		stage  Stage
		inputs []job.Input
		env    program.Environment
		error  string
	}{
		{"all there", w.Stages[0], genome, env, ""},
		{"no database", w.Stages[0], genome, program.Environment{Command: []string{"bakta-stand-in"}, Threads: 1}, ""},
		{"no genome", w.Stages[0], nil, env, "the genome is missing"},
		{"no command", w.Stages[0], genome, program.Environment{Threads: 1}, "no command"},
		{"no threads", w.Stages[0], genome, program.Environment{Command: []string{"bakta"}}, "0 threads"},
		{"no such program", Stage{Name: "x", Program: "x"}, genome, env, "is not known"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := tt.stage.Command(option.Config{}, tt.inputs, testLayout("/run"), tt.env)
			switch {
			case tt.error != "":
				if err == nil || !strings.Contains(err.Error(), tt.error) {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Error(err)
			case tt.env.Database == "" && slices.ContainsFunc(c.Argv, func(a string) bool { return strings.HasPrefix(a, "--db") }):
				t.Errorf("%q names a database", c.Argv)
			case filepath.Base(c.Argv[len(c.Argv)-1]) != "genome.fna":
				t.Errorf("%q", c.Argv)
			}
		})
	}
	if c, _ := w.Stages[0].Command(option.Config{}, genome, testLayout("/run"), env); &c.Argv[0] == &env.Command[0] {
		t.Error("the command line shares the deployment's memory")
	}
}
