package workflow

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

func TestValidate(t *testing.T) {
	long := strings.Repeat("ü", 200)
	for _, tt := range []struct {
		name  string
		c     option.Config
		field string // that is refused; empty for none
		says  string
	}{
		{"nothing", option.Config{}, "", ""},
		{"table 4", option.Config{TranslationTable: 4}, "", ""},
		{"table 11", option.Config{TranslationTable: 11}, "", ""},
		{"table 25", option.Config{TranslationTable: 25}, "", ""},
		{"table 1", option.Config{TranslationTable: 1}, "translation_table", "choose 4, 11 or 25"},
		{"table -11", option.Config{TranslationTable: -11}, "translation_table", "-11"},
		{"length 1", option.Config{MinContigLength: 1}, "", ""},
		{"length large", option.Config{MinContigLength: 1 << 62}, "", ""},
		{"length -1", option.Config{MinContigLength: -1}, "min_contig_length", "1 or more"},
		{"monoderm", option.Config{DermType: option.Monoderm}, "", ""},
		{"diderm", option.Config{DermType: option.Diderm}, "", ""},
		{"unknown", option.Config{DermType: option.DermUnknown}, "", ""},
		{"derm +", option.Config{DermType: "+"}, "derm_type", "choose unknown, monoderm or diderm"},
		{"genus", option.Config{Genus: "Candidatus Ünïcode"}, "", ""},
		{"genus of 200", option.Config{Genus: long}, "", ""},
		{"genus of 201", option.Config{Genus: long + "x"}, "genus", "at most 200"},
		{"genus with NUL", option.Config{Genus: "a\x00b"}, "genus", "control character"},
		{"species with line break", option.Config{Species: "a\nb"}, "species", "control character"},
		{"species with line separator", option.Config{Species: "a\u2028b"}, "species", "control character"},
		{"strain with tab", option.Config{Strain: "a\tb"}, "strain", "control character"},
		{"strain with dash", option.Config{Strain: "--strain=-x; rm -rf / \"'$(x)"}, "", ""},
		{"strain of no text", option.Config{Strain: "a\xff"}, "strain", "UTF-8"},
		{"plasmid p1", option.Config{Plasmid: "p1"}, "", ""},
		{"plasmid of 20", option.Config{Plasmid: "p" + strings.Repeat("A", 19)}, "", ""},
		{"plasmid of 21", option.Config{Plasmid: "p" + strings.Repeat("A", 20)}, "plasmid", "1 to 19"},
		{"plasmid p", option.Config{Plasmid: "p"}, "plasmid", "1 to 19"},
		{"plasmid P1", option.Config{Plasmid: "P1"}, "plasmid", "1 to 19"},
		{"plasmid p-1", option.Config{Plasmid: "p-1"}, "plasmid", "1 to 19"},
		{"plasmid unnamed", option.Config{Plasmid: "unnamed"}, "", ""},
		{"plasmid unnamed123", option.Config{Plasmid: "unnamed123"}, "", ""},
		{"plasmid unnamed1234", option.Config{Plasmid: "unnamed1234"}, "plasmid", "three digits"},
		{"plasmid pMyPlasmid", option.Config{Plasmid: "pMyPlasmid"}, "plasmid", "leave the word out"},
		{"plasmid with line break", option.Config{Plasmid: "p1\n"}, "plasmid", "1 to 19"},
		{"locus", option.Config{Locus: "aZ9_.:*#-"}, "", ""},
		{"locus of 20", option.Config{Locus: strings.Repeat("a", 20)}, "", ""},
		{"locus of 21", option.Config{Locus: strings.Repeat("a", 21)}, "locus", "1 to 20"},
		{"locus with space", option.Config{Locus: "a b"}, "locus", "1 to 20"},
		{"locus with digit of another script", option.Config{Locus: "a\u0663"}, "locus", "1 to 20"},
		{"tag", option.Config{LocusTag: "aZ9_.-"}, "", ""},
		{"tag of 24", option.Config{LocusTag: strings.Repeat("a", 24)}, "", ""},
		{"tag of 25", option.Config{LocusTag: strings.Repeat("a", 25)}, "locus_tag", "1 to 24"},
		{"tag with colon", option.Config{LocusTag: "a:b"}, "locus_tag", "1 to 24"},
		{"tag beginning with dash", option.Config{LocusTag: "-x"}, "", ""},
		{"compliant tag", option.Config{LocusTag: "ABC123", Compliant: true}, "", ""},
		{"compliant tag of 3", option.Config{LocusTag: "A12", Compliant: true}, "", ""},
		{"compliant tag of 2", option.Config{LocusTag: "A1", Compliant: true}, "locus_tag", "3 to 12"},
		{"compliant tag of 12", option.Config{LocusTag: "A12345678901", Compliant: true}, "", ""},
		{"compliant tag of 13", option.Config{LocusTag: "A123456789012", Compliant: true}, "locus_tag", "3 to 12"},
		{"compliant tag in lower case", option.Config{LocusTag: "abc", Compliant: true}, "locus_tag", "upper-case"},
		{"compliant tag begins with digit", option.Config{LocusTag: "1AB", Compliant: true}, "locus_tag", "beginning with a letter"},
		{"promised table", option.Config{Use: map[string]bool{upload.RepliconsTable: true}}, "", ""},
		{"promised other", option.Config{Use: map[string]bool{upload.ProteinFASTA: true}}, "protein_fasta", "does not accept this file"},
		{"declined other", option.Config{Use: map[string]bool{upload.ProteinFASTA: false}}, "", ""},
		{"increment 1", option.Config{LocusTagIncrement: 1}, "", ""},
		{"increment 5", option.Config{LocusTagIncrement: 5}, "", ""},
		{"increment 10", option.Config{LocusTagIncrement: 10}, "", ""},
		{"increment 2", option.Config{LocusTagIncrement: 2}, "locus_tag_increment", "choose 1, 5 or 10"},
		{"increment -1", option.Config{LocusTagIncrement: -1}, "locus_tag_increment", "-1"},
		{"all steps", option.Config{Skip: option.Steps()}, "", ""},
		{"no such step", option.Config{Skip: []string{"cds", "CDS"}}, "skip", "\"CDS\" is not a step"},
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
			var v option.Violations
			if !job.Is(err, job.Invalid) || !errors.As(err, &v) || len(v) != 1 || v[0].Field != tt.field ||
				!strings.Contains(v[0].Problem, tt.says) {
				t.Errorf("%v, %+v", err, v)
			}
		})
	}
}

// TestValidateAgrees asks the real Bakta about every value that a rule is about.
func TestValidateAgrees(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	l := newLayout(t)
	l.put(t, "genome.fna", []byte(">a\n"+strings.Repeat("ACGT", 100)+"\n"))
	w, _ := Lookup(Bakta)
	var configs []option.Config
	for _, s := range []string{
		"", "p1", "P1", "p", "p-1", "p.a_B9", "p" + strings.Repeat("x", 19), "p" + strings.Repeat("x", 20), "unnamed", "unnamed1", "unnamed999",
		"unnamed1000", "unnamedx", "pPLASMID", "ABC", "abc", "AB", "A23456789012", "A234567890123", "1BC", "a:b", "a*b", "a#b", "a.b", "a-b",
		"-a", "--a",
		"a b", "ä", "a/b", strings.Repeat("a", 20), strings.Repeat("a", 21), strings.Repeat("a", 24), strings.Repeat("a", 25),
	} {
		configs = append(
			configs,
			option.Config{Plasmid: s},
			option.Config{Locus: s},
			option.Config{LocusTag: s},
			option.Config{LocusTag: s, Compliant: true},
			option.Config{Genus: s},
			option.Config{Strain: s},
		)
	}
	for _, n := range []int{-1, 0, 1, 2, 4, 5, 6, 10, 11, 12, 25, 26} {
		configs = append(configs, option.Config{TranslationTable: n}, option.Config{LocusTagIncrement: n})
	}
	for _, step := range append(option.Steps(), "x") {
		configs = append(configs, option.Config{Skip: []string{step}})
	}
	var commands [][]string
	for _, c := range configs {
		stage := w.Stages[0]
		command, err := stage.Command(
			c,
			[]job.Input{{Kind: upload.GenomeFASTA, Name: "genome.fna"}},
			l,
			program.Environment{Command: []string{"bakta"}, Database: string(l), Threads: 1},
		)
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, command.Argv[1:])
	}
	for i, v := range realbakta.Judge(t, prefix, commands) {
		if err := w.Validate(configs[i]); (err == nil) != (v.Error == "") {
			t.Errorf("%+v: we say %v, Bakta says %q", configs[i], err, v.Error)
		}
	}
}

func TestValidateTellsAll(t *testing.T) {
	w, _ := Lookup(Bakta)
	err := w.Validate(
		option.Config{
			TranslationTable:  1,
			MinContigLength:   -1,
			DermType:          "x",
			Genus:             "\x01",
			Species:           "\x02",
			Strain:            "\x03",
			Plasmid:           "x",
			Locus:             " ",
			LocusTag:          " ",
			LocusTagIncrement: 3,
			Skip:              []string{""},
			Use:               map[string]bool{"b": true, "a": true},
		},
	)
	var v option.Violations
	if !errors.As(err, &v) {
		t.Fatal(err)
	}
	var fields []string
	for _, x := range v {
		fields = append(fields, x.Field)
	}
	want := []string{
		"a",
		"b",
		"translation_table",
		"min_contig_length",
		"derm_type",
		"genus",
		"species",
		"strain",
		"plasmid",
		"locus",
		"locus_tag",
		"locus_tag_increment",
		"skip",
	}
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
	err := option.Respell(
		w.Validate(option.Config{TranslationTable: 1, Genus: "\x00"}),
		map[string]string{"translation_table": "translationTable"},
	)
	var e *job.Error
	if !errors.As(err, &e) || e.Code != job.Invalid || !strings.HasPrefix(e.Message, "translationTable: 1 is") ||
		!strings.Contains(e.Message, "; genus: ") {
		t.Errorf("%v", err)
	}
	other := job.Errorf(job.NotFound, "x")
	if !errors.Is(option.Respell(other, nil), other) || option.Respell(nil, nil) != nil {
		t.Error("another error was changed")
	}
}
