package workflow

import "github.com/ag-computational-bio/bakta-web-backend/lib/program"

// NewProgress returns the progress of a run of that workflow, before its first step. The progress of a
// workflow that is not in the catalogue never moves.
func NewProgress(kind string) *program.Progress {
	w, _ := Lookup(kind)
	stages := make([]program.StageSteps, 0, len(w.Stages))
	for _, s := range w.Stages {
		stages = append(stages, program.StageSteps{Title: s.Title, Steps: program.StepsOf(s.Program)})
	}
	return program.NewProgress(stages)
}

// StepOf returns the step that a whole log has come to, if it has come to one.
func StepOf(kind, log string) (program.Step, bool) { return NewProgress(kind).ReadAll(log) }
