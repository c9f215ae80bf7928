// Package sheet reads a table of samples: a row for each, and a column for each option that differs between them.
package sheet

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// Sheet is a table of samples.
type Sheet struct {
	Rows []Row
	// Ignored are the columns that have no meaning here, as the sheet names them.
	Ignored []string

	titles map[string]string // as the sheet names columns, by the name of an option, the kind of an upload, "name", "genome", "workflow"
}

// Row is a sample. What a row leaves empty is not given.
type Row struct {
	Number   int    // its line in the file
	Name     string // of the sample
	File     string // the path of the file to annotate; not checked
	Workflow string // as it was written
	Options  map[string]option.Value
	Uploads  map[string]string // paths of other files, by kind
}

// Faults are all mistakes in the form of a sheet.
type Faults []Fault

// Fault is a mistake.
type Fault struct {
	Row    int    // the line in the file, from 1
	Column string // as the sheet names it; empty: the row as a whole
	Text   string // what is wrong and what to do
}

// Error lists the faults, one to a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = fault.String()
	}
	return strings.Join(lines, "\n")
}

// String names the place and the mistake.
func (f Fault) String() string {
	if f.Column == "" {
		return fmt.Sprintf("row %d: %s", f.Row, f.Text)
	}
	return fmt.Sprintf("row %d, column %q: %s", f.Row, f.Column, f.Text)
}

// Read reads a sheet. If only its form is wrong, the error is of type Faults.
func Read(path string) (*Sheet, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return Parse(path, file)
}

// Parse does what Read does with a file that is open. Relative paths in it begin at the folder of path, and the ending of path says what
// separates the cells if the content does not.
func Parse(path string, content io.Reader) (*Sheet, error) {
	records, err := readTable(path, content)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, fmt.Errorf("the sheet is empty; write a line with the names of columns, and a line for each sample")
	}
	head, records := records[0], records[1:]
	s := &Sheet{titles: make(map[string]string)}
	columns, faults := s.columns(head)
	if len(faults) == 0 && len(records) == 0 {
		faults = append(faults, Fault{head.row, "", "there are no samples below the names of columns; write a line for each"})
	}
	if len(faults) > 0 {
		return nil, faults // without the columns nothing can be said of the rows
	}
	named := make(map[string]int) // rows, by name
	for _, r := range records {
		row, found := readRow(r, head, columns, filepath.Dir(path))
		if other, ok := named[row.Name]; ok && row.Name != "" {
			found = append(found, Fault{r.row, s.titles["name"],
				fmt.Sprintf("%s is also the name of row %d; give each sample a name of its own", job.Quote(row.Name), other)})
		} else {
			named[row.Name] = r.row
		}
		faults = append(faults, found...)
		s.Rows = append(s.Rows, row)
	}
	if len(faults) > 0 {
		return s, faults
	}
	return s, nil
}

// Title returns how the sheet names the column of an option, by its name, or of an upload, by its kind. ok is false if it has none.
func (s *Sheet) Title(name string) (title string, ok bool) {
	title, ok = s.titles[name]
	return title, ok
}

// columns returns the columns that the first line names.
func (s *Sheet) columns(head record) ([]Column, Faults) {
	var faults Faults
	columns := make([]Column, len(head.cells))
	for i, title := range head.cells {
		if strings.TrimSpace(title) == "" {
			columns[i].role = ignoredColumn // as spreadsheets leave behind; see readRow
			continue
		}
		c, ok := lookup(title)
		if !ok {
			if meant := near(title); meant != "" {
				faults = append(faults, Fault{head.row, title, fmt.Sprintf("this column is not known; do you mean %q?", meant)})
			}
			c.role = ignoredColumn
		}
		columns[i] = c
		if c.role == ignoredColumn {
			s.Ignored = append(s.Ignored, title)
			continue
		}
		if other, twice := s.titles[c.key()]; twice {
			faults = append(faults, Fault{head.row, title, fmt.Sprintf("the column %q means the same; remove one of them", other)})
		}
		s.titles[c.key()] = title
	}
	if _, ok := s.titles["genome"]; !ok && len(faults) == 0 {
		faults = append(faults, Fault{head.row, "", fmt.Sprintf(
			"no column names the files to annotate; call one %q, or %s", "genome", strings.Join(quotedNames("genome"), ", "))})
	}
	return columns, faults
}

func quotedNames(name string) []string {
	c, _ := lookup(name)
	var names []string
	for _, other := range c.Other {
		names = append(names, fmt.Sprintf("%q", other))
	}
	return names
}

// key is the name of what a column has: of an option, the kind of an upload, or its own.
func (c Column) key() string {
	switch c.role {
	case optionColumn:
		return c.option.Name
	case uploadColumn:
		return c.upload
	}
	return c.Name
}

// readRow reads a sample. Paths begin at a folder.
func readRow(r, head record, columns []Column, folder string) (Row, Faults) {
	row := Row{Number: r.row, Options: make(map[string]option.Value), Uploads: make(map[string]string)}
	var faults Faults
	for i, cell := range r.cells {
		cell = strings.TrimSpace(cell)
		if cell == "" {
			continue
		}
		if i >= len(columns) || strings.TrimSpace(head.cells[i]) == "" {
			faults = append(faults, Fault{r.row, "", fmt.Sprintf("%s is in cell %d, which has no column; there are %d names of columns",
				job.Quote(cell), i+1, len(columns))})
			continue
		}
		c, title := columns[i], head.cells[i]
		fault := func(text string) { faults = append(faults, Fault{r.row, title, text}) }
		if c.role != ignoredColumn && strings.ContainsFunc(cell, job.Control) {
			fault(job.Quote(cell) + " has a control character, such as a line break; remove it")
			continue
		}
		switch c.role {
		case nameColumn:
			row.Name = cell
		case fileColumn, uploadColumn:
			path, problem := located(cell, folder)
			if problem != "" {
				fault(problem)
			}
			if c.role == fileColumn {
				row.File = path
			} else {
				row.Uploads[c.upload] = path
			}
		case workflowColumn:
			row.Workflow = cell
		case optionColumn:
			value, err := c.option.Parse(cell)
			if err != nil {
				fault(err.Error())
				continue
			}
			row.Options[c.option.Name] = value
		}
	}
	if row.File == "" {
		title := head.cells[slices.IndexFunc(columns, func(c Column) bool { return c.role == fileColumn })]
		faults = append(faults, Fault{r.row, title, "the cell is empty; name the file to annotate"})
	}
	return row, faults
}

// located returns the path that a cell names, or what is wrong with it.
func located(cell, folder string) (path, problem string) {
	if scheme, _, ok := strings.Cut(cell, "://"); ok {
		if scheme == "file" {
			return cell, "write the path without file://"
		}
		return cell, "this is a URL; download the file, and name it here"
	}
	if filepath.IsAbs(cell) {
		return cell, ""
	}
	return filepath.Join(folder, cell), ""
}
