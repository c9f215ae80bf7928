package main

import (
	"encoding/json"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// object is a JSON object.
type object = map[string]any

// annotationOf returns Bakta 1.12's annotation of the sample's first sequence with two coding sequences.
func annotationOf(s sample) object {
	cds := func(g gene, strand, locus string) object {
		return object{
			"type":         "cds",
			"sequence":     "contig_1",
			"start":        g.start,
			"stop":         g.stop,
			"strand":       strand,
			"frame":        1,
			"gene":         nil,
			"product":      "hypothetical protein",
			"start_type":   "ATG",
			"rbs_motif":    nil,
			"db_xrefs":     []string{},
			"nt":           s.dna[g.start-1 : g.stop],
			"aa":           g.protein,
			"aa_hexdigest": locus,
			"hypothetical": true,
			"genes":        []string{},
			"seq_stats":    object{"molecular_weight": 15000.0, "isoelectric_point": 5.2},
			"id":           "ID_" + locus,
			"locus":        locus,
		}
	}
	return object{
		"genome": object{
			"genus":             "Exemplum",
			"species":           nil,
			"strain":            nil,
			"taxon":             nil,
			"complete":          true,
			"gram":              "?",
			"translation_table": 11,
		},
		"stats":    object{"size": len(s.dna), "gc": 0.5, "n_ratio": 0.0, "n50": len(s.dna), "n90": len(s.dna), "coding_ratio": 0.6},
		"features": []any{cds(s.forward, "+", "L_1"), cds(s.reverse, "-", "L_2")},
		"sequences": []any{object{"id": "contig_1", "description": "d", "nt": s.dna, "length": len(s.dna), "complete": true,
			"type": "plasmid", "topology": "circular",
			"name": "p1", "simple_id": "contig_1", "orig_id": "a", "orig_description": ""}},
		"run":     object{"start": "2026-01-31 12:00:00", "end": "2026-01-31 12:00:01", "duration": "0.02 min"},
		"version": object{"bakta": "1.12.2", "db": object{"version": "6.0", "type": "full"}},
	}
}

// annotation returns the sample's annotation as a file.
func annotation(s sample) string { return string(must(json.Marshal(annotationOf(s)))) }

// annotationVariants are Bakta annotations (JSON) for Baktfold.
func annotationVariants(s sample, packed packed) []variant {
	plain := annotation(s)
	var variants []variant
	add := func(name, file string, content []byte) {
		variants = append(
			variants,
			variant{name: "annotation/" + name, kind: workflow.Baktfold, uploads: []userFile{{upload.BaktaJSON, file, content}}},
		)
	}
	text := func(name, content string) { add(name, "annotation.json", []byte(content)) }
	with := func(name string, change func(all, genome, feature, sequence object)) {
		all := annotationOf(s)
		change(all, all["genome"].(object), all["features"].([]any)[0].(object), all["sequences"].([]any)[0].(object))
		text(name, string(must(json.Marshal(all))))
	}
	text("plain", plain)
	text("indented", string(must(json.MarshalIndent(annotationOf(s), "", "  "))))
	text("crlf", strings.ReplaceAll(string(must(json.MarshalIndent(annotationOf(s), "", "\t"))), "\n", "\r\n"))
	add("gzip", "annotation.json.gz", gz(plain))
	add("zstd", "annotation.json.zst", zst(plain))
	add("bzip2", "annotation.json.bz2", packed["bz2 annotation"])
	add("xz", "annotation.json.xz", packed["xz annotation"])
	add("gzip-cut", "annotation.json.gz", gz(plain)[:200])
	add("gzip-then-newline", "annotation.json.gz", append(gz(plain), '\n'))
	add("gzip-of-nothing", "annotation.json.gz", gz(""))
	add("plain-called-gz", "annotation.json.gz", []byte(plain))
	for name, content := range map[string]string{
		"bom": "\xef\xbb\xbf" + plain, "utf16": utf16(plain), "latin1": strings.Replace(plain, "Exemplum", "Ex\xe4mplum", 1),
		"utf8": strings.Replace(plain, "Exemplum", "Exämplum", 1),
		"cut":  plain[:len(plain)/2], "last-brace-missing": plain[:len(plain)-1], "brace-more": plain + "}", "text-behind": plain + " x",
		"twice": plain + "\n" + plain, "newline-behind": plain + "\n\n", "nul-behind": plain + "\x00",
		"trailing-comma": plain[:len(plain)-1] + ",}", "comma-missing": strings.Replace(plain, `,"sequences"`, `"sequences"`, 1),
		"colon-missing":      strings.Replace(plain, `"genome":`, `"genome"`, 1),
		"colon-missing-deep": strings.Replace(plain, `"start_type":`, `"start_type"`, 1),
		"single-quotes":      strings.ReplaceAll(plain, `"`, "'"), "comment": strings.Replace(plain, "{", "{/* x */", 1),
		"number-nan":          strings.Replace(plain, `"gc":0.5`, `"gc":NaN`, 1),
		"number-infinite":     strings.Replace(plain, `"gc":0.5`, `"gc":Infinity`, 1),
		"number-leading-zero": strings.Replace(plain, `"gc":0.5`, `"gc":00.5`, 1),
		"number-plus":         strings.Replace(plain, `"gc":0.5`, `"gc":+0.5`, 1), "number-dot": strings.Replace(plain, `"gc":0.5`, `"gc":.5`, 1),
		"word-wrong":            strings.Replace(plain, `"complete":true`, `"complete":True`, 1),
		"control-in-string":     strings.Replace(plain, "Exemplum", "Exem\nplum", 1),
		"tab-in-string":         strings.Replace(plain, "Exemplum", "Exem\tplum", 1),
		"escape-wrong":          strings.Replace(plain, "Exemplum", `Exem\xplum`, 1),
		"escape-unicode":        strings.Replace(plain, "Exemplum", `Ex\u00e4mplum`, 1),
		"escape-lone-surrogate": strings.Replace(plain, "Exemplum", `Ex\ud800mplum`, 1),
		"escaped-key":           strings.Replace(plain, `"genome"`, `"\u0067enome"`, 1),
		"key-twice":             strings.Replace(plain, `{"features"`, `{"features":[],"features"`, 1),
		"key-twice-last-null":   plain[:len(plain)-1] + `,"features":null}`,
		"nothing":               "", "blank": "\n", "null": "null", "list": "[" + plain + "]", "list-empty": "[]", "object-empty": "{}",
		"string": `"x"`,
		"number": "1", "fasta": s.fasta("a"), "html": "<!DOCTYPE html>", "genbank": s.record("a", ""),
		"bracket-wrong":            strings.Replace(plain, "]", "}", 1),
		"nul-in-string":            strings.Replace(plain, "Exemplum", "Exem\x00plum", 1),
		"line-separator-in-string": strings.Replace(plain, "Exemplum", "Exem\u2028plum", 1), "proteins-fasta": proteins(s),
		"lower-case-null": strings.Replace(plain, "null", "None", 1), "form-feed-between": strings.Replace(plain, ",", ",\f", 1),
		"no-break-space-first": "\u00a0" + plain, "value-missing": strings.Replace(plain, `"gc":0.5`, `"gc":`, 1),
	} {
		text(name, content)
	}
	for _, key := range []string{"genome", "features", "sequences", "stats", "run", "version"} {
		with("no-"+key, func(all, _, _, _ object) { delete(all, key) })
		with(key+"-null", func(all, _, _, _ object) { all[key] = nil })
		with(key+"-of-other-type", func(all, _, _, _ object) { all[key] = "x" })
	}
	for _, key := range []string{"genus", "species", "strain", "taxon", "complete", "gram", "translation_table"} {
		with("genome-no-"+key, func(_, genome, _, _ object) { delete(genome, key) })
		with("genome-"+key+"-null", func(_, genome, _, _ object) { genome[key] = nil })
	}
	for name, value := range map[string]any{"string": "11", "4": 4, "25": 25, "1": 1, "0": 0, "99": 99, "list": []int{11}, "float": 11.5} {
		with("translation-table-"+name, func(_, genome, _, _ object) { genome["translation_table"] = value })
	}
	for _, key := range []string{"type", "sequence", "start", "stop", "strand", "frame", "gene", "product", "start_type", "rbs_motif",
		"db_xrefs", "nt", "aa", "aa_hexdigest", "genes", "seq_stats", "id", "locus"} {
		with("feature-no-"+key, func(_, _, feature, _ object) { delete(feature, key) })
		with("feature-"+key+"-null", func(_, _, feature, _ object) { feature[key] = nil })
		with("feature-known-no-"+key, func(_, _, feature, _ object) { delete(feature, key); delete(feature, "hypothetical") })
	}
	for _, key := range []string{"id", "description", "nt", "length", "complete", "type", "topology", "name", "simple_id", "orig_id",
		"orig_description"} {
		with("sequence-no-"+key, func(_, _, _, sequence object) { delete(sequence, key) })
		with("sequence-"+key+"-null", func(_, _, _, sequence object) { sequence[key] = nil })
	}
	for _, key := range []string{"size", "gc", "n_ratio", "n50", "n90", "coding_ratio"} {
		with("stats-no-"+key, func(all, _, _, _ object) { delete(all["stats"].(object), key) })
	}
	with("no-features-at-all", func(all, _, _, _ object) { all["features"] = []any{} })
	with("no-sequences-at-all", func(all, _, _, _ object) { all["sequences"] = []any{}; all["features"] = []any{} })
	with("features-without-sequences", func(all, _, _, _ object) { all["sequences"] = []any{} })
	with("features-object", func(all, _, _, _ object) { all["features"] = object{} })
	with("features-of-null", func(all, _, _, _ object) { all["features"] = []any{nil} })
	with("features-of-strings", func(all, _, _, _ object) { all["features"] = []any{"x"} })
	with("sequences-of-null", func(all, _, _, _ object) { all["sequences"] = []any{nil} })
	with("none-hypothetical", func(all, _, _, _ object) {
		for _, f := range all["features"].([]any) {
			delete(f.(object), "hypothetical")
		}
	})
	with("hypothetical-false", func(_, _, feature, _ object) { feature["hypothetical"] = false })
	with("type-unknown", func(_, _, feature, _ object) { feature["type"] = "virus" })
	with("type-sorf", func(_, _, feature, _ object) { feature["type"] = "sorf" })
	with("on-unknown-sequence", func(_, _, feature, _ object) { feature["sequence"] = "z" })
	with("aa-empty", func(_, _, feature, _ object) { feature["aa"] = "" })
	with("aa-number", func(_, _, feature, _ object) { feature["aa"] = 5 })
	with("aa-with-stop", func(_, _, feature, _ object) { feature["aa"] = "MK*" })
	with("locus-number", func(_, _, feature, _ object) { feature["locus"] = 5 })
	with("locus-empty", func(_, _, feature, _ object) { feature["locus"] = "" })
	with("locus-twice", func(_, _, feature, _ object) { feature["locus"] = "L_2" })
	with("locus-with-space", func(_, _, feature, _ object) { feature["locus"] = "L 1" })
	with("references", func(_, _, feature, _ object) {
		feature["db_xrefs"] = []string{"SO:0001217", "UniRef:UniRef50_X", "GO:0000001", "EC:1.1.1.1"}
	})
	with("references-of-null", func(_, _, feature, _ object) { feature["db_xrefs"] = []any{nil} })
	with("references-text", func(_, _, feature, _ object) { feature["db_xrefs"] = "SO:1" })
	with("references-without-colon", func(_, _, feature, _ object) { feature["db_xrefs"] = []string{"SO"} })
	with("start-text", func(_, _, feature, _ object) { feature["start"] = "1" })
	with("start-float", func(_, _, feature, _ object) { feature["start"] = 1.0 })
	with("start-beyond", func(_, _, feature, _ object) { feature["start"], feature["stop"] = 999_997, 999_999 })
	with("strand-odd", func(_, _, feature, _ object) { feature["strand"] = "x" })
	with("strand-question", func(_, _, feature, _ object) { feature["strand"] = "?" })
	with("edge", func(_, _, feature, _ object) { feature["edge"] = true })
	with("more-keys", func(all, genome, feature, sequence object) {
		for _, o := range []object{all, genome, feature, sequence} {
			o["more"] = object{"a": []any{1, nil}}
		}
	})
	with("features-first-null", func(all, _, feature, _ object) { all["features"] = []any{feature, nil} })
	with("sequence-id-with-semicolon", func(_, _, feature, sequence object) { sequence["id"], feature["sequence"] = "a;b", "a;b" })
	with("sequences-twice", func(all, _, _, sequence object) { all["sequences"] = []any{sequence, sequence} })
	with("bakta-1-8", func(all, _, feature, sequence object) {
		delete(all["stats"].(object), "n90")
		all["version"] = object{"bakta": "1.8.2", "db": "5.0"}
		for _, f := range all["features"].([]any) {
			f := f.(object)
			f["contig"] = f["sequence"]
			delete(f, "sequence")
		}
		sequence["sequence"] = sequence["nt"]
		delete(sequence, "nt")
	})
	with("baktfold-made", func(all, _, _, _ object) { all["version"].(object)["baktfold"] = object{"version": "0.3.0"} })
	with("proteins-json", func(all, _, _, _ object) {
		for _, key := range []string{"genome", "stats", "sequences", "run"} {
			delete(all, key)
		}
	})
	return variants
}
