package inspect

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func ask[T any](t *testing.T, request string, files ...string) T {
	t.Helper()
	given := make([]File, len(files))
	for i, content := range files {
		given[i] = File{func() io.Reader { return strings.NewReader(content) }, int64(len(content))}
	}
	answer := Answer([]byte(request), given)
	var decoded T
	if err := json.Unmarshal(answer, &decoded); err != nil {
		t.Fatalf("%s: %s: %v", request, answer, err)
	}
	return decoded
}

func TestKind(t *testing.T) {
	t.Parallel()
	got := ask[[]report](t, `{"do":"kind"}`, ">a\nACGTACGT\n", ">p\nMKRELLQ\n", "text")
	if len(got) != 3 || got[0].Kind != "genome_fasta" || got[1].Kind != "protein_fasta" || got[2].Kind != "" {
		t.Errorf("%+v", got)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	genome := ">a first\n" + strings.Repeat("ACGTTGCA", 100) + "\n>b\nNNNNACGT\n"
	got := ask[report](t, `{"do":"inspect","kinds":["genome_fasta"]}`, genome)
	want := report{Kind: "genome_fasta", Count: 2, Letters: 808, GC: 402, N: 4, Whole: true,
		Sequences: []sequence{{"a", 800, false}, {"b", 8, false}}, Warnings: []warning{}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// What a start refuses, in its words; the files are compared with each other, and the options count.
	for request, problem := range map[string]string{
		`{"do":"inspect","kinds":["protein_fasta"]}`:                                        "The protein FASTA file seems to hold nucleotides",
		`{"do":"inspect","kinds":["genome_fasta"],"config":{"min_contig_length":900}}`:      "no sequence of at least 900 base pairs",
		`{"do":"inspect","kinds":["genome_fasta"],"config":{"compliant":true}}`:             "",
		`{"do":"inspect","kinds":["bakta_json"]}`:                                           "The Bakta annotation seems to be a FASTA file",
		`{"do":"inspect","kinds":["genome_fasta"],"config":{"of_a_newer_server":[1,null]}}`: "",
	} {
		if got := ask[report](t, request, genome); (got.Problem == "") != (problem == "") || !strings.Contains(got.Problem, problem) {
			t.Errorf("%s: %q", request, got.Problem)
		}
	}
	two := ask[report](t, `{"do":"inspect","kinds":["replicons_table","genome_fasta"]}`, "a\tx\tchromosome\tc\t\nb\tx\tcontig\tl\t\n", genome)
	if two.Culprit != "genome_fasta" || !strings.Contains(two.Problem, `new id "x" twice`) {
		t.Errorf("%+v", two)
	}
	small := ask[report](t, `{"do":"inspect","kinds":["genome_fasta"]}`, ">a\nACGT\n")
	if len(small.Warnings) != 1 || small.Warnings[0].Code != "small_genome" {
		t.Errorf("%+v", small)
	}
	blank := ask[report](t, `{"do":"inspect","kinds":["genome_fasta"]}`, " \n")
	if blank.Problem != "genome: the file is empty" {
		t.Errorf("%+v", blank)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	got := ask[[]violation](t, `{"do":"options","config":{"genus":"Escherichia","plasmid":"plasmid1","min_contig_length":"x","compliant":true,
		"locus_tag":"a1","translation_table":7,"skip_cds":true,"locus_tag_increment":1.5,"locus":""}}`)
	var fields []string
	for _, v := range got {
		fields = append(fields, v.Field)
		if v.Problem == "" {
			t.Errorf("%+v", v)
		}
	}
	want := []string{"min_contig_length", "locus_tag_increment", "translation_table", "plasmid", "locus_tag"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	if got := ask[[]violation](t, `{"do":"options","config":{"genus":"Escherichia"}}`); got == nil || len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestSheet(t *testing.T) {
	t.Parallel()
	got := ask[table](t, `{"do":"sheet","name":"samples.csv"}`, "sample,fasta,genus,translation-table,complete,workflow,regions,fastq_1\n"+
		"one,a.fna,Escherichia,4,yes,bakta+baktfold,r.gff,x\ntwo,dir/b.fna,,,,,,\n")
	want := table{Faults: []fault{}, Ignored: []string{"fastq_1"}, Rows: []sample{
		{2, "one", "a.fna", "bakta_baktfold", map[string]any{"genus": "Escherichia", "translation_table": 4., "complete_genome": true},
			map[string]string{"regions_file": "r.gff"}},
		{3, "two", "dir/b.fna", "", map[string]any{}, map[string]string{}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	bad := ask[table](t, `{"do":"sheet","name":"samples.tsv"}`, "genome\ttranslation_table\na.fna\tx\n")
	if len(bad.Faults) != 1 || bad.Faults[0].Row != 2 || bad.Faults[0].Column != "translation_table" || bad.Faults[0].Text == "" {
		t.Errorf("%+v", bad)
	}
	if got := ask[table](t, `{"do":"sheet","name":"samples.xlsx"}`, "PK\x03\x04"); !strings.Contains(got.Problem, "workbook") {
		t.Errorf("%+v", got)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, request := range []string{"", "[]", `{}`, `{"do":"inspect"}`, `{"do":"inspect","kinds":["genome_fasta"]}`} {
		if got := ask[map[string]string](t, request); got["error"] == "" {
			t.Errorf("%s: %v", request, got)
		}
	}
}
