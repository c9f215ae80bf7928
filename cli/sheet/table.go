package sheet

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// maxSheet bounds a sheet, in bytes: a hundred thousand rows have some 20 MB.
const maxSheet = 64 << 20

// record is a line of a table.
type record struct {
	row   int // its line in the file, from 1, as an editor or a spreadsheet numbers it
	cells []string
}

// readTable reads a table whose cells are separated by tabs, commas or semicolons. Empty lines are left out.
func readTable(path string, from io.Reader) ([]record, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxSheet+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSheet:
		return nil, errors.New("the file is too large for a sheet; name a table of samples")
	case bytes.HasPrefix(text, []byte("PK\x03\x04")), bytes.HasPrefix(text, []byte("\xd0\xcf\x11\xe0")):
		return nil, errors.New("this is a workbook of a spreadsheet program; save the sheet as TSV or CSV with UTF-8")
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return nil, errors.New("the text is UTF-16; save it with UTF-8")
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if i := invalid(text); i >= 0 {
		return nil, fmt.Errorf("row %d: the text is not UTF-8; save it with UTF-8", 1+bytes.Count(text[:i], []byte("\n")))
	}
	// encoding/csv knows CRLF and LF. A lone CR ends the lines of old programs.
	if !bytes.Contains(text, []byte("\n")) {
		text = bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = separator(path, text)
	r.LazyQuotes = r.Comma == '\t' // where quotes are rare, and may be part of a name
	r.FieldsPerRecord = -1
	var records []record
	for {
		begin := r.InputOffset()
		cells, err := r.Read()
		var fault *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return records, nil
		case errors.As(err, &fault):
			return nil, fmt.Errorf("row %d: %w; write a cell with quotes as \"a \"\"quoted\"\" word\"", fault.Line, fault.Err)
		case err != nil:
			return nil, err
		}
		row, _ := r.FieldPos(0)
		// A quote at the beginning of a cell is one of the table, even where it is meant as a part of a name. Then the cell goes on behind
		// its tab or its line, to the next such quote or to the end of the file, and the rows in it would be lost.
		if r.LazyQuotes && !quoted(cells, string(text[begin:r.InputOffset()])) {
			return nil, fmt.Errorf("row %d: a cell begins with a quote (\") and does not end with one, so it would go on in the next cells or "+
				"rows; remove the quote, or write the cell as \"a \"\"quoted\"\" word\"", row)
		}
		if strings.TrimSpace(strings.Join(cells, "")) != "" {
			records = append(records, record{row, cells})
		}
	}
}

// quoted reports whether quotes stand around each cell of a row with a tab or the end of a line in it.
func quoted(cells []string, row string) bool {
	row = strings.ReplaceAll(row, "\r\n", "\n") // as encoding/csv reads them
	for _, cell := range cells {
		if strings.ContainsAny(cell, "\t\n") && !strings.Contains(row, `"`+strings.ReplaceAll(cell, `"`, `""`)+`"`) {
			return false
		}
	}
	return true
}

// invalid returns the place of the first bytes that are not UTF-8, -1 if there are none.
func invalid(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// separator returns what separates the cells of the first line. The name of the file decides if the line has none.
func separator(path string, text []byte) rune {
	line, _, _ := strings.Cut(strings.TrimLeft(string(text), "\r\n"), "\n")
	for _, r := range "\t,;" {
		if strings.ContainsRune(line, r) {
			return r
		}
	}
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		return ','
	}
	return '\t'
}
