// Package input finds the files that a user means, and reads from each what it is.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/shenwei356/xopen"

	"github.com/ag-computational-bio/bakta-web-backend/cli/plain"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Workflow returns the workflow that a file is for, if its content shows it: an annotation is JSON, and less than
// half of the letters of proteins are nucleotide codes. Any other file is uploaded as a genome; if it is not one, the
// inspection of genomes reports why.
func Workflow(path string) string {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return workflow.Bakta // opening a pipe would wait for its writer
	}
	file, err := xopen.Ropen(path) // plain or compressed
	if err != nil {
		return workflow.Bakta
	}
	defer file.Close()
	head, err := io.ReadAll(io.LimitReader(file, 64<<10))
	if len(head) == 0 && err != nil {
		return workflow.Bakta
	}
	switch upload.KindOfText(head) {
	case upload.BaktaJSON:
		return workflow.Baktfold
	case upload.ProteinFASTA:
		return workflow.BaktaProteins
	}
	return workflow.Bakta
}

// Inspect checks a file of that kind as a start does, and returns its content to send.
func Inspect(inspection *upload.Inspection, kind, path string) (client.Content, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return client.Content{}, fmt.Errorf("the file %s does not exist", plain.Line(path))
	case err != nil:
		return client.Content{}, err
	case info.IsDir():
		return client.Content{}, fmt.Errorf("%s is a directory; name a file in it", plain.Line(path))
	case !info.Mode().IsRegular():
		// An upload may have to be made twice, and its size is sent first.
		return client.Content{}, fmt.Errorf("%s is not a regular file; write its content to a file, and name that", plain.Line(path))
	}
	content, err := client.FileContent(path)
	if err != nil {
		return content, err
	}
	if content.Size == 0 {
		return content, fmt.Errorf("%s is empty", path)
	}
	file, err := content.Open()
	if err != nil {
		return content, err
	}
	defer file.Close()
	if _, err := inspection.Inspect(kind, file); err != nil {
		return content, fmt.Errorf("%s: %w", path, err)
	}
	return content, nil
}
