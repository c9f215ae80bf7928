package workflow

import "github.com/ag-computational-bio/bakta-web-backend/lib/program"

// NewProgress returns the progress of a run of that workflow, before its first step. The progress of a workflow that is not in
// the catalogue never moves.
func NewProgress(kind string) *program.Progress {
	w, _ := Lookup(kind)
	stages := make([]program.Titled, 0, len(w.Stages))
	for _, s := range w.Stages {
		p, _ := Program(s.Program) // a test holds that there is one
		stages = append(stages, program.Titled{Title: s.Title, Program: p})
	}
	return program.NewProgress(stages)
}

// StepOf returns the step that a whole log has reached, if any.
func StepOf(kind, log string) (program.Step, bool) { return NewProgress(kind).ReadAll(log) }
