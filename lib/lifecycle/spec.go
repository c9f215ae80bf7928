package lifecycle

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Spec says what the job's run does in a directory. Environment says, for the name of a program, how it is
// reached. An error means that this job can't be run here, now or later.
func Spec(j job.Job, dir string, environment func(program string) (program.Environment, error)) (stage.Spec, error) {
	w, ok := workflow.Lookup(j.Workflow)
	if !ok {
		return stage.Spec{}, fmt.Errorf("job %s: the workflow %q is not known", j.ID, j.Workflow)
	}
	if j.Start == nil {
		return stage.Spec{}, fmt.Errorf("job %s: it was not started", j.ID)
	}
	config, err := option.Decode(j.Start.Config)
	if err != nil {
		return stage.Spec{}, fmt.Errorf("job %s: reading its configuration: %w", j.ID, err)
	}
	layout := stage.Dir(dir)
	spec := stage.Spec{Job: j.ID, Run: j.Run, Dir: dir, Inputs: j.Start.Inputs}
	for _, s := range w.Stages {
		env, err := environment(s.Program)
		if err != nil {
			return stage.Spec{}, fmt.Errorf("job %s: stage %s: %w", j.ID, s.Name, err)
		}
		command, err := s.Command(config, j.Start.Inputs, layout, env)
		if err != nil {
			return stage.Spec{}, fmt.Errorf("job %s: %w", j.ID, err)
		}
		spec.Stages = append(spec.Stages, stage.Command{Stage: s.Name, Title: s.Title, Argv: command.Argv, Env: command.Env})
	}
	for _, w := range j.Start.Warnings {
		spec.Stages[0].Warnings = append(spec.Stages[0].Warnings, w.Message)
	}
	for _, r := range w.Results {
		expected := stage.Expected{Ending: r.Ending, Required: r.Required}
		for _, name := range slices.Backward(r.Stages) {
			path, err := filepath.Rel(dir, filepath.Join(layout.Output(name), r.File))
			if err != nil {
				return stage.Spec{}, fmt.Errorf("job %s: result %s: %w", j.ID, r.Ending, err)
			}
			if expected.Path == "" {
				expected.Path = path
			} else {
				expected.Else = append(expected.Else, path)
			}
		}
		spec.Results = append(spec.Results, expected)
	}
	return spec, nil
}
