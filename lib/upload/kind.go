package upload

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/compression"
)

// KindOf returns the kind of upload that a file seems to be by its content, plain or compressed, and what the name of such a compressed
// file ends in (".gz", empty for a plain one). The kind is empty for a file that is none of them. size is that of the file in bytes.
// It reads the beginning of the content only, so the verdict of an inspection may be another.
//
// GenBank and GFF are taken for regions files, although trusted proteins may be GenBank, too.
func KindOf(content io.Reader, size int64) (kind, compressed string) {
	unpacked, ending, closer, err := compression.Open(bufio.NewReaderSize(content, 64<<10))
	defer closer()
	if err != nil {
		return "", ending
	}
	head, err := io.ReadAll(io.LimitReader(unpacked, headSize))
	if err != nil && len(head) == 0 {
		return "", ending
	}
	if kind = KindOfText(head); kind == "" && size == trainingSize && ending == "" && bytes.IndexByte(head, 0) >= 0 {
		kind = ProdigalTrainingFile
	}
	return kind, ending
}

// KindOfText does what KindOf does by the beginning of a file, decompressed.
func KindOfText(head []byte) string {
	text := bytes.TrimSpace(bytes.TrimPrefix(head, []byte(utf8BOM)))
	for _, sign := range []struct{ begin, kind string }{
		{"{", BaktaJSON}, {"##gff-version", RegionsFile}, {"LOCUS ", RegionsFile}, {"HMMER3/", HMMsFile}, {"HMMER2", HMMsFile},
	} {
		if bytes.HasPrefix(text, []byte(sign.begin)) {
			return sign.kind
		}
	}
	switch {
	case !bytes.HasPrefix(text, []byte(">")):
		if isRepliconTable(head) {
			return RepliconsTable
		}
		return ""
	case ofProteins(text):
		return ProteinFASTA
	}
	return GenomeFASTA
}

// ofProteins reports whether less than half of the letters of a FASTA file are nucleotide codes, so that it can't be a genome, not even one
// with mistakes in it.
func ofProteins(fasta []byte) bool {
	letters, nucleotides := 0, 0
	for line := range bytes.Lines(fasta) {
		if bytes.HasPrefix(line, []byte(">")) {
			continue
		}
		for _, letter := range strings.ToUpper(string(bytes.TrimSpace(line))) {
			letters++
			if strings.ContainsRune("ACGTUN-", letter) {
				nucleotides++
			}
		}
	}
	return 2*nucleotides < letters
}

// isRepliconTable reports whether the whole lines at the beginning of a file are rows of a replicon table, and one of them says what its
// sequence is. A table without such a word may be anything.
func isRepliconTable(head []byte) bool {
	if end := bytes.LastIndexByte(head, '\n'); end >= 0 && len(head) == headSize {
		head = head[:end]
	}
	rows, err := parseReplicons(head)
	if err != nil {
		return false
	}
	for _, row := range rows {
		switch strings.ToLower(row.fields[repliconType]) {
		case "c", "chrom", "chromosome", "p", "plasmid", "plas", "contig":
			return true
		}
	}
	return false
}
