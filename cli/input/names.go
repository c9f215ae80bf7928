package input

import (
	"path/filepath"
	"strings"
)

// endings of files that are annotated, and of compressed ones.
var sequenceEndings = []string{".fna", ".fa", ".fasta", ".fas", ".fsa", ".ffn", ".seq", ".txt", ".faa", ".pep", ".json"}
var compressedEndings = []string{".gz", ".bz2", ".xz", ".zst"}

// Name names a job after its file.
func Name(path string) string {
	name := filepath.Base(path)
	for _, endings := range [][]string{compressedEndings, sequenceEndings} {
		for _, ending := range endings {
			if cut := len(name) - len(ending); cut > 0 && strings.EqualFold(name[cut:], ending) {
				name = name[:cut]
				break
			}
		}
	}
	return name
}
