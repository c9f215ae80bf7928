package main

import (
	"fmt"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// characters are those that names of sequences can have in addition to letters and digits, by the names of their variants.
var characters = []struct{ name, text string }{
	{"exclamation", "!"}, {"double-quote", `"`}, {"hash", "#"}, {"dollar", "$"}, {"percent", "%"}, {"ampersand", "&"}, {"apostrophe", "'"},
	{"parenthesis-open", "("}, {"parenthesis-close", ")"}, {"asterisk", "*"}, {"plus", "+"}, {"comma", ","}, {"dash", "-"}, {"dot", "."},
	{"slash", "/"}, {"colon", ":"}, {"semicolon", ";"}, {"less", "<"}, {"equals", "="}, {"greater", ">"}, {"question", "?"}, {"at", "@"},
	{"bracket-open", "["}, {"backslash", `\`}, {"bracket-close", "]"}, {"caret", "^"}, {"underscore", "_"}, {"backquote", "`"},
	{"brace-open", "{"}, {"bar", "|"}, {"brace-close", "}"}, {"tilde", "~"},
}

// rareCharacters are not printable, or not ASCII.
var rareCharacters = []struct{ name, text string }{
	{"start-of-heading", "\x01"},
	{"bell", "\a"},
	{"escape", "\x1b"},
	{"delete", "\x7f"},
	{"form-feed", "\f"},
	{"vertical-tab", "\v"},
	{
		"file-separator",
		"\x1c",
	},
	{"unit-separator", "\x1f"},
	{"next-line", "\u0085"},
	{"no-break-space", "\u00a0"},
	{"line-separator", "\u2028"},
	{
		"ideographic-space",
		"\u3000",
	},
	{"zero-width-space", "\u200b"},
	{"bom", "\ufeff"},
	{"a-umlaut", "ä"},
	{"combining", "a\u0308"},
	{"greek", "β"},
	{"japanese", "日本"},
	{"emoji", "🧬"},
	{"arabic-digit", "٣"},
	{"last-code-point", "\U0010ffff"},
}

// idVariants are names of sequences: kept ones, new ones of a replicon table, and automatic ones that they collide with.
func idVariants(s sample) []variant {
	keep := option.Config{KeepContigHeaders: true}
	strict := option.Config{KeepContigHeaders: true, Compliant: true}
	var variants []variant
	add := func(v variant) { variants = append(variants, v) }
	table := func(rows ...string) userFile {
		return userFile{upload.RepliconsTable, "replicons.tsv", []byte(strings.Join(rows, "\n") + "\n")}
	}
	for _, c := range characters {
		add(genome("ids/kept-with-"+c.name, keep, tools, s.fasta("a"+c.text+"b")))
		add(genome("ids/kept-first-"+c.name, keep, quick, s.fasta(c.text+"ab")))
		add(genome("ids/kept-last-"+c.name, keep, quick, s.fasta("ab"+c.text)))
		add(genome("ids/kept-compliant-with-"+c.name, strict, quick, s.fasta("a"+c.text+"b")))
		add(genome("ids/new-with-"+c.name, option.Config{}, quick, s.fasta("a"), table("a\ta"+c.text+"b\tc\tc\tn")))
		add(genome("ids/new-compliant-with-"+c.name, option.Config{Compliant: true}, quick, s.fasta("a"), table("a\ta"+c.text+"b\tc\tc\tn")))
		add(genome("ids/original-with-"+c.name, option.Config{}, quick, s.fasta("a"+c.text+"b"), table("a"+c.text+"b\tn1\tc\tc\tn")).
			showing(`"id": "n1"`))
	}
	for _, c := range rareCharacters {
		add(genome("ids/kept-with-"+c.name, keep, quick, s.fasta("a"+c.text+"b")))
		add(genome("ids/new-with-"+c.name, option.Config{}, quick, s.fasta("a"), table("a\ta"+c.text+"b\tc\tc\tn")))
		add(genome("ids/not-kept-with-"+c.name, option.Config{}, quick, s.fasta("a"+c.text+"b")))
		add(genome("ids/original-with-"+c.name, option.Config{}, quick, s.fasta("a"+c.text+"b"), table("a"+c.text+"b\tn1\tc\tc\tn")).
			showing(`"id": "n1"`))
	}
	for _, n := range []int{1, 2, 16, 17, 20, 25, 26, 28, 29, 37, 38, 79, 80, 81, 199, 200, 201, 256, 1000, 5000} {
		id := strings.Repeat("x", n)
		add(genome(fmt.Sprintf("ids/kept-of-%d", n), keep, quick, s.fasta(id)))
		add(genome(fmt.Sprintf("ids/new-of-%d", n), option.Config{}, quick, s.fasta("a"), table("a\t"+id+"\tc\tc\tn")))
		if n >= 20 && n <= 30 {
			add(genome(fmt.Sprintf("ids/kept-compliant-of-%d", n), strict, quick, s.fasta(id)))
			add(genome(fmt.Sprintf("ids/new-compliant-of-%d", n), option.Config{Compliant: true}, quick, s.fasta("a"), table("a\t"+id+"\tc\tc\tn")))
		}
	}
	two := s.fasta("a") + s.fasta("b")
	three := two + s.fasta("c")
	short := ">short\nACGTACGTACGTACGT\n"
	for _, r := range []struct {
		name  string
		c     option.Config
		fasta string
	}{
		{"kept-twice", keep, s.fasta("a") + s.fasta("a")},
		{"kept-twice-with-descriptions", keep, s.fasta("a one") + s.fasta("a two")},
		{"kept-twice-but-for-case", keep, s.fasta("a") + s.fasta("A")},
		{"kept-twice-one-too-short", option.Config{KeepContigHeaders: true, MinContigLength: 100}, s.fasta("a") + ">a\nACGTACGTACGT\n"},
		{"kept-twice-behind-64-kib", keep, ">a\n" + strings.Repeat(wrapped(s.dna), 60) + s.fasta("a")},
		{"kept-semicolon-behind-64-kib", keep, ">a\n" + strings.Repeat(wrapped(s.dna), 60) + s.fasta("b;c")},
		{"kept-semicolon-too-short", option.Config{KeepContigHeaders: true, MinContigLength: 100}, s.fasta("a") + ">b;c\nACGTACGTACGT\n"},
		{"kept-semicolon-second", keep, s.fasta("a") + s.fasta("b;c")},
		{"kept-semicolon-in-description", keep, s.fasta("a b;c; d")},
		{"kept-as-automatic", keep, s.fasta("contig_2") + s.fasta("contig_1")},
		{"kept-as-other-prefix", keep, s.fasta("a") + s.fasta("ab") + s.fasta("abc")},
		{"kept-spades", keep, s.fasta("NODE_1_length_3306_cov_13.663191")},
		{"kept-compliant-spades", strict, s.fasta("NODE_1_length_3306_cov_13.663191")},
		{"kept-ncbi-pipes", keep, s.fasta("gi|12345|ref|NC_000001.1|")},
		{"kept-lcl", keep, s.fasta("lcl|a")},
		{"kept-no-name", keep, s.fasta("")},
		{"kept-no-name-beside-others", keep, s.fasta("a") + s.fasta("")},
		{"kept-no-name-too-short", option.Config{KeepContigHeaders: true, MinContigLength: 100}, s.fasta("a") + ">\nACGTACGTACGT\n"},
		{"kept-no-name-behind-64-kib", keep, ">a\n" + strings.Repeat(wrapped(s.dna), 60) + s.fasta("")},
		{"kept-space-before-name", keep, s.fasta(" a")},
		{"kept-tab-before-name", keep, s.fasta("\ta")},
		{"kept-spaces-alone", keep, s.fasta("   ")},
		{"kept-tab-after-name", keep, s.fasta("a\tb")},
		{"kept-compliant-no-name", strict, s.fasta("")},
		{"kept-digits", keep, s.fasta("1")},
		{"kept-zero", keep, s.fasta("0")},
		{"kept-null", keep, s.fasta("null")},
		{"kept-dot-dot", keep, s.fasta("..")},
		{"not-kept-no-name", option.Config{}, s.fasta("")},
		{"not-kept-twice", option.Config{}, s.fasta("a") + s.fasta("a")},
		{"not-kept-spaces-alone", option.Config{}, s.fasta("   ")},
		{"not-kept-semicolon", option.Config{}, s.fasta("a;b")},
		{"not-kept-long", option.Config{}, s.fasta(strings.Repeat("x", 1000))},
	} {
		e := genes
		if strings.Contains(r.name, "-no-name") && len(r.fasta) < 64<<10 || strings.HasSuffix(r.name, "kept-spaces-alone") {
			e = tools // which are what a missing name ends; they take a minute for a large genome
		}
		add(genome("ids/"+r.name, r.c, e, r.fasta))
	}
	for _, r := range []struct {
		name  string
		c     option.Config
		fasta string
		rows  []string
	}{
		{"as-other-automatic", option.Config{}, two, []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-earlier-automatic", option.Config{}, two, []string{"b\tcontig_1\tc\tc\tn"}},
		{"as-own-automatic", option.Config{}, two, []string{"a\tcontig_1\tc\tc\tn"}},
		{"automatic-swapped", option.Config{}, two, []string{"a\tcontig_2\tc\tc\tn", "b\tcontig_1\tp\tc\tm"}},
		{"as-automatic-that-is-renamed", option.Config{}, two, []string{"a\tcontig_2\tc\tc\tn", "b\tx\tp\tc\tm"}},
		{"as-automatic-that-is-not-there", option.Config{}, two, []string{"a\tcontig_3\tc\tc\tn"}},
		{"as-automatic-with-zero", option.Config{}, two, []string{"a\tcontig_02\tc\tc\tn"}},
		{"as-automatic-in-capitals", option.Config{}, two, []string{"a\tCONTIG_2\tc\tc\tn"}},
		{"as-automatic-of-locus", option.Config{Locus: "L"}, two, []string{"a\tL_2\tc\tc\tn"}},
		{"as-automatic-without-locus", option.Config{Locus: "L"}, two, []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-behind-short", option.Config{MinContigLength: 100}, short + two, []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-that-is-too-short", option.Config{MinContigLength: 100}, two + short, []string{"a\tcontig_3\tc\tc\tn"}},
		{"as-automatic-compliant", option.Config{Compliant: true}, two + short, []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-compliant-too-short", option.Config{Compliant: true}, two + short, []string{"a\tcontig_3\tc\tc\tn"}},
		{"as-automatic-kept", keep, two, []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-with-plasmid", option.Config{Plasmid: "pX"}, two, []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-with-plasmid-one-sequence", option.Config{Plasmid: "pX"}, s.fasta("a"), []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-one-sequence", option.Config{}, s.fasta("a"), []string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-behind-64-kib", option.Config{}, ">a\n" + strings.Repeat(wrapped(s.dna), 60) + s.fasta("b"),
			[]string{"a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-twice-original", option.Config{}, s.fasta("a") + s.fasta("a"), []string{"a\tx\tc\tc\tn"}},
		{"as-automatic-last-row-counts", option.Config{}, two, []string{"a\tcontig_2\tc\tc\tn", "a\ty\tc\tc\tn"}},
		{"as-automatic-last-row-collides", option.Config{}, two, []string{"a\ty\tc\tc\tn", "a\tcontig_2\tc\tc\tn"}},
		{"as-automatic-of-unknown-row", option.Config{}, two, []string{"z\tcontig_2\tc\tc\tn"}},
		{"twice", option.Config{}, two, []string{"a\tx\tc\tc\tn", "b\tx\tp\tc\tm"}},
		{"twice-of-three", option.Config{}, three, []string{"a\tx\tc\tc\tn", "c\tx\tp\tc\tm"}},
		{"twice-one-unknown", option.Config{}, two, []string{"a\tx\tc\tc\tn", "z\tx\tp\tc\tm"}},
		{"twice-both-unknown", option.Config{}, two, []string{"y\tx\tc\tc\tn", "z\tx\tp\tc\tm"}},
		{"twice-one-too-short", option.Config{MinContigLength: 100}, two + short, []string{"a\tx\tc\tc\tn", "short\tx\tp\tc\tm"}},
		{"twice-kept", keep, two, []string{"a\tx\tc\tc\tn", "b\tx\tp\tc\tm"}},
		{"twice-but-for-case", option.Config{}, two, []string{"a\tx\tc\tc\tn", "b\tX\tp\tc\tm"}},
		{"twice-but-for-description", option.Config{}, two, []string{"a\tx one\tc\tc\tn", "b\tx two\tp\tc\tm"}},
		{"twice-in-spaces", option.Config{}, two, []string{"a\t x\tc\tc\tn", "b\tx \tp\tc\tm"}},
		{"as-original-of-other", option.Config{}, two, []string{"a\tb\tc\tc\tn"}},
		{"dash-for-both", option.Config{}, two, []string{"a\t-\tc\tc\tn", "b\t-\tp\tc\tm"}},
		{"unknown-semicolon", option.Config{}, two, []string{"a\tx\tc\tc\tn", "z\ty;y\tp\tc\tm"}},
		{"unknown-not-compliant", option.Config{Compliant: true}, two, []string{"a\tx\tc\tc\tn", "z\ty|y\tp\tc\tm"}},
		{"too-short-not-compliant", option.Config{Compliant: true}, two + short, []string{"a\tx\tc\tc\tn", "short\ty|y\tp\tc\tm"}},
		{"semicolon-kept", keep, two, []string{"a\tx;x\tc\tc\tn"}},
		{"semicolon-plasmid", option.Config{Plasmid: "pX"}, s.fasta("a"), []string{"a\tx;x\tc\tc\tn"}},
	} {
		add(genome("ids/new-"+r.name, r.c, genes, r.fasta, table(r.rows...)))
	}
	return variants
}
