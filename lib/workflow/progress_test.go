package workflow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/google/go-cmp/cmp"
)

// walk feeds a log line by line and returns the steps in the order in which they came.
func walk(kind, log string) (steps []string) {
	p := NewProgress(kind)
	last := 0
	for line := range strings.Lines(log) {
		p.Write([]byte(line))
		if s, ok := p.Step(); ok && s.Number != last {
			last = s.Number
			steps = append(steps, fmt.Sprintf("%d/%d %s", s.Number, s.Of, s.Name))
		}
	}
	return steps
}

func TestProgressOfBakta(t *testing.T) {
	for name, want := range map[string][]string{
		"success.txt": {
			"1/20 Parse genome sequences", "2/20 Start annotation", "3/20 predict tRNAs", "4/20 predict tmRNAs", "5/20 predict rRNAs",
			"6/20 predict ncRNAs", "7/20 predict ncRNA regions", "8/20 predict CRISPR arrays", "9/20 predict & annotate CDSs",
			"10/20 detect & annotate sORF", "11/20 detect gaps", "12/20 detect oriCs/oriVs", "13/20 detect oriTs",
			"14/20 apply feature overlap filters", "15/20 select features and create locus tags", "16/20 improve annotations",
			"17/20 Genome statistics", "18/20 annotation summary", "19/20 Export annotation results to", "20/20 Annotation successfully finished in",
		},
		"skipped.txt": {
			"1/20 Parse genome sequences", "2/20 Start annotation", "3/20 skip tRNA prediction", "4/20 skip tmRNA prediction",
			"5/20 skip rRNA prediction", "6/20 skip ncRNA prediction", "7/20 skip ncRNA region prediction", "8/20 skip CRISPR array prediction",
			"9/20 skip CDS prediction", "10/20 skip sORF prediction", "11/20 skip gap annotation", "13/20 skip oriC/T annotation",
			"14/20 skip feature overlap filters", "15/20 select features and create locus tags", "16/20 improve annotations",
			"17/20 Genome statistics", "18/20 annotation summary", "19/20 Export annotation results to", "20/20 Annotation successfully finished in",
		},
	} {
		if diff := cmp.Diff(want, walk(Bakta, readTest(t, "..", "program", "testdata", "stdout", name))); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		pieces []string
		want   string // name of the step; empty for none
		number int
	}{
		{"nothing", nil, "", 0},
		{"only the command", []string{"Bakta Command: bakta x\n"}, "", 0},
		{"other lines alone", []string{"WARNING: x\n\tfound: 3\nparse genome sequences...\n"}, "", 0},
		{"a line in pieces", []string{"predict tR", "NAs", "...", "\n"}, "predict tRNAs", 3},
		{"a line not ended", []string{"predict tRNAs..."}, "", 0},
		{"line end of Windows", []string{"predict tRNAs...\r\n"}, "predict tRNAs", 3},
		{"between other lines", []string{"x\npredict tRNAs...\nUserWarning: y\n\tfound: 3\n"}, "predict tRNAs", 3},
		{"an indented line is a detail", []string{"\tpredict tRNAs...\n"}, "", 0},
		{"a step that comes late", []string{"predict rRNAs...\npredict tRNAs...\n"}, "predict rRNAs", 5},
		{"a long line", []string{strings.Repeat("x", 5000), strings.Repeat("x", 5000) + "\npredict tRNAs...\n"}, "predict tRNAs", 3},
		{"the end of a long line", []string{strings.Repeat("x", 5000) + "\n", strings.Repeat("x", 4000), "predict tRNAs...\n"}, "", 0},
		{"run again", []string{"Bakta Command: x\npredict rRNAs...\nBakta Command: x\n"}, "", 0},
		{"run again and further", []string{"Bakta Command: x\npredict rRNAs...\nBakta Command: x\npredict tRNAs...\n"}, "predict tRNAs", 3},
		{"no text", []string{"\xff\xfe\x00\npredict tRNAs...\n"}, "predict tRNAs", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := NewProgress(Bakta)
			for _, piece := range tt.pieces {
				p.Write([]byte(piece))
			}
			s, ok := p.Step()
			if ok != (tt.want != "") || s.Name != tt.want || s.Number != tt.number || s.Of != 20 {
				t.Errorf("%+v, %t", s, ok)
			}
		})
	}
	if s, ok := StepOf(Bakta, "predict tRNAs..."); !ok || s.Number != 3 {
		t.Errorf("a log that ends without a line end is at %+v, %t", s, ok)
	}
	if s, ok := StepOf("unknown", "predict tRNAs...\n"); ok {
		t.Errorf("an unknown workflow is at %+v", s)
	}
}

func TestProgressOfProteins(t *testing.T) {
	want := []string{
		"1/7 Parse protein sequences", "2/7 Start annotation", "3/7 lookup annotations", "4/7 conduct expert systems",
		"5/7 combine annotations and mark hypotheticals", "6/7 Export annotation results to", "7/7 Annotation successfully finished in",
	}
	if diff := cmp.Diff(want, walk(BaktaProteins, readTest(t, "..", "program", "testdata", "stdout", "proteins.txt"))); diff != "" {
		t.Error(diff)
	}
}

// Baktfold tells its steps on its standard error.
func TestProgressOfBaktfold(t *testing.T) {
	want := []string{
		"1/11 You are running baktfold run", "2/11 Parsing annotations from input", "3/11 Predicting 3Di sequences using ProstT5",
		"4/11 Beginning ProstT5 predictions", "5/11 search structures in swissprot", "6/11 search structures in AFDBClusters",
		"7/11 search structures in pdb", "8/11 search structures in cath", "9/11 Looking up PSTC descriptions", "10/11 writing baktfold outputs",
		"11/11 baktfold run has finished",
	}
	if diff := cmp.Diff(want, walk(Baktfold, readTest(t, "..", "program", "testdata", "stderr", "baktfold-success.txt"))); diff != "" {
		t.Error(diff)
	}
}

// A step of one stage is none of another.
func TestProgressOfStages(t *testing.T) {
	p := NewProgress(BaktaBaktfold)
	log := func(says string) string { return "2026-01-02 03:04:05.678 | INFO     | a.b:c:1 - " + says + "\n" }
	for _, tt := range []struct {
		line string
		want program.Step
	}{
		{"Bakta Command: x\n", program.Step{Number: 0, Of: 31, Name: ""}},
		{"Parse genome sequences...\n", program.Step{Number: 1, Of: 31, Name: "Parse genome sequences"}},
		{log("Looking up PSTC descriptions"), program.Step{Number: 1, Of: 31, Name: "Parse genome sequences"}},
		{"Baktfold Command: y\n", program.Step{Number: 20, Of: 31, Name: "Baktfold"}},
		{"predict tRNAs...\n", program.Step{Number: 20, Of: 31, Name: "Baktfold"}},
		{log("Looking up PSTC descriptions"), program.Step{Number: 29, Of: 31, Name: "Looking up PSTC descriptions"}},
	} {
		p.Write([]byte(tt.line))
		if got, _ := p.Step(); got != tt.want {
			t.Errorf("after %q: %+v, want %+v", tt.line, got, tt.want)
		}
	}
}

func FuzzProgress(f *testing.F) {
	f.Add([]byte("Bakta Command: x\npredict tRNAs...\n\tfound: 1\nskip CDS prediction...\n"), uint8(7))
	f.Add([]byte("\r\n\xff\x00Export annotation results to: \nAnnotation successfully finished in 0:00"), uint8(1))
	f.Fuzz(func(t *testing.T, log []byte, size uint8) {
		whole, pieces := NewProgress(Bakta), NewProgress(Bakta)
		whole.Write(log)
		for rest := log; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			pieces.Write(rest[:n])
			rest = rest[n:]
		}
		a, aok := whole.Step()
		b, bok := pieces.Step()
		if a != b || aok != bok {
			t.Errorf("%+v, %t at once, %+v, %t in pieces", a, aok, b, bok)
		}
		if a.Number < 0 || a.Number > a.Of || aok != (a.Number > 0) {
			t.Errorf("%+v, %t", a, aok)
		}
	})
}
