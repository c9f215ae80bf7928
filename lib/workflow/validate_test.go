package workflow

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("ü", 200)
	for _, tt := range []struct {
		name  string
		c     Config
		field string // that is refused; empty for none
		says  string
	}{
		{"nothing", Config{}, "", ""},
		{"table 4", Config{TranslationTable: 4}, "", ""},
		{"table 11", Config{TranslationTable: 11}, "", ""},
		{"table 25", Config{TranslationTable: 25}, "", ""},
		{"table 1", Config{TranslationTable: 1}, "translation_table", "choose 4, 11 or 25"},
		{"table -11", Config{TranslationTable: -11}, "translation_table", "-11"},
		{"length 1", Config{MinContigLength: 1}, "", ""},
		{"length large", Config{MinContigLength: 1 << 62}, "", ""},
		{"length -1", Config{MinContigLength: -1}, "min_contig_length", "1 or more"},
		{"monoderm", Config{DermType: Monoderm}, "", ""},
		{"diderm", Config{DermType: Diderm}, "", ""},
		{"unknown", Config{DermType: DermUnknown}, "", ""},
		{"derm +", Config{DermType: "+"}, "derm_type", "choose unknown, monoderm or diderm"},
		{"genus", Config{Genus: "Candidatus Ünïcode"}, "", ""},
		{"genus of 200", Config{Genus: long}, "", ""},
		{"genus of 201", Config{Genus: long + "x"}, "genus", "at most 200"},
		{"genus with NUL", Config{Genus: "a\x00b"}, "genus", "control character"},
		{"species with line break", Config{Species: "a\nb"}, "species", "control character"},
		{"species with line separator", Config{Species: "a\u2028b"}, "species", "control character"},
		{"strain with tab", Config{Strain: "a\tb"}, "strain", "control character"},
		{"strain with dash", Config{Strain: "--strain=-x; rm -rf / \"'$(x)"}, "", ""},
		{"strain of no text", Config{Strain: "a\xff"}, "strain", "UTF-8"},
		{"plasmid p1", Config{Plasmid: "p1"}, "", ""},
		{"plasmid of 20", Config{Plasmid: "p" + strings.Repeat("A", 19)}, "", ""},
		{"plasmid of 21", Config{Plasmid: "p" + strings.Repeat("A", 20)}, "plasmid", "1 to 19"},
		{"plasmid p", Config{Plasmid: "p"}, "plasmid", "1 to 19"},
		{"plasmid P1", Config{Plasmid: "P1"}, "plasmid", "1 to 19"},
		{"plasmid p-1", Config{Plasmid: "p-1"}, "plasmid", "1 to 19"},
		{"plasmid unnamed", Config{Plasmid: "unnamed"}, "", ""},
		{"plasmid unnamed123", Config{Plasmid: "unnamed123"}, "", ""},
		{"plasmid unnamed1234", Config{Plasmid: "unnamed1234"}, "plasmid", "three digits"},
		{"plasmid pMyPlasmid", Config{Plasmid: "pMyPlasmid"}, "plasmid", "leave the word out"},
		{"plasmid with line break", Config{Plasmid: "p1\n"}, "plasmid", "1 to 19"},
		{"locus", Config{Locus: "aZ9_.:*#-"}, "", ""},
		{"locus of 20", Config{Locus: strings.Repeat("a", 20)}, "", ""},
		{"locus of 21", Config{Locus: strings.Repeat("a", 21)}, "locus", "1 to 20"},
		{"locus with space", Config{Locus: "a b"}, "locus", "1 to 20"},
		{"locus with digit of another script", Config{Locus: "a\u0663"}, "locus", "1 to 20"},
		{"tag", Config{LocusTag: "aZ9_.-"}, "", ""},
		{"tag of 24", Config{LocusTag: strings.Repeat("a", 24)}, "", ""},
		{"tag of 25", Config{LocusTag: strings.Repeat("a", 25)}, "locus_tag", "1 to 24"},
		{"tag with colon", Config{LocusTag: "a:b"}, "locus_tag", "1 to 24"},
		{"tag beginning with dash", Config{LocusTag: "-x"}, "", ""},
		{"compliant tag", Config{LocusTag: "ABC123", Compliant: true}, "", ""},
		{"compliant tag of 3", Config{LocusTag: "A12", Compliant: true}, "", ""},
		{"compliant tag of 2", Config{LocusTag: "A1", Compliant: true}, "locus_tag", "3 to 12"},
		{"compliant tag of 12", Config{LocusTag: "A12345678901", Compliant: true}, "", ""},
		{"compliant tag of 13", Config{LocusTag: "A123456789012", Compliant: true}, "locus_tag", "3 to 12"},
		{"compliant tag in lower case", Config{LocusTag: "abc", Compliant: true}, "locus_tag", "upper-case"},
		{"compliant tag begins with digit", Config{LocusTag: "1AB", Compliant: true}, "locus_tag", "beginning with a letter"},
		{"promised table", Config{Use: map[string]bool{RepliconsTable: true}}, "", ""},
		{"promised other", Config{Use: map[string]bool{ProteinFASTA: true}}, "protein_fasta", "takes no such file"},
		{"declined other", Config{Use: map[string]bool{ProteinFASTA: false}}, "", ""},
		{"increment 1", Config{LocusTagIncrement: 1}, "", ""},
		{"increment 5", Config{LocusTagIncrement: 5}, "", ""},
		{"increment 10", Config{LocusTagIncrement: 10}, "", ""},
		{"increment 2", Config{LocusTagIncrement: 2}, "locus_tag_increment", "choose 1, 5 or 10"},
		{"increment -1", Config{LocusTagIncrement: -1}, "locus_tag_increment", "-1"},
		{"all steps", Config{Skip: Steps()}, "", ""},
		{"no such step", Config{Skip: []string{"cds", "CDS"}}, "skip", "\"CDS\" is no step"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := Lookup(Bakta)
			err := w.Validate(tt.c)
			if tt.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var v Violations
			if !job.Is(err, job.Invalid) || !errors.As(err, &v) || len(v) != 1 || v[0].Field != tt.field || !strings.Contains(v[0].Problem, tt.says) {
				t.Errorf("%v, %+v", err, v)
			}
		})
	}
}

// TestValidateAgrees asks the real Bakta about every value that a rule is about.
func TestValidateAgrees(t *testing.T) {
	prefix := realBakta(t)
	if prefix == "" {
		return
	}
	l := newLayout(t)
	l.put(t, "genome.fna", []byte(">a\n"+strings.Repeat("ACGT", 100)+"\n"))
	w, _ := Lookup(Bakta)
	var configs []Config
	for _, s := range []string{
		"", "p1", "P1", "p", "p-1", "p.a_B9", "p" + strings.Repeat("x", 19), "p" + strings.Repeat("x", 20), "unnamed", "unnamed1", "unnamed999",
		"unnamed1000", "unnamedx", "pPLASMID", "ABC", "abc", "AB", "A23456789012", "A234567890123", "1BC", "a:b", "a*b", "a#b", "a.b", "a-b", "-a", "--a",
		"a b", "ä", "a/b", strings.Repeat("a", 20), strings.Repeat("a", 21), strings.Repeat("a", 24), strings.Repeat("a", 25),
	} {
		configs = append(configs, Config{Plasmid: s}, Config{Locus: s}, Config{LocusTag: s}, Config{LocusTag: s, Compliant: true}, Config{Genus: s}, Config{Strain: s})
	}
	for _, n := range []int{-1, 0, 1, 2, 4, 5, 6, 10, 11, 12, 25, 26} {
		configs = append(configs, Config{TranslationTable: n}, Config{LocusTagIncrement: n})
	}
	for _, step := range append(Steps(), "x") {
		configs = append(configs, Config{Skip: []string{step}})
	}
	var commands [][]string
	for _, c := range configs {
		stage := w.Stages[0]
		command, err := stage.Command(c, []job.Input{{Kind: GenomeFASTA, Name: "genome.fna"}}, l, Environment{Command: []string{"bakta"}, Database: string(l), Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, command.Argv[1:])
	}
	for i, v := range judge(t, prefix, commands) {
		if err := w.Validate(configs[i]); (err == nil) != (v.Error == "") {
			t.Errorf("%+v: we say %v, Bakta says %q", configs[i], err, v.Error)
		}
	}
}

func TestValidateTellsAll(t *testing.T) {
	w, _ := Lookup(Bakta)
	err := w.Validate(Config{TranslationTable: 1, MinContigLength: -1, DermType: "x", Genus: "\x01", Species: "\x02", Strain: "\x03", Plasmid: "x", Locus: " ", LocusTag: " ", LocusTagIncrement: 3, Skip: []string{""}, Use: map[string]bool{"b": true, "a": true}})
	var v Violations
	if !errors.As(err, &v) {
		t.Fatal(err)
	}
	var fields []string
	for _, x := range v {
		fields = append(fields, x.Field)
	}
	want := []string{"a", "b", "translation_table", "min_contig_length", "derm_type", "genus", "species", "strain", "plasmid", "locus", "locus_tag", "locus_tag_increment", "skip"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
	var e *job.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	for _, f := range want {
		if !strings.Contains(e.Message, f+": ") {
			t.Errorf("%s is not named in %q", f, e.Message)
		}
	}
}

func TestRespell(t *testing.T) {
	w, _ := Lookup(Bakta)
	err := Respell(w.Validate(Config{TranslationTable: 1, Genus: "\x00"}), map[string]string{"translation_table": "translationTable"})
	var e *job.Error
	if !errors.As(err, &e) || e.Code != job.Invalid || !strings.HasPrefix(e.Message, "translationTable: 1 is") || !strings.Contains(e.Message, "; genus: ") {
		t.Errorf("%v", err)
	}
	other := job.Errorf(job.NotFound, "x")
	if Respell(other, nil) != error(other) || Respell(nil, nil) != nil {
		t.Error("another error was changed")
	}
}
