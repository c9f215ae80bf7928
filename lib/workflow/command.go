package workflow

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// Layout is where a run's files lie. The paths are absolute; the directories exist when a stage starts, and
// its output directory is empty.
type Layout interface {
	// Input is the path of the input of that name.
	Input(name string) string
	// Output is the directory that a stage writes its results to.
	Output(stage string) string
	// Temp is the directory for temporary files.
	Temp() string
}

// Command returns the command line of the stage for a normalised and validated configuration and those uploads
// that the job uses. It is an error when something is missing that the program can't do without.
func (s Stage) Command(c option.Config, inputs []job.Input, dir Layout, env program.Environment) (program.Command, error) {
	if len(env.Command) == 0 || env.Command[0] == "" {
		return program.Command{}, fmt.Errorf("stage %s: no command starts %s", s.Name, s.Program)
	}
	if env.Threads < 1 {
		return program.Command{}, fmt.Errorf("stage %s: %d threads", s.Name, env.Threads)
	}
	paths := make(map[string]string, len(inputs))
	for _, in := range inputs {
		paths[in.Kind] = dir.Input(in.Name)
	}
	if s.After != "" {
		paths[upload.BaktaJSON] = filepath.Join(dir.Output(s.After), program.ResultPrefix+".json")
	}
	row, ok := Program(s.Program)
	if !ok {
		return program.Command{}, fmt.Errorf("stage %s: the program %q is not known", s.Name, s.Program)
	}
	args, err := row.Arguments(program.Run{Config: c, Inputs: paths, Output: dir.Output(s.Name), Temp: dir.Temp(), Environment: env})
	if err != nil {
		return program.Command{}, fmt.Errorf("stage %s: arguments of %s: %w", s.Name, s.Program, err)
	}
	return program.Command{Argv: slices.Concat(env.Command, args), Env: slices.Clone(row.Env)}, nil
}
