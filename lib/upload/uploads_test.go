package upload

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// uploadTest is an optional upload, what is said of it (nothing if it is accepted) and the name that it gets.
type uploadTest struct {
	name    string
	kind    string
	content string
	c       option.Config
	says    string
	file    string
	kinder  bool // refused here, taken by Bakta as it is; the reason stands beside the case
}

// The sequences that regions lie on: one of 120 base pairs with a coding sequence from 1 to 30, one of 30.
const (
	geneGenome = ">c1 first\nATGAAACTGCTGGTGGTGGTGGCGGCGTAA\nACGTACGTAC " +
		"GTACGTACGTACGTACGTACGT\nACGTACGTACGTACGTACGTACGTACGTAC\nACGTACGTACGTACGTACGTACGTACGT\n>c2\nACGTACGTACGTACGTACGTACGTACGTAC\n"
	geneLine   = "c1\tx\tCDS\t1\t30\t.\t+\t0\tID=a\n"
	geneRecord = "LOCUS       c1                       120 bp    DNA     linear   BCT 01-JAN-2000\nDEFINITION  x.\nACCESSION   " +
		"c1\nVERSION     c1\nFEATURES             Location/Qualifiers\n     source          1..120\n" +
		"     CDS             1..30\n                     /locus_tag=\"A_1\"\n                     /product=\"a long\n                     " +
		"name\"\n                     /translation=\"MKLLVV\n                     VAA\"\nORIGIN\n        1 atgaaactgc\n//\n"
	trustedOne = ">p1 gen~~~a protein~~~DB:1\nMKLLVVVAA\n"
)

func uploadTests(t testing.TB) []uploadTest {
	t.Helper()
	hmm, err := os.ReadFile(filepath.Join("testdata", "small.hmm"))
	if err != nil {
		t.Fatal(err)
	}
	profile := string(hmm)
	without := func(tag string) string {
		var kept strings.Builder
		for line := range strings.Lines(profile) {
			if !strings.HasPrefix(line, tag+" ") {
				kept.WriteString(line)
			}
		}
		return kept.String()
	}
	withoutRow := func(word string) string {
		var kept strings.Builder
		for line := range strings.Lines(profile) {
			if !strings.HasPrefix(strings.TrimSpace(line), word) {
				kept.WriteString(line)
			}
		}
		return kept.String()
	}
	change := func(text, from, to string) string {
		if !strings.Contains(text, from) {
			t.Fatalf("%q is not there to be changed", from)
		}
		return strings.Replace(text, from, to, 1)
	}
	smallAnnotation := annotationOf(t)
	annotation := smallAnnotation
	var tests []uploadTest
	add := func(kind, file string, cases ...uploadTest) {
		for _, c := range cases {
			c.kind = kind
			if c.says == "" && c.file == "" {
				c.file = file
			}
			tests = append(tests, c)
		}
	}
	add(
		RegionsFile,
		"regions.gff3",
		uploadTest{name: "GFF3", content: "##gff-version 3\n" + geneLine},
		uploadTest{name: "GFF without its first line", content: geneLine},
		uploadTest{name: "blank lines", content: "\n##gff-version 3\n\n" + geneLine + "\n\n"},
		uploadTest{name: "line ends of Windows", content: "##gff-version 3\r\n\r\nc1\tx\tCDS\t1\t30\t.\t+\t0\tID=a\r\n"},
		uploadTest{name: "old line ends of Macs", content: "##gff-version 3\r\rc1\tx\tCDS\t1\t30\t.\t+\t0\tID=a\r"},
		uploadTest{name: "byte order mark", content: utf8BOM + geneLine},
		uploadTest{name: "gzip", content: string(gzipped([]byte(geneLine)))},
		uploadTest{name: "zstd", content: string(zstded([]byte(geneLine)))},
		uploadTest{
			name:    "xz",
			content: string(xzed([]byte(geneLine))),
			says:    "compressed with gzip",
			kinder:  true,
		}, // the reader here wants memory as the file asks
		uploadTest{name: "damaged gzip", content: string(gzipped([]byte(geneLine))[:40]), says: "damaged"},
		uploadTest{name: "empty gzip", content: string(gzipped(nil)), says: "nothing in it"},
		uploadTest{name: "empty attributes", content: "c1\tx\tCDS\t1\t30\t.\t+\t0\t\n"},
		uploadTest{name: "sequences behind", content: "##gff-version 3\n" + geneLine + "##FASTA\n>c1\n\nACGT\n"},
		uploadTest{name: "sequences behind, unmarked", content: "##gff-version 3\n" + geneLine + ">c1\nACGT\n"},
		uploadTest{name: "over the end of the sequence", content: "c1\tx\tCDS\t100\t130\t.\t+\t0\t.\n"},
		uploadTest{name: "other features", content: "c9\tx\tgene\t1\t30\t.\t+\t0\t.\n" + geneLine},
		uploadTest{name: "no coding sequence", content: "c1\tx\tgene\t1\t30\t.\t+\t0\t.\n", says: "no coding sequence"},
		uploadTest{
			name:    "pseudogenes alone",
			content: strings.Replace(geneLine, "ID=a", "ID=a;Pseudogene;x=1", 1) + strings.Replace(geneLine, "ID=a", "pseudo=", 1),
			says:    "no coding sequence",
		},
		uploadTest{name: "a pseudogene beside another", content: geneLine + strings.Replace(geneLine, "ID=a", "pseudo=", 1)},
		uploadTest{name: "only a comment", content: "# x\n", says: "no coding sequence"},
		uploadTest{
			name:    "spaces for tabs",
			content: "##gff-version 3\nc1 x CDS 1 30 . + 0 ID=a\n",
			says:    "spaces between the fields in line 2",
		},
		uploadTest{name: "five fields", content: "##gff-version 3\nc1\tx\tCDS\t1\t30\n", says: "5 fields in line 2"},
		uploadTest{name: "ten fields", content: geneLine + "c1\tx\tCDS\t1\t30\t.\t+\t0\tID=a\tx\n", says: "10 fields in line 2"},
		uploadTest{name: "not a number", content: "c1\tx\tCDS\t1\tend\t.\t+\t0\t.\n", says: "whole numbers"},
		uploadTest{
			name:    "end before start",
			content: "c1\tx\tCDS\t30\t1\t.\t-\t0\t.\n",
			says:    "must not come before the start",
			kinder:  true,
		}, // Bakta passes over it
		uploadTest{
			name:    "from nought",
			content: "c1\tx\tCDS\t0\t29\t.\t+\t0\t.\n",
			says:    "first base pair is 1",
			kinder:  true,
		}, // Bakta takes it for another place
		uploadTest{
			name:    "odd strand",
			content: "c1\tx\tCDS\t1\t30\t.\t1\t0\t.\n",
			says:    "strand",
			kinder:  true,
		}, // Bakta takes it for the forward strand
		uploadTest{
			name:    "unknown sequence",
			content: "c3\tx\tCDS\t1\t30\t.\t+\t0\t.\n",
			says:    `"c3" (line 1), which the genome does not have (it has "c1", "c2")`,
		},
		uploadTest{name: "another case", content: "C1\tx\tCDS\t1\t30\t.\t+\t0\t.\n", says: `"C1"`},
		uploadTest{
			name:    "outside",
			content: "c2\tx\tCDS\t31\t60\t.\t+\t0\t.\n",
			says:    "has 30 base pairs",
			kinder:  true,
		}, // Bakta passes over it
		uploadTest{
			name:    "far outside",
			content: "c2\tx\tCDS\t10\t300\t.\t+\t0\t.\n",
			says:    "reaches to 300",
			kinder:  true,
		}, // Bakta passes over it
		uploadTest{
			name:    "on a sequence that is left out",
			content: "c2\tx\tCDS\t1\t30\t.\t+\t0\t.\n",
			c:       option.Config{MinContigLength: 31},
			says:    "left out",
			kinder:  true,
		}, // the judge leaves none out
		uploadTest{
			name:    "coding sequences are skipped",
			content: geneLine,
			c:       option.Config{Skip: []string{"cds"}},
		}, // Bakta passes over the file
		uploadTest{name: "not UTF-8", content: "c1\tx\tCDS\t1\t30\t.\t+\t0\tName=\xe4\n", says: "not UTF-8 text in line 1"},
		uploadTest{name: "FASTA", content: ">c1\nACGT\n", says: "a FASTA file"},
		uploadTest{name: "EMBL", content: "ID   c1; SV 1; linear; DNA; STD; PRO; 10 BP.\n", says: "an EMBL file"},
		uploadTest{name: "BED", content: "c1\t0\t30\n", says: "neither GFF3 nor GenBank"},
		uploadTest{name: "binary", content: "PK\x03\x04\xff\xfe", says: "a ZIP archive"},
	)
	// except returns a record whose coding sequence has an exception and a protein.
	except := func(qualifier, protein string) string {
		return change(change(geneRecord, "/locus_tag", qualifier+"\n                     /locus_tag"), "MKLLVV", protein)
	}
	add(
		RegionsFile,
		"regions.gbff",
		uploadTest{name: "GenBank", content: geneRecord},
		uploadTest{name: "GenBank, byte order mark", content: utf8BOM + geneRecord},
		uploadTest{name: "GenBank, gzip", content: string(gzipped([]byte(geneRecord)))},
		uploadTest{name: "GenBank, line ends of Windows", content: strings.ReplaceAll(geneRecord, "\n", "\r\n")},
		uploadTest{name: "GenBank, complement", content: change(geneRecord, "1..30", "complement(1..30)")},
		uploadTest{name: "GenBank, over the end", content: change(geneRecord, "1..30", "join(100..120,1..10)")},
		uploadTest{name: "GenBank, partial", content: change(geneRecord, "1..30", "<1..30"), says: "no coding sequence"},
		uploadTest{
			name:    "GenBank, pseudo",
			content: change(geneRecord, "/locus_tag", "/pseudo\n                     /locus_tag"),
			says:    "no coding sequence",
		},
		uploadTest{name: "GenBank, no features", content: change(geneRecord, "     CDS  ", "     gene "), says: "no coding sequence"},
		uploadTest{name: "GenBank, unknown sequence", content: strings.ReplaceAll(geneRecord, " c1", " c7"), says: `"c7"`},
		uploadTest{name: "GenBank, version", content: change(geneRecord, "VERSION     c1", "VERSION     c1.1"), says: `"c1.1"`},
		uploadTest{name: "GenBank, by its name alone", content: change(change(geneRecord, "ACCESSION   c1\n", ""), "VERSION     c1\n", "")},
		uploadTest{
			name:    "GenBank, by its accession",
			content: change(change(geneRecord, "LOCUS       c1", "LOCUS       x9"), "VERSION     c1\n", ""),
		},
		uploadTest{
			name:    "GenBank, outside",
			content: change(geneRecord, "1..30", "100..130"),
			says:    "reaches to 130",
			kinder:  true,
		}, // Bakta passes over it
		uploadTest{
			name:    "GenBank, no sequence part",
			content: change(geneRecord, "ORIGIN\n        1 atgaaactgc\n", ""),
			says:    "without a sequence part",
		},
		uploadTest{name: "GenBank, cut off", content: geneRecord[:strings.Index(geneRecord, "ORIGIN")], says: "ends inside"},
		uploadTest{
			name:    "GenBank, cut off in the sequence",
			content: strings.TrimSuffix(geneRecord, "//\n"),
			says:    "ends inside",
			kinder:  true,
		}, // Bakta misses the end, not the features
		uploadTest{
			name: "GenBank, name and length without a space",
			content: change(geneRecord, "LOCUS       c1                       120 bp "+
				"   DNA     linear   BCT 01-JAN-2000", "LOCUS       NODE_1_length_120_cov_13.66120 bp   DNA linear"),
			says: `LOCUS line in line 1 in which no space separates the name and the length ("NODE_1_length_120_cov_13.66120 bp")`,
		},
		uploadTest{
			name:    "GenBank, no space in the second record",
			content: geneRecord + change(geneRecord, "c1                       120 bp", "c2_30 bp"),
			says:    "LOCUS line in line 16 in which",
		},
		uploadTest{
			name: "GenBank, name with spaces and no other",
			content: change(
				change(change(geneRecord, "c1                       120", "c1 x 120"), "ACCESSION   c1\n", ""),
				"VERSION     c1\n",
				"",
			),
			says: `called "c1 x" (line 5)`,
		},
		uploadTest{
			name:    "GenBank, no length",
			content: change(geneRecord, "                       120 bp    DNA     linear", " DNA linear"),
			says:    "without the sequence's length in bp",
		},
		uploadTest{
			name:    "GenBank, no name",
			content: change(geneRecord, "c1                       120 bp", "bp"),
			says:    "without a name and a length",
		},
		uploadTest{name: "GenBank, no name at all", content: strings.NewReplacer("LOCUS       c1                       120 bp    DNA     "+
			"linear   BCT 01-JAN-2000", "LOCUS       ", "ACCESSION   c1\n", "", "VERSION     c1\n", "").Replace(geneRecord),
			says: "a record without a name"},
		uploadTest{name: "GenBank, length that is none", content: change(geneRecord, "120 bp", "1,20 bp"), says: `with the length "1,20"`},
		uploadTest{name: "GenBank, a name alone", content: change(geneRecord, "                       120 bp    DNA     linear   BCT "+
			"01-JAN-2000", "")},
		uploadTest{
			name: "GenBank, parts with one space",
			content: change(geneRecord, "c1                       120 bp    DNA     linear   "+
				"BCT 01-JAN-2000", "c1 120 bp DNA circular"),
		},
		uploadTest{
			name:    "GenBank, a topology that is none",
			content: change(geneRecord, "linear ", "square "),
		}, // of a file that is not written anew, Bakta ends
		uploadTest{
			name: "GenBank, a header that Biopython stumbles over",
			content: change(geneRecord, "FEATURES", "REFERENCE   1  (bases x "+
				"to y)\n  JOURNAL   x\nFEATURES"),
		},
		uploadTest{
			name: "GenBank, a feature that Biopython stumbles over",
			content: change(geneRecord, "     CDS ", "     gene            "+
				"1..30\n                     /note=\"not closed\n     CDS "),
		},
		uploadTest{
			name:    "GenBank, of a protein",
			content: change(geneRecord, "120 bp    DNA    ", "120 aa           "),
			says:    "record of a protein",
			kinder:  true,
		}, // Bakta takes the places for those of a nucleotide sequence
		uploadTest{name: "GenBank, no features in another record", content: "LOCUS       c2\nORIGIN\n//\n" + geneRecord},
		uploadTest{
			name:    "GenBank, version with a number of its own",
			content: change(geneRecord, "VERSION     c1", "VERSION     c1  GI:123"),
		},
		uploadTest{name: "GenBank, join", content: change(geneRecord, "1..30", "join(1..12,\n                     13..30)")},
		uploadTest{name: "GenBank, order", content: change(geneRecord, "1..30", "order(1..12,13..30)")},
		uploadTest{name: "GenBank, on both strands", content: change(geneRecord, "1..30", "join(1..12,complement(13..30))")},
		uploadTest{
			name:    "GenBank, over the end as it isn't written",
			content: change(change(geneRecord, "linear  ", "circular"), "1..30", "100..10"),
		},
		uploadTest{
			name:    "GenBank, over the end of a linear sequence",
			content: change(geneRecord, "1..30", "100..10"),
			says:    "does not say that the sequence is circular",
		},
		uploadTest{name: "GenBank, partial inside", content: change(geneRecord, "1..30", "join(1..12,<13..30)")},
		uploadTest{
			name:    "GenBank, partial at its end",
			content: change(geneRecord, "1..30", "complement(1..>30)"),
			says:    "no coding sequence",
		},
		uploadTest{name: "GenBank, from nought", content: change(geneRecord, "1..30", "0..30"), says: "begins before the first base pair"},
		uploadTest{name: "GenBank, a bracket too few", content: change(geneRecord, "1..30", "join(1..12,13..30"), says: "can't be read"},
		uploadTest{
			name:    "GenBank, a complement of a complement",
			content: change(geneRecord, "1..30", "complement(join(1..12,complement(13..30)))"),
			says:    "complement of a complement",
		},
		uploadTest{
			name:    "GenBank, on another sequence",
			content: change(geneRecord, "1..30", "X1.1:1..30"),
			says:    "can't be read",
			kinder:  true,
		}, // Bakta passes over the name
		uploadTest{name: "GenBank, selenocysteine", content: except("/transl_except=(pos:4..6,aa:Sec)", "MULLVV")},
		uploadTest{
			name:    "GenBank, selenocysteine on the other strand",
			content: change(except("/transl_except=(pos:complement(4..6),aa:sec)", "MULLVV"), "1..30", "complement(1..30)"),
		},
		uploadTest{
			name:    "GenBank, selenocysteine over two lines",
			content: except("/transl_except=(pos:4..6,\n                     aa:Sec)", "MULLVV"),
		},
		uploadTest{
			name:    "GenBank, selenocysteine without a protein",
			content: change(except("/transl_except=(pos:4..6,aa:Sec)", "MULLVV"), "/translation", "/note"),
			says:    "coding sequence in line 7 with /transl_except for selenocysteine and without /translation",
		},
		uploadTest{
			name:    "GenBank, selenocysteine that the protein lacks",
			content: except("/transl_except=(pos:4..6,aa:Sec)", "MKLLVV"),
			says:    "has no U",
			kinder:  true,
		}, // Bakta takes it for the codon before the first
		uploadTest{
			name:    "GenBank, selenocysteine and letters that are none",
			content: except("/transl_except=(pos:4..6,aa:Sec)", "MU.LVV"),
			says:    "other characters than letters",
			kinder:  true,
		}, // the crash comes later
		uploadTest{
			name:    "GenBank, pyrrolysine",
			content: except("/transl_except=(pos:4..6,aa:Pyl)", "MOLLVV"),
			says:    `line 7 with /transl_except="(pos:4..6,aa:Pyl)"`,
		},
		uploadTest{
			name:    "GenBank, another start",
			content: except("/transl_except=(pos:1..3,aa:Met)", "MKLLVV"),
			says:    "only for selenocysteine (aa:Sec)",
		},
		uploadTest{
			name:    "GenBank, a stop that is not written",
			content: except("/transl_except=(pos:30,aa:TERM)", "MKLLVV"),
			says:    "aa:TERM",
		},
		uploadTest{name: "GenBank, another amino acid", content: except("/transl_except=(pos:4..6,aa:OTHER)", "MXLLVV"), says: "aa:OTHER"},
		uploadTest{
			name:    "GenBank, selenocysteine with a space",
			content: except("/transl_except=(pos:4..6,aa: Sec)", "MULLVV"),
			says:    "aa: Sec",
		},
		uploadTest{
			name: "GenBank, selenocysteine as the second exception",
			content: except("/transl_except=(pos:1..3,aa:Met)\n              "+
				"       /transl_except=(pos:4..6,aa:Sec)", "MULLVV"),
			says: "aa:Met",
		},
		uploadTest{name: "GenBank, an exception without a value", content: except("/transl_except", "MKLLVV"), says: `/transl_except=""`},
		uploadTest{
			name: "GenBank, another's protein",
			content: change(geneRecord, "ORIGIN", "     CDS             31..60\n                  "+
				"   /transl_except=(pos:34..36,aa:Pyl)\n                     /translation=\"MOLLVV\"\nORIGIN"),
			says:   "in line 13 with /transl_except",
			kinder: true,
		}, // Bakta takes the protein of the first
		uploadTest{
			name: "GenBank, an exception of a pseudogene",
			content: change(geneRecord, "ORIGIN", "     CDS             31..60\n       "+
				"              /pseudo\n                     /transl_except=(pos:34..36,aa:Pyl)\nORIGIN"),
		},
		uploadTest{name: "GenBank, an exception of a partial sequence", content: change(geneRecord, "ORIGIN", "     CDS             "+
			"<31..60\n                     /transl_except=(pos:34..36,aa:Pyl)\nORIGIN")},
		uploadTest{name: "GenBank, slippage", content: change(except("/ribosomal_slippage", "MKLLVV"), "1..30", "join(1..12,12..30)")},
		uploadTest{name: "GenBank, slippage and an exception", content: except("/ribosomal_slippage\n                     "+
			"/transl_except=(pos:4..6,aa:Pyl)", "MOLLVV")},
		uploadTest{
			name:    "GenBank, slippage without a protein",
			content: change(except("/ribosomal_slippage", "MKLLVV"), "/translation", "/note"),
			says:    "with /ribosomal_slippage and without /translation",
		},
		uploadTest{name: "GenBank, slippage of old", content: except("/exception=\"ribosomal slippage\"", "MKLLVV")},
		uploadTest{
			name: "GenBank, other qualifiers",
			content: except("/codon_start=2\n                     /transl_table=4\n                "+
				"     /exception=\"RNA editing\"\n                     /note", "MKLLVV"),
		},
		uploadTest{name: "GenBank, no location", content: change(geneRecord, "1..30", "here"), says: `location "here" can't be read`},
	)
	add(
		TrustedProteinsFile,
		"proteins.faa",
		uploadTest{name: "three fields", content: trustedOne},
		uploadTest{name: "six fields", content: ">p1 90~~~80.5~~~8e1~~~~~~a protein~~~\nMKLL*\n"},
		uploadTest{name: "some bad", content: ">p0 no fields\nMKLL\n" + trustedOne},
		uploadTest{name: "byte order mark", content: utf8BOM + trustedOne},
		uploadTest{name: "blank lines before", content: "\n" + trustedOne},
		uploadTest{name: "gzip", content: string(gzipped([]byte(trustedOne)))},
		uploadTest{name: "several references", content: ">p1 ~~~a~~~A:1,B:2\nmkll\n"},
		uploadTest{name: "no description", content: trustedOne + ">p2\nMKLL\n", says: "without a description in line 3"},
		uploadTest{name: "tab for space", content: ">p1\tgen~~~a~~~\nMKLL\n", says: "control character"},
		uploadTest{name: "tab in the product", content: ">p1 gen~~~a\tb~~~\nMKLL\n", says: "control character in its header in line 1"},
		uploadTest{
			name:    "none valid",
			content: ">p1 just words\nMKLL\n",
			says:    "no protein that Bakta can use: the header in line 1 has 1 fields",
		},
		uploadTest{name: "no product", content: ">p1 gen~~~ ~~~\nMKLL\n", says: "names no product"},
		uploadTest{name: "no number", content: ">p1 high~~~80~~~80~~~g~~~a~~~\nMKLL\n", says: `"high" where a percentage`},
		uploadTest{
			name:    "two titles in one",
			content: ">p1 g~~~what we know >x~~~\nMKLL\n",
			says:    "a space and >",
			kinder:  true,
		}, // Bakta fails when it finds the protein
		uploadTest{name: "a product with an arrow", content: ">p1 g~~~3'->5' exonuclease~~~\nMKLL\n"},
		uploadTest{
			name:    "a threshold that nothing reaches",
			content: ">p1 nan~~~80~~~80~~~g~~~a~~~\nMKLL\n",
			says:    `"nan" where a percentage`,
			kinder:  true,
		}, // Bakta passes over what it finds
		uploadTest{
			name:    "a threshold above all",
			content: ">p1 101~~~80~~~80~~~g~~~a~~~\nMKLL\n",
			says:    `"101" where a percentage`,
			kinder:  true,
		},
		uploadTest{name: "reference without a database", content: ">p1 g~~~a~~~123\nMKLL\n", says: `"123"`},
		uploadTest{name: "no sequence", content: ">p1 g~~~a~~~\n", says: "no proteins in it"},
		uploadTest{name: "dot", content: ">p1 g~~~a~~~\nMK.LL\n", says: `'.' in a protein in line 2`},
		uploadTest{name: "digit", content: ">p1 g~~~a~~~\nMK1LL\n", says: `'1'`},
		uploadTest{name: "not UTF-8", content: ">p1 g~~~\xe4~~~\nMKLL\n", says: "not UTF-8"},
		uploadTest{name: "table", content: "id\tproduct\n", says: "neither FASTA nor GenBank"},
		uploadTest{
			name:    "skipped",
			content: trustedOne,
			c:       option.Config{Skip: []string{"trna", "cds"}},
		}, // Bakta passes over the file
	)
	add(
		TrustedProteinsFile,
		"proteins.gbff",
		uploadTest{name: "GenBank", content: geneRecord},
		uploadTest{name: "GenBank, no locus tag", content: change(geneRecord, "/locus_tag=\"A_1\"", "/note=\"x\""), says: "no locus_tag"},
		uploadTest{name: "GenBank, no product", content: change(geneRecord, "/product", "/note"), says: "no product"},
		uploadTest{name: "GenBank, no translation", content: change(geneRecord, "/translation", "/note"), says: "no translation"},
		uploadTest{name: "GenBank, quotes", content: change(geneRecord, "a long", "a \"\"long\"\" /note=x")},
		uploadTest{
			name:    "GenBank, name and length without a space",
			content: change(geneRecord, "c1                       120 bp", "NODE_1_cov_13.66120 bp"),
			says:    "LOCUS line in line 1 in which no space separates the name and the length",
		},
		uploadTest{name: "GenBank, a location that can't be read", content: change(geneRecord, "1..30", "complement(here")},
		uploadTest{name: "GenBank, an exception", content: except("/transl_except=(pos:4..6,aa:Pyl)", "MOLLVV")},
		uploadTest{
			name:    "GenBank, enzyme",
			content: change(geneRecord, "/locus_tag", "/EC_number=1.1.1.1\n                     /locus_tag"),
		},
		uploadTest{
			name:    "GenBank, two titles in one",
			content: change(geneRecord, "a long", "a >long"),
			says:    "in its product",
			kinder:  true,
		}, // Bakta fails when it finds the protein
		uploadTest{name: "GenBank, no location", content: change(geneRecord, "1..30", "")},
		uploadTest{name: "GenBank, some bad", content: change(geneRecord, "ORIGIN", "     CDS             31..60\n                     "+
			"/product=\"x\"\nORIGIN")},
		uploadTest{
			name: "GenBank, fields in a reference",
			content: change(geneRecord, "/locus_tag", "/db_xref=\"A:b~~~c\"\n                 "+
				"    /locus_tag"),
			says: "in its db_xref",
		},
		uploadTest{
			name: "GenBank, fields in an enzyme",
			content: change(geneRecord, "/locus_tag", "/EC_number=\"1~~~1\"\n                   "+
				"  /locus_tag"),
			says: "in its EC_number",
		},
		uploadTest{name: "GenBank, tab in the product", content: change(geneRecord, "a long", "a\tlong"), says: "a tab"},
		uploadTest{
			name:    "GenBank, dot",
			content: change(geneRecord, "MKLLVV", "MK.LVV"),
			says:    "'.'",
			kinder:  true,
		}, // Bakta waits for ever, as the case of FASTA shows
		uploadTest{name: "GenBank, fields in the product", content: change(geneRecord, "a long", "a~~~long"), says: "~~~"},
		uploadTest{name: "GenBank, none", content: change(geneRecord, "     CDS  ", "     gene "), says: "no coding sequence"},
	)
	add(
		HMMsFile,
		"profiles.hmm",
		uploadTest{name: "profile", content: profile},
		uploadTest{name: "two profiles", content: profile + "\n" + profile + "\n"},
		uploadTest{name: "byte order mark", content: utf8BOM + profile},
		uploadTest{name: "gzip", content: string(gzipped([]byte(profile)))},
		uploadTest{name: "line ends of Windows", content: strings.ReplaceAll(profile, "\n", "\r\n")},
		uploadTest{name: "no description", content: without("DESC"), says: "without a description (a line DESC)"},
		uploadTest{name: "no cutoffs", content: without("TC"), says: "without trusted cutoffs"},
		uploadTest{name: "one cutoff", content: change(profile, "1.00 1.00", "1.00"), says: "needs two numbers"},
		uploadTest{
			name:    "one word with both cutoffs",
			content: change(profile, "1.00 1.00", "1.00;1.00"),
			says:    `"TC 1.00;1.00" in line 14, which needs two numbers`,
		},
		uploadTest{
			name:    "one word with both cutoffs and an end",
			content: change(profile, "1.00 1.00", "1.00;1.00;"),
			says:    "needs two numbers",
		},
		uploadTest{name: "cutoffs as Pfam writes them", content: change(profile, "1.00 1.00", "1.00 1.00;")},
		uploadTest{name: "cutoffs with two semicolons", content: change(profile, "1.00 1.00", "1.00; 1.00;")},
		uploadTest{
			name:    "cutoffs that are words",
			content: change(profile, "1.00 1.00", "low high"),
			says:    "needs two numbers",
			kinder:  true,
		}, // HMMER takes words for nought
		uploadTest{
			name:    "other cutoffs in one word",
			content: change(profile, "\nTC ", "\nGA    1.00;1.00;\nTC "),
			says:    `"GA 1.00;1.00;"`,
		},
		uploadTest{name: "one noise cutoff", content: change(profile, "\nTC ", "\nNC    1.00\nTC "), says: `"NC 1.00"`},
		uploadTest{name: "all cutoffs", content: change(profile, "\nTC ", "\nGA    1 1;\nNC    1 1;\nTC ")},
		uploadTest{name: "no consensus", content: without("CONS"), says: "without a consensus"},
		uploadTest{name: "not calibrated", content: without("STATS"), says: "not calibrated"},
		uploadTest{
			name:    "two of three calibrations",
			content: change(profile, "STATS LOCAL VITERBI   -6.8941  0.72523\n", ""),
			says:    "not calibrated",
		},
		uploadTest{name: "unknown calibration", content: change(profile, "VITERBI", "OTHER"), says: "needs LOCAL"},
		uploadTest{
			name:    "neither yes nor no",
			content: change(profile, "MAP   yes", "MAP   maybe"),
			says:    `"MAP maybe" in line 11, which needs yes or no`,
		},
		uploadTest{name: "no sequences", content: change(profile, "NSEQ  2", "NSEQ  0"), says: "number of 1 or more"},
		uploadTest{name: "no weight", content: change(profile, "EFFN  2.000000", "EFFN"), says: "number above 0"},
		uploadTest{name: "a date that is empty", content: change(profile, "\nTC ", "\nDATE\nTC "), says: "needs a date"},
		uploadTest{name: "a command that is none", content: change(profile, "\nTC ", "\nCOM   [1]\nTC "), says: "a number and a command"},
		uploadTest{name: "a newer format", content: change(profile, "HMMER3/f", "HMMER3/g"), says: `format "HMMER3/g"`},
		uploadTest{name: "an older format", content: change(profile, "HMMER3/f", "HMMER3/e")},
		uploadTest{
			name:    "a number too few",
			content: change(profile, "0.77255  0.48576  0.95510\n      2", "0.77255  0.48576\n      2"),
			says:    "6 values in line 25",
		},
		uploadTest{name: "a mark too few", content: change(profile, " - - -\n", " - -\n"), says: "values in line"},
		uploadTest{
			name: "a row twice",
			content: change(profile, "0.77255  0.48576  0.95510\n", "0.77255  0.48576  0.95510\n 0.1 0.1 0.1 0.1 "+
				"0.1 0.1 0.1\n"),
			says: "where node 2",
		},
		uploadTest{
			name:    "not a number",
			content: change(profile, "0.77255  0.48576  0.95510\n", "0.77255  nan  0.95510\n"),
			says:    `"nan" in line`,
		},
		uploadTest{name: "no composition", content: withoutRow("COMPO")},
		uploadTest{name: "NUL", content: change(profile, "small protein", "small\x00protein"), says: "NUL"},
		uploadTest{
			name:    "no accession",
			content: without("ACC"),
			says:    "without an accession",
			kinder:  true,
		}, // Bakta calls what it finds by it "None"
		uploadTest{name: "no name", content: without("NAME"), says: "without a name"},
		uploadTest{name: "second without cutoffs", content: profile + without("TC"), says: "without trusted cutoffs"},
		uploadTest{name: "nucleotides", content: change(profile, "ALPH  amino", "ALPH  DNA"), says: `alphabet "DNA"`},
		uploadTest{name: "wrong length", content: change(profile, "LENG  21", "LENG  22"), says: "model has 21 nodes"},
		uploadTest{name: "cut off", content: profile[:len(profile)-100], says: "18 values in line 84"},
		uploadTest{name: "cut off before the end", content: change(profile, "//\n", ""), says: "ends inside"},
		uploadTest{name: "cut off between", content: profile[:5000] + profile, says: "values in line"},
		uploadTest{name: "no end between", content: change(profile, "//\n", "") + profile, says: "before the one above it ended"},
		uploadTest{name: "words behind", content: profile + "x\n", says: "no beginning of a profile"},
		uploadTest{name: "FASTA", content: trustedOne, says: "FASTA"},
		uploadTest{name: "not UTF-8", content: change(profile, "small protein", "\xe4"), says: "not UTF-8"},
		uploadTest{
			name:    "skipped",
			content: profile,
			c:       option.Config{Skip: []string{"cds"}},
		}, // Bakta passes over the file
	)
	add(
		ProteinFASTA,
		"proteins.faa",
		uploadTest{name: "proteins", content: ">a x\nMKLLV\nVAA*\n>b\nmkl-l UOXBZJ\n"},
		uploadTest{name: "line ends of Windows", content: ">a\r\nMKLL\r\n"},
		uploadTest{name: "gzip", content: string(gzipped([]byte(">a\nMKLL\n"))), file: "proteins.faa.gz"},
		uploadTest{name: "xz", content: string(xzed([]byte(">a\nMKLL\n"))), file: "proteins.faa.xz"},
		uploadTest{name: "long", content: ">a\n" + strings.Repeat("MKLL", headSize)},
		uploadTest{name: "asterisk inside", content: ">a\nMK*LL\n", says: "asterisk inside"},
		uploadTest{name: "two asterisks", content: ">a\nMK**\n", says: "asterisk"},
		uploadTest{name: "asterisk alone", content: ">a\n*\n", says: "'*'"},
		uploadTest{name: "digit", content: ">a\nMK1\n", says: `'1' in the protein "a" in line 2`},
		uploadTest{name: "dot", content: ">a\nMK.LL\n", says: "'.'"},
		uploadTest{name: "empty", content: ">a\n>b\nMK\n", says: "no sequence below the header"},
		uploadTest{name: "empty at the end", content: ">b\nMK\n>a\n", says: "no sequence below the header \">a\" in line 3"},
		uploadTest{
			name:    "genome",
			content: ">a\n" + strings.Repeat("ACGT", 100),
			says:    "hold nucleotides",
			kinder:  true,
		}, // Bakta takes the letters for amino acids
		uploadTest{name: "few nucleotides", content: ">a\nACGTACGTT\n"},
		uploadTest{
			name:    "genes with letters for several bases",
			content: ">a\n" + strings.Repeat("ACGTTGCAGR", 20) + "\n",
			says:    `hold nucleotides: the sequence "a" in line 1`,
			kinder:  true,
		},
		uploadTest{
			name:    "a transcript in lower case",
			content: ">a x\n" + strings.Repeat("acguugcagy\n", 20),
			says:    "hold nucleotides",
			kinder:  true,
		},
		uploadTest{
			name:    "a gene among proteins",
			content: ">a\nMKLLV\n>b\n" + strings.Repeat("ACGTTGCAGN", 20) + "\n>c\nMKLL\n",
			says:    `"b" in line 3`,
			kinder:  true,
		},
		uploadTest{
			name:    "short genes alone",
			content: ">a\nATGAAACTGCTGGTGGTGGTGGCGGCGTAA\n>b\nATGAAACTGCTGGTGGTGGTGGCGGCGTAA\n",
			says:    "all sequences consist of",
			kinder:  true,
		},
		uploadTest{name: "a protein of few kinds of letters", content: ">a\n" + strings.Repeat("GAGAGT", 40) + "\n"},
		uploadTest{name: "letters for several amino acids", content: ">a\n" + strings.Repeat("BXNDKRVHMSWY", 20) + "\n"},
		uploadTest{name: "header without a name", content: ">\nMKLL\n> x\nMK\n"},
		uploadTest{name: "old line ends of Macs", content: ">a\rMKLL\r>b\rMK\r"},
		uploadTest{
			name:    "digit far behind",
			content: ">a\n" + strings.Repeat("MKLLVVAAPP\n", headSize/10) + ">b\nMK1\n",
			says:    `'1' in the protein "b" in line 6556`,
		},
		uploadTest{
			name:    "empty far behind",
			content: ">a\n" + strings.Repeat("MKLLVVAAPP\n", headSize/10) + ">b\n>c\nMK\n",
			says:    `">b" in line 6555`,
		},
		uploadTest{
			name:    "not UTF-8 far behind",
			content: ">a\n" + strings.Repeat("MKLLVVAAPP\n", headSize/10) + ">b \xe4\nMK\n",
			says:    "header in line 6555 is not UTF-8",
		},
		uploadTest{
			name:    "damaged gzip far behind",
			content: string(gzipped([]byte(">a\n" + strings.Repeat("MKLLVVAAPP\n", headSize)))[:1000]),
			says:    "damaged",
		},
		uploadTest{
			name:    "damaged gzip, behind the proteins",
			content: string(gzipped([]byte(">a\nMKLL\n"))[:len(gzipped([]byte(">a\nMKLL\n")))-4]),
			says:    "damaged",
		},
		uploadTest{
			name:    "a long header",
			content: ">a " + strings.Repeat("x", maxHeader) + "\nMK\n",
			says:    "header in line 1 is longer",
			kinder:  true,
		},
		uploadTest{name: "no FASTA", content: "MKLL\n", says: "no FASTA file"},
		uploadTest{name: "byte order mark", content: utf8BOM + ">a\nMKLL\n", says: "byte order mark"},
		uploadTest{name: "damaged gzip", content: string(gzipped([]byte(">a\nMKLL\n"))[:20]), says: "damaged"},
		uploadTest{name: "not UTF-8", content: ">a \xe4\nMKLL\n", says: "UTF-8"},
	)
	// The features that Bakta writes, as far as Baktfold reads them.
	feature := func(kind, more string) string {
		return `{"type":"` + kind + `","sequence":"c1","start":1,"stop":9,"strand":"+","gene":"x","product":"p","db_xrefs":["SO:1","RFAM:` +
			`RF1"],"nt":"ACGT","id":"i_2","locus":"L_2"` + more + `},`
	}
	with := func(features ...string) string {
		return change(annotation, `"features":[`, `"features":[`+strings.Join(features, ""))
	}
	all := []string{
		feature(
			"tRNA",
			`,"amino_acid":"Ala","anti_codon":"ggc","anti_codon_pos":[3,5]`,
		),
		feature("tmRNA", `,"tag":{"start":1,"stop":3,"aa":"AN"}`),
		feature(
			"rRNA",
			`,"evalue":1e-5`,
		),
		feature("ncRNA", `,"evalue":0.0,"class":["antisense_RNA","SO:1"]`),
		feature("ncRNA-region", `,"evalue":1E+2,"class":null`),
		feature(
			"crispr",
			`,"repeat_consensus":"ACG","spacers":[{"start":1,"stop":3,"strand":"?","sequence":"ACG"}],"repeats":[]`,
		),
		feature("gap", `,"length":9`),
		feature("oriC", ""),
		feature("oriV", ""),
		feature("oriT", ""),
		feature("sorf", `,"aa":"MA"`),
		feature(
			"cds",
			`,"aa":"MA","exception":{"type":"selenocysteine","aa":"Sec","start":4,"stop":6,"codon_position":2},"ups":{},"signal-peptide":`+
				`{"start":1,"stop":3,"score":0.5}`,
		),
	}
	add(
		BaktaJSON,
		"annotation.json",
		uploadTest{name: "annotation", content: annotation},
		uploadTest{name: "white space", content: "\n " + annotation + " \r\n"},
		uploadTest{name: "gzip", content: string(gzipped([]byte(annotation))), file: "annotation.json.gz"},
		uploadTest{name: "xz", content: string(xzed([]byte(annotation))), file: "annotation.json.xz"},
		uploadTest{name: "long", content: change(annotation, `"size":`, `"y":"`+strings.Repeat(`A`, 1<<20)+`","size":`)},
		uploadTest{name: "all features", content: with(all...)},
		uploadTest{
			name:    "what Python takes",
			content: change(annotation, `"size":`, `"y":[NaN,-Infinity,Infinity,"\ud800\u00e4\"\/",-0.5e-7,[],{}],"x":0,"size":`),
		},
		uploadTest{name: "escapes in names", content: change(annotation, `"features"`, `"\u0066eatures"`)},
		uploadTest{
			name: "no features",
			content: annotation[:strings.Index(annotation, `"features":[`)] + `"features":[],` + annotation[strings.Index(annotation,
				`"sequences"`):],
		},
		uploadTest{
			name: "as Bakta 1.9 wrote it",
			content: strings.ReplaceAll(
				change(annotation, `"sequence":"c1"`, `"contig":"c1"`),
				`"nt":"ATGGCCTAAACG"`,
				`"sequence":"ATGGCCTAAACG"`,
			),
		},
		uploadTest{
			name:    "loci twice",
			content: with(feature("cds", `,"aa":"MA","hypothetical":true`), feature("cds", `,"aa":"MA","hypothetical":true`)),
		},
		uploadTest{
			name:    "over the end",
			content: with(strings.Replace(feature("cds", `,"aa":"MA","edge":true`), `"start":1,`, `"start":11,`, 1)),
		},

		uploadTest{
			name:    "comma behind the last",
			content: change(annotation, `"6.0","type":"full"}}}`, `"6.0","type":"full",}}}`),
			says:    "not JSON in line 6 at byte 153: there is '}' where the name of a member is expected",
		},
		uploadTest{
			name:    "comma at the end of a list",
			content: change(annotation, `"genes":[]`, `"genes":["a",]`),
			says:    "']' where a value is expected",
		},
		uploadTest{
			name:    "no colon",
			content: change(annotation, `"strand":"+"`, `"strand" "+"`),
			says:    `where a colon is expected, after the name "strand"`,
		},
		uploadTest{
			name:    "no comma",
			content: change(annotation, `"start":1,`, `"start":1 `),
			says:    `there is '"' where a comma or '}' is expected`,
		},
		uploadTest{name: "no quotes", content: change(annotation, `"size":`, `size:`), says: "there is 's' where the name"},
		uploadTest{name: "single quotes", content: change(annotation, `"size":`, `'size':`), says: `there is '\'' where the name`},
		uploadTest{name: "a word that is none", content: change(annotation, `null`, `None`), says: "where NaN is expected"},
		uploadTest{name: "a number with a nought before", content: change(annotation, `"stop":9`, `"stop":09`), says: "is not a number"},
		uploadTest{name: "a number that breaks off", content: change(annotation, `"gc":0.5`, `"gc":0.`), says: "is not a number"},
		uploadTest{
			name:    "a line break in a text",
			content: change(annotation, "hypothetical protein", "hypothetical\nprotein"),
			says:    "control character '\\n' in a string",
		},
		uploadTest{
			name:    "an escape that is none",
			content: change(annotation, "hypothetical protein", `hypothetical\xprotein`),
			says:    "is not an escape",
		},
		uploadTest{
			name:    "Latin-1",
			content: change(annotation, "hypothetical protein", "prot\xe9ine"),
			says: "not UTF-8 text in line 3 at " +
				"byte 112 (0xe9)",
		},
		uploadTest{name: "a character cut in two", content: change(annotation, "hypothetical protein", "prot\xc3"), says: "not UTF-8"},
		uploadTest{name: "an encoded surrogate", content: change(annotation, "hypothetical protein", "\xed\xa0\x80"), says: "not UTF-8"},
		uploadTest{
			name:    "deep",
			content: change(annotation, `"size":`, `"y":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+`,"size":`),
			says:    "levels deep",
		},
		uploadTest{name: "cut off", content: annotation[:100], says: "ends before the end"},
		uploadTest{name: "cut off in a number", content: annotation[:strings.Index(annotation, "0.5")+2], says: "ends before the end"},
		uploadTest{name: "damaged gzip", content: string(gzipped([]byte(annotation))[:60]), says: "damaged"},
		uploadTest{
			name:    "damaged gzip, behind the JSON",
			content: string(gzipped([]byte(annotation))[:len(gzipped([]byte(annotation)))-4]),
			says:    "damaged",
		},
		uploadTest{name: "gzip of another file", content: string(gzipped([]byte("x"))), says: "begins with 'x'"},
		uploadTest{name: "something behind", content: annotation + "{}", says: "after the end"},
		uploadTest{name: "twice", content: annotation + "\n" + annotation, says: "'{' after the end"},
		uploadTest{name: "byte order mark", content: utf8BOM + annotation, says: "byte order mark"},
		uploadTest{name: "list", content: "[1]", says: "begins with '['"},
		uploadTest{name: "FASTA", content: geneGenome, says: "a FASTA file"},
		uploadTest{name: "GenBank", content: geneRecord, says: "a GenBank file"},

		uploadTest{
			name:    "proteins",
			content: `{"features": [{"id": "a", "type": "cds", "aa": "MK"}], "version": {}}`,
			says:    "of proteins without a genome",
		},
		uploadTest{
			name:    "no translation table",
			content: change(annotation, "translation_table", "table"),
			says:    "does not name the genome's translation table",
		},
		uploadTest{
			name:    "table null",
			content: change(annotation, `"translation_table":11`, `"translation_table":null`),
			says:    "translation table",
			kinder:  true,
		}, // Baktfold writes "None" for it
		uploadTest{name: "no strain", content: change(annotation, `"strain":null,`, ""), says: "its strain is missing"},
		uploadTest{
			name:    "genome null",
			content: `{"genome":null,` + annotation[strings.Index(annotation, `"features"`):],
			says:    "no genome, features or sequences",
		},
		uploadTest{
			name:    "no member sequences",
			content: change(annotation, `"sequences"`, `"x"`),
			says:    "no genome, features or sequences",
		},
		uploadTest{name: "no member features", content: change(annotation, `"features"`, `"f"`), says: "no genome, features or sequences"},
		uploadTest{
			name:    "features are an object",
			content: change(annotation, `"features":[`, `"features":{},"f":[`),
			says:    "features are not a list",
			kinder:  true,
		}, // and it finds nothing in it
		uploadTest{name: "a feature is a text", content: with(`"x",`), says: "something other than an object in line 3, in place 1"},
		uploadTest{
			name:    "version null",
			content: change(annotation, `"version":{`, `"version":null,"v":{`),
			says:    "version is not a JSON object",
		},
		uploadTest{
			name:    "no locus",
			content: change(annotation, `,"locus":"L_1"`, ""),
			says: "feature 1 (at 1), which ends in line 4, can't " +
				"be read by Baktfold: its locus is missing, and must be text",
		},
		uploadTest{name: "locus null", content: change(annotation, `"locus":"L_1"`, `"locus":null`), says: "its locus is null"},
		uploadTest{
			name:    "no protein",
			content: change(annotation, `"aa":"MA",`, ""),
			says:    `feature 1 ("L_1"), which ends in line 4, can't be read by Baktfold: its aa is missing`,
		},
		uploadTest{name: "protein null", content: change(annotation, `"aa":"MA"`, `"aa":null`), says: "its aa is null"},
		uploadTest{
			name:    "references null",
			content: change(annotation, `"db_xrefs":[]`, `"db_xrefs":null`),
			says: "its db_xrefs is null, " +
				"and must be a list of texts",
		},
		uploadTest{
			name:    "a reference null",
			content: change(annotation, `"db_xrefs":[]`, `"db_xrefs":["a",null]`),
			says:    "its db_xrefs is a list",
		},
		uploadTest{
			name:    "no references of an RNA",
			content: with(strings.Replace(feature("rRNA", `,"evalue":0`), `"db_xrefs"`, `"refs"`, 1)),
			says:    "its db_xrefs is missing",
		},
		uploadTest{name: "no expectation value", content: with(feature("ncRNA", "")), says: `feature 1 ("L_2") has no evalue`},
		uploadTest{name: "no nucleotides", content: with(strings.Replace(all[0], `"nt"`, `"n"`, 1)), says: "its nt is missing"},
		uploadTest{name: "no start", content: change(annotation, `"start":1,`, ""), says: "its start is missing"},
		uploadTest{
			name:    "start is a text",
			content: change(annotation, `"start":1,`, `"start":"1",`),
			says:    `its start is "1", and must be a whole number`,
		},
		uploadTest{
			name:    "stop before start",
			content: change(annotation, `"start":1,`, `"start":11,`),
			says: "its stop is 9, and must be " +
				"behind its start",
		},
		uploadTest{name: "no type", content: change(annotation, `"type":"cds",`, ""), says: "its type is missing"},
		uploadTest{name: "a type that is none", content: change(annotation, `"type":"cds"`, `"type":"exon"`), says: `its type is "exon"`},
		uploadTest{name: "no strand", content: change(annotation, `"strand":"+",`, ""), says: "its strand is missing"},
		uploadTest{name: "id null", content: with(strings.Replace(all[0], `"id":"i_2"`, `"id":null`, 1)), says: "its id is null"},
		uploadTest{
			name:    "exception without a position",
			content: with(feature("cds", `,"aa":"M","exception":{"type":"ribosomal_slippage","aa":"X","start":-1,"stop":-1}`)),
			says:    `exception of the feature 1 ("L_2"), which ends in line 3, can't be read by Baktfold: its codon_position is missing`,
		},
		uploadTest{name: "on no sequence", content: with(strings.Replace(all[0], `"sequence"`, `"s"`, 1)), says: "its sequence is missing"},
		uploadTest{
			name:    "on an unknown sequence",
			content: with(strings.Replace(all[0], `"c1"`, `"c9"`, 1)),
			says:    `feature 1 ("L_2") is on the sequence "c9", which the file does not have`,
			kinder:  true,
		}, // Baktfold leaves it out
		uploadTest{name: "spacers null", content: with(feature("crispr", `,"spacers":null`)), says: "its spacers is null"},
		uploadTest{
			name:    "places named in two ways",
			content: with(strings.Replace(all[0], `"sequence"`, `"contig"`, 1)),
			says:    "its contig is missing",
		},
		uploadTest{
			name:    "over the end, and behind it",
			content: with(strings.Replace(feature("cds", `,"aa":"MA","edge":true`), `"start":1,`, `"start":14,`, 1)),
			says:    "but begins after it",
		},
		uploadTest{
			name:    "what Baktfold wrote",
			content: with(feature("cds", `,"aa":"MA","baktfold":true,"pstc":[{"source":"afdb","id":"A","description":"a protein"}]`)),
		},
		uploadTest{
			name:    "a protein without an id",
			content: change(annotation, `"id":"i_1",`, ""),
			says:    "its id is missing",
			kinder:  true,
		}, // Baktfold needs it where a locus is there twice
		uploadTest{
			name:    "an RNA without a function",
			content: with(strings.Replace(feature("oriC", `,"hypothetical":true`), `"locus"`, `"l"`, 1)),
			says:    "its locus is missing",
		},
		uploadTest{
			name:    "the taxon is a number",
			content: change(annotation, `"species":null`, `"taxon":7`),
			says:    "its taxon is 7",
			kinder:  true,
		}, // which it can't write in a chromosome's description,
		uploadTest{
			name:    "a length that is another",
			content: change(annotation, `"length":12`, `"length":13`),
			says: "its length is 13, and " +
				"must be 12",
			kinder: true,
		}, // Baktfold writes both
		uploadTest{
			name:    "another topology",
			content: change(annotation, `"topology":"circular"`, `"topology":"round"`),
			says:    "linear or circular",
		},
		uploadTest{
			name:    "a sequence without a topology",
			content: change(annotation, `"topology":"circular",`, ""),
			says:    `sequence 1 ("c1"), which ends in line 5, can't be read by Baktfold: its topology is missing`,
		},
		uploadTest{
			name:    "a sequence without nucleotides",
			content: change(annotation, `"nt":"ATGGCCTAAACG",`, ""),
			says:    "its nt is missing",
		},
		uploadTest{
			name:    "a sequence with spaces in its id",
			content: strings.ReplaceAll(annotation, `"c1"`, `"c 1"`),
			says:    "a name without spaces",
		},
	)
	return tests
}

// look looks at an upload, and at the genome that it is for.
func (tt uploadTest) look() (string, error) {
	i := NewInspection(tt.c)
	name, err := i.Inspect(tt.kind, strings.NewReader(tt.content))
	if err == nil && tt.kind == RegionsFile {
		_, err = i.Inspect(GenomeFASTA, strings.NewReader(geneGenome))
	}
	return name, err
}

func TestUploads(t *testing.T) {
	for _, tt := range uploadTests(t) {
		t.Run(tt.kind+"/"+tt.name, func(t *testing.T) {
			name, err := tt.look()
			if tt.says == "" {
				if err != nil || name != tt.file {
					t.Errorf("%q, %v", name, err)
				}
				return
			}
			if !job.Is(err, job.Invalid) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%q, %v", name, err)
			}
		})
	}
}

func TestUploadsBlank(t *testing.T) {
	for _, kind := range []string{RegionsFile, TrustedProteinsFile, HMMsFile, ProteinFASTA, BaktaJSON} {
		for _, content := range []string{"", "\n", " \r\n\t\n"} {
			if name, err := Inspect(kind, strings.NewReader(content), option.Config{}); !errors.Is(err, ErrBlank) {
				t.Errorf("%s %q: %q, %v", kind, content, name, err)
			}
		}
	}
}

// BenchmarkInspect measures how fast uploads that are read to their end are.
func BenchmarkInspect(b *testing.B) {
	profile, err := os.ReadFile(filepath.Join("testdata", "small.hmm"))
	if err != nil {
		b.Fatal(err)
	}
	smallAnnotation := annotationOf(b)
	at := strings.Index(smallAnnotation, `"features":[`) + len(`"features":[`)
	gene, _, _ := strings.Cut(smallAnnotation[at:], "],\n\"sequences\"")
	gene = strings.Replace(gene, "ATGGCCTAA", strings.Repeat("ATGGCCTAA", 100), 1) + ",\n" // of a usual length, with its protein
	gene = strings.Replace(gene, `"MA"`, `"`+strings.Repeat("MAK", 100)+`"`, 1)
	for _, bb := range []struct{ kind, name, begin, middle, end string }{
		{ProteinFASTA, "proteins", "", ">a protein\n" + strings.Repeat("MKLLVVAAPP", 6) + "\n" + strings.Repeat("MKLLVVAAPP", 3) + "MKLL\n", ""},
		{BaktaJSON, "annotation", smallAnnotation[:at], gene, smallAnnotation[at:]},
		{HMMsFile, "profiles", "", string(profile), ""},
	} {
		b.Run(bb.name, func(b *testing.B) {
			const size = 64 << 20
			content := bb.begin + strings.Repeat(bb.middle, size/len(bb.middle)) + bb.end
			for name, packed := range map[string]string{"plain": content, "gzip": string(gzipped([]byte(content)))} {
				b.Run(name, func(b *testing.B) {
					b.SetBytes(size) // decompressed
					for b.Loop() {
						if _, err := Inspect(bb.kind, strings.NewReader(packed), option.Config{}); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// A storage that fails is not the user's fault.
func TestUploadsUnreadable(t *testing.T) {
	broken := errors.New("the storage is away")
	for _, tt := range uploadTests(t) {
		if tt.says != "" || len(tt.content) > headSize { // of those, no more is read
			continue
		}
		for _, n := range []int{0, 10, len(tt.content) / 2} {
			_, err := Inspect(tt.kind, readThenFail(tt.content[:n], broken), tt.c)
			if !errors.Is(err, broken) {
				t.Errorf("%s/%s after %d bytes: %v", tt.kind, tt.name, n, err)
			}
		}
	}
}

func readThenFail(content string, err error) *failing {
	return &failing{strings.NewReader(content), err}
}

type failing struct {
	r   *strings.Reader
	err error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.r.Len() == 0 {
		return 0, f.err
	}
	return f.r.Read(p)
}

// A storage that is slow makes no start wait for longer than a start may take: what was not looked at by then is taken.
func TestUploadsSlow(t *testing.T) {
	gene := strings.Repeat("MKLLVVAAPP\n", 1000)
	for kind, content := range map[string]string{
		ProteinFASTA: ">a\n" + strings.Repeat(gene, 100) + "1",
		BaktaJSON:    strings.Replace(annotationOf(t), `"size":`, `"x":"`+strings.Repeat("A", 1<<20)+`",,`, 1),
	} {
		synctest.Test(t, func(t *testing.T) {
			slow := readerFunc(func(p []byte) (int, error) {
				time.Sleep(time.Second)
				n := copy(p[:min(len(p), 32<<10)], content)
				content = content[n:]
				return n, nil
			})
			began := time.Now()
			if _, err := Inspect(kind, slow, option.Config{}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if took := time.Since(began); took < maxLook || took > maxLook+10*time.Second {
				t.Errorf("%s: the look took %v", kind, took)
			}
		})
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// What is read in pieces is read the same.
func TestUploadsInPieces(t *testing.T) {
	for _, tt := range uploadTests(t) {
		if len(tt.content) > 100_000 {
			continue
		}
		name, err := Inspect(tt.kind, strings.NewReader(tt.content), tt.c)
		again, errAgain := Inspect(tt.kind, iotest.OneByteReader(strings.NewReader(tt.content)), tt.c)
		if name != again || (err == nil) != (errAgain == nil) || err != nil && err.Error() != errAgain.Error() {
			t.Errorf("%s/%s: %q %v in one, %q %v in pieces", tt.kind, tt.name, name, err, again, errAgain)
		}
	}
}

// prepared returns an upload as programs get it. All of it has to be read: whoever downloads it counts.
func prepared(t testing.TB, kind, content string) []byte {
	t.Helper()
	from := strings.NewReader(content)
	var b bytes.Buffer
	if err := Prepare(kind, &b, from); err != nil {
		t.Fatal(err)
	}
	if from.Len() > 0 {
		t.Errorf("%s: %d bytes were not read", kind, from.Len())
	}
	return b.Bytes()
}

// TestUploadsAgree has the real Bakta read every upload that it reads: what is accepted as it is prepared, and what
// is refused as it came.
func TestUploadsAgree(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	type upload struct {
		Kind   string `json:"kind"`
		Path   string `json:"path"`
		Genome string `json:"genome"`
	}
	dir := t.TempDir()
	genome := filepath.Join(dir, "genome.fna")
	if err := os.WriteFile(genome, []byte(geneGenome), 0o666); err != nil {
		t.Fatal(err)
	}
	var tests []uploadTest
	var uploads []upload
	for _, tt := range uploadTests(t) {
		if tt.kind == BaktaJSON || tt.kinder || tt.says != "" && strings.HasPrefix(tt.name, "damaged") {
			continue
		}
		content := []byte(tt.content)
		name := map[string]string{RegionsFile: "u.gff3", TrustedProteinsFile: "u.faa", HMMsFile: "u.hmm", ProteinFASTA: "u.faa"}[tt.kind]
		switch {
		case tt.says == "":
			name, content = tt.file, prepared(t, tt.kind, tt.content)
		case strings.HasPrefix(tt.name, "GenBank"):
			name = "u.gbff"
		}
		path := filepath.Join(dir, strconv.Itoa(len(tests)), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o666); err != nil {
			t.Fatal(err)
		}
		tests, uploads = append(tests, tt), append(uploads, upload{tt.kind, path, genome})
	}
	in, err := json.Marshal(uploads)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), filepath.Join(prefix, "venv", "bin", "python"), filepath.Join("testdata", "uploads.py"))
	c.Stdin = bytes.NewReader(in)
	c.Env = append(
		os.Environ(),
		"TMPDIR="+t.TempDir(),
		"PYTHONDONTWRITEBYTECODE=1",
		"PATH="+filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"),
	)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("the judge: %v\n%s", err, stderr.Bytes())
	}
	var verdicts []struct {
		Used  int    `json:"used"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(tests) {
		t.Fatalf("the judge: %d verdicts for %d uploads, %v", len(verdicts), len(tests), err)
	}
	for i, v := range verdicts {
		taken := v.Error == "" && v.Used > 0
		if tt := tests[i]; taken != (tt.says == "") {
			t.Errorf("%s/%s: we say %q, Bakta uses %d, %s", tt.kind, tt.name, tt.says, v.Used, v.Error)
		}
	}
}

func FuzzUploads(f *testing.F) {
	for _, tt := range uploadTests(f) {
		if len(tt.content) < 20_000 {
			f.Add(tt.kind, []byte(tt.content))
		}
	}
	f.Fuzz(func(t *testing.T, kind string, content []byte) {
		i := NewInspection(option.Config{})
		name, err := i.Inspect(kind, bytes.NewReader(content))
		if err != nil {
			return
		}
		if name == "" {
			t.Error("an upload without a name")
		}
		if kind == RegionsFile {
			i.Inspect(GenomeFASTA, bytes.NewReader([]byte(geneGenome)))
		}
		var once, twice bytes.Buffer
		if err := Prepare(kind, &once, bytes.NewReader(content)); err != nil {
			t.Fatalf("what was accepted can't be prepared: %v", err)
		}
		if err := Prepare(kind, &twice, bytes.NewReader(once.Bytes())); err != nil || !bytes.Equal(once.Bytes(), twice.Bytes()) {
			t.Fatalf("what was prepared is not as it should be: %v\n%q\n%q", err, once.Bytes(), twice.Bytes())
		}
	})
}

// annotationOf returns what Bakta might have written of a plasmid with one coding sequence.
func annotationOf(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "annotation.json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// commandLine returns what Bakta has to be started with to read a genome, without what it needs to annotate it.
func commandLine(c option.Config, dir, genome string, more ...string) []string {
	args := append(
		[]string{
			"--db=" + dir,
			"--output=" + filepath.Join(dir, "out"),
			"--tmp-dir=" + filepath.Join(dir, "tmp"),
			"--force",
			"--threads=1",
		},
		c.Arguments()...)
	return append(append(args, more...), genome)
}

// makeDirs makes the directories that commandLine names, below one of the test.
func makeDirs(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"in", "out", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// putFile writes a file and returns its path.
func putFile(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, "in", name)
	if err := os.WriteFile(path, content, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
