package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// repliconVariants are replicon tables: their format and their content.
func repliconVariants(s sample) []variant {
	fasta := s.fasta("a described") + s.fasta("b")
	const named = `"name": "pOne"`
	rows := []string{"a\tn1\tplasmid\tcircular\tpOne", "b\tn2\tcontig\tlinear\t"}
	tsv := strings.Join(rows, "\n") + "\n"
	csv := strings.ReplaceAll(tsv, "\t", ",")
	quoted := `"` + strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(tsv), "\t", "\"\t\""), "\n", "\"\n\"") + "\"\n"
	if strings.Count(quoted, "\n") != 2 {
		panic("the quoted table has other rows")
	}
	const header = "original sequence id\tnew sequence id\ttype\ttopology\tname\n"
	type row struct{ name, table, shows string }
	list := []row{
		{"tsv", tsv, named},
		{"csv", csv, named},
		{"semicolons", strings.ReplaceAll(tsv, "\t", ";"), named},
		{"spaces", strings.ReplaceAll(tsv, "\t", " "), named},
		{"bars", strings.ReplaceAll(tsv, "\t", "|"), named},
		{"commas-and-spaces", strings.ReplaceAll(tsv, "\t", ", "), named},
		{"colons", strings.ReplaceAll(tsv, "\t", ":"), named},
		{"one-row", rows[0] + "\n", named},
		{"one-row-csv", strings.ReplaceAll(rows[0], "\t", ",") + "\n", named},
		{"no-last-line-end", strings.TrimSuffix(tsv, "\n"), named},
		{"crlf", strings.ReplaceAll(tsv, "\n", "\r\n"), named},
		{"cr", strings.ReplaceAll(tsv, "\n", "\r"), named},
		{"crlf-csv", strings.ReplaceAll(csv, "\n", "\r\n"), named},
		{"bom", "\xef\xbb\xbf" + tsv, named},
		{"utf16", utf16(tsv), named},
		{"latin1", strings.Replace(tsv, "pOne", "p\xe4", 1), ""},
		{"header", header + tsv, named},
		{"header-csv", strings.ReplaceAll(header, "\t", ",") + csv, named},
		{"header-alone", header, ""},
		{"header-short", "id\tnew\ttype\ttopology\tname\n" + tsv, named},
		{"header-hash", "#" + header + tsv, named},
		{"header-of-four", "id\ttype\ttopology\tname\n" + tsv, named},
		{"comment-row", "# my table\n" + tsv, named},
		{"comment-row-of-five", "# my\ttable\t\t\t\n" + tsv, named},
		{"blank-line-last", tsv + "\n", named},
		{"blank-lines-last", tsv + "\n\n\n", named},
		{"blank-line-first", "\n" + tsv, named},
		{"blank-line-within", rows[0] + "\n\n" + rows[1] + "\n", named},
		{"line-of-tabs", tsv + "\t\t\t\t\n", named},
		{"line-of-spaces", tsv + "   \n", named},
		{"line-of-commas", csv + ",,,,\n", named},
		{"quoted", quoted, named},
		{"quoted-csv", strings.ReplaceAll(quoted, "\t", ","), named},
		{"quoted-single", strings.ReplaceAll(quoted, `"`, "'"), named},
		{"quoted-single-csv", strings.ReplaceAll(strings.ReplaceAll(quoted, `"`, "'"), "\t", ","), named},
		{"quoted-name-alone", strings.Replace(tsv, "pOne", `"pOne"`, 1), named},
		{"quoted-name-alone-csv", strings.Replace(csv, "pOne", `"pOne"`, 1), named},
		{"quoted-name-single-alone", strings.Replace(tsv, "pOne", `'pOne'`, 1), ""},
		{"quoted-name-single-alone-csv", strings.Replace(csv, "pOne", `'pOne'`, 1), ""},
		{"quoted-new-alone", strings.Replace(tsv, "n1", `"n1"`, 1), `"id": "n1"`},
		{"quoted-first-alone", `"a"` + tsv[1:], named},
		{"quote-open", strings.Replace(tsv, "pOne", `"pOne`, 1), ""},
		{"quote-open-csv", strings.Replace(csv, "pOne", `"pOne`, 1), ""},
		{"quote-within", strings.Replace(tsv, "pOne", `p"One`, 1), ""},
		{"quote-within-csv", strings.Replace(csv, "pOne", `p"One`, 1), ""},
		{"quote-last", strings.Replace(tsv, "pOne", `pOne"`, 1), ""},
		{"quotes-around-word", strings.Replace(tsv, "pOne", `p "One" x`, 1), ""},
		{
			"quotes-doubled",
			strings.Replace(tsv, "pOne", `"p""One"`, 1),
			"",
		},
		{"quotes-doubled-csv", strings.Replace(csv, "pOne", `"p""One"`, 1), ""},
		{
			"apostrophe-within",
			strings.Replace(tsv, "pOne", "p'One", 1),
			"",
		},
		{"apostrophe-within-csv", strings.Replace(csv, "pOne", "p'One", 1), ""},
		{"apostrophe-first", strings.Replace(tsv, "pOne", "'pOne", 1), ""},
		{"apostrophes-in-both", strings.Replace(strings.TrimSpace(tsv), "pOne", "5'p", 1) + "3'q\n", ""},
		{
			"quoted-with-tab",
			strings.Replace(tsv, "pOne", "\"p\tOne\"", 1),
			"",
		},
		{"quoted-with-comma-csv", strings.Replace(csv, "pOne", `"p,One"`, 1), ""},
		{"quoted-with-line-break", strings.Replace(tsv, "pOne", "\"p\nOne\"", 1), ""},
		{"comma-in-name", strings.Replace(tsv, "pOne", "p, One", 1), ""},
		{"commas-in-names", strings.Replace(strings.TrimSpace(tsv), "pOne", "p,1", 1) + "q,2\n", ""},
		{"comma-in-name-one-row", strings.Replace(rows[0], "pOne", "p,One", 1) + "\n", ""},
		{"comma-first-in-name", strings.Replace(tsv, "pOne", ",pOne", 1), ""},
		{"tab-in-csv", strings.Replace(csv, "pOne", "p\tOne", 1), ""},
		{"semicolon-in-name", strings.Replace(tsv, "pOne", "p;One", 1), ""},
		{"four-columns", "a\tplasmid\tcircular\tpOne\n", ""},
		{"six-columns", strings.ReplaceAll(tsv, "\n", "\textra\n"), ""},
		{"six-columns-empty", strings.ReplaceAll(tsv, "\n", "\t\n"), named},
		{"one-column", "a\nb\n", ""},
		{"four-columns-trailing-lost", "a\tn1\tplasmid\tcircular\n", ""},
		{"mixed-columns", rows[0] + "\nb\tn2\n", ""},
		{"two-tabs-between", strings.ReplaceAll(tsv, "\t", "\t\t"), ""},
		{"spaces-around", strings.ReplaceAll(tsv, "\t", " \t "), named},
		{"spaces-around-csv", strings.ReplaceAll(csv, ",", " , "), named},
		{"original-with-description", strings.Replace(tsv, "a\t", "a described\t", 1), named},
		{"original-unknown", strings.Replace(tsv, "a\t", "z\t", 1), ""},
		{"original-empty", strings.Replace(tsv, "a\t", "\t", 1), ""},
		{"original-greater-than", ">" + tsv, ""},
		{"original-twice", rows[0] + "\n" + rows[0] + "\n", named},
		{
			"original-twice-differs",
			"a\tn0\tcontig\tlinear\t\n" + rows[0] + "\n",
			named,
		},
		{"all-unknown", "y\tn1\tp\tc\tpOne\nz\tn2\tp\tc\tpTwo\n", ""},
		{
			"new-with-description",
			strings.Replace(tsv, "n1", "n1 more words", 1),
			`"id": "n1"`,
		},
		{"new-empty", strings.Replace(tsv, "n1", "", 1), named},
		{"new-dash", strings.Replace(tsv, "n1", "-", 1), named},
		{"new-space", strings.Replace(tsv, "n1", " ", 1), named},
		{"new-two-dashes", strings.Replace(tsv, "n1", "--", 1), named},
		{"new-no-break-space", strings.Replace(tsv, "n1", "n\u00a01", 1), ""},
		{"new-na", strings.Replace(tsv, "n1", "NA", 1), named},
		{"types-short", "a\t\tc\tc\tone\nb\t\tp\tl\ttwo\n", `"type": "chromosome"`},
		{"types-capital", "a\t\tCHROMOSOME\tCIRCULAR\tone\n", `"type": "chromosome"`},
		{"types-words", "a\t\tmy plasmid 1\tnot circular at all\tone\n", `"type": "plasmid"`},
		{"types-unknown", "a\t\tvirus\tknot\tone\n", ""},
		{"types-empty", "a\tn1\t\t\t\n", `"id": "n1"`},
		{"types-with-spaces", "a\t\t c \t c \tone\n", `"type": "chromosome"`},
		{"contig-circular", "a\t\tcontig\tcircular\tone\n", ""},
		{"chromosome-linear", "a\t\tchromosome\tlinear\tone\n", `"type": "chromosome"`},
		{"names-twice", "a\t\tp\tc\tone\nb\t\tp\tc\tone\n", ""},
		{"names-empty", "a\t\tp\tc\t\nb\t\tp\tc\t\n", "unnamed2"},
		{"names-dash", "a\t\tp\tc\t-\nb\t\tp\tc\t-\n", "unnamed2"},
		{"thousand-rows", tsv + manyRows(1000), named},
		{"rows-of-other-genomes-first", manyRows(40) + tsv, named},
		{"nul", strings.Replace(tsv, "pOne", "p\x00One", 1), ""},
		{"form-feed", strings.Replace(tsv, "pOne", "p\fOne", 1), ""},
		{"vertical-tab", strings.Replace(tsv, "pOne", "p\vOne", 1), ""},
		{"file-separator", strings.Replace(tsv, "pOne", "p\x1cOne", 1), ""},
		{"next-line", strings.Replace(tsv, "pOne", "p\u0085One", 1), ""},
		{"line-separator", strings.Replace(tsv, "pOne", "p\u2028One", 1), ""},
		{"blank", " \n \n", ""},
		{"nothing", "", ""},
		{"one-space", " ", ""},
		{"one-line-end", "\n", ""},
		{"word", "replicons\n", ""},
		{"json", `{"a": "b"}`, ""},
		{"html", "<!DOCTYPE html>\n<html></html>\n", ""},
		{"fasta", s.fasta("a"), ""},
		{"gzip", string(gz(tsv)), ""},
		{"office", "PK\x03\x04\x14\x00\x06\x00" + tsv, ""},
		{"flye", "#seq_name\tlength\tcov.\tcirc.\trepeat\tmult.\talt_group\tgraph_path\na\t100\t5\tY\tN\t1\t*\t1\n", ""},
		{"separator-line", "sep=,\n" + csv, named},
		{"backslash", strings.Replace(tsv, "pOne", `p\One`, 1), ""},
		{"backslash-last", strings.Replace(tsv, "pOne", `pOne\`, 1), ""},
	}
	var variants []variant
	add := func(name string, c option.Config, table, shows string) {
		variants = append(
			variants,
			genome("replicons/"+name, c, quick, fasta, userFile{upload.RepliconsTable, "replicons.tsv", []byte(table)}).showing(shows),
		)
	}
	for _, r := range list {
		add(r.name, option.Config{}, r.table, r.shows)
	}
	for _, c := range characters {
		add("name-with-"+c.name, option.Config{}, strings.Replace(tsv, "pOne", "p"+c.text+"1", 1), "")
		add("name-first-"+c.name, option.Config{}, strings.Replace(tsv, "pOne", c.text+"p", 1), "")
	}
	for _, c := range rareCharacters {
		add("name-with-"+c.name, option.Config{}, strings.Replace(tsv, "pOne", "p"+c.text+"1", 1), "")
	}
	for _, n := range []int{1, 50, 100, 199, 200, 201, 250, 300, 400, 1000, 1024, 1500, 5000} {
		add(
			fmt.Sprintf("name-of-%d", n),
			option.Config{},
			strings.Replace(tsv, "pOne", strings.Repeat("x", n), 1),
			strings.Repeat("x", min(n, 900)),
		)
		add(
			fmt.Sprintf("name-of-%d-first", n),
			option.Config{},
			"a\t\tp\tc\t"+strings.Repeat("y", n)+"\nb\t\tp\tc\tq\n",
			strings.Repeat("y", min(n, 900)),
		)
		add(fmt.Sprintf("name-of-%d-unknown-row", n), option.Config{}, tsv+"z\t\tp\tc\t"+strings.Repeat("x", n)+"\n", named)
		add(fmt.Sprintf("original-of-%d-unknown-row", n), option.Config{}, tsv+strings.Repeat("x", n)+"\t\tp\tc\tq\n", named)
	}
	for _, r := range []struct {
		name string
		c    option.Config
		rows string
	}{
		{"compliant", option.Config{Compliant: true}, tsv}, {"kept", option.Config{KeepContigHeaders: true}, tsv},
		{"plasmid", option.Config{Plasmid: "p1"}, tsv},
		{"complete", option.Config{CompleteGenome: true}, tsv}, {"kept-compliant", option.Config{KeepContigHeaders: true, Compliant: true}, tsv},
		{"compliant-unknown-long", option.Config{Compliant: true}, tsv + "z\t" + strings.Repeat("x", 40) + "\tp\tc\tq\n"},
	} {
		add("with-"+r.name, r.c, r.rows, "pOne|\"name\": \"p1\"")
	}
	return variants
}

// manyRows returns rows of sequences that the genome does not have.
func manyRows(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "other%d\tnew%d\tplasmid\tcircular\tpOther%d\n", i, i, i)
	}
	return b.String()
}

// trainingVariants are training files of Prodigal.
func trainingVariants(s sample, packed packed) []variant {
	trained := packed["training"]
	change := func(at int, bytes ...byte) []byte {
		b := append([]byte(nil), trained...)
		copy(b[at:], bytes)
		return b
	}
	double := func(x float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(x)) }
	var variants []variant
	add := func(name string, c option.Config, content []byte) {
		variants = append(
			variants,
			genome("training/"+name, c, genes, s.fasta("a"), userFile{upload.ProdigalTrainingFile, "training.trn", content}),
		)
	}
	add("trained", option.Config{}, trained)
	add("trained-for-table-4", option.Config{TranslationTable: 4}, packed["training 4"])
	add("of-table-4-for-table-11", option.Config{TranslationTable: 11}, packed["training 4"])
	add("of-table-11-for-table-4", option.Config{TranslationTable: 4}, trained)
	add("with-meta", option.Config{Meta: true}, trained)
	add("with-skip-cds", option.Config{Skip: []string{"cds"}}, trained)
	add("one-byte-short", option.Config{}, trained[:len(trained)-1])
	add("one-byte-more", option.Config{}, append(change(0), 0))
	add("newline-more", option.Config{}, append(change(0), '\n'))
	add("twice", option.Config{}, append(change(0), trained...))
	add("half", option.Config{}, trained[:len(trained)/2])
	add("one-byte", option.Config{}, []byte{1})
	add("nothing", option.Config{}, nil)
	add("blank", option.Config{}, []byte("\n"))
	add("fasta", option.Config{}, []byte(s.fasta("a")))
	add("text", option.Config{}, []byte("a training file\n"))
	add("gzip", option.Config{}, gz(string(trained)))
	add("zeros", option.Config{}, make([]byte, len(trained)))
	add("gc-of-2", option.Config{}, change(0, double(2)...))
	add("gc-not-a-number", option.Config{}, change(0, double(math.NaN())...))
	add("table-1", option.Config{}, change(8, 1, 0, 0, 0))
	add("weight-not-a-number", option.Config{}, change(80, double(math.NaN())...))
	add("weight-infinite", option.Config{}, change(80, double(math.Inf(1))...))
	return variants
}
