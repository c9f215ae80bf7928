package main

import (
	"fmt"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// imported matches the line that Bakta prints after it has read regions from a file.
const imported = `user regions: [1-9]\d* imported`

// gffVariants are regions in GFF3 files, as programs write them and as people change them.
func gffVariants(s sample) []variant {
	fasta := s.fasta("a described") + s.fasta("b")
	f, r := s.forward.gff("a", "+"), s.reverse.gff("a", "-")
	const head = "##gff-version 3\n"
	length := len(s.dna)
	line := func(start, stop any, strand string) string {
		return head + fmt.Sprintf("a\tjudge\tCDS\t%v\t%v\t.\t%s\t0\tID=x\n", start, stop, strand)
	}
	g := s.forward
	type row struct{ name, content string }
	list := []row{
		{"plain", head + f + r},
		{"without-version", f + r},
		{"crlf", strings.ReplaceAll(head+f+r, "\n", "\r\n")},
		{"cr", strings.ReplaceAll(head+f+r, "\n", "\r")},
		{"bom", "\xef\xbb\xbf" + head + f},
		{"utf16", utf16(head + f)},
		{"blank-lines", head + "\n" + f + "\n" + r + "\n"},
		{"spaces-line", head + f + "   \n" + r},
		{"no-last-line-end", strings.TrimSuffix(head+f, "\n")},
		{"gff2", "##gff-version 2\n" + f},
		{"prodigal", head +
			"# Sequence Data: seqnum=1;seqlen=1000;seqhdr=\"a described\"\n" +
			"# Model Data: version=Prodigal.v2.6.3;run_type=Metagenomic;model=\"x\"\n" +
			strings.Replace(
				f,
				"ID=a",
				"ID=1_1;partial=00;start_type=ATG;rbs_motif=GGAG/GAGG;rbs_spacer=5-10bp;gc_cont=0.5;conf=99.99;score=20.1;",
				1,
			)},
		{"prodigal-partial", head + fmt.Sprintf("a\tProdigal_v2.6.3\tCDS\t2\t%d\t20.1\t+\t0\tID=1_1;partial=10;start_type=Edge;\n", g.start)},
		{
			"prodigal-partial-beside-whole",
			head + fmt.Sprintf("a\tProdigal_v2.6.3\tCDS\t2\t%d\t20.1\t+\t0\tID=1_1;partial=10;start_type=Edge;\n", g.start) + f,
		},
		{"prokka", head + fmt.Sprintf("##sequence-region a 1 %d\n", length) + strings.Replace(f, "ID=a",
			"ID=P_1;eC_number=1.1.1.1;inference=ab initio prediction:Prodigal:002006;locus_tag=P_1;product=x", 1) + "##FASTA\n" + s.fasta("a")},
		{
			"ncbi",
			head + "#!gff-spec-version 1.21\n#!processor NCBI annotwriter\n" + fmt.Sprintf("##sequence-region a 1 %d\n##species x\n", length) +
				fmt.Sprintf("a\tRefSeq\tregion\t1\t%d\t.\t+\t.\tID=a:1..%d;Is_circular=true\n", length, length) +
				fmt.Sprintf("a\tRefSeq\tgene\t%d\t%d\t.\t+\t.\tID=gene-1\n", g.start, g.stop) + strings.Replace(f, "ID=a",
				"ID=cds-1;Parent=gene-1;product=x%2C y", 1) + "###\n",
		},
		{"fasta-without-directive", head + f + s.fasta("a")},
		{"fasta-directive-lower-case", head + f + "##fasta\n" + s.fasta("a")},
		{"fasta-directive-spaces", head + f + "##FASTA  \n" + s.fasta("a")},
		{"attributes-dot", head + strings.Replace(f, "ID=a", ".", 1)},
		{"attributes-empty", head + strings.Replace(f, "\tID=a", "\t", 1)},
		{"attributes-missing", head + strings.Replace(f, "\tID=a", "", 1)},
		{
			"attributes-with-tab",
			head + strings.Replace(f, "ID=a", "ID=a\tx", 1),
		},
		{"attributes-utf8", head + strings.Replace(f, "ID=a", "product=β", 1)},
		{"attributes-latin1", head + strings.Replace(f, "ID=a", "product=\xe4", 1)},
		{"comment-latin1", head + "# \xe4\n" + f},
		{"trailing-tab", head + strings.Replace(f, "\n", "\t\n", 1)},
		{"spaces-for-tabs", head + strings.ReplaceAll(f, "\t", "    ")},
		{"seven-fields", head + "a\tjudge\tCDS\t1\t9\t.\t+\n"},
		{"commas", head + strings.ReplaceAll(f, "\t", ",")},
		{"type-lower-case", head + strings.Replace(f, "CDS", "cds", 1)},
		{"type-so-number", head + strings.Replace(f, "CDS", "SO:0000316", 1)},
		{"genes-alone", head + strings.Replace(f, "CDS", "gene", 1)},
		{"head-alone", head},
		{"comments-alone", head + "# nothing\n"},
		{"spaces-around-fields", head + strings.ReplaceAll(f, "\t", " \t ")},
		{"indented", head + "  " + f},
		{"strand-dot", head + strings.Replace(f, "\t+\t", "\t.\t", 1)},
		{"strand-question", head + strings.Replace(f, "\t+\t", "\t?\t", 1)},
		{"strand-1", head + strings.Replace(f, "\t+\t", "\t1\t", 1)},
		{"strand-wrong", head + strings.Replace(f, "\t+\t", "\t-\t", 1)},
		{"phase-dot", head + strings.Replace(f, "\t0\tID", "\t.\tID", 1)},
		{"phase-5", head + strings.Replace(f, "\t0\tID", "\t5\tID", 1)},
		{"unknown-sequence", head + s.forward.gff("z", "+")},
		{"one-unknown-sequence", head + f + s.forward.gff("z", "+")},
		{"unknown-sequence-of-gene", head + f + strings.Replace(s.forward.gff("z", "+"), "CDS", "gene", 1)},
		{"automatic-name", head + s.forward.gff("contig_1", "+")},
		{"name-with-description", head + s.forward.gff("a described", "+")},
		{"name-with-greater-than", head + s.forward.gff(">a", "+")},
		{"name-of-other-case", head + s.forward.gff("A", "+")},
		{"name-empty", head + s.forward.gff("", "+")},
		{"name-escaped", head + s.forward.gff("%61", "+")},
		{"start-0", line(0, 300, "+")},
		{"start-negative", line(-5, 300, "+")},
		{"start-behind-stop", line(g.stop, g.start, "+")},
		{"start-is-stop", line(g.start, g.start, "+")},
		{"start-float", line(fmt.Sprint(g.start)+".0", g.stop, "+")},
		{"start-word", line("one", g.stop, "+")},
		{"start-plus", line(fmt.Sprintf("+%d", g.start), g.stop, "+")},
		{"start-underscore", line("1_0", g.stop, "+")},
		{"start-thousands", line("1,000", 1300, "+")},
		{"start-space", line(fmt.Sprintf(" %d", g.start), g.stop, "+")},
		{"start-huge", line(g.start, "99999999999999999999", "+")},
		{"start-arabic-digits", line("٣", g.stop, "+")},
		{"stop-at-end", line(length-299, length, "+") + f},
		{"over-the-end", line(length-298, length+1, "+") + f},
		{"over-the-end-twice", line(10, 2*length+5, "+") + f},
		{"over-the-end-by-a-length", line(10, 2*length, "+") + f},
		{"start-behind-end", line(length+10, length+309, "+") + f},
		{"length-not-of-threes", line(g.start, g.stop-1, "+")},
		{"length-not-of-threes-beside-others", line(g.start, g.stop-1, "+") + f},
		{"no-start-codon", line(g.start+3, g.stop, "+")},
		{"no-stop-codon", line(g.start, g.stop-3, "+")},
		{"stop-within", line(s.special.start, s.special.stop, "+")},
		{"two-bases", line(g.start, g.start+1, "+") + f},
		{"pseudo", head + strings.Replace(f, "ID=a", "ID=a;pseudo=true", 1)},
		{"pseudogene", head + strings.Replace(f, "ID=a", "ID=a;pseudogene=unknown", 1)},
		{"pseudogene-word", head + strings.Replace(f, "ID=a", "ID=a;pseudogene", 1)},
		{"pseudo-empty", head + strings.Replace(f, "ID=a", "ID=a;pseudo=", 1)},
		{"pseudogene-beside-others", head + strings.Replace(f, "ID=a", "pseudogene", 1) + r},
		{"twice", head + f + f},
		{"many", head + strings.Repeat(f, 2000)},
		{"gtf", "#!genome-build x\n" + strings.Replace(f, "ID=a", `gene_id "x"; transcript_id "y";`, 1)},
		{"bed", fmt.Sprintf("a\t%d\t%d\tx\t0\t+\n", g.start-1, g.stop)},
		{"tsv", "Contig\tID\tStart\tStop\tStrand\n"},
		{"fasta", s.fasta("a")},
		{"json", `{"a": 1}`},
		{"html", "<!DOCTYPE html>\n<html></html>\n"},
		{"word", "regions\n"},
		{"nothing", ""},
		{"blank", "\n \n"},
		{"nul", head + strings.Replace(f, "ID=a", "ID=\x00", 1)},
		{"form-feed-line", head + "\f\n" + f},
		{"vertical-tab-in-attributes", head + strings.Replace(f, "ID=a", "ID=\vx", 1)},
		{"next-line-in-attributes", head + strings.Replace(f, "ID=a", "ID=\u0085x", 1)},
		{"file-separator-in-attributes", head + strings.Replace(f, "ID=a", "ID=\x1cx", 1)},
		{"long-line", head + strings.Replace(f, "ID=a", "ID="+strings.Repeat("x", 100_000), 1)},
		{"track-line", head + "track name=x\n" + f},
		{"browser-line", "browser position a\n" + head + f},
	}
	var variants []variant
	add := func(name string, c option.Config, fasta, file string, content []byte) {
		variants = append(variants, genome("gff/"+name, c, genes, fasta, userFile{upload.RegionsFile, file, content}).showing(imported))
	}
	for _, row := range list {
		add(row.name, option.Config{}, fasta, "regions.gff3", []byte(row.content))
		if strings.TrimSpace(row.content) == "" {
			variants[len(variants)-1].shows = "" // such an upload stands for none
		}
	}
	plain := head + f + r
	add("gzip", option.Config{}, fasta, "regions.gff3.gz", gz(plain))
	add("gzip-called-gff3", option.Config{}, fasta, "regions.gff3", gz(plain))
	add("gzip-cut", option.Config{}, fasta, "regions.gff3.gz", gz(plain)[:50])
	add("gzip-then-newline", option.Config{}, fasta, "regions.gff3.gz", append(gz(plain), '\n'))
	add("gzip-of-nothing", option.Config{}, fasta, "regions.gff3.gz", gz(""))
	add("zstd", option.Config{}, fasta, "regions.gff3.zst", zst(plain))
	add("called-txt", option.Config{}, fasta, "regions.txt", []byte(plain))
	add("called-gtf", option.Config{}, fasta, "regions.gtf", []byte(plain))
	add("kept", option.Config{KeepContigHeaders: true}, fasta, "regions.gff3", []byte(plain))
	add("compliant", option.Config{Compliant: true}, fasta, "regions.gff3", []byte(plain))
	add("meta", option.Config{Meta: true}, fasta, "regions.gff3", []byte(plain))
	add("table-4", option.Config{TranslationTable: 4}, fasta, "regions.gff3", []byte(plain))
	add("table-4-stop-within", option.Config{TranslationTable: 4}, fasta, "regions.gff3", []byte(line(s.special.start, s.special.stop, "+")))
	add("skip-cds", option.Config{Skip: []string{"cds"}}, fasta, "regions.gff3", []byte(plain))
	add("on-a-short-sequence", option.Config{MinContigLength: 100}, fasta+">c\nATGACCTAA\n", "regions.gff3",
		[]byte(plain+"c\tx\tCDS\t1\t9\t.\t+\t0\tID=c\n"))
	add("on-a-short-sequence-compliant", option.Config{Compliant: true}, fasta+">c\nATGACCTAA\n", "regions.gff3",
		[]byte(plain+"c\tx\tCDS\t1\t9\t.\t+\t0\tID=c\n"))
	add("on-a-sequence-twice", option.Config{}, s.fasta("a")+">a\nACGTACGTACGT\n", "regions.gff3", []byte(plain))
	add("on-a-sequence-without-a-name", option.Config{}, s.fasta(""), "regions.gff3", []byte(head+s.forward.gff("", "+")))
	add("on-a-renamed-sequence", option.Config{}, fasta, "regions.gff3", []byte(plain))
	return variants
}
