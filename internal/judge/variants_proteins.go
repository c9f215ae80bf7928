package main

import (
	"fmt"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// trustedVariants are trusted proteins, in FASTA files with headers of many forms and in GenBank files.
func trustedVariants(s sample) []variant {
	p := s.forward.protein
	const known = "what we know"
	one := func(header string) string { return ">" + header + "\n" + p + "\n" }
	const good = "x1 gen~~~what we know~~~DB:1"
	other := ">y1 oth~~~other~~~\n" + s.reverse.protein + "\n"
	type row struct{ name, content, shows string }
	list := []row{
		{"three-fields", one(good), known}, {"three-fields-no-references", one("x1 gen~~~what we know~~~"), known},
		{"three-fields-no-gene", one("x1 ~~~what we know~~~"), known},
		{"six-fields", one("x1 90~~~80~~~80~~~gen~~~what we know~~~DB:1"), known},
		{"six-fields-fractions", one("x1 90.5~~~80.1~~~80.0~~~gen~~~what we know~~~DB:1"), known},
		{"six-fields-exponent", one("x1 9e1~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-percent", one("x1 90%~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-words", one("x1 a~~~b~~~c~~~gen~~~what we know~~~"), known},
		{"six-fields-empty", one("x1 ~~~~~~~~~gen~~~what we know~~~"), known},
		{"six-fields-spaces", one("x1  90 ~~~ 80 ~~~ 80 ~~~gen~~~what we know~~~"), known},
		{"six-fields-negative", one("x1 -1~~~-1~~~-1~~~gen~~~what we know~~~"), known},
		{"six-fields-over-100", one("x1 101~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-nan", one("x1 nan~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-infinite", one("x1 inf~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-underscore", one("x1 9_0~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-comma", one("x1 90,5~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-hexadecimal", one("x1 0x10~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"six-fields-arabic-digits", one("x1 ٣~~~80~~~80~~~gen~~~what we know~~~"), known},
		{"four-fields", one("x1 gen~~~what we know~~~DB:1~~~"), known}, {"two-fields", one("x1 gen~~~what we know"), known},
		{"five-fields", one("x1 90~~~80~~~gen~~~what we know~~~"), known},
		{"seven-fields", one("x1 90~~~80~~~80~~~gen~~~what we know~~~DB:1~~~x"), known},
		{"first-field-empty", one("x1 ~~~gen~~~what we know~~~DB:1"), known}, {"plain-description", one("x1 what we know"), known},
		{"no-description", one("x1"), known}, {"no-description-space", one("x1 "), known}, {"no-id", one(" gen~~~what we know~~~"), known},
		{"header-empty", one(""), known}, {"fields-in-id", one("x1~~~gen~~~what~~~"), ""},
		{"tab-after-id", one("x1\tgen~~~what we know~~~"), known}, {"tab-in-product", one("x1 gen~~~what\twe know~~~"), ""},
		{"two-spaces-after-id", one("x1  gen~~~what we know~~~"), known},
		{"uniprot", one("tr|A0A8G7HZP4|A0A8G7HZP4_PSEAI Multidrug efflux OS=Pseudomonas aeruginosa OX=287 GN=mexJ PE=3 SV=1"), ""},
		{"ncbi", one("WP_000001.1 hypothetical protein [Escherichia coli]"), ""},
		{"prokka-db", one("x1 1.1.1.1~~~gen~~~what we know~~~COG1"), known},
		{"na", one("NA 60~~~50~~~50~~~NA~~~pseudogene_(putative)~~~NA"), ""},
		{"reference-without-colon", one("x1 gen~~~what we know~~~UNIPROT"), known},
		{"one-reference-without-colon", one("x1 gen~~~what we know~~~DB:1,UNIPROT"), known},
		{"references", one("x1 gen~~~what we know~~~DB:1,DB:2,EC:1.1.1.1"), known},
		{"references-spaces", one("x1 gen~~~what we know~~~DB:1, DB:2"), known},
		{"references-comma-last", one("x1 gen~~~what we know~~~DB:1,"), known},
		{"references-colon-alone", one("x1 gen~~~what we know~~~:"), known},
		{"references-semicolon", one("x1 gen~~~what we know~~~DB:1;DB:2"), known}, {"product-empty", one("x1 gen~~~~~~DB:1"), ""},
		{"product-space", one("x1 gen~~~ ~~~DB:1"), ""}, {"product-tilde", one("x1 gen~~~what we know~~~~DB:1"), ""},
		{"product-quotes", one(`x1 gen~~~what we know "x"~~~`), known},
		{"product-percent", one("x1 gen~~~what we know 100%~~~"), known}, {"product-utf8", one("x1 gen~~~what we know β~~~"), known},
		{"product-latin1", one("x1 gen~~~what we know \xe4~~~"), ""},
		{"product-long", one("x1 gen~~~what we know " + strings.Repeat("x", 5000) + "~~~"), known},
		{"product-greater-than", one("x1 gen~~~what we know >x~~~"), known},
		{"product-semicolon", one("x1 gen~~~what we know; x=y~~~"), known}, {"product-control", one("x1 gen~~~what we know \x01~~~"), ""},
		{"product-next-line", one("x1 gen~~~what we know \u0085x~~~"), ""},
		{"product-line-separator", one("x1 gen~~~what we know \u2028x~~~"), ""},
		{"product-file-separator", one("x1 gen~~~what we know \x1cx~~~"), ""},
		{"product-form-feed", one("x1 gen~~~what we know \fx~~~"), ""},
		{"product-no-break-space", one("x1 gen~~~what we know \u00a0x~~~"), known},
		{"gene-long", one("x1 " + strings.Repeat("g", 300) + "~~~what we know~~~"), known},
		{"gene-spaces", one("x1 g e n~~~what we know~~~"), known}, {"gene-star", one("x1 gen*~~~what we know~~~"), known},
		{"id-bars", one("a|b|c gen~~~what we know~~~"), known}, {"id-comma", one("a,b gen~~~what we know~~~"), known},
		{"id-long", one(strings.Repeat("i", 300) + " gen~~~what we know~~~"), known}, {"id-utf8", one("β gen~~~what we know~~~"), known},
		{"id-twice", one(good) + one(good), known}, {"good-and-bad", one("x0 nothing~~~") + one(good), known},
		{"good-and-no-description", one("x0") + one(good), known},
		{"good-and-other", other + one(good), known}, {"other-alone", other, "other"},
		{"matches-nothing", ">z1 gen~~~what we know~~~\n" + strings.Repeat("ACDEFGHIKL", 10) + "\n", ""},
		{"crlf", strings.ReplaceAll(one(good), "\n", "\r\n"), known}, {"cr", strings.ReplaceAll(one(good), "\n", "\r"), known},
		{"bom", "\xef\xbb\xbf" + one(good), known}, {"blank-line-first", "\n" + one(good), known},
		{"blank-lines", strings.ReplaceAll(one(good), "\n", "\n\n"), known},
		{"text-first", "proteins\n" + one(good), known}, {"comment-first", "; c\n" + one(good), known},
		{"comment-within", ">" + good + "\n; c\n" + p + "\n", ""}, {"wrapped", ">" + good + "\n" + wrapped(p), known},
		{"lower-case", ">" + good + "\n" + strings.ToLower(p) + "\n", known},
		{"star-last", ">" + good + "\n" + p + "*\n", known}, {"star-within", ">" + good + "\n" + p[:50] + "*" + p[50:] + "\n", ""},
		{"star-alone", ">" + good + "\n*\n", ""}, {"dash-within", ">" + good + "\n" + p[:50] + "-" + p[50:] + "\n", ""},
		{"spaces-within", ">" + good + "\n" + p[:50] + " " + p[50:] + "\n", known},
		{"tab-within", ">" + good + "\n" + p[:50] + "\t" + p[50:] + "\n", known},
		{"letters-x", ">" + good + "\n" + p[:50] + "XBZJUO" + p[50:] + "\n", ""},
		{"letter-not-ascii", ">" + good + "\n" + p[:50] + "ä" + p[50:] + "\n", ""},
		{"empty-alone", ">" + good + "\n", ""}, {"empty-and-good", ">e1 gen~~~nothing~~~\n" + one(good), known},
		{"empty-last", one(good) + ">e1 gen~~~nothing~~~\n", known}, {"dna", ">" + good + "\n" + wrapped(s.dna), ""},
		{"short", ">" + good + "\nMK\n", ""},
		{"no-header", p + "\n", ""}, {"nothing", "", ""}, {"blank", "\n", ""}, {"greater-than-alone", ">", ""}, {"json", `{"a": 1}`, ""},
		{"html", "<!DOCTYPE html>\n<html></html>\n", ""}, {"gff", "##gff-version 3\n" + s.forward.gff("a", "+"), ""},
		{"tsv", "id\tgene\tproduct\n", ""},
		{"two-greater-than", ">" + one(good), known},
	}
	var variants []variant
	fasta := s.fasta("a")
	add := func(name string, c option.Config, file string, content []byte, shows string) {
		variants = append(variants, genome("trusted/"+name, c, genes, fasta, userFile{upload.TrustedProteinsFile, file, content}).showing(shows))
	}
	for _, r := range list {
		add(r.name, option.Config{}, "proteins.faa", []byte(r.content), r.shows)
	}
	add("gzip", option.Config{}, "proteins.faa.gz", gz(one(good)), known)
	add("zstd", option.Config{}, "proteins.faa.zst", zst(one(good)), known)
	add("gzip-cut", option.Config{}, "proteins.faa.gz", gz(one(good))[:40], "")
	add("gzip-of-nothing", option.Config{}, "proteins.faa.gz", gz(""), "")
	add("called-txt", option.Config{}, "proteins.txt", []byte(one(good)), known)
	add("called-gbff", option.Config{}, "proteins.gbff", []byte(one(good)), known)
	add("skip-cds", option.Config{Skip: []string{"cds"}}, "proteins.faa", []byte(one(good)), known)
	add("compliant", option.Config{Compliant: true}, "proteins.faa", []byte(one(good)), known)
	add("many", option.Config{}, "proteins.faa", []byte(strings.Repeat(other, 2000)+one(good)), known)
	g := s.forward
	for name, features := range map[string]string{
		"plain": g.cds(g.span()), "no-locus-tag": feature("CDS", g.span(), `/product="what we know"`, `/translation="`+p+`"`),
		"no-product":     feature("CDS", g.span(), `/locus_tag="A"`, `/translation="`+p+`"`),
		"no-translation": feature("CDS", g.span(), `/locus_tag="A"`, `/product="what we know"`), "gene": g.cds(g.span(), `/gene="gen"`),
		"ec": g.cds(g.span(), `/EC_number="1.1.1.1"`), "reference": g.cds(g.span(), `/db_xref="DB:1"`),
		"reference-without-colon": g.cds(g.span(), `/db_xref="DB1"`), "pseudo": g.cds(g.span(), "/pseudo"), "partial": g.cds("<" + g.span()),
		"location-wrong": g.cds("unknown"), "location-out-of-range": g.cds("1..99999"),
		"location-missing": strings.Replace(g.cds(g.span()), g.span(), "", 1), "join": g.cds("join(1..9,20..30)"), "no-cds": "",
		"two-one-without-product": feature("CDS", g.span(), `/locus_tag="B"`, `/translation="`+p+`"`) + g.cds(g.span()),
		"product-empty":           feature("CDS", g.span(), `/locus_tag="A"`, `/product=""`, `/translation="`+p+`"`),
		"product-tildes":          feature("CDS", g.span(), `/locus_tag="A"`, `/product="what~~~know"`, `/translation="`+p+`"`),
		"locus-tag-with-space":    feature("CDS", g.span(), `/locus_tag="A 1"`, `/product="what we know"`, `/translation="`+p+`"`),
		"locus-tag-empty":         feature("CDS", g.span(), `/locus_tag=""`, `/product="what we know"`, `/translation="`+p+`"`),
		"translation-empty":       feature("CDS", g.span(), `/locus_tag="A"`, `/product="what we know"`, `/translation=""`),
		"translation-lower":       strings.ToLower(g.cds(g.span())), "except-met": g.cds(g.span(), "/transl_except=(pos:1..3,aa:Met)"),
		"slippage":                   g.cds(g.span(), "/ribosomal_slippage"),
		"translation-without-quotes": feature("CDS", g.span(), `/locus_tag="A"`, `/product="what we know"`, `/translation=`+p[:50]),
	} {
		shows := known
		if strings.HasPrefix(name, "translation-without") || strings.Contains(name, "tildes") {
			shows = ""
		}
		add("genbank-"+name, option.Config{}, "proteins.gbff", []byte(s.record("zz", features)), shows)
	}
	record := s.record("zz", g.cds(g.span()))
	for name, text := range map[string]string{
		"crlf": strings.ReplaceAll(record, "\n", "\r\n"), "bom": "\xef\xbb\xbf" + record,
		"no-origin": strings.Replace(record, s.origin(), "", 1), "no-slashes": strings.TrimSuffix(record, "//\n"),
		"two-records": record + record,
		"locus-merged": s.recordWith(fmt.Sprintf("LOCUS       NODE_1_length_3306_cov_13.663191%d bp   DNA linear", len(s.dna)), "",
			"", g.cds(g.span())),
		"locus-merged-with-accession": s.recordWith(fmt.Sprintf("LOCUS       NODE_1_length_3306_cov_13.663191%d bp   DNA linear", len(s.dna)),
			"a", "a", g.cds(g.span())),
		"locus-long": s.recordWith(fmt.Sprintf("LOCUS       NODE_1_length_3306_cov_13.663191 %d bp   DNA linear", len(s.dna)),
			"", "", g.cds(g.span())),
		"locus-alone": s.recordWith("LOCUS", "a", "a", g.cds(g.span())),
		"genpept": "LOCUS       P1                        10 aa            linear   BCT 01-JAN-2026\n" +
			"DEFINITION  x.\nACCESSION   P1\nVERSION     P1\nFEATURES             Location/Qualifiers\n" +
			feature("Protein", "1..10", `/product="x"`) + "ORIGIN\n        1 mkllvvvaaa\n//\n",
		"embl": "ID   a; SV 1; linear; genomic DNA; STD; PRO; 10 BP.\nSQ   Sequence 10 BP;\n     acgtacgtac        10\n//\n",
		"cut":  record[:len(record)/3],
	} {
		shows := known
		if name == "genpept" || name == "embl" || name == "cut" {
			shows = ""
		}
		add("genbank-"+name, option.Config{}, "proteins.gbff", []byte(text), shows)
	}
	add("genbank-gzip", option.Config{}, "proteins.gbff.gz", gz(record), known)
	return variants
}

// hmmVariants are profile HMMs: their headers and their format.
func hmmVariants(s sample) []variant {
	p := s.forward.protein
	header := func(change map[string]string, more ...string) string {
		var lines []string
		for _, l := range [][2]string{{"NAME", "prof"}, {"ACC", "X1"}, {"DESC", "gen~~~what we know~~~DB:1"}, {"LENG", fmt.Sprint(len(p))},
			{"ALPH", "amino"},
			{"RF", "no"}, {"MM", "no"}, {"CONS", "yes"}, {"CS", "no"}, {"MAP", "yes"}, {"NSEQ", "1"}, {"EFFN", "1.0"}, {"TC", "25.00 25.00"}} {
			value, changed := change[l[0]]
			if !changed {
				value = l[1]
			}
			if value != "-" {
				lines = append(lines, fmt.Sprintf("%-5s %s", l[0], value))
			}
		}
		return hmm(p, append(lines, more...)...)
	}
	with := func(tag, value string) string { return header(map[string]string{tag: value}) }
	plain := header(nil)
	const known = "what we know"
	type row struct{ name, content, shows string }
	list := []row{
		{"plain", plain, known}, {"tc-semicolon", with("TC", "25.00 25.00;"), known},
		{"tc-inner-semicolon", with("TC", "25.00;25.00"), known}, {"tc-both-semicolons", with("TC", "25.00;25.00;"), known},
		{"tc-semicolon-space", with("TC", "25.00; 25.00;"), known},
		{"tc-one", with("TC", "25.00"), known}, {"tc-one-semicolon", with("TC", "25.00;"), known},
		{"tc-three", with("TC", "25.00 25.00 25.00"), known}, {"tc-tab", with("TC", "25.00\t25.00"), known},
		{"tc-comma", with("TC", "25.00,25.00"), known}, {"tc-decimal-comma", with("TC", "25,00 25,00"), known},
		{"tc-words", with("TC", "a b"), known}, {"tc-second-word", with("TC", "25 b"), known}, {"tc-empty", with("TC", ""), known},
		{"tc-missing", with("TC", "-"), known}, {"tc-integers", with("TC", "25 25"), known},
		{"tc-negative", with("TC", "-5.00 -5.00"), known}, {"tc-exponent", with("TC", "2.5e1 2.5e1"), known},
		{"tc-infinite", with("TC", "inf inf"), ""}, {"tc-nan", with("TC", "nan nan"), ""}, {"tc-overflow", with("TC", "1e400 1e400"), ""},
		{"tc-hexadecimal", with("TC", "0x10 0x10"), known}, {"tc-plus", with("TC", "+25 +25"), known},
		{"tc-underscore", with("TC", "2_5 2_5"), known}, {"tc-high", with("TC", "9999 9999"), ""},
		{"tc-unequal", with("TC", "25.00 30.00"), known}, {"tc-twice", header(nil, "TC    26.00 26.00"), known},
		{"tc-comment", with("TC", "25.00 25.00 # trusted"), known}, {"tc-semicolon-comment", with("TC", "25.00 25.00; -- x"), known},
		{"ga-alone", header(map[string]string{"TC": "-"}, "GA    25.00 25.00"), known},
		{"nc-alone", header(map[string]string{"TC": "-"}, "NC    25.00 25.00"), known},
		{"ga-tc-nc", header(nil, "GA    25.00 25.00;", "NC    25.00 25.00;"), known},
		{"cons-no", with("CONS", "no"), known}, {"cons-missing", with("CONS", "-"), known}, {"name-missing", with("NAME", "-"), known},
		{"name-empty", with("NAME", ""), known}, {"name-with-space", with("NAME", "two words"), known},
		{"name-utf8", with("NAME", "β"), known}, {"name-long", with("NAME", strings.Repeat("x", 500)), known},
		{"acc-missing", with("ACC", "-"), known}, {"acc-empty", with("ACC", ""), known}, {"acc-with-space", with("ACC", "X 1"), known},
		{"acc-utf8", with("ACC", "β"), known},
		{"desc-missing", with("DESC", "-"), ""}, {"desc-empty", with("DESC", ""), ""}, {"desc-plain", with("DESC", "what we know"), known},
		{"desc-two-fields", with("DESC", "gen~~~what we know"), known},
		{"desc-four-fields", with("DESC", "gen~~~what we know~~~DB:1~~~x"), known},
		{"desc-three-empty", with("DESC", "~~~~~~"), ""}, {"desc-product-empty", with("DESC", "gen~~~~~~DB:1"), ""},
		{"desc-no-references", with("DESC", "gen~~~what we know~~~"), known},
		{"desc-reference-without-colon", with("DESC", "gen~~~what we know~~~DB1"), known},
		{"desc-utf8", with("DESC", "gen~~~what we know β~~~"), known}, {"desc-latin1", with("DESC", "gen~~~what we know \xe4~~~"), ""},
		{"desc-long", with("DESC", "gen~~~what we know "+strings.Repeat("x", 3000)+"~~~"), known},
		{"desc-twice", header(nil, "DESC  other"), ""},
		{"leng-missing", with("LENG", "-"), ""}, {"leng-more", with("LENG", fmt.Sprint(len(p)+1)), ""},
		{"leng-less", with("LENG", fmt.Sprint(len(p)-1)), ""}, {"leng-0", with("LENG", "0"), ""}, {"leng-word", with("LENG", "long"), ""},
		{"alph-capital", with("ALPH", "AMINO"), known}, {"alph-dna", with("ALPH", "DNA"), ""}, {"alph-other", with("ALPH", "coins"), ""},
		{"map-no", with("MAP", "no"), known}, {"nseq-missing", with("NSEQ", "-"), known}, {"effn-missing", with("EFFN", "-"), known},
		{"map-missing", with("MAP", "-"), known}, {"com-line", header(nil, "COM   [1] hmmbuild x y"), known},
		{"date-line", header(nil, "DATE  Thu Jan  1 00:00:00 2026"), known}, {"maxl-line", header(nil, "MAXL  300"), known},
		{"bm-line", header(nil, "BM    hmmbuild HMM.ann SEED.ann", "SM    hmmsearch -Z 1"), known},
		{"stats-missing", strings.ReplaceAll(plain, "STATS", "XTATS"), ""}, {"stats-removed", withoutLines(plain, "STATS"), ""},
		{"compo-missing", withoutLines(plain, "  COMPO"), known},
		{"two", plain + strings.Replace(plain, "X1", "X2", 1), known}, {"same-twice", plain + plain, known},
		{"second-without-tc", plain + strings.Replace(with("TC", "-"), "X1", "X2", 1), known},
		{"blank-lines-between", plain + "\n\n" + plain, known}, {"blank-line-first", "\n" + plain, known},
		{"blank-line-in-header", strings.Replace(plain, "LENG", "\nLENG", 1), known},
		{"blank-line-in-model", strings.Replace(plain, "  2 ", "\n  2 ", 1), ""}, {"comment-first", "# profiles\n" + plain, known},
		{"space-first", " " + plain, ""}, {"crlf", strings.ReplaceAll(plain, "\n", "\r\n"), known}, {"bom", "\xef\xbb\xbf" + plain, known},
		{"no-last-line-end", strings.TrimSuffix(plain, "\n"), known}, {"no-slashes", strings.TrimSuffix(plain, "//\n"), ""},
		{"cut", plain[:len(plain)/2], ""}, {"cut-in-header", plain[:100], ""}, {"text-behind", plain + "text\n", ""},
		{"header-alone", "HMMER3/f [3.4 | Aug 2023]\n", ""},
		{"version-3a", strings.Replace(plain, "HMMER3/f", "HMMER3/a", 1), ""},
		{"version-3b", strings.Replace(plain, "HMMER3/f", "HMMER3/b", 1), ""},
		{"version-3e", strings.Replace(plain, "HMMER3/f", "HMMER3/e", 1), known},
		{"version-3g", strings.Replace(plain, "HMMER3/f", "HMMER3/g", 1), ""},
		{"version-2", strings.Replace(plain, "HMMER3/f", "HMMER2.0", 1), ""},
		{"version-alone", strings.Replace(plain, " [3.4 | Aug 2023]", "", 1), known},
		{"node-letter-wrong", strings.Replace(plain, " 0.09982", " x", 1), ""},
		{"node-missing", strings.Replace(plain, "\n  2 ", "\n  3 ", 1), ""},
		{"node-star", strings.Replace(plain, " 5.29832", " *", 1), known},
		{"fasta", s.fasta("a"), ""}, {"proteins", ">a\n" + p + "\n", ""}, {"stockholm", "# STOCKHOLM 1.0\na " + p + "\n//\n", ""},
		{"json", `{"a": 1}`, ""}, {"nothing", "", ""}, {"blank", "\n", ""}, {"html", "<!DOCTYPE html>\n<html></html>\n", ""},
		{"word", "HMM\n", ""},
		{"tabs-in-header", strings.ReplaceAll(plain, "NAME  ", "NAME\t"), known},
		{"tag-lower-case", strings.Replace(plain, "TC ", "tc ", 1), known}, {"unknown-tag", header(nil, "XYZ   x"), known},
		{"unknown-long-tag", header(nil, "SOMETHING x"), known},
	}
	var variants []variant
	add := func(name string, c option.Config, file string, content []byte, shows string) {
		variants = append(variants, genome("hmms/"+name, c, genes, s.fasta("a"), userFile{upload.HMMsFile, file, content}).showing(shows))
	}
	for _, r := range list {
		add(r.name, option.Config{}, "profiles.hmm", []byte(r.content), r.shows)
	}
	add("gzip", option.Config{}, "profiles.hmm.gz", gz(plain), known)
	add("zstd", option.Config{}, "profiles.hmm.zst", zst(plain), known)
	add("gzip-of-nothing", option.Config{}, "profiles.hmm.gz", gz(""), "")
	add("called-txt", option.Config{}, "profiles.txt", []byte(plain), known)
	add("skip-cds", option.Config{Skip: []string{"cds"}}, "profiles.hmm", []byte(plain), known)
	return variants
}

// withoutLines returns a text without the lines that begin with a prefix.
func withoutLines(text, begin string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, begin) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// proteins returns the sample's proteins.
func proteins(s sample) string {
	return ">p1 one\n" + s.forward.protein + "\n>p2\n" + s.reverse.protein + "\n"
}

// proteinVariants are proteins to annotate.
func proteinVariants(s sample) []variant {
	p, plain := s.forward.protein, proteins(s)
	in := func(text string) string {
		return ">p1 one\n" + p[:50] + text + p[50:] + "\n>p2\n" + s.reverse.protein + "\n"
	}
	long := strings.Repeat(">x\n"+p+"\n", 600)
	type row struct{ name, content string }
	list := []row{
		{"plain", plain}, {"crlf", strings.ReplaceAll(plain, "\n", "\r\n")}, {"cr", strings.ReplaceAll(plain, "\n", "\r")},
		{"bom", "\xef\xbb\xbf" + plain}, {"utf16", utf16(plain)}, {"wrapped", ">p1\n" + wrapped(p)},
		{"lower-case", ">p1\n" + strings.ToLower(p) + "\n"},
		{"blank-line-first", "\n" + plain}, {"blank-lines", strings.ReplaceAll(plain, "\n", "\n\n")}, {"text-first", "proteins\n" + plain},
		{"comment-first", "; c\n" + plain}, {"comment-within", ">p1\n; c\n" + p + "\n"}, {"space-first", " " + plain},
		{"no-last-line-end", strings.TrimSuffix(plain, "\n")},
		{"star-last", ">p1\n" + p + "*\n"}, {"two-stars-last", ">p1\n" + p + "**\n"}, {"star-within", in("*")}, {"star-alone", ">p1\n*\n"},
		{"star-first", ">p1\n*" + p + "\n"}, {"star-then-space", ">p1\n" + p + "* \n"}, {"star-on-own-line", ">p1\n" + p + "\n*\n"},
		{"star-then-dash", ">p1\n" + p + "*-\n"},
		{"dash-within", in("-")}, {"dashes-alone", ">p1\n---\n"}, {"dot-within", in(".")}, {"digit-within", in("1")},
		{"space-within", in(" ")}, {"tab-within", in("\t")}, {"question-within", in("?")}, {"hash-within", in("#")}, {"not-ascii", in("ä")},
		{"long-s", in("ſ")}, {"kelvin", in("K")},
		{"nul-within", in("\x00")}, {"form-feed-within", in("\f")}, {"no-break-space-within", in("\u00a0")}, {"latin1-within", in("\xe4")},
		{"empty-first", ">e\n" + plain}, {"empty-last", plain + ">e\n"}, {"empty-alone", ">e\n"}, {"greater-than-alone", ">"},
		{"no-header", p + "\n"},
		{"header-empty", ">\n" + p + "\n"}, {"header-space", "> x\n" + p + "\n"}, {"header-tab", ">p1\tx\n" + p + "\n"},
		{"header-utf8", ">p1 β\n" + p + "\n"}, {"header-latin1", ">p1 \xe4\n" + p + "\n"},
		{"header-latin1-later", plain + ">p3 \xe4\n" + p + "\n"}, {"header-70-kb", ">p1 " + strings.Repeat("x", 70_000) + "\n" + p + "\n"},
		{"ids-twice", ">p1\n" + p + "\n>p1\n" + s.reverse.protein + "\n"}, {"same-protein-twice", ">p1\n" + p + "\n>p2\n" + p + "\n"},
		{"id-semicolon", ">a;b\n" + p + "\n"}, {"id-long", ">" + strings.Repeat("x", 500) + "\n" + p + "\n"},
		{"id-odd", ">a|b,c\"d'\n" + p + "\n"}, {"id-utf8", ">β\n" + p + "\n"},
		{"one-letter", ">p1\nM\n"}, {"two-letters", ">p1\nMK\n"}, {"ten-letters", ">p1\nMKLLVVVAAA\n"},
		{"one-letter-beside-others", plain + ">p3\nM\n"}, {"x-alone", ">p1\nXXXXXXXXXX\n"}, {"odd-letters-alone", ">p1\nBZJUOX\n"},
		{"genes", s.fasta("a")}, {"genes-short", ">p1\nATGACCGATTAA\n"},
		{"genes-iupac", ">p1\n" + s.dna[:300] + "RYSWKM" + s.dna[300:600] + "\n"},
		{"genes-beside-proteins", plain + s.fasta("a")}, {"rna", ">p1\n" + strings.ReplaceAll(s.dna, "T", "U") + "\n"},
		{"genbank", s.record("a", s.forward.cds(s.forward.span()))}, {"fastq", "@r\nACGT\n+\nIIII\n"}, {"gff", "##gff-version 3\n"},
		{"json", `{"a": 1}`}, {"html", "<!DOCTYPE html>\n<html></html>\n"}, {"clustal", "CLUSTAL W\n\na MKL\n"},
		{"nothing", ""}, {"blank", "\n"}, {"fault-behind-64-kib", long + ">p2\nMK1\n"}, {"star-behind-64-kib", long + ">p2\nM*K\n"},
		{"empty-behind-64-kib", long + ">p2\n>p3\nMK\n"}, {"latin1-behind-64-kib", long + ">p2 \xe4\nMK\n"},
		{"genes-behind-64-kib", long + s.fasta("a")}, {"control-z-last", plain + "\x1a"}, {"slash-slash-last", plain + "//\n"},
	}
	var variants []variant
	add := func(name, file string, content []byte) {
		variants = append(
			variants,
			variant{name: "proteins/" + name, kind: workflow.BaktaProteins, uploads: []userFile{{upload.ProteinFASTA, file, content}}},
		)
	}
	for _, r := range list {
		add(r.name, "proteins.faa", []byte(r.content))
	}
	add("gzip", "proteins.faa.gz", gz(plain))
	add("zstd", "proteins.faa.zst", zst(plain))
	add("zstd-skippable-first", "proteins.faa.zst", pzstd(plain))
	add("gzip-cut", "proteins.faa.gz", gz(plain)[:60])
	add("gzip-then-plain", "proteins.faa.gz", append(gz(plain), plain...))
	add("gzip-of-nothing", "proteins.faa.gz", gz(""))
	add("gzip-fault-behind-64-kib", "proteins.faa.gz", gz(long+">p2\nMK1\n"))
	add("plain-called-gz", "proteins.faa.gz", []byte(plain))
	return variants
}
