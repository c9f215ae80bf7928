package input

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/ag-computational-bio/bakta-web-backend/cli/plain"
)

// Endings of files that are annotated, and of compressed ones.
var (
	genomeEndings     = []string{".fna", ".fa", ".fasta", ".fas", ".fsa"}
	proteinEndings    = []string{".faa", ".pep"}
	annotationEndings = []string{".json"}
	otherEndings      = []string{".ffn", ".seq", ".txt"} // of files that are only annotated if they are named
	compressedEndings = []string{".gz", ".bz2", ".xz", ".zst"}
)

// Name names a job after its file.
func Name(path string) string {
	name := withoutEnding(filepath.Base(path), compressedEndings)
	for _, endings := range [][]string{genomeEndings, proteinEndings, annotationEndings, otherEndings} {
		if short := withoutEnding(name, endings); short != name {
			return short
		}
	}
	return name
}

// withoutEnding cuts the ending of a name off that is one of those, whatever its case. Something of the name stays.
func withoutEnding(name string, endings []string) string {
	for _, ending := range endings {
		if cut := len(name) - len(ending); cut > 0 && strings.EqualFold(name[cut:], ending) {
			return name[:cut]
		}
	}
	return name
}

// Names names jobs after their files, each differently: files of one name in different folders are named after these, too, and files that
// differ only in their endings keep them. The paths must differ. Taken names are those of other jobs.
func Names(paths []string, taken []string) []string {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = Name(path)
	}
	for _, longer := range []func(path string) string{
		func(path string) string { return folder(path) + Name(path) },
		func(path string) string { return folder(path) + filepath.Base(path) },
		func(path string) string { return folder(path) + filepath.Base(path) + "-" + digest(Absolute(path)) },
	} {
		count := make(map[string]int)
		for _, name := range append(names, taken...) {
			count[folded(name)]++
		}
		for i, name := range names {
			if count[folded(name)] > 1 {
				names[i] = longer(paths[i])
			}
		}
	}
	return names
}

// folder returns the name of the folder of a file, to stand before the file's name.
func folder(path string) string {
	name := filepath.Base(filepath.Dir(Absolute(path)))
	if name == string(filepath.Separator) {
		return ""
	}
	return name + "_"
}

// Absolute returns the absolute path of a file, or the path itself if the working directory is not known.
func Absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// folded makes names equal that a file system may not distinguish: some ignore case, or the way in which accents are composed.
func folded(name string) string { return strings.ToLower(norm.NFC.String(name)) }

// Folders returns names for the folders of jobs, which are safe on every system and all different. A name that is safe is its own folder,
// if no other job's is the same on some file system; any other gets a suffix that depends on the job's name alone.
func Folders(names []string, reserved ...string) []string {
	folders := make([]string, len(names))
	count := make(map[string]int)
	for _, name := range reserved {
		count[folded(name)]++
	}
	for i, name := range names {
		folders[i] = plain.FileName(name)
		count[folded(folders[i])]++
	}
	for i, name := range names {
		if count[folded(folders[i])] > 1 {
			folders[i] += "-" + digest(name)
		}
	}
	return folders
}

// digest returns a short text that stands for a long one.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:4])
}
