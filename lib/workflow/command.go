package workflow

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Environment is what a deployment gives a program.
type Environment struct {
	Command  []string // what starts the program, a path or a name on PATH first; its arguments follow
	Database string   // directory of its database; empty if it needs none
	GPU      bool     // it finds a graphics processor that it can compute on
	// Threads is how many it may use, at least 1. Bakta refuses more than the machine has, and does not see a
	// limit of CPU time: the caller goes by both.
	Threads int
}

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

// Command is how a stage's program is run. No shell ever reads it.
type Command struct {
	Argv []string // program first
	Env  []string // NAME=value, on top of what the process has
}

// Command returns the command line of the stage for a normalised and validated configuration and those uploads
// that the job uses. It is an error when something is missing that the program can't do without.
func (s Stage) Command(c Config, inputs []job.Input, dir Layout, env Environment) (Command, error) {
	if len(env.Command) == 0 || env.Command[0] == "" {
		return Command{}, fmt.Errorf("stage %s: no command starts %s", s.Name, s.Program)
	}
	if env.Threads < 1 {
		return Command{}, fmt.Errorf("stage %s: %d threads", s.Name, env.Threads)
	}
	paths := make(map[string]string, len(inputs))
	for _, in := range inputs {
		paths[in.Kind] = dir.Input(in.Name)
	}
	if s.After != "" {
		paths[BaktaJSON] = filepath.Join(dir.Output(s.After), resultPrefix+".json")
	}
	var args []string
	var err error
	switch s.Program {
	case ProgramBakta:
		args, err = baktaArguments(c, paths, dir.Output(s.Name), dir.Temp(), env)
	case ProgramBaktaProteins:
		args, err = proteinsArguments(paths, dir.Output(s.Name), dir.Temp(), env)
	case ProgramBaktfold:
		args, err = baktfoldArguments(paths, dir.Output(s.Name), env)
	default:
		err = errors.New("no such program")
	}
	if err != nil {
		return Command{}, fmt.Errorf("stage %s: arguments of %s: %w", s.Name, s.Program, err)
	}
	// Python keeps back what it prints until it has some kilobytes of it, and shows no progress, unless it is told
	// not to.
	command := Command{Argv: slices.Concat(env.Command, args), Env: []string{"PYTHONUNBUFFERED=1"}}
	if s.Program == ProgramBaktfold {
		// The library with which Baktfold loads its model asks the model's publisher whether there is a newer one,
		// and waits where there is no network. The model lies in the database.
		command.Env = append(command.Env, "HF_HUB_OFFLINE=1")
	}
	return command, nil
}

// arguments collects a program's arguments. A value stands in one word with its option: in a word of its own,
// one that begins with a dash would be taken for an option.
type arguments []string

// value adds an option with a value, unless that is empty.
func (a *arguments) value(option, value string) {
	if value != "" {
		*a = append(*a, "--"+option+"="+value)
	}
}

func (a *arguments) flag(option string, set bool) {
	if set {
		*a = append(*a, "--"+option)
	}
}

// surroundings adds what all programs of Bakta are told of where they run.
func (a *arguments) surroundings(output, temp string, env Environment) {
	a.value("db", env.Database)
	a.value("output", output)
	a.value("prefix", resultPrefix)
	a.flag("force", true) // the output directory exists
	a.value("tmp-dir", temp)
	a.value("threads", strconv.Itoa(env.Threads))
}

// baktaArguments returns Bakta's arguments.
func baktaArguments(c Config, inputs map[string]string, output, temp string, env Environment) ([]string, error) {
	genome := inputs[GenomeFASTA]
	if genome == "" {
		return nil, errors.New("no genome")
	}
	var args arguments
	args.surroundings(output, temp, env)
	if c.MinContigLength > 1 {
		args.value("min-contig-length", strconv.FormatInt(c.MinContigLength, 10))
	}
	args.value("genus", c.Genus)
	args.value("species", c.Species)
	args.value("strain", c.Strain)
	args.value("plasmid", c.Plasmid)
	args.flag("complete", c.CompleteGenome)
	args.value("prodigal-tf", inputs[ProdigalTrainingFile])
	if c.TranslationTable != 0 {
		args.value("translation-table", strconv.Itoa(c.TranslationTable))
	}
	switch c.DermType {
	case Monoderm:
		args.value("gram", "+")
	case Diderm:
		args.value("gram", "-")
	case DermUnknown:
		args.value("gram", "?")
	}
	args.value("locus", c.Locus)
	args.value("locus-tag", c.LocusTag)
	if n := c.LocusTagIncrement; n != 0 && n != 1 {
		args.value("locus-tag-increment", strconv.Itoa(c.LocusTagIncrement))
	}
	args.flag("keep-contig-headers", c.KeepContigHeaders)
	args.flag("compliant", c.Compliant)
	args.value("replicons", inputs[RepliconsTable])
	args.value("regions", inputs[RegionsFile])
	args.value("proteins", inputs[TrustedProteinsFile])
	args.value("hmms", inputs[HMMsFile])
	args.flag("meta", c.Meta)
	for _, step := range c.Skip {
		args.flag("skip-"+strings.ReplaceAll(step, "_", "-"), true)
	}
	return append(args, genome), nil
}

// proteinsArguments returns the arguments of Bakta's program for proteins.
func proteinsArguments(inputs map[string]string, output, temp string, env Environment) ([]string, error) {
	proteins := inputs[ProteinFASTA]
	if proteins == "" {
		return nil, errors.New("no proteins")
	}
	var args arguments
	args.surroundings(output, temp, env)
	return append(args, proteins), nil
}

// baktfoldArguments returns Baktfold's arguments. It removes its output directory and makes it anew, and keeps its
// temporary files there. Its prefix must not be the name of one of its databases.
func baktfoldArguments(inputs map[string]string, output string, env Environment) ([]string, error) {
	annotation := inputs[BaktaJSON]
	if annotation == "" {
		return nil, errors.New("no annotation by Bakta")
	}
	args := arguments{"run"}
	args.value("input", annotation)
	args.value("output", output)
	args.value("prefix", resultPrefix)
	args.value("database", env.Database)
	args.value("threads", strconv.Itoa(env.Threads))
	args.flag("force", true)
	args.flag("cpu", !env.GPU)
	return args, nil
}
