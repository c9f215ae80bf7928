package input

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/shenwei356/xopen"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Found are the files of a folder.
type Found struct {
	Paths []string // those to annotate, in the order of their names
	What  string   // what they are: "genomes"
	// Skipped has a line for each kind of files that are not annotated: how many, which, and why.
	Skipped []string
}

// what is what a file of a folder is.
type what int

const (
	otherFile what = iota
	genomeFile
	proteinFile
	annotationFile
	subfolder
)

// whats are what people call the files, and the workflow that takes them.
var whats = map[what]struct{ one, many, workflow string }{
	genomeFile:     {"genome", "genomes", "bakta"},
	proteinFile:    {"protein file", "protein files", "proteins"},
	annotationFile: {"Bakta annotation", "Bakta annotations", "baktfold"},
}

// Folder finds the files of a folder that a workflow takes. Without a workflow (nil) these are the genomes; if there are none, the files of
// proteins; if there are none either, Bakta's annotations: the results of other programs often lie beside a genome, and are not meant.
// Folders in it are not searched. Hidden files are ignored.
func Folder(path string, w *workflow.Workflow) (Found, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return Found{}, err
	}
	files := make(map[what][]string)
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file := filepath.Join(path, entry.Name())
		kind := kindOf(file)
		files[kind] = append(files[kind], file)
	}
	wanted := genomeFile
	if w != nil {
		wanted = takenBy(*w)
	} else {
		for _, kind := range []what{proteinFile, annotationFile} {
			if len(files[wanted]) == 0 && len(files[kind]) > 0 {
				wanted = kind
			}
		}
	}
	found := Found{Paths: files[wanted], What: whats[wanted].many}
	if len(found.Paths) == 1 {
		found.What = whats[wanted].one
	}
	for _, kind := range []what{genomeFile, proteinFile, annotationFile} {
		if kind != wanted && len(files[kind]) > 0 {
			found.skip(files[kind], fmt.Sprintf("%s; --workflow %s takes them", whats[kind].many, whats[kind].workflow))
		}
	}
	found.skip(files[otherFile], "not files to annotate, by their endings or content")
	found.skip(files[subfolder], "folders in the folder; name them, too, if they are meant")
	return found, nil
}

// skip notes that files are not annotated.
func (f *Found) skip(paths []string, why string) {
	const shown = 3
	if len(paths) == 0 {
		return
	}
	var names []string
	for _, path := range paths[:min(shown, len(paths))] {
		names = append(names, filepath.Base(path))
	}
	more := ""
	if len(paths) > shown {
		more = ", …"
	}
	f.Skipped = append(f.Skipped, fmt.Sprintf("%d (%s%s): %s", len(paths), strings.Join(names, ", "), more, why))
}

// takenBy returns what a workflow is about.
func takenBy(w workflow.Workflow) what {
	switch w.Uploads[0].Kind { // the required one comes first
	case upload.ProteinFASTA:
		return proteinFile
	case upload.BaktaJSON:
		return annotationFile
	}
	return genomeFile
}

// kindOf returns what a file is: by its ending, and by its content where endings are used for several things.
func kindOf(path string) what {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return otherFile
	case info.IsDir():
		return subfolder
	case !info.Mode().IsRegular():
		return otherFile
	}
	ending := strings.ToLower(filepath.Ext(withoutEnding(filepath.Base(path), compressedEndings)))
	switch {
	case slices.Contains(genomeEndings, ending):
		if Workflow(path) == workflow.BaktaProteins {
			return proteinFile
		}
		return genomeFile
	case slices.Contains(proteinEndings, ending):
		return proteinFile
	case slices.Contains(annotationEndings, ending) && isAnnotation(path):
		return annotationFile
	}
	return otherFile
}

// isAnnotation reports whether a JSON file begins as Bakta writes it of a genome. That of bakta_proteins has no genome.
func isAnnotation(path string) bool {
	file, err := xopen.Ropen(path)
	if err != nil {
		return false
	}
	defer file.Close()
	head, _ := io.ReadAll(io.LimitReader(file, 4<<10)) // what is there decides
	text := strings.TrimSpace(string(head))
	return strings.HasPrefix(text, "{") && strings.Contains(text, `"genome"`)
}
