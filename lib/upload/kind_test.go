package upload

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

func TestKindOf(t *testing.T) {
	t.Parallel()
	training := make([]byte, trainingSize)
	binary.LittleEndian.PutUint64(training, math.Float64bits(0.5))
	const genome = ">a b\nACGTNRYACGTACGTTTGA\n"
	const proteins = ">p\nMKRELLQWFI\n>q\nMSTE*\n"
	for _, tt := range []struct{ name, content, kind string }{
		{"a genome", genome, GenomeFASTA},
		{"with a byte order mark, which the inspection refuses", utf8BOM + genome, GenomeFASTA},
		{"with mistakes", ">a\nACGTRYSWKMXXACGTACGTEEACGTACGTN\n", GenomeFASTA},
		{"a header alone", ">a\n", GenomeFASTA},
		{"proteins", proteins, ProteinFASTA},
		{"an annotation", "\n {\"genome\": {}}", BaktaJSON},
		{"GFF", "##gff-version 3\na\tx\tCDS\t1\t9\t.\t+\t0\tID=1\n", RegionsFile},
		{"GenBank", "LOCUS       a 9 bp\n", RegionsFile},
		{"profiles", "HMMER3/f [3.3 | Nov 2019]\nNAME a\n", HMMsFile},
		{"a replicon table", "a\tchr\tchromosome\tcircular\t-\n", RepliconsTable},
		{"a replicon table with commas", "a,chr,plasmid,c,p1\nb,,contig,l,\n", RepliconsTable},
		{"a sheet with five columns", "name,genome,genus,species,strain\na,a.fna,Escherichia,coli,K\n", ""},
		{"a training file", string(training), ProdigalTrainingFile},
		{"text", "Dear reader,\nthis is a letter.\n", ""},
		{"nothing", "", ""},
		{"reads", "@r\nACGT\n+\n!!!!\n", ""},
		{"a picture", "\x89PNG\r\n\x1a\n\x00\x00", ""},
	} {
		if kind, ending := KindOf(strings.NewReader(tt.content), int64(len(tt.content))); kind != tt.kind || ending != "" {
			t.Errorf("%s: %q, %q; want %q", tt.name, kind, ending, tt.kind)
		}
		if tt.kind == ProdigalTrainingFile {
			continue // it is not used compressed
		}
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		w.Write([]byte(tt.content))
		w.Close()
		if kind, ending := KindOf(&packed, int64(packed.Len())); kind != tt.kind || ending != ".gz" {
			t.Errorf("%s, compressed: %q, %q; want %q", tt.name, kind, ending, tt.kind)
		}
	}
	if kind, ending := KindOf(strings.NewReader("\x1f\x8b\x08broken"), 9); kind != "" || ending != ".gz" {
		t.Errorf("a broken gzip file is %q, %q", kind, ending)
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	i := NewInspection(option.Config{})
	if got := i.Contents(); got.Count != 0 {
		t.Errorf("before the inspection: %+v", got)
	}
	genome := ">a complete genome\nACGT-acgt\nNN RY\n>b\nGGGG\n"
	if _, err := i.Inspect(GenomeFASTA, strings.NewReader(genome)); err != nil {
		t.Fatal(err)
	}
	want := Contents{
		Sequences: []Sequence{{"a", 12, true}, {"b", 4, false}}, Count: 2, Letters: 16, GC: 8, N: 2, Ambiguous: 2, Whole: true,
	}
	if diff := cmp.Diff(want, i.Contents()); diff != "" {
		t.Error(diff)
	}
	i = NewInspection(option.Config{KeepContigHeaders: true})
	if _, err := i.Inspect(GenomeFASTA, strings.NewReader(">a\nACGT\n>a\nACGT\n")); err == nil || i.Contents().Count != 2 {
		t.Errorf("a refused genome: %+v, %v", i.Contents(), err)
	}
	i = NewInspection(option.Config{})
	if _, err := i.Inspect(ProteinFASTA, strings.NewReader(">p\nMKRE\n>q\nLLQ*\n")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Contents{Count: 2, Letters: 7, Whole: true}, i.Contents()); diff != "" {
		t.Error(diff)
	}
}

func BenchmarkGenome(b *testing.B) {
	line := strings.Repeat("ACGTTGCAAC", 8) + "\n"
	genome := ">a\n" + strings.Repeat(line, 5_000_000/80)
	b.SetBytes(int64(len(genome)))
	for b.Loop() {
		if _, err := NewInspection(option.Config{}).Inspect(GenomeFASTA, strings.NewReader(genome)); err != nil {
			b.Fatal(err)
		}
	}
}
