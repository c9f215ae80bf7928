package upload

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/pycsv"
)

// tableTest is an uploaded table and what a program gets of it, or what is said of it.
type tableTest struct {
	name   string
	upload string
	c      option.Config
	rows   [][5]string // none for a table that is refused, or is blank
	says   string      // "" for a table that is accepted, or is blank
}

func tableTests() []tableTest {
	one := [][5]string{{"a", "x", "c", "c", "n"}}
	long := strings.Repeat("x", 200)
	return []tableTest{
		{name: "tabs", upload: "a\tx\tc\tc\tn\n", rows: one},
		{name: "commas", upload: "a,x,c,c,n\n", rows: one},
		{name: "semicolons", upload: "a;x;c;c;n\n", rows: one},
		{name: "no line end at the end", upload: "a\tx\tc\tc\tn", rows: one},
		{name: "line ends of Windows", upload: "a\tx\tc\tc\tn\r\n", rows: one},
		{name: "line ends of old Macs", upload: "a\tx\tc\tc\tn\rb\ty\tp\tl\t\r", rows: [][5]string{one[0], {"b", "y", "p", "l", ""}}},
		{name: "byte order mark", upload: "\xef\xbb\xbfa\tx\tc\tc\tn\n", rows: one},
		{name: "blank lines", upload: "\n\na\tx\tc\tc\tn\n \n\t\t\t\t\n\n", rows: one},
		{name: "blanks around fields", upload: " a \t x\tc \t c\t n \n", rows: one},
		{name: "blanks around fields, commas", upload: " a , x,c , c, n \n", rows: one},
		{name: "blank fields behind", upload: "a\tx\tc\tc\tn\t\t \n", rows: one},
		{name: "empty fields", upload: "a\t\tp\tl\t\n", rows: [][5]string{{"a", "", "p", "l", ""}}},
		{name: "empty fields, commas", upload: "a,,p,l,\n", rows: [][5]string{{"a", "", "p", "l", ""}}},
		{name: "dashes", upload: "a\t-\tp\tl\t-\n", rows: [][5]string{{"a", "-", "p", "l", "-"}}},
		{name: "an empty original id", upload: "\tx\tc\tc\tn\n", rows: [][5]string{{"", "x", "c", "c", "n"}}},
		{name: "header", upload: "original sequence id\tnew sequence id\ttype\ttopology\tname\na\tx\tc\tc\tn\n", rows: one},
		{name: "header in other words", upload: "id,new,Replicon Type,x,y\na,x,c,c,n\n", rows: one},
		{name: "descriptions behind ids", upload: "a some genome\tx y\tc\tc\tn\n", rows: one},
		{
			name:   "words that Bakta knows",
			upload: "a\tx\tChromosome\tCIRCULAR\tn\n",
			rows:   [][5]string{{"a", "x", "Chromosome", "CIRCULAR", "n"}},
		},
		{name: "words that it does not know", upload: "a\tx\tphage\tround\tn\n", rows: [][5]string{{"a", "x", "phage", "round", "n"}}},
		{name: "comma in a name, tabs", upload: "a\tx\tp\tc\tp1, large\n", rows: [][5]string{{"a", "x", "p", "c", "p1, large"}}},
		{
			name:   "commas in every name, tabs",
			upload: "a\tx\tp\tc\t1,2,3,4,5\nb\ty\tp\tc\t1,2,3,4,5\n",
			rows:   [][5]string{{"a", "x", "p", "c", "1,2,3,4,5"}, {"b", "y", "p", "c", "1,2,3,4,5"}},
		},
		{name: "comma in a quoted name, commas", upload: "a,x,p,c,\"p1, large\"\n", rows: [][5]string{{"a", "x", "p", "c", "p1, large"}}},
		{name: "quotes around everything", upload: "\"a\",\"x\",\"c\",\"c\",\"n\"\n", rows: one},
		{name: "quotes and semicolons", upload: "\"a\"; \"x\"; \"c\"; \"c\"; \"n\"\n", rows: one},
		{name: "semicolons in names, tabs", upload: "a\tx\tp\tc\ta;b;c;d;e\n", rows: [][5]string{{"a", "x", "p", "c", "a;b;c;d;e"}}},
		{name: "accents", upload: "a\tx\tp\tc\tpÜ\n", rows: [][5]string{{"a", "x", "p", "c", "pÜ"}}},
		{name: "ids with bars", upload: "gi|1|ref|NC_1.1|\tx\tp\tc\tn\n", rows: [][5]string{{"gi|1|ref|NC_1.1|", "x", "p", "c", "n"}}},
		{name: "ids like a file's magic", upload: "CRAM\tx\tp\tc\tn\n", rows: [][5]string{{"CRAM", "x", "p", "c", "n"}}},
		{name: "long fields", upload: long + "\t" + long + "\tp\tc\t" + long + "\n", rows: [][5]string{{long, long, "p", "c", long}}},
		{name: "the same original id again", upload: "a\tx\tc\tc\tn\na\tx\tp\tl\tm\n", rows: [][5]string{one[0], {"a", "x", "p", "l", "m"}}},
		{
			name:   "new ids again, not used",
			upload: "a\tx\tc\tc\tn\nb\tx\tp\tl\tm\n",
			c:      option.Config{KeepContigHeaders: true},
			rows:   [][5]string{one[0], {"b", "x", "p", "l", "m"}},
		},
		{
			name:   "compliant",
			upload: "a\t" + strings.Repeat("x", 25) + "\tc\tc\tn\n",
			c:      option.Config{Compliant: true},
			rows:   [][5]string{{"a", strings.Repeat("x", 25), "c", "c", "n"}},
		},
		{
			name:   "not compliant, not used",
			upload: "a\tx|y\tc\tc\tn\n",
			c:      option.Config{Compliant: true, KeepContigHeaders: true},
			rows:   [][5]string{{"a", "x|y", "c", "c", "n"}},
		},

		{name: "nothing"},
		{name: "white space", upload: " \n\t\t\r\n"},
		{name: "separators", upload: ",,,,\n,,,,\n"},
		{name: "only a byte order mark", upload: "\xef\xbb\xbf"},
		{name: "only a header", upload: "id\tnew\ttype\ttopology\tname\n"},

		{name: "three fields", upload: "a\tx\tc\tc\tn\nb\ty\tp\n", says: "3 fields in line 2, separated by tabs, and needs five"},
		{name: "six fields", upload: "a,x,p,c,p1, large\n", says: "6 fields in line 1, separated by commas"},
		{name: "line numbers count blank lines", upload: "a\tx\tc\tc\tn\n\n\nb\ty\n", says: "in line 4"},
		{name: "one field", upload: "a x c c n\n", says: "no separators in line 1"},
		{name: "a comment", upload: "a,x,c,c,n\n# end\n", says: "no separators in line 2"},
		{name: "a bar between", upload: "a|x|c|c|n\n", says: "no separators"},
		{name: "an open quote", upload: "a,x,c,c,n\nb,y,c,c,\"n\nc,z,c,c,n\n", says: "line 2"},
		{name: "a quote inside", upload: "a\tx\tc\tc\t5' end\n", rows: [][5]string{{"a", "x", "c", "c", "5' end"}}},
		{name: "a double quote inside", upload: "a,x,c,c,\"n \"\"m\"\"\"\n", rows: [][5]string{{"a", "x", "c", "c", `n "m"`}}},
		{name: "a field begins with a comma", upload: "a\tx\tc\tc\t,n\n", rows: [][5]string{{"a", "x", "c", "c", ",n"}}},
		{name: "single quotes around everything", upload: "'a'\t'x'\t'c'\t'c'\t'n'\n", rows: one},
		{
			name:   "single quotes around names, commas inside",
			upload: "a,x,c,c,'n, m'\nb,y,p,c,'o, p'\n",
			rows:   [][5]string{{"a", "x", "c", "c", "n, m"}, {"b", "y", "p", "c", "o, p"}},
		},
		{
			name:   "a long name",
			upload: "a\tx\tc\tc\t" + strings.Repeat(long, 50) + "\n",
			rows:   [][5]string{{"a", "x", "c", "c", strings.Repeat(long, 50)}},
		},
		{name: "a tab in a field", upload: "a,x,c,c,\"n\tm\"\n", says: "control character inside a field in line 1"},
		{name: "a line break in a field", upload: "z,x,c,c,n\na,x,c,c,\"n\nm\"\n", says: "line break, a tab or another control character " +
			"inside a field in line 2"},
		{name: "NUL in a field", upload: "a\tx\tc\tc\tn\x00m\n", says: "seems to be a binary file"},
		{name: "bell in a field", upload: "a\tx\tc\tc\tn\x07m\n", says: "control character"},
		{name: "no text", upload: "a\tx\tc\tc\tn\nb\ty\tc\tc\tp\xfc\n", says: "not UTF-8 text in line 2"},
		{name: "UTF-16", upload: "\xff\xfea\x00\t\x00", says: "UTF-16"},
		{name: "workbook", upload: "PK\x03\x04\x14\x00\x00\xff", says: "an Office document"},
		{name: "gzip", upload: string(gzipped([]byte("a\tx\tc\tc\tn\n"))), says: "a gzip file"},
		{name: "web page", upload: "<html>\n<body>\n", says: "a web page"},
	}
}

func TestReplicons(t *testing.T) {
	for _, tt := range tableTests() {
		t.Run(tt.name, func(t *testing.T) {
			name, err := Inspect(RepliconsTable, strings.NewReader(tt.upload), tt.c)
			switch {
			case tt.says != "":
				if !job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.says) || !strings.HasPrefix(err.Error(), "The replicon table ") {
					t.Errorf("%v; want %q", err, tt.says)
				}
			case len(tt.rows) == 0:
				if !errors.Is(err, ErrBlank) {
					t.Errorf("%v", err)
				}
			case err != nil || name != "replicons.tsv":
				t.Errorf("%s, %v", name, err)
			default:
				var prepared bytes.Buffer
				if err := Prepare(RepliconsTable, &prepared, strings.NewReader(tt.upload)); err != nil {
					t.Fatal(err)
				}
				want := strings.Builder{}
				want.WriteString(repliconsBegin)
				for _, r := range tt.rows {
					for i := range r {
						r[i] = strings.ReplaceAll(r[i], `"`, `""`)
					}
					fmt.Fprintf(&want, "\"%s\"\t\"%s\"\t\"%s\"\t\"%s\"\t\"%s\"\n", r[0], r[1], r[2], r[3], r[4])
				}
				if diff := cmp.Diff(want.String(), prepared.String()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
	if _, err := Inspect(RepliconsTable, strings.NewReader(strings.Repeat("a\tx\tc\tc\tn\n", maxReplicon/10+1)), option.Config{}); !job.Is(
		err,
		job.Invalid,
	) {
		t.Errorf("a table that is too large: %v", err)
	}
}

func TestPrepareCopies(t *testing.T) {
	for _, kind := range []string{GenomeFASTA, ProdigalTrainingFile} {
		var to bytes.Buffer
		if err := Prepare(kind, &to, strings.NewReader(small)); err != nil || to.String() != small {
			t.Errorf("%s: %q, %v", kind, to.String(), err)
		}
	}
	if err := Prepare(RepliconsTable, &bytes.Buffer{}, strings.NewReader("a\tb\n")); !job.Is(err, job.Invalid) {
		t.Errorf("a table that can't be prepared: %v", err)
	}
}

// TestRepliconsAgree has the real Bakta read the tables that are accepted, as they are prepared, and many
// more that are made to confuse it.
func TestRepliconsAgree(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	dir := makeDirs(t)
	tests := tableTests()
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{
		"a",
		"b1",
		",",
		",,",
		";",
		" ",
		", ",
		" ,",
		"|",
		"(",
		")",
		"x",
		"é",
		"-",
		".",
		":",
		"[y]",
		"=",
		"#",
		"c",
		"p",
		"chromosome",
		"'",
		"\"",
		strings.Repeat("z", 90),
	}
	for i := range 400 {
		var rows strings.Builder
		for n := range 1 + random.IntN(30) {
			fmt.Fprintf(&rows, "s%d", n)
			for column := range 4 {
				var field strings.Builder
				if column == 0 && i%2 == 0 {
					fmt.Fprintf(&field, "n%d", n) // else nearly every table gives a new id twice
				}
				for range random.IntN(4) {
					field.WriteString(pieces[random.IntN(len(pieces))])
				}
				rows.WriteString("\t" + strings.TrimSpace(field.String()))
			}
			rows.WriteByte('\n')
		}
		tests = append(
			tests,
			tableTest{name: fmt.Sprintf("random %d", i), upload: rows.String(), c: option.Config{KeepContigHeaders: i%2 == 1}},
		)
	}
	type expected struct {
		name      string
		sequences [][4]string
	}
	var commands [][]string
	var want []expected
	for i, tt := range tests {
		rows, err := parseReplicons([]byte(tt.upload))
		if err != nil {
			continue
		}
		e := expected{name: tt.name}
		var genome, prepared bytes.Buffer
		if err := Prepare(RepliconsTable, &prepared, strings.NewReader(tt.upload)); err != nil {
			t.Fatal(err)
		}
		last := make(map[string]replicon)
		for _, r := range rows {
			last[r.fields[originalID]] = r
		}
		unnamed := 1
		for _, r := range rows {
			if last[r.fields[originalID]] != r {
				continue
			}
			fmt.Fprintf(&genome, ">%s\n%s\n", r.fields[originalID], strings.Repeat("ACGT", 50))
			e.sequences = append(e.sequences, readByBakta(r, tt.c, len(e.sequences)+1, &unnamed))
		}
		genomeName, tableName := fmt.Sprintf("%d.fna", i), fmt.Sprintf("%d.tsv", i)
		table := putFile(t, dir, tableName, prepared.Bytes())
		command := commandLine(tt.c, dir, putFile(t, dir, genomeName, genome.Bytes()), "--replicons="+table)
		commands, want = append(commands, command), append(want, e)
	}
	if len(commands) < 100 {
		t.Errorf("only %d tables were accepted", len(commands))
	}
	for i, v := range realbakta.Judge(t, prefix, commands) {
		if diff := cmp.Diff(want[i].sequences, v.Sequences); v.Error != "" || diff != "" {
			t.Errorf("%s: %s\n%s", want[i].name, v.Error, diff)
		}
	}
}

// readByBakta returns id, type, topology and name of a sequence as Bakta is meant to have them.
func readByBakta(r replicon, c option.Config, number int, unnamed *int) [4]string {
	s := [4]string{r.fields[newID], "contig", "linear", r.fields[repliconName]}
	if c.KeepContigHeaders {
		s[0] = r.fields[originalID]
	} else if s[0] == "" || s[0] == "-" {
		s[0] = fmt.Sprintf("contig_%d", number)
	}
	if kind := strings.ToLower(r.fields[repliconType]); kind == "c" || strings.Contains(kind, "chrom") {
		s[1] = "chromosome"
	} else if kind == "p" || strings.Contains(kind, "plasmid") {
		s[1] = "plasmid"
	}
	if shape := strings.ToLower(r.fields[topology]); shape == "c" || strings.Contains(shape, "circ") {
		s[2] = "circular"
	}
	if s[3] == "-" {
		s[3] = ""
	}
	if s[3] == "" && s[1] == "plasmid" && !c.KeepContigHeaders {
		s[3] = fmt.Sprintf("unnamed%d", *unnamed)
		*unnamed++
	}
	return s
}

func FuzzReplicons(f *testing.F) {
	for _, tt := range tableTests() {
		f.Add([]byte(tt.upload))
	}
	f.Fuzz(func(t *testing.T, upload []byte) {
		rows, err := parseReplicons(upload)
		if err != nil {
			if !errors.Is(err, ErrBlank) && !job.Is(err, job.Invalid) {
				t.Fatal(err)
			}
			return
		}
		// A table that is written is read again with the same fields.
		var again [][repliconFields]string
		_ = pycsv.Dialect{Separator: '\t', Quote: '"', Doubled: true}.Read(formatReplicons(rows), func(r pycsv.Row) error {
			again = append(again, [repliconFields]string(r.Fields))
			return nil
		})
		if len(again) != len(rows)+1 {
			t.Fatalf("%d rows, then %d", len(rows), len(again))
		}
		for i := range rows {
			if again[i+1] != rows[i].fields {
				t.Errorf("%q became %q", rows[i].fields, again[i+1])
			}
		}
	})
}
