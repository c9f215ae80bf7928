package sheet

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRead: one table in each form that programs write.
func TestRead(t *testing.T) {
	tsv := "name\tgenome\tGenus\tgram\tskip-plot\n" +
		"a\tg/a.fna\tEscherichia\t-\tyes\n" +
		"\n" +
		"b\t/abs/b.fna.gz\t\t?\t\n" +
		"c\tc.fna\n"
	csv := strings.ReplaceAll(tsv, "\t", ",")
	for name, text := range map[string]string{
		"s.tsv": tsv, "bom.tsv": "\ufeff" + tsv, "crlf.tsv": strings.ReplaceAll(tsv, "\n", "\r\n"), "cr.tsv": strings.ReplaceAll(tsv, "\n", "\r"),
		"s.csv": csv, "bom.csv": "\ufeff" + strings.ReplaceAll(csv, "\n", "\r\n"), "named.txt": csv,
		"excel.csv":  strings.ReplaceAll(tsv, "\t", ";"),
		"quoted.csv": strings.ReplaceAll(csv, "Escherichia", `"Escherichia"`), "noend.tsv": strings.TrimRight(tsv, "\n"),
	} {
		path := write(t, name, text)
		s, err := Read(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		folder := filepath.Dir(path)
		want := []Row{
			{Number: 2, Name: "a", File: filepath.Join(folder, "g", "a.fna"), Uploads: map[string]string{}, Options: map[string]option.Value{
				"genus": {Text: "Escherichia"}, "derm_type": {Text: option.Diderm}, "skip_plot": {On: true}}},
			{Number: 4, Name: "b", File: "/abs/b.fna.gz", Uploads: map[string]string{}, Options: map[string]option.Value{
				"derm_type": {Text: option.DermUnknown}}},
			{Number: 5, Name: "c", File: filepath.Join(folder, "c.fna"), Uploads: map[string]string{}, Options: map[string]option.Value{}},
		}
		if diff := cmp.Diff(want, s.Rows); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

// TestPipelines: the sheets of nf-core's pipelines are understood; what means nothing here is named.
func TestPipelines(t *testing.T) {
	for text, ignored := range map[string]string{
		"sample,fasta,protein,gbk\nx,a.fa.gz,a.faa,a.gbk\n":                                    "protein gbk",
		"sample,fasta\nx,a.fa.gz\n":                                                            "",
		"id,group,assembler,fasta\nx,0,MEGAHIT,a.fa.gz\n":                                      "group assembler",
		"sample,group,fastq_1,fastq_2,fasta\nx,1,a_1.fq,a_2.fq,a.fa.gz\n":                      "group fastq_1 fastq_2",
		"ID\tR1\tR2\tLongFastQ\tFast5\tGenomeSize\tAssembly\nx\tNA\tNA\tNA\tNA\tNA\ta.fa.gz\n": "R1 R2 LongFastQ Fast5 GenomeSize",
		"#sample\tassembly\tCollection Date\nx\ta.fa.gz\t2020\n":                               "Collection Date",
	} {
		s, err := Read(write(t, "s", text))
		if err != nil || len(s.Rows) != 1 {
			t.Errorf("%q: %v, %v", text, s, err)
			continue
		}
		row := s.Rows[0]
		if row.Name != "x" || filepath.Base(row.File) != "a.fa.gz" || len(row.Options)+len(row.Uploads) > 0 {
			t.Errorf("%q: %+v", text, row)
		}
		if got := strings.Join(s.Ignored, " "); got != ignored {
			t.Errorf("%q: ignored %q, want %q", text, got, ignored)
		}
	}
}

// TestFaults: all mistakes are found at once, each at its place.
func TestFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "the sheet is empty",
		"name\tgenome\n":         "row 1: there are no samples below the names of columns",
		"name,genus\na,b\n":      `row 1: no column names the files to annotate; call one "genome", or "file", "fasta", "assembly"`,
		"genome\tgenuss\na\tb\n": `row 1, column "genuss": this column is not known; do you mean "genus"?`,
		"genome\ttranslation-tabel\tlocustag\na\t4\tb\n": "row 1, column \"translation-tabel\": this column is not known; do you mean " +
			"\"translation-table\"?\nrow 1, column \"locustag\": this column is not known; do you mean \"locus-tag\"?",
		"genome\tfasta\na\tb\n":              `row 1, column "fasta": the column "genome" means the same; remove one of them`,
		"genome\tgram\tderm_type\na\t-\t-\n": `row 1, column "derm_type": the column "gram" means the same`,
		"name\tgenome\tgram\ttranslation_table\tmeta\n" +
			"a\ta.fna\tx\tfour\tmaybe\n" +
			"a\thttps://example.org/a.fna\t\t\t\n" +
			"b\t\t\t\t\t\tmore\n" +
			"c\tfile:///c.fna\t\t\t\n": "row 2, column \"gram\": \"x\" is not valid; choose one of ?, +, -, unknown, monoderm, diderm\n" +
			"row 2, column \"translation_table\": \"four\" is not a whole number\n" +
			"row 2, column \"meta\": \"maybe\" is not valid; write true or false\n" +
			"row 3, column \"genome\": this is a URL; download the file, and name it here\n" +
			"row 3, column \"name\": \"a\" is also the name of row 2; give each sample a name of its own\n" +
			"row 4: \"more\" is in cell 7, which has no column; there are 5 names of columns\n" +
			"row 4, column \"genome\": the cell is empty; name the file to annotate\n" +
			"row 5, column \"genome\": write the path without file://",
		"genome,strain\na,\"x\ny\"\nb,c\n": `row 2, column "strain": "x\ny" has a control character, such as a line break; remove it`,
		"genome,strain\na,\"x\n":           "row 2: extraneous or missing \" in quoted-field",
		// Else the second row would be a part of the first one, in a column that means nothing.
		"genome\tnotes\na\t\"Ca. X\" y\nb\tz\n": "row 2: a cell begins with a quote (\") and does not end with one",
		"genome\tnotes\na\t\"X\nb\tz\n":         "row 2: a cell begins with a quote (\") and does not end with one",
		"genome\tstrain\na\t\xe4\n":             "row 2: the text is not UTF-8; save it with UTF-8",
		"\xff\xfeg\x00":                         "the text is UTF-16; save it with UTF-8",
		"PK\x03\x04xl":                          "this is a workbook of a spreadsheet program",
	} {
		_, err := Read(write(t, "s.tsv", text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v\nwant %s", text, err, want)
		}
		var faults Faults
		ofText := strings.Contains(want, "UTF-8") || strings.Contains(want, "extraneous") || strings.Contains(want, "begins with a quote")
		if strings.HasPrefix(want, "row") && !ofText && !errors.As(err, &faults) {
			t.Errorf("%q: the error is a %T", text, err)
		}
	}
}

// TestQuotes: in a table with tabs, quotes are a part of a name, unless they stand around the whole cell.
func TestQuotes(t *testing.T) {
	text := "genome\tstrain\tnotes\na\tx \"y\" z\t\"two\nlines\"\nb\t\"K \"\"12\"\"\"\t\n"
	got, err := Read(write(t, "s.tsv", text))
	if err != nil || len(got.Rows) != 2 || got.Rows[0].Options["strain"].Text != `x "y" z` || got.Rows[1].Options["strain"].Text != `K "12"` {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestColumns: each option and each other file has a column, by each of its names, and no name stands for two.
func TestColumns(t *testing.T) {
	names := make(map[string]string)
	for _, c := range Columns() {
		for _, name := range c.names() {
			if other, twice := names[name]; twice {
				t.Errorf("%q stands for %s and %s", name, other, c.Name)
			}
			names[name] = c.Name
		}
	}
	for _, o := range option.Table() {
		for _, name := range []string{o.Name, o.Flag, strings.ReplaceAll(o.Name, "_", "-"), strings.ReplaceAll(o.Flag, "-", "_"), "--" + o.Flag,
			strings.ToUpper(o.Flag)} {
			if c, ok := lookup(name); !ok || c.option.Name != o.Name {
				t.Errorf("the column %s is %+v", name, c)
			}
		}
	}
	for _, u := range upload.Table() {
		for _, name := range []string{u.Flag, u.Kind} {
			if c, ok := lookup(name); u.Flag != "" && (!ok || c.upload != u.Kind) {
				t.Errorf("the column %s is %+v", name, c)
			}
		}
	}
}

// TestDocumented: the documentation has each column, with all of its names.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/batches.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range Documented() {
		line := "| `" + c.Name + "` | "
		if len(c.Other) > 0 {
			line += "`" + strings.Join(c.Other, "`, `") + "`"
		}
		line = strings.TrimRight(line, " ") + " | " + c.Help + " |\n"
		if !strings.Contains(string(text), line) {
			t.Errorf("docs/batches.md has no line\n%s", line)
		}
	}
	for _, name := range foreign {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/batches.md does not name the column %s", name)
		}
	}
}
