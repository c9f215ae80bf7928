package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// genomeVariants are genomes as files: their bases, lines, headers and lengths.
func genomeVariants(s sample) []variant {
	plain := s.fasta("a")
	lines := strings.Split(strings.TrimSuffix(s.fasta("a"), "\n"), "\n")
	insert := func(line string) string { // in the middle of the sequence
		return strings.Join(lines[:9], "\n") + "\n" + line + "\n" + strings.Join(lines[9:], "\n") + "\n"
	}
	type row struct{ name, fasta string }
	rows := []row{
		{"plain", plain},
		{"crlf", strings.ReplaceAll(plain, "\n", "\r\n")},
		{"cr", strings.ReplaceAll(plain, "\n", "\r")},
		{"mixed-line-ends", strings.Replace(strings.Replace(plain, "\n", "\r\n", 3), "\n", "\r", 1)},
		{"no-last-line-end", strings.TrimSuffix(plain, "\n")},
		{"blank-lines-after", plain + "\n\n\n"},
		{"blank-lines-within", insert("")},
		{"blank-line-below-header", strings.Replace(plain, "\n", "\n\n", 1)},
		{"blank-line-first", "\n" + plain},
		{"crlf-line-first", "\r\n" + plain},
		{"space-first", " " + plain},
		{"line-of-spaces-first", "   \n" + plain},
		{"bom", "\xef\xbb\xbf" + plain},
		{"utf16", utf16(plain)},
		{"lower-case", ">a\n" + strings.ToLower(wrapped(s.dna))},
		{"mixed-case", insert("acgtACGTnN")},
		{"one-long-line", ">a\n" + s.dna + "\n"},
		{"one-letter-lines", ">a\n" + strings.Join(strings.Split(s.dna[:400], ""), "\n") + "\n"},
		{"indented", ">a\n  " + strings.ReplaceAll(strings.TrimSpace(wrapped(s.dna)), "\n", "\n  ") + "\n"},
		{"spaces-within", ">a\n" + strings.Join(strings.SplitAfter(s.dna, "A"), " ") + "\n"},
		{"tabs-within", insert("ACGT\tACGT")},
		{"space-at-line-ends", strings.ReplaceAll(plain, "\n", " \n")},
		{"iupac", insert("RYSWKMBDHVNryswkmbdhvn")},
		{"dashes", insert("--ACGT---ACGT--")},
		{"dashes-alone", ">a\n-----\n"},
		{"dashes-alone-beside-others", plain + ">b\n-----\n"},
		{"spaces-alone-beside-others", plain + ">b\n     \n"},
		{"header-alone", ">a\n"},
		{"header-alone-without-line-end", ">a"},
		{"greater-than-alone", ">"},
		{"empty-first", ">e\n" + plain},
		{"empty-within", plain + ">e\n" + s.fasta("b")},
		{"empty-last", plain + ">e\n"},
		{"empty-last-without-line-end", plain + ">e"},
		{"no-header", wrapped(s.dna)},
		{"comment-semicolon-first", "; comment\n" + plain},
		{"comment-hash-first", "# comment\n" + plain},
		{"comment-exclamation-first", "! comment\n" + plain},
		{"comment-semicolon-within", insert(";comment")},
		{"comment-hash-within", insert("#comment")},
		{"text-first", "my genome\n" + plain},
		{"two-greater-than", ">" + plain},
		{"greater-than-within-a-line", insert("ACGT>b ACGT")},
		{"space-before-header", plain + " " + s.fasta("b")},
		{"asterisk-last", strings.TrimSuffix(plain, "\n") + "*\n"},
		{"dot-within", insert("ACGT.ACGT")},
		{"question-mark-within", insert("ACGT?ACGT")},
		{"tilde-within", insert("ACGT~ACGT")},
		{"digits", ">a\n        1 " + s.dna[:60] + "\n       61 " + s.dna[60:120] + "\n"},
		{"slash-slash-last", plain + "//\n"},
		{"letter-x", insert("ACGTXACGT")},
		{"letter-e", insert("ACGTEACGT")},
		{"letter-i-inosine", insert("ACGTIACGT")},
		{"rna", ">a\n" + strings.ReplaceAll(wrapped(s.dna), "T", "U")},
		{"rna-one-letter", insert("ACGUACGT")},
		{"proteins", ">a\n" + s.forward.protein + "\n>b\n" + s.reverse.protein + "\n"},
		{"letter-not-ascii", insert("ACGTÄACGT")},
		{"letter-long-s", insert("ACGTſACGT")}, // U+017F is S, of which the pattern of Bakta does not care for the case
		{"letter-kelvin", insert("ACGTKACGT")}, // U+212A is k
		{"letter-full-width", insert("ACGTＡCGT")},
		{"no-break-space-within", insert("ACGT\u00a0ACGT")},
		{"soft-hyphen-within", insert("ACGT\u00adACGT")},
		{"zero-width-space-within", insert("ACGT\u200bACGT")},
		{"form-feed-within", insert("ACGT\fACGT")},
		{"vertical-tab-within", insert("ACGT\vACGT")},
		{"unit-separator-within", insert("ACGT\x1fACGT")},
		{"next-line-within", insert("ACGT\u0085ACGT")},
		{"line-separator-within", insert("ACGT\u2028ACGT")},
		{"nul-within", insert("ACGT\x00ACGT")},
		{"nul-last", plain + "\x00"},
		{"control-z-last", plain + "\x1a"},
		{"latin1-within", insert("ACGT\xe4ACGT")},
		{"fastq", "@r1\n" + s.dna[:100] + "\n+\n" + strings.Repeat("I", 100) + "\n"},
		{"genbank", s.record("a", "")},
		{"embl", "ID   A; SV 1; linear; DNA; STD; PRO; 10 BP.\nSQ   Sequence 10 BP;\n     acgtacgtac        10\n//\n"},
		{"gff-with-fasta", "##gff-version 3\n##FASTA\n" + plain},
		{"json", `{"a": 1}`},
		{"html", "<!DOCTYPE html><html><body>" + plain + "</body></html>"},
		{"pdf", "%PDF-1.7\n" + plain},
		{"blank", " \n\t\r\n"},
		{"nothing", ""},
		{"header-latin1", strings.Replace(plain, ">a", ">a \xe4", 1)},
		{"header-latin1-later", plain + s.fasta("b \xe4")},
		{"header-utf8", strings.Replace(plain, ">a", ">a äöü 日本 🧬", 1)},
		{"header-nul", strings.Replace(plain, ">a", ">a \x00", 1)},
		{"header-tab", strings.Replace(plain, ">a", ">a\tdescription here", 1)},
		{"header-two-spaces", strings.Replace(plain, ">a", ">a  description", 1)},
		{"header-space-last", strings.Replace(plain, ">a", ">a ", 1)},
		{"header-long", strings.Replace(plain, ">a", ">a "+strings.Repeat("description ", 400), 1)},
		{"header-70-kb", strings.Replace(plain, ">a", ">a "+strings.Repeat("x", 70_000), 1)},
		{"header-70-kb-later", plain + s.fasta("b "+strings.Repeat("x", 70_000))},
		{"header-70-kb-id", s.fasta(strings.Repeat("x", 70_000))},
		{"header-form-feed", strings.Replace(plain, ">a", ">a\fb", 1)},
		{"header-file-separator", strings.Replace(plain, ">a", ">a\x1cb", 1)},
		{"header-next-line", strings.Replace(plain, ">a", ">a\u0085b", 1)},
		{"header-line-separator", strings.Replace(plain, ">a", ">a b\u2028c", 1)},
		{"n-alone", ">a\n" + strings.Repeat("N", 300) + "\n"},
		{"n-alone-beside-others", plain + ">b\n" + strings.Repeat("N", 300) + "\n"},
		{"fault-behind-64-kib", ">a\n" + strings.Repeat(wrapped(s.dna), 60) + "ACGTXACGT\n"},
		{"fault-in-header-behind-64-kib", ">a\n" + strings.Repeat(wrapped(s.dna), 60) + ">b\xff\n" + wrapped(s.dna)},
		{"empty-behind-64-kib", ">a\n" + strings.Repeat(wrapped(s.dna), 60) + ">b\n>c\nACGT\n"},
		{"duplicate-ids", plain + plain},
		{"a-thousand-sequences", manySequences(s, 1000)},
	}
	variants := make([]variant, 0, len(rows))
	for _, r := range rows {
		variants = append(variants, genome("genome/"+r.name, option.Config{}, quick, r.fasta))
	}
	// Features that are as long as the sequence.
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 3, 5, 6, 8, 10, 19, 20, 30, 50, 59, 60, 89, 90, 99, 100, 199, 200} {
		b := make([]byte, n)
		for i := range b {
			b[i] = "ACGT"[random.IntN(4)]
		}
		letters := string(b)
		variants = append(variants,
			genome(fmt.Sprintf("genome/whole-of-%d-bp", n), option.Config{}, whole, ">a\n"+letters+"\n"),
			genome(fmt.Sprintf("genome/compliant-of-%d-bp", n), option.Config{Compliant: true}, quick, ">a\n"+letters+"\n"))
		if n <= 10 {
			variants = append(variants, genome(fmt.Sprintf("genome/beside-%d-bp", n), option.Config{}, whole, plain+">b\n"+letters+"\n"))
		}
	}
	variants = append(variants,
		genome("genome/whole-of-n", option.Config{}, whole, ">a\n"+strings.Repeat("N", 1000)+"\n"),
		genome("genome/whole-beside-n", option.Config{}, whole, plain+">b\n"+strings.Repeat("N", 1000)+"\n"),
		genome("genome/whole-of-one-letter", option.Config{}, whole, ">a\n"+strings.Repeat("A", 1000)+"\n"),
		genome("genome/whole-of-iupac", option.Config{}, whole, ">a\n"+strings.Repeat("RYSWKM", 200)+"\n"),
		genome("genome/whole-iupac-within", option.Config{}, whole, insert("RYSWKMBDHVNryswkmbdhvn")),
		genome("genome/whole-lower-case", option.Config{}, whole, ">a\n"+strings.ToLower(wrapped(s.dna))),
		genome("genome/whole-dashes", option.Config{}, whole, insert("ACGT---ACGT")),
	)
	// Descriptions from which Bakta concludes that a sequence is complete.
	for name, description := range map[string]string{
		"complete": "Exemplum sp., complete genome", "incomplete": "incomplete sequence", "complete-false": "complete=false",
		"circular-true": "length=10 circular=true", "circular-false": "length=10 circular=false", "plasmid": "plasmid pX, complete sequence",
		"chromosome": "chromosome, complete", "not-complete": "not complete", "completeness": "completeness: 97 %",
	} {
		variants = append(variants, genome("genome/described-as-"+name, option.Config{}, quick, s.fasta("a "+description)))
	}
	return variants
}

// manySequences returns a genome of many pieces.
func manySequences(s sample, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ">s%d\n%s\n", i, s.dna[:50])
	}
	return b.String()
}

// utf16 returns ASCII text as UTF-16 with a byte order mark.
func utf16(text string) string {
	b := []byte{0xff, 0xfe}
	for i := range len(text) {
		b = append(b, text[i], 0)
	}
	return string(b)
}
