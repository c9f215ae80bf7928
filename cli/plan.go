package cli

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/cli/batch"
	"github.com/ag-computational-bio/bakta-web-backend/cli/input"
	"github.com/ag-computational-bio/bakta-web-backend/cli/sheet"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// planned is a sample that the command line or a sheet names.
type planned struct {
	path string
	row  *sheet.Row // nil: of the command line
}

// plan returns the samples of a batch. What is wrong with the command line or with the form of the sheet is an error, before anything is
// sent; whether files are there and what is in them is each sample's own matter.
func (a *app) plan(s submission, args []string, changed func(flag string) bool) ([]batch.Sample, error) {
	var typed *workflow.Workflow
	if s.workflow != "" {
		w, err := namedWorkflow(s.workflow)
		if err != nil {
			return nil, err
		}
		typed = &w
	}
	if err := s.options.filesExist(); err != nil {
		return nil, err
	}
	all, err := a.named(args, typed)
	if err != nil {
		return nil, err
	}
	p := planner{submission: s, typed: typed, changed: changed}
	if s.sheet != "" {
		p.sheet, err = sheet.Read(s.sheet)
		if !errors.As(err, &p.faults) && err != nil {
			return nil, Usagef("--sheet: %s: %w", shown(s.sheet), err)
		}
		if p.sheet == nil {
			return nil, p.wrong()
		}
		for i := range p.sheet.Rows {
			all = append(all, planned{p.sheet.Rows[i].File, &p.sheet.Rows[i]})
		}
	}
	samples, err := p.samples(all)
	if err == nil {
		err = p.wrong()
	}
	if err != nil {
		return nil, err
	}
	if p.sheet != nil && len(p.sheet.Ignored) > 0 {
		a.display.line("%s: these columns have no meaning here and are ignored: %s", shown(s.sheet), shown(strings.Join(p.sheet.Ignored, ", ")))
	}
	p.tellWorkflows(a, samples)
	p.tellNames(a, all, samples)
	return samples, nil
}

// filesExist reports a flag that names a file that is not there: it would make every sample fail.
func (o *options) filesExist() error {
	for _, row := range upload.Table() {
		path := o.files[row.Kind]
		if path == nil || *path == "" {
			continue
		}
		if info, err := os.Stat(*path); err != nil || !info.Mode().IsRegular() {
			return Usagef("--%s: %s does not exist, or is not a regular file", row.Flag, shown(*path))
		}
	}
	return nil
}

// named returns the files that arguments name. A folder stands for the files in it that the workflow takes.
func (a *app) named(args []string, w *workflow.Workflow) ([]planned, error) {
	var all []planned
	seen := make(map[string]bool)
	add := func(path string) {
		if !seen[input.Absolute(path)] { // a pattern and a name may both mean it
			seen[input.Absolute(path)] = true
			all = append(all, planned{path: path})
		}
	}
	for _, arg := range args {
		if info, err := os.Stat(arg); err != nil || !info.IsDir() {
			add(arg)
			continue
		}
		found, err := input.Folder(arg, w)
		if err != nil {
			return nil, &usageError{err}
		}
		skipped := ""
		if len(found.Skipped) > 0 {
			skipped = "; left out: " + strings.Join(found.Skipped, "; ")
		}
		if len(found.Paths) == 0 {
			return nil, Usagef("%s is a directory without files to annotate%s", shown(arg), shown(skipped))
		}
		a.display.line("%s: %d %s%s", shown(arg), len(found.Paths), found.What, shown(skipped))
		for _, path := range found.Paths {
			add(path)
		}
	}
	return all, nil
}

// planner makes samples of what is named.
type planner struct {
	submission
	typed   *workflow.Workflow
	changed func(flag string) bool
	sheet   *sheet.Sheet
	faults  sheet.Faults
}

// wrong returns the mistakes of the sheet as one error, nil if there are none.
func (p *planner) wrong() error {
	if len(p.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(p.faults, func(a, b sheet.Fault) int { return cmp.Compare(a.Row, b.Row) })
	lines := make([]string, len(p.faults))
	for i, fault := range p.faults {
		lines[i] = "  " + shown(fault.String())
	}
	mistakes := "1 mistake"
	if len(lines) > 1 {
		mistakes = fmt.Sprintf("%d mistakes", len(lines))
	}
	return Usagef("%s has %s, and nothing was sent:\n%s", shown(p.submission.sheet), mistakes, strings.Join(lines, "\n"))
}

// samples checks the options of all, and names them.
func (p *planner) samples(all []planned) ([]batch.Sample, error) {
	var samples []batch.Sample
	for _, one := range all {
		s, err := p.sample(one)
		if err != nil {
			return nil, err
		}
		samples = append(samples, s)
	}
	var paths, given []string
	var unnamed []int
	for i, one := range all {
		if one.row != nil && one.row.Name != "" {
			samples[i].Name = one.row.Name
			given = append(given, one.row.Name)
			continue
		}
		paths, unnamed = append(paths, one.path), append(unnamed, i)
	}
	for n, name := range input.Names(paths, given) {
		samples[unnamed[n]].Name = name
	}
	p.unique(all, samples)
	var names []string
	for _, s := range samples {
		names = append(names, s.Name)
	}
	for i, folder := range input.Folders(names, batch.SummaryName, batch.MultiQCName) {
		samples[i].Folder = folder
	}
	return samples, nil
}

// unique reports rows without a name that name the same file twice: nothing distinguishes them.
func (p *planner) unique(all []planned, samples []batch.Sample) {
	rows := make(map[string]int)
	for i, one := range all {
		name := samples[i].Name
		if one.row != nil && one.row.Name != "" {
			continue // the sheet has only one of each
		}
		if other, twice := rows[name]; twice && one.row != nil {
			p.faults = append(p.faults, sheet.Fault{Row: one.row.Number, Text: fmt.Sprintf(
				"the sample would have the name %q, as the one of row %d; give each a name of its own in a column \"name\"", name, other)})
		}
		if one.row != nil {
			rows[name] = one.row.Number
		} else {
			rows[name] = 0
		}
	}
}

// sample checks the workflow and the options of one.
func (p *planner) sample(one planned) (batch.Sample, error) {
	var s batch.Sample
	w, err := p.workflow(one)
	if err != nil {
		return s, err
	}
	config, files, err := p.config(one, w)
	if err != nil {
		return s, err
	}
	s.Workflow, s.Config = w, config
	if s.Request, err = request(config); err != nil {
		return s, err
	}
	for _, row := range upload.Table() {
		if path := files[row.Kind]; path != "" {
			s.Files = append(s.Files, batch.File{Kind: row.Kind, Path: path})
		}
	}
	s.Files = append(s.Files, batch.File{Kind: w.Uploads[0].Kind, Path: one.path}) // the required one comes first
	if one.row != nil {
		s.Place = fmt.Sprintf("row %d of %s", one.row.Number, filepath.Base(p.submission.sheet))
	}
	return s, nil
}

// workflow returns the workflow of one: that of its row, else that of the command line, else the one that the file is for.
func (p *planner) workflow(one planned) (workflow.Workflow, error) {
	if one.row != nil && one.row.Workflow != "" {
		w, err := namedWorkflow(one.row.Workflow)
		if err != nil {
			title, _ := p.sheet.Title("workflow")
			p.faults = append(p.faults, sheet.Fault{Row: one.row.Number, Column: title,
				Text: strings.TrimPrefix(plainText(err), "--workflow: ")})
			w, _ = workflow.Lookup(workflow.Bakta) // to find the other mistakes of the row
		}
		return w, nil
	}
	if p.typed != nil {
		return *p.typed, nil
	}
	w, _ := workflow.Lookup(input.Workflow(one.path))
	return w, nil
}

// config returns the options of one and the paths of its other files. What its row says counts more than the command line.
func (p *planner) config(one planned, w workflow.Workflow) (option.Config, map[string]string, error) {
	row := one.row
	if row == nil {
		row = &sheet.Row{}
	}
	fault := func(name, text string) {
		title, _ := p.sheet.Title(name)
		p.faults = append(p.faults, sheet.Fault{Row: row.Number, Column: title, Text: text})
	}
	if !ofGenomes(w) {
		for _, name := range slices.Sorted(maps.Keys(row.Options)) {
			fault(name, fmt.Sprintf("the workflow %s does not have this option; leave the cell empty", workflowName(w.Kind)))
		}
		for _, kind := range slices.Sorted(maps.Keys(row.Uploads)) {
			fault(kind, fmt.Sprintf("the workflow %s does not take this file; leave the cell empty", workflowName(w.Kind)))
		}
		config, err := p.options.read(w, p.changed)
		if err != nil {
			err = Usagef("%s: %w", shown(one.path), err)
		}
		return config, nil, err
	}
	config := option.Config{Use: make(map[string]bool)}
	for _, o := range option.Table() {
		value, err := p.options.value(o)
		if err != nil {
			return config, nil, err
		}
		if own, ok := row.Options[o.Name]; ok {
			value = own
		}
		o.Set(&config, value)
	}
	files := make(map[string]string)
	for kind, path := range p.options.files {
		files[kind] = cmp.Or(row.Uploads[kind], *path)
		config.Use[kind] = files[kind] != ""
	}
	config = config.Normalise()
	var broken option.Violations
	if err := w.Validate(config); err != nil && !errors.As(err, &broken) {
		return config, nil, &usageError{err}
	}
	for _, v := range broken {
		_, option := row.Options[v.Field]
		_, file := row.Uploads[v.Field]
		if !option && !file { // a mistake of the command line
			return config, nil, Usagef("%s: %s", cmp.Or(spelling()[v.Field], v.Field), v.Problem)
		}
		fault(v.Field, v.Problem)
	}
	return config, files, nil
}

// tellNames says which samples have other names than their files, because several files have one name.
func (p *planner) tellNames(a *app, all []planned, samples []batch.Sample) {
	n, example := 0, ""
	for i, one := range all {
		if (one.row == nil || one.row.Name == "") && samples[i].Name != input.Name(one.path) {
			n++
			example = fmt.Sprintf("%s is %s", one.path, samples[i].Name)
		}
	}
	if n > 0 {
		a.display.line("several files have one name: %d samples are named after the folder, too (%s)", n, shown(example))
	}
}

// tellWorkflows says which files are not genomes, if the workflow was not named.
func (p *planner) tellWorkflows(a *app, samples []batch.Sample) {
	if p.typed != nil {
		return
	}
	files := make(map[string][]string)
	for _, s := range samples {
		if s.Workflow.Kind != workflow.Bakta {
			files[s.Workflow.Kind] = append(files[s.Workflow.Kind], filepath.Base(s.Input()))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(files)) {
		more := ""
		if n := len(files[kind]) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		a.display.line("%s%s: the workflow is %s", shown(files[kind][0]), more, workflowName(kind))
	}
}
