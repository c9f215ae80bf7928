package main

import (
	"fmt"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// genbankVariants are regions in GenBank files.
func genbankVariants(s sample) []variant {
	g, r, x := s.forward, s.reverse, s.special
	length := len(s.dna)
	plain := g.cds(g.span())
	back := r.cds("complement(" + r.span() + ")")
	sec := fmt.Sprintf("/transl_except=(pos:%d..%d,aa:Sec)", x.start+180, x.start+182)
	except := func(aa string) string { return strings.Replace(sec, "Sec", aa, 1) }
	bare := func(location string, more ...string) string {
		return feature("CDS", location, append([]string{`/locus_tag="A_1"`, `/product="p"`}, more...)...)
	}
	locus := func(line string) string { return s.recordWith(line, "a", "a", plain) }
	named := func(accession, version string) string {
		return s.recordWith(fmt.Sprintf("LOCUS       zzz %d bp    DNA     linear   BCT 01-JAN-2026", length), accession, version, plain)
	}
	middle := g.start + 150
	type row struct{ name, content string }
	var list []row
	for name, features := range map[string]string{
		"plain": plain, "reverse": back, "both": plain + back, "without-translation": bare(g.span()),
		"without-qualifiers":   feature("CDS", g.span()),
		"join":                 g.cds(fmt.Sprintf("join(%d..%d,%d..%d)", g.start, middle, middle+1, g.stop)),
		"join-of-three":        g.cds(fmt.Sprintf("join(%d..%d,%d..%d,%d..%d)", g.start, middle, middle+1, middle+30, middle+31, g.stop)),
		"join-with-gap":        g.cds(fmt.Sprintf("join(%d..%d,%d..%d)", g.start, middle, middle+4, g.stop)),
		"join-over-origin":     g.cds(fmt.Sprintf("join(%d..%d,1..10)", length-19, length)) + plain,
		"complement-of-join":   r.cds(fmt.Sprintf("complement(join(%d..%d,%d..%d))", r.start, r.start+99, r.start+100, r.stop)),
		"join-of-complements":  r.cds(fmt.Sprintf("join(complement(%d..%d),complement(%d..%d))", r.start+100, r.stop, r.start, r.start+99)),
		"join-of-both-strands": g.cds(fmt.Sprintf("join(%d..%d,complement(%d..%d))", g.start, g.stop, r.start, r.stop)) + plain,
		"join-of-both-alone":   g.cds(fmt.Sprintf("join(%d..%d,complement(%d..%d))", g.start, g.stop, r.start, r.stop)),
		"join-of-both-three": g.cds(fmt.Sprintf("join(%d..%d,complement(%d..%d),%d..%d)", g.start, g.start+2, r.start, r.stop, g.start+3,
			g.stop)) + plain,
		"order":                g.cds(fmt.Sprintf("order(%d..%d,%d..%d)", g.start, middle, middle+1, g.stop)),
		"one-of":               g.cds(fmt.Sprintf("one-of(%d,%d)..%d", g.start, g.start+3, g.stop)),
		"remote":               g.cds(fmt.Sprintf("J00194.1:%d..%d", g.start, g.stop)),
		"remote-beside-others": g.cds(fmt.Sprintf("J00194.1:%d..%d", g.start, g.stop)) + plain,
		"remote-join":          g.cds(fmt.Sprintf("join(%d..%d,J00194.1:1..9)", g.start, g.stop)) + plain,
		"between":              g.cds(fmt.Sprintf("%d^%d", g.start, g.start+1)) + plain,
		"one-base":             g.cds(fmt.Sprint(g.start)) + plain, "within": g.cds(fmt.Sprintf("(%d.%d)..%d", g.start, g.start+3, g.stop)),
		"bond":          g.cds(fmt.Sprintf("bond(%d,%d)", g.start, g.stop)) + plain,
		"partial-start": g.cds("<"+g.span()) + back, "partial-end": g.cds(fmt.Sprintf("%d..>%d", g.start, g.stop)) + back,
		"partial-alone": g.cds("<" + g.span()), "partial-reversed-signs": g.cds(">"+g.span()) + back,
		"partial-inner": g.cds(fmt.Sprintf("join(%d..>%d,%d..%d)", g.start, middle, middle+1, g.stop)) + back,
		"pseudo":        g.cds(g.span(), "/pseudo") + back, "pseudo-alone": g.cds(g.span(), "/pseudo"),
		"pseudogene": g.cds(g.span(), `/pseudogene="unknown"`) + back, "pseudo-elsewhere": g.cds(g.span(), "/pseudo") + back,
		"codon-start-2": g.cds(g.span(), "/codon_start=2"), "translation-of-another": r.cds(g.span()),
		"length-not-of-threes":               g.cds(fmt.Sprintf("%d..%d", g.start, g.stop-1)),
		"length-not-of-threes-beside-others": g.cds(fmt.Sprintf("%d..%d", g.start, g.stop-1)) + back,
		"no-start-codon":                     bare(fmt.Sprintf("%d..%d", g.start+3, g.stop)) + back,
		"stop-within":                        bare(x.span()) + plain, "stop-within-alone": bare(x.span()),
		"sec": x.cds(x.span(), sec), "sec-without-translation": bare(x.span(), sec) + plain,
		"sec-without-u": strings.Replace(x.cds(x.span(), sec), "U", "C", 1), "sec-lower": x.cds(x.span(), strings.ToLower(sec)),
		"sec-with-spaces": x.cds(x.span(), strings.Replace(sec, "aa:", "aa: ", 1)), "sec-upper": x.cds(x.span(), except("SEC")),
		"sec-twice": x.cds(x.span(), sec, sec), "sec-first-of-two": x.cds(x.span(), sec, except("Met")),
		"sec-second-of-two": x.cds(x.span(), except("Met"), sec), "except-met": x.cds(x.span(), except("Met")),
		"except-pyl": x.cds(x.span(), except("Pyl")), "except-other": x.cds(x.span(), except("OTHER")),
		"except-trp":   x.cds(x.span(), except("Trp")),
		"except-term":  g.cds(g.span(), fmt.Sprintf("/transl_except=(pos:%d..%d,aa:TERM)", g.stop-2, g.stop)),
		"except-empty": x.cds(x.span(), `/transl_except=""`), "except-without-value": x.cds(x.span(), "/transl_except"),
		"except-met-second": plain + x.cds(x.span(), except("Met")), "except-met-first": x.cds(x.span(), except("Met")) + plain,
		"except-met-behind-two":    plain + back + x.cds(x.span(), except("Met")),
		"except-met-partial":       plain + x.cds("<"+x.span(), except("Met")),
		"except-met-pseudo":        plain + x.cds(x.span(), except("Met"), "/pseudo"),
		"except-met-with-slippage": plain + x.cds(x.span(), except("Met"), "/ribosomal_slippage"),
		"exception-text":           x.cds(x.span(), `/exception="RNA editing"`) + plain, "slippage": g.cds(g.span(), "/ribosomal_slippage"),
		"slippage-join":                g.cds(fmt.Sprintf("join(%d..%d,%d..%d)", g.start, middle, middle, g.stop), "/ribosomal_slippage"),
		"slippage-without-translation": bare(g.span(), "/ribosomal_slippage") + plain,
		"slippage-join-without-translation": bare(fmt.Sprintf("join(%d..%d,%d..%d)", g.start, middle, middle, g.stop), "/ribosomal_slippage") +
			plain,
		"slippage-empty-translation": bare(g.span(), "/ribosomal_slippage", `/translation=""`) + plain,
		"trans-splicing":             g.cds(g.span(), "/trans_splicing"), "artificial": g.cds(g.span(), `/artificial_location="x"`),
		"out-of-range":     bare(fmt.Sprintf("%d..%d", length-29, length+60)) + plain,
		"far-out-of-range": bare(fmt.Sprintf("%d..%d", length+1, length+300)) + plain, "start-0": bare("0..300") + plain,
		"start-negative":    bare("-5..300") + plain,
		"start-behind-stop": bare(fmt.Sprintf("%d..%d", g.stop, g.start)) + plain, "no-location": feature("CDS", "") + plain,
		"location-word": feature("CDS", "unknown") + plain, "location-spaces": g.cds(fmt.Sprintf("%d .. %d", g.start, g.stop)) + back,
		"location-open": g.cds(fmt.Sprintf("join(%d..%d", g.start, g.stop)) + back,
		"location-over-lines": "     CDS             join(" +
			fmt.Sprintf("%d..%d,\n                     %d..%d)\n", g.start, middle, middle+1, g.stop),
		"key-lower-case": strings.Replace(plain, "CDS", "cds", 1), "genes-alone": strings.Replace(plain, "CDS ", "gene", 1),
		"no-features": "", "misc-feature": plain + feature("misc_feature", "1..10", `/note="x"`),
		"note-with-quotes": g.cds(g.span(), `/note="a ""quoted"" word"`), "note-open": g.cds(g.span(), `/note="open`) + back,
		"note-with-slash": g.cds(g.span(), `/note="a`, `/b"`), "qualifier-without-quotes": g.cds(g.span(), "/note=abc"),
		"qualifier-unknown": g.cds(g.span(), `/unknown="x"`), "utf8": g.cds(g.span(), `/note="β"`),
		"latin1":           g.cds(g.span(), "/note=\"\xe4\""),
		"tabs-in-features": strings.Replace(plain, "     CDS             ", "\tCDS\t", 1) + back,
		"twice":            plain + plain,
	} {
		list = append(list, row{name, s.record("a", features)})
	}
	record := s.record("a", plain)
	list = append(list, []row{
		{"crlf", strings.ReplaceAll(record, "\n", "\r\n")},
		{"cr", strings.ReplaceAll(record, "\n", "\r")},
		{"bom", "\xef\xbb\xbf" + record},
		{"blank-line-first", "\n" + record},
		{"space-first", " " + record},
		{"text-first", "GBBCT1.SEQ\n\n" + record},
		{"blank-lines-within", strings.Replace(record, "FEATURES", "\nFEATURES", 1)},
		{"blank-line-in-features", strings.Replace(record, "     CDS", "\n     CDS", 1)},
		{"blank-line-behind", record + "\n\n"},
		{"no-slashes", strings.TrimSuffix(record, "//\n")},
		{"no-last-line-end", strings.TrimSuffix(record, "\n")},
		{"cut-in-features", record[:strings.Index(record, "/product")]},
		{"cut-in-origin", record[:len(record)-300]},
		{"no-origin", strings.Replace(record, s.origin(), "", 1)},
		{"origin-empty", strings.Replace(record, s.origin(), "ORIGIN\n", 1)},
		{"contig-line", strings.Replace(record, s.origin(), "CONTIG      join(a:1..100)\n", 1)},
		{"origin-of-other-length", strings.Replace(record, s.origin(), "ORIGIN\n        1 acgtacgtac\n", 1)},
		{"two-records", record + s.record("b", plain)},
		{"second-record-unknown", record + s.record("z", plain)},
		{"second-record-unknown-without-cds", record + s.record("z", "")},
		{"unknown", s.record("z", plain)},
		{"text-behind", record + "text\n"},
		{"no-features-part", strings.Replace(record, "FEATURES             Location/Qualifiers\n"+feature("source", fmt.Sprintf("1..%d", length),
			`/organism="x"`)+plain, "", 1)},
		{"named-by-version", named("a", "a")},
		{"named-by-accession", named("a", "")},
		{"named-by-locus", strings.Replace(named("", ""), "zzz", "a", 1)},
		{"named-with-version-number", s.recordWith("LOCUS       b 10 bp DNA", "a", "a.1", plain)},
		{"named-by-two-accessions", named("a b", "")},
		{"named-by-version-and-gi", named("a", "a  GI:12345")},
		{"named-otherwise", named("z", "z")},
		{"accession-unknown", named("unknown", "")},
		{"no-accession-line", strings.Replace(strings.Replace(record, "ACCESSION   a\n", "", 1), "VERSION     a\n", "", 1)},
		{"locus-short", locus("LOCUS       a")},
		{"locus-without-date", locus(fmt.Sprintf("LOCUS       a %d bp DNA linear", length))},
		{"locus-without-topology", locus(fmt.Sprintf("LOCUS       a %d bp DNA BCT 01-JAN-2026", length))},
		{"locus-circular", locus(fmt.Sprintf("LOCUS       %-16s %11d bp    DNA     circular BCT 01-JAN-2026", "a", length))},
		{"locus-old-columns", locus(fmt.Sprintf("LOCUS       %-9s %7d bp    DNA   linear   BCT 01-JAN-2026", "a", length))},
		{"locus-merged", s.recordWith(fmt.Sprintf("LOCUS       a_length_3306_cov_13.663191%d bp   DNA linear", length), "", "", plain)},
		{
			"locus-merged-with-accession",
			s.recordWith(fmt.Sprintf("LOCUS       a_length_3306_cov_13.663191%d bp   DNA linear", length), "a", "a", plain),
		},
		{"locus-merged-prokka", s.recordWith(fmt.Sprintf("LOCUS       a_length_3306_cov_13.663191%d bp    DNA     linear       01-JAN-2026",
			length), "a", "a", plain)},
		{
			"locus-long-name",
			s.recordWith(
				fmt.Sprintf("LOCUS       a_length_3306_cov_13.663191_and_much_more %d bp    DNA     linear   BCT 01-JAN-2026", length),
				"a",
				"a",
				plain,
			),
		},
		{"locus-tabs", locus(fmt.Sprintf("LOCUS\ta\t%d bp\tDNA\tlinear", length))},
		{"locus-aa", locus(fmt.Sprintf("LOCUS       a %d aa linear BCT 01-JAN-2026", length))},
		{"locus-lower-case", locus(fmt.Sprintf("locus       a %d bp DNA linear BCT 01-JAN-2026", length))},
		{"locus-without-bp", locus(fmt.Sprintf("LOCUS       a %d DNA linear BCT 01-JAN-2026", length))},
		{"locus-without-length", locus("LOCUS       a bp DNA linear BCT 01-JAN-2026")},
		{"locus-wrong-length", locus("LOCUS       a 10 bp DNA linear BCT 01-JAN-2026")},
		{"locus-alone", locus("LOCUS")},
		{"locus-spaces-in-name", locus(fmt.Sprintf("LOCUS       a b c %d bp DNA linear BCT 01-JAN-2026", length))},
		{"locus-rna", locus(fmt.Sprintf("LOCUS       a %d bp RNA linear BCT 01-JAN-2026", length))},
		{"locus-ds-dna", locus(fmt.Sprintf("LOCUS       a %d bp ds-DNA linear BCT 01-JAN-2026", length))},
		{"locus-odd-molecule", locus(fmt.Sprintf("LOCUS       a %d bp XNA linear BCT 01-JAN-2026", length))},
		{"locus-odd-topology", locus(fmt.Sprintf("LOCUS       a %d bp DNA round BCT 01-JAN-2026", length))},
		{"locus-odd-date", locus(fmt.Sprintf("LOCUS       a %d bp DNA linear BCT 2026-01-01", length))},
		{"locus-bakta", locus(fmt.Sprintf("LOCUS       contig_1               %d bp    DNA     linear   UNK 01-JAN-1980", length))},
		{"locus-snapgene", locus(fmt.Sprintf("LOCUS       Exported               %d bp ds-DNA     circular SYN 01-JAN-2026", length))},
		{"locus-geneious", locus(fmt.Sprintf("LOCUS       a                      %d bp    DNA     linear UNA 01-JAN-2026", length))},
		{"locus-ape", locus(fmt.Sprintf("LOCUS       a                      %d bp    DNA     linear       1/1/2026", length))},
		{"locus-division-missing-prokka", locus(fmt.Sprintf("LOCUS       a            %d bp    DNA     linear       01-JAN-2026", length))},
		{"locus-length-with-commas", locus("LOCUS       a 1,000 bp DNA linear BCT 01-JAN-2026")},
		{
			"embl",
			"ID   a; SV 1; linear; genomic DNA; STD; PRO; 10 BP.\nFT   CDS             1..9\nSQ   Sequence 10 BP;\n     acgtacgtac        10\n//\n",
		},
		{"nothing-but-locus", "LOCUS       a 10 bp DNA linear\n"},
		{"dblink", strings.Replace(record, "FEATURES",
			"DBLINK      BioProject: X\n            BioSample: Y\n"+
				"KEYWORDS    .\nSOURCE      x\n  ORGANISM  x\n            Unclassified.\nCOMMENT     made up\nFEATURES", 1)},
		{"comment-with-features", strings.Replace(record, "FEATURES", "COMMENT     FEATURES are here\n            LOCUS too\nFEATURES", 1)},
		{"primary-line", strings.Replace(record, "FEATURES", "PRIMARY     x\nFEATURES", 1)},
		{"wgs-line", strings.Replace(record, s.origin(), "WGS         a-b\n", 1)},
		{"base-count", strings.Replace(record, "ORIGIN", "BASE COUNT  1 a 1 c 1 g 1 t\nORIGIN", 1)},
		{"unknown-line", strings.Replace(record, "FEATURES", "SOMETHING   x\nFEATURES", 1)},
		{"origin-upper-case", strings.Replace(record, s.origin(), strings.ReplaceAll(strings.ToUpper(s.origin()), "ORIGIN", "ORIGIN"), 1)},
		{"origin-with-text", strings.Replace(record, "ORIGIN\n", "ORIGIN      from here\n", 1)},
		{"origin-with-digits-alone", strings.Replace(record, s.origin(), "ORIGIN\n        1\n", 1)},
		{"features-without-words", strings.Replace(record, "FEATURES             Location/Qualifiers", "FEATURES", 1)},
	}...)
	var variants []variant
	fasta := s.fasta("a") + s.fasta("b")
	add := func(name string, c option.Config, fasta, file string, content []byte) {
		variants = append(variants, genome("genbank/"+name, c, genes, fasta, userFile{upload.RegionsFile, file, content}).showing(imported))
	}
	for _, r := range list {
		add(r.name, option.Config{}, fasta, "regions.gbff", []byte(r.content))
	}
	add("gzip", option.Config{}, fasta, "regions.gbff.gz", gz(record))
	add("zstd", option.Config{}, fasta, "regions.gbff.zst", zst(record))
	add("called-gff3", option.Config{}, fasta, "regions.gff3", []byte(record))
	add("called-txt", option.Config{}, fasta, "regions.txt", []byte(record))
	add("kept", option.Config{KeepContigHeaders: true}, fasta, "regions.gbff", []byte(record))
	add("table-4", option.Config{TranslationTable: 4}, fasta, "regions.gbff", []byte(s.record("a", x.cds(x.span()))))
	add("table-4-sec", option.Config{TranslationTable: 4}, fasta, "regions.gbff", []byte(s.record("a", x.cds(x.span(), sec))))
	add(
		"versioned",
		option.Config{},
		s.fasta("a.1"),
		"regions.gbff",
		[]byte(s.recordWith("LOCUS       a 10 bp DNA linear", "a", "a.1", plain)),
	)
	add("versioned-by-accession-alone", option.Config{}, s.fasta("a.1"), "regions.gbff", []byte(named("a", "")))
	add("locus-merged-named-whole", option.Config{}, s.fasta("NODE_1_length_3306_cov_13.663191"), "regions.gbff",
		[]byte(s.recordWith(fmt.Sprintf("LOCUS       NODE_1_length_3306_cov_13.663191%d bp   DNA linear", length), "", "", plain)))
	add("locus-long-named-whole", option.Config{}, s.fasta("NODE_1_length_3306_cov_13.663191"), "regions.gbff",
		[]byte(s.recordWith(fmt.Sprintf("LOCUS       NODE_1_length_3306_cov_13.663191 %d bp   DNA linear", length), "", "", plain)))
	return variants
}
