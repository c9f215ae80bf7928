// Package inspect answers what the page asks of the server's own rules about files and options, in the browser: so there is no second set
// of them. wasm is the program for that.
package inspect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/cli/sheet"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// request is what the page asks for.
type request struct {
	// Do is "kind": what is each file? "inspect": would a start take these files and options? "options": would it take these options?
	// "sheet": which samples does this table have?
	Do string `json:"do"`
	// Name is that of a sheet's file.
	Name string `json:"name"`
	// Config are the options of a start, as in the API's second version.
	Config map[string]any `json:"config"`
	// Kinds are those of the files, in their order. The file that the workflow is about is the last one: the others are compared with it.
	Kinds []string `json:"kinds"`
	// Baktfold says that the workflow ends with Baktfold.
	Baktfold bool `json:"baktfold"`
}

// File is a file that was chosen.
type File struct {
	Open func() io.Reader
	Size int64 // in bytes
}

// ErrUnreadable is why a file can't be read.
var ErrUnreadable = errors.New("the browser can't read the file; if it was changed or moved since it was chosen, choose it again")

// maxListed bounds the sequences of an answer. A replicon table that is edited by hand has fewer rows, and the page holds the answers about
// hundreds of files.
const maxListed = 200

// report is the answer about files.
type report struct {
	// Kind is that of the file, "" if it is of none.
	Kind string `json:"kind"`
	// Compressed is what the file's name should end in if it is compressed: ".gz".
	Compressed string `json:"compressed"`
	// Problem says why a start would refuse the files, in the server's words. Empty: it would not.
	Problem string `json:"problem"`
	// Culprit is the kind of the file that the problem is about.
	Culprit  string    `json:"culprit"`
	Warnings []warning `json:"warnings"`

	Count     int        `json:"count"`
	Letters   int64      `json:"letters"`
	GC        int64      `json:"gc"`
	N         int64      `json:"n"`
	Ambiguous int64      `json:"ambiguous"`
	Whole     bool       `json:"whole"`
	Sequences []sequence `json:"sequences"`
}

type sequence struct {
	ID       string `json:"id"`
	Length   int64  `json:"length"`
	Complete bool   `json:"complete"`
}

type warning struct {
	Code    string `json:"code"`
	Upload  string `json:"upload_kind"`
	Message string `json:"message"`
}

// violation is a rule that an option breaks.
type violation struct {
	Field   string `json:"field"`
	Problem string `json:"problem"`
}

// Answer carries out a request in JSON, about files, and returns the answer in JSON. An error is a mistake of the page: {"error": "…"}.
func Answer(text []byte, files []File) []byte {
	var r request
	var answer any
	err := json.Unmarshal(text, &r)
	if err == nil {
		answer, err = r.answer(files)
	}
	if err != nil {
		answer = map[string]string{"error": err.Error()}
	}
	encoded, err := json.Marshal(answer)
	if err != nil {
		panic(err) // the answers are plain structures
	}
	return encoded
}

func (r request) answer(files []File) (any, error) {
	switch r.Do {
	case "kind":
		reports := make([]report, len(files))
		for i, f := range files {
			reports[i].Kind, reports[i].Compressed = upload.KindOf(f.Open(), f.Size)
		}
		return reports, nil
	case "inspect":
		if len(files) == 0 || len(files) != len(r.Kinds) {
			return nil, fmt.Errorf("there are %d files and %d kinds", len(files), len(r.Kinds))
		}
		config, _ := configOf(r.Config)
		return r.inspect(files, config), nil
	case "sheet":
		if len(files) != 1 {
			return nil, fmt.Errorf("there are %d files; a sheet is one", len(files))
		}
		return samples(r.Name, files[0].Open()), nil
	case "options":
		config, violations := configOf(r.Config)
		for _, v := range config.Check() {
			violations = append(violations, violation{v.Field, v.Problem})
		}
		return violations, nil
	}
	return nil, fmt.Errorf("%q is not a request", r.Do)
}

// inspect does what a start does with the uploads of a job.
func (r request) inspect(files []File, config option.Config) report {
	inspection := upload.NewInspection(config)
	inspection.Baktfold = r.Baktfold
	answer := report{Sequences: []sequence{}, Warnings: []warning{}}
	for i, kind := range r.Kinds {
		_, answer.Compressed = upload.KindOf(files[i].Open(), files[i].Size)
		_, err := inspection.Inspect(kind, files[i].Open())
		if err == nil {
			continue
		}
		// The refusal of the file that the workflow is about comes last, and is the first to be mended.
		answer.Problem, answer.Culprit = sentence(err, kind), kind
	}
	answer.Kind = r.Kinds[len(r.Kinds)-1]
	c := inspection.Contents()
	answer.Count, answer.Letters, answer.GC, answer.N, answer.Ambiguous, answer.Whole = c.Count, c.Letters, c.GC, c.N, c.Ambiguous, c.Whole
	for _, s := range c.Sequences[:min(len(c.Sequences), maxListed)] {
		answer.Sequences = append(answer.Sequences, sequence(s))
	}
	for _, w := range inspection.Warnings() {
		answer.Warnings = append(answer.Warnings, warning{w.Code, w.Upload, w.Message})
	}
	return answer
}

// sentence returns an error in the words that a start answers.
func sentence(err error, kind string) string {
	var refused *job.Error
	switch {
	case errors.As(err, &refused):
		return refused.Message
	case errors.Is(err, upload.ErrBlank):
		return upload.Label(kind) + ": the file is empty"
	case errors.Is(err, ErrUnreadable):
		return upload.Label(kind) + ": " + ErrUnreadable.Error()
	}
	return err.Error()
}

// configOf returns the configuration that options of the API mean. Those that this program does not know are ignored, as a server does; the
// server that takes the start knows them, or not.
func configOf(values map[string]any) (option.Config, []violation) {
	var c option.Config
	violations := []violation{}
	for _, o := range option.Table() {
		value, given := values[o.Name]
		if !given {
			continue
		}
		switch v := value.(type) {
		case bool:
			o.Set(&c, option.Value{On: v})
		case string:
			if o.Kind == option.Number && strings.TrimSpace(v) != "" {
				violations = append(violations, violation{o.Name, fmt.Sprintf("%s is not a whole number", job.Quote(v))})
			} else if o.Kind == option.Text {
				o.Set(&c, option.Value{Text: v})
			}
		case float64:
			number := int64(v)
			if float64(number) != v {
				violations = append(violations, violation{o.Name, fmt.Sprintf("%v is not a whole number", json.Number(fmt.Sprint(v)))})
			} else if o.Kind == option.Number {
				o.Set(&c, option.Value{Number: number})
			}
		}
	}
	for _, u := range upload.Table() {
		if used, ok := values[u.Use].(bool); ok && u.Use != "" {
			if c.Use == nil {
				c.Use = make(map[string]bool)
			}
			c.Use[u.Kind] = used
		}
	}
	return c.Normalise(), violations
}

// table is the answer about a sheet.
type table struct {
	// Problem says why the file can't be read as a sheet at all.
	Problem string   `json:"problem"`
	Faults  []fault  `json:"faults"`
	Rows    []sample `json:"rows"`
	// Ignored are the columns that mean nothing here, as the sheet names them.
	Ignored []string `json:"ignored"`
}

// fault is a mistake in a sheet.
type fault struct {
	Row    int    `json:"row"`    // its line in the file
	Column string `json:"column"` // as the sheet names it; empty: the row as a whole
	Text   string `json:"text"`
}

// sample is a row of a sheet.
type sample struct {
	Row      int               `json:"row"`
	Name     string            `json:"name"`
	File     string            `json:"file"`
	Workflow string            `json:"workflow"` // a kind of the API; empty: by the file
	Config   map[string]any    `json:"config"`   // options as a start takes them
	Uploads  map[string]string `json:"uploads"`  // paths of other files, by kind
}

// samples reads a sheet, by the rules of `bakta-web submit --sheet`.
func samples(name string, content io.Reader) table {
	t := table{Faults: []fault{}, Rows: []sample{}, Ignored: []string{}}
	s, err := sheet.Parse(name, content)
	var faults sheet.Faults
	switch {
	case errors.As(err, &faults):
		for _, f := range faults {
			t.Faults = append(t.Faults, fault(f))
		}
	case err != nil:
		t.Problem = err.Error()
	}
	if s == nil {
		return t
	}
	t.Ignored = append(t.Ignored, s.Ignored...)
	options := make(map[string]option.Option)
	for _, o := range option.Table() {
		options[o.Name] = o
	}
	for _, row := range s.Rows {
		one := sample{
			Row: row.Number, Name: row.Name, File: row.File, Workflow: kindOf(row.Workflow), Config: make(map[string]any), Uploads: row.Uploads,
		}
		for name, value := range row.Options {
			switch options[name].Kind {
			case option.Text:
				one.Config[name] = value.Text
			case option.Number:
				one.Config[name] = value.Number
			default:
				one.Config[name] = value.On
			}
		}
		t.Rows = append(t.Rows, one)
	}
	return t
}

// kindOf returns the kind of a workflow by the name that the command line and sheets have for it.
func kindOf(name string) string {
	name = strings.ReplaceAll(strings.ToLower(name), "+", "_")
	if name == "proteins" {
		return "bakta_proteins"
	}
	return name
}
