// Package resultfiles names the files of a result, and puts them into a directory.
package resultfiles

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/cli/plain"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Endings returns the file ending of each kind of result file that the API may name.
func Endings() map[string]string {
	endings := make(map[string]string)
	for _, w := range workflow.Catalogue() {
		for _, file := range w.Results {
			endings[file.Key] = file.Ending
		}
	}
	return endings
}

// Names returns the names of result files that begin with a prefix, sorted, and the link of each. Links are by the API's names of files.
func Names(prefix string, links map[string]string) (names []string, from map[string]string) {
	known := Endings()
	from = make(map[string]string)
	for key, link := range links {
		ending := known[key]
		if ending == "" {
			ending = plain.FileName(strings.ToLower(key)) // of a newer server
		}
		name := prefix + "." + ending
		names = append(names, name)
		from[name] = link
	}
	slices.Sort(names)
	return names, from
}

// Place moves files into a directory, all or none. Files that are there already must be the same, unless replace says that one may be
// replaced by its name; the inputs of the job must be so nevertheless.
func Place(from, to string, names, inputs []string, replace func(name string) bool) error {
	var differ []string
	for _, name := range names {
		path := filepath.Join(to, name)
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return fmt.Errorf("%s is a directory, so nothing was put in %s; give another directory by --out", plain.Line(path), plain.Line(to))
		}
		same, err := sameContent(filepath.Join(from, name), path)
		if err != nil {
			return err
		}
		if !same && slices.ContainsFunc(inputs, func(input string) bool { return SameFile(path, input) }) {
			return fmt.Errorf("%s is an input of the job, and nothing was replaced; give another directory by --out", plain.Line(path))
		}
		if !same && !replace(name) {
			differ = append(differ, name)
		}
	}
	if len(differ) > 0 {
		return fmt.Errorf("%s has other files of these names, and nothing was replaced: %s; give another directory by --out, or --force",
			plain.Line(to), plain.Line(strings.Join(differ, ", ")))
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	return nil
}

// SameFile reports whether two paths lead to one file.
func SameFile(one, other string) bool {
	a, err := os.Stat(one)
	if err != nil {
		return false
	}
	b, err := os.Stat(other)
	return err == nil && os.SameFile(a, b)
}

// sameContent reports whether the second file does not exist, or has the first one's content.
func sameContent(first, second string) (bool, error) {
	a, err := os.Open(first)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(second)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	defer b.Close()
	one, two := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err1 := io.ReadFull(a, one)
		m, err2 := io.ReadFull(b, two)
		if !bytes.Equal(one[:n], two[:m]) {
			return false, nil
		}
		for _, err := range []error{err1, err2} {
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				return false, err
			}
		}
		if err1 != nil || err2 != nil {
			return true, nil
		}
	}
}
