package main

import (
	"fmt"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// optionVariants are the options, at the bounds of their values and beyond.
func optionVariants(s sample) []variant {
	fasta := s.fasta("a")
	two := fasta + s.fasta("b")
	type config = option.Config
	var variants []variant
	add := func(name string, c config, e effort, fasta string) {
		variants = append(variants, genome("options/"+name, c, e, fasta))
	}
	for _, n := range []int{-1, 1, 2, 4, 11, 12, 25, 26, 111} {
		add(fmt.Sprintf("translation-table-%d", n), config{TranslationTable: n}, genes, fasta)
	}
	for _, n := range []int64{1, 2, int64(len(s.dna)) - 1, int64(len(s.dna)), int64(len(s.dna)) + 1, 1 << 31, 1 << 40, 1<<63 - 1} {
		add(fmt.Sprintf("min-contig-length-%d", n), config{MinContigLength: n}, quick, fasta)
	}
	for _, derm := range []string{"unknown", "monoderm", "diderm"} {
		add("derm-type-"+derm, config{DermType: derm}, quick, fasta)
	}
	for _, n := range []int{-1, 1, 2, 5, 10, 11} {
		add(fmt.Sprintf("locus-tag-increment-%d", n), config{LocusTagIncrement: n}, genes, fasta)
	}
	texts := []struct{ name, text string }{
		{
			"one-letter",
			"x",
		},
		{"dash", "-"},
		{"dashes", "--help"},
		{"dollar", "$(id)"},
		{"quotes", `a"b'c`},
		{"semicolon", "a;b"},
		{"equals", "a=b"},
		{"slash", "a/b"},
		{"backslash", `a\b`},
		{"brackets", "[a]"},
		{"angles", "<a>"},
		{"percent", "50%"},
		{"hash", "#1"},
		{"pipe", "a|b"},
		{"umlaut", "ä"},
		{"japanese", "日本"},
		{"emoji", "🧬"},
		{"no-break-space", "a\u00a0b"},
		{"two-spaces", "a  b"},
		{"dot", "sp."},
		{
			"100",
			strings.Repeat("x", 100),
		},
		{"199", strings.Repeat("y", 199)},
		{"200", strings.Repeat("x", 200)},
		{"201", strings.Repeat("x", 201)},
		{
			"500",
			strings.Repeat("x", 500),
		},
		{"line-break", "a\nb"},
		{"tab", "a\tb"},
		{"escape", "a\x1bb"},
		{"nul", "a\x00b"},
		{"not-utf8", "a\xffb"},
		{"line-separator", "a\u2028b"},
		{"next-line", "a\u0085b"},
	}
	for _, t := range texts {
		if t.name == "nul" {
			continue // no program can be given this
		}
		add("genus-"+t.name, config{Genus: t.text}, quick, fasta)
		add("species-"+t.name, config{Species: t.text, Genus: "Exemplum"}, quick, fasta)
		add("strain-"+t.name, config{Strain: t.text}, quick, fasta)
	}
	add("organism", config{Genus: "exemplum", Species: "Magnum", Strain: "1"}, whole, fasta)
	for _, p := range []struct{ name, text string }{
		{"p", "p"}, {"p1", "p1"}, {"px", "pX"}, {"capital", "P1"}, {"p-19-more", "p" + strings.Repeat("x", 19)},
		{"p-20-more", "p" + strings.Repeat("x", 20)},
		{"dot", "p1.2"}, {"underscore", "p1_2"}, {"dash", "p1-2"}, {"space", "p1 2"}, {"slash", "p1/2"}, {"umlaut", "pä"},
		{"arabic-digit", "p٣"},
		{"unnamed", "unnamed"}, {"unnamed1", "unnamed1"}, {"unnamed123", "unnamed123"}, {"unnamed1234", "unnamed1234"},
		{"unnamed-arabic-digit", "unnamed٣"},
		{"unnamed-letter", "unnameda"}, {"word", "plasmid"}, {"word-1", "plasmid1"}, {"word-within", "pMyPlasmid"}, {"other", "X1"},
		{"dash-first", "-p1"},
	} {
		add("plasmid-"+p.name, config{Plasmid: p.text}, quick, fasta)
	}
	add("plasmid-two-sequences", config{Plasmid: "p1"}, genes, two)
	for _, c := range characters {
		add("locus-with-"+c.name, config{Locus: "A" + c.text + "B"}, quick, fasta)
		add("locus-tag-with-"+c.name, config{LocusTag: "A" + c.text + "B"}, genes, fasta)
	}
	for _, c := range []string{"_", ".", ":", "*", "#", "-"} {
		add("locus-first-"+fmt.Sprintf("%02x", c), config{Locus: c + "A"}, quick, fasta)
		add("locus-alone-"+fmt.Sprintf("%02x", c), config{Locus: c}, quick, fasta)
		add("locus-tag-first-"+fmt.Sprintf("%02x", c), config{LocusTag: c + "A"}, genes, fasta)
		add("locus-compliant-"+fmt.Sprintf("%02x", c), config{Locus: "A" + c, Compliant: true}, quick, fasta)
	}
	for _, n := range []int{1, 2, 3, 12, 13, 19, 20, 21, 23, 24, 25} {
		text := strings.Repeat("A", n)
		add(fmt.Sprintf("locus-of-%d", n), config{Locus: text}, quick, fasta)
		add(fmt.Sprintf("locus-compliant-of-%d", n), config{Locus: text, Compliant: true}, quick, fasta)
		add(fmt.Sprintf("locus-kept-of-%d", n), config{Locus: text, KeepContigHeaders: true}, quick, fasta)
		add(fmt.Sprintf("locus-tag-of-%d", n), config{LocusTag: text}, genes, fasta)
		add(fmt.Sprintf("locus-tag-compliant-of-%d", n), config{LocusTag: text, Compliant: true}, genes, fasta)
	}
	add("locus-compliant-long-number", config{Locus: strings.Repeat("A", 20), Compliant: true}, quick, manyLong(s, 12))
	for _, t := range []struct{ name, text string }{
		{"lower", "abc"}, {"mixed", "AbC"}, {"digit-first", "1ABC"}, {"digits", "A12"}, {"underscore", "AB_C"}, {"dash", "AB-C"},
		{"dot", "AB.C"}, {"umlaut", "ÄBC"},
	} {
		add("locus-tag-compliant-"+t.name, config{LocusTag: t.text, Compliant: true}, genes, fasta)
		add("locus-tag-"+t.name, config{LocusTag: t.text}, genes, fasta)
		add("locus-"+t.name, config{Locus: t.text}, quick, fasta)
	}
	for _, step := range option.Steps() {
		add("skip-"+step, config{Skip: []string{step}}, whole, fasta)
	}
	add("skip-all", config{Skip: option.Steps()}, whole, fasta)
	add("skip-unknown", config{Skip: []string{"everything"}}, genes, fasta)
	for _, r := range []struct {
		name string
		c    config
	}{
		{"nothing", config{}}, {"meta", config{Meta: true}}, {"complete", config{CompleteGenome: true}}, {"compliant", config{Compliant: true}},
		{"kept", config{KeepContigHeaders: true}}, {"kept-compliant", config{KeepContigHeaders: true, Compliant: true}},
		{"complete-compliant", config{CompleteGenome: true, Compliant: true}}, {"complete-plasmid", config{CompleteGenome: true, Plasmid: "p1"}},
		{"compliant-min-length", config{Compliant: true, MinContigLength: 5000}},
		{"everything", config{TranslationTable: 11, CompleteGenome: true, KeepContigHeaders: true, MinContigLength: 100, DermType: "diderm",
			Genus:   "Exemplum",
			Species: "magnum", Strain: "S-1", Plasmid: "p1", Locus: "L", LocusTag: "TAG", LocusTagIncrement: 5, Compliant: true, Meta: true}},
	} {
		add("all-of-"+r.name, r.c, whole, fasta)
		add("all-of-"+r.name+"-two-sequences", r.c, genes, two)
	}
	return variants
}

// manyLong returns a genome of whole samples.
func manyLong(s sample, n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(s.fasta(fmt.Sprintf("s%d", i)))
	}
	return b.String()
}
