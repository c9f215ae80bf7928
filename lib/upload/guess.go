package upload

import (
	"bytes"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/compression"
)

const utf8BOM = "\xef\xbb\xbf"

// signs are the beginnings of files that people upload by mistake, and what to call them.
var signs = []struct{ sign, what string }{
	{"%PDF", "a PDF document"},
	{"PK\x03\x04", "a ZIP archive or an Office document"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"Rar!", "a RAR archive"},
	{"\x1f\x8b", "a gzip file"},
	{"\x1f\x9d", "a compress (.Z) file"},
	{"BZh", "a bzip2 file"},
	{compression.XZMagic, "an xz file"},
	{"\x28\xb5\x2f\xfd", "a zstd file"},
	{"\x5d\x00\x00", "an lzma file"},
	{"\xd0\xcf\x11\xe0", "an Office document"},
	{"BAM\x01", "a BAM file"},
	{"CRAM", "a CRAM file"},
	{"@HD\t", "a SAM file"},
	{"@SQ\t", "a SAM file"},
	{"LOCUS ", "a GenBank file"},
	{"ID   ", "an EMBL file"},
	{"##gff-version", "a GFF file"},
	{"CLUSTAL", "a Clustal alignment"},
	{"#NEXUS", "a Nexus file"},
	{"<?xml", "an XML document"},
	{"{", "a JSON file"},
	{"[", "a JSON file"},
}

// guess returns what a file seems to be by its beginning, or nothing.
func guess(text []byte) string {
	start := bytes.TrimLeft(text, " \t\r\n")
	lower := bytes.ToLower(start[:min(len(start), 64)])
	switch {
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return "a web page"
	case len(text) > 262 && string(text[257:262]) == "ustar":
		return "a tar archive"
	}
	for _, s := range signs {
		if bytes.HasPrefix(start, []byte(s.sign)) {
			return s.what
		}
	}
	if len(start) > 0 && start[0] == '@' && bytes.Contains(start, []byte("\n+")) {
		return "a FASTQ file of reads"
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return "UTF-16 text"
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return "a binary file"
	}
	return ""
}

// otherThanFASTA says of a genome or of proteins that do not begin with '>' what is wrong and what to do, in words
// that go on after "The genome file" or "The protein FASTA file".
func otherThanFASTA(text []byte) string {
	const header = "a FASTA file begins with a header line like \">name\""
	if bytes.HasPrefix(text, []byte(utf8BOM)) {
		return "begins with a byte order mark (BOM), which Bakta can't read; save it as UTF-8 without a BOM, or as ASCII text."
	}
	switch what := guess(text); {
	case what == "UTF-16 text":
		return "seems to be UTF-16 text; save it as UTF-8 without a byte order mark, or as ASCII text."
	case strings.HasSuffix(what, "archive") || strings.HasSuffix(what, "document"):
		return "seems to be " + what + "; upload the FASTA file alone, as it is or compressed with gzip."
	case strings.HasPrefix(what, "a FASTQ"):
		return "seems to be " + what + "; assemble the reads first, and upload the assembly as FASTA."
	case what == "a gzip file", what == "a bzip2 file", what == "an xz file", what == "a zstd file":
		return "seems to be compressed twice; compress it once."
	case what != "":
		return "seems to be " + what + "; upload a FASTA file, plain or compressed with gzip, bzip2, xz or zstd."
	}
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	line, _, _ := cutLine(trimmed)
	switch {
	case len(trimmed) > 0 && trimmed[0] == '>':
		return "has white space before its first '>'; remove it."
	case len(trimmed) > 0 && (trimmed[0] == ';' || trimmed[0] == '#' || trimmed[0] == '!'):
		return "begins with a comment; remove the lines before the first '>'."
	case len(line) > 0 && only(strings.ToUpper(string(line)), nucleotides+"- \t"):
		return "begins with a sequence that has no header; " + header + "."
	}
	return "is no FASTA file: " + header + "; upload a FASTA file, plain or compressed with gzip, bzip2, xz or zstd."
}
