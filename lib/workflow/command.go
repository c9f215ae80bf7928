package workflow

import (
	"errors"
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
	var args []string
	var err error
	switch s.Program {
	case program.ProgramBakta:
		args, err = program.Bakta(c, paths, dir.Output(s.Name), dir.Temp(), env)
	case program.ProgramBaktaProteins:
		args, err = program.Proteins(paths, dir.Output(s.Name), dir.Temp(), env)
	case program.ProgramBaktfold:
		args, err = program.Baktfold(paths, dir.Output(s.Name), env)
	default:
		err = errors.New("no such program")
	}
	if err != nil {
		return program.Command{}, fmt.Errorf("stage %s: arguments of %s: %w", s.Name, s.Program, err)
	}
	// Python keeps back what it prints until it has some kilobytes of it, and shows no progress, unless it is told
	// not to.
	command := program.Command{Argv: slices.Concat(env.Command, args), Env: []string{"PYTHONUNBUFFERED=1"}}
	if s.Program == program.ProgramBaktfold {
		// The library with which Baktfold loads its model asks the model's publisher whether there is a newer one,
		// and waits where there is no network. The model lies in the database.
		command.Env = append(command.Env, "HF_HUB_OFFLINE=1")
	}
	return command, nil
}
