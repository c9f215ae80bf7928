package option

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

func TestNormalise(t *testing.T) {
	use := map[string]bool{"replicons_table": true}
	got := Config{
		Use:              use,
		Genus:            " Escherichia\n",
		Species:          "\u00a0",
		Strain:           "K 12",
		Plasmid:          "\tp1 ",
		Locus:            " l",
		LocusTag:         "t ",
		DermType:         " diderm",
		TranslationTable: 11,
	}.Normalise()
	want := Config{
		Use:              map[string]bool{"replicons_table": true},
		Genus:            "Escherichia",
		Strain:           "K 12",
		Plasmid:          "p1",
		Locus:            "l",
		LocusTag:         "t",
		DermType:         "diderm",
		TranslationTable: 11,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	use["genome_fasta"] = true
	if len(got.Use) != 1 {
		t.Error("the caller's map is shared")
	}
}

func TestNormaliseSteps(t *testing.T) {
	for _, tt := range []struct{ given, want []string }{
		{nil, nil},
		{[]string{}, nil},
		{[]string{"plot", "trna", "cds", "trna"}, []string{"trna", "cds", "plot"}},
		{[]string{"x", "plot", "a", "x"}, []string{"plot", "a", "x"}},
	} {
		if diff := cmp.Diff(tt.want, Config{Skip: tt.given}.Normalise().Skip); diff != "" {
			t.Errorf("%q:\n%s", tt.given, diff)
		}
	}
}

func TestEncodeConfig(t *testing.T) {
	full := Config{
		Use: map[string]bool{"replicons_table": true, "prodigal_training_file": false}, TranslationTable: 4, CompleteGenome: true,
		KeepContigHeaders: true, MinContigLength: 1 << 40, DermType: Diderm, Genus: "<Ü>", Species: "s", Strain: "\"", Plasmid: "p1",
		Locus: "l", LocusTag: "t", LocusTagIncrement: 5, Compliant: true, Meta: true, Skip: []string{"trna", "ncrna_region"},
	}
	for _, tt := range []struct {
		name string
		c    Config
		json string
	}{
		{"nothing given", Config{}, `{}`},
		{"no uploads named", Config{Use: map[string]bool{}}, `{}`},
		{"everything", full, `{"use":{"prodigal_training_file":false,"replicons_table":true},"translation_table":4,"complete_genome":true,` +
			`"keep_contig_headers":true,"min_contig_length":1099511627776,"derm_type":"diderm","genus":"\u003cÜ\u003e","species":"s","strain":` +
			`"\"",` +
			`"plasmid":"p1","locus":"l","locus_tag":"t","locus_tag_increment":5,"compliant":true,"meta":true,"skip":["trna","ncrna_region"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, err := Encode(tt.c)
			if err != nil || string(b) != tt.json {
				t.Fatalf("%s, %v; want %s", b, err, tt.json)
			}
			back, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.c.Normalise(), back); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeConfig(t *testing.T) {
	c, err := Decode([]byte(`{"genus":"G","of_a_newer_version":{"x":[1]}}`))
	if err != nil || c.Genus != "G" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"", "[]", `{"genus":1}`, `{"genus":"x"`} {
		if _, err := Decode([]byte(bad)); err == nil {
			t.Errorf("%q was decoded", bad)
		}
	}
}

func FuzzDecodeConfig(f *testing.F) {
	for _, s := range []string{`{}`, `{"use":{"a":true,"b":false},"genus":" x "}`, `{"min_contig_length":-1,"derm_type":"\u0000"}`, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		c = c.Normalise()
		first, err := Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatal(err)
		}
		second, _ := Encode(again.Normalise())
		if !bytes.Equal(first, second) {
			t.Errorf("%s became %s", first, second)
		}
		if err := c.Check().Err(); err != nil && (!job.Is(err, job.Invalid) || !json.Valid(first)) {
			t.Errorf("validating %s: %v", first, err)
		}
	})
}
