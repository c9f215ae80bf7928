package workflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Environment is what a deployment gives a program.
type Environment struct {
	Command  []string // what starts the program, a path or a name on PATH first; its arguments follow
	Database string   // directory of its database; empty if it needs none
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
	var args []string
	var err error
	switch s.Program {
	case ProgramBakta:
		args, err = baktaArguments(c, paths, dir.Output(s.Name), dir.Temp(), env)
	default:
		err = errors.New("no such program")
	}
	if err != nil {
		return Command{}, fmt.Errorf("stage %s: arguments of %s: %w", s.Name, s.Program, err)
	}
	return Command{
		Argv: slices.Concat(env.Command, args),
		// Python keeps back what it prints until it has some kilobytes of it, and shows no progress, unless it
		// is told not to.
		Env: []string{"PYTHONUNBUFFERED=1"},
	}, nil
}

// baktaArguments returns Bakta's arguments. A value stands in one word with its option: in a word of its own,
// one that begins with a dash would be taken for an option.
func baktaArguments(c Config, inputs map[string]string, output, temp string, env Environment) ([]string, error) {
	genome := inputs[GenomeFASTA]
	if genome == "" {
		return nil, errors.New("no genome")
	}
	var args []string
	value := func(option, value string) {
		if value != "" {
			args = append(args, "--"+option+"="+value)
		}
	}
	flag := func(option string, set bool) {
		if set {
			args = append(args, "--"+option)
		}
	}
	value("db", env.Database)
	value("output", output)
	value("prefix", resultPrefix)
	flag("force", true) // the output directory exists
	value("tmp-dir", temp)
	value("threads", strconv.Itoa(env.Threads))
	if c.MinContigLength > 1 {
		value("min-contig-length", strconv.FormatInt(c.MinContigLength, 10))
	}
	value("genus", c.Genus)
	value("species", c.Species)
	value("strain", c.Strain)
	value("plasmid", c.Plasmid)
	flag("complete", c.CompleteGenome)
	value("prodigal-tf", inputs[ProdigalTrainingFile])
	if c.TranslationTable != 0 {
		value("translation-table", strconv.Itoa(c.TranslationTable))
	}
	switch c.DermType {
	case Monoderm:
		value("gram", "+")
	case Diderm:
		value("gram", "-")
	case DermUnknown:
		value("gram", "?")
	}
	value("locus", c.Locus)
	value("locus-tag", c.LocusTag)
	flag("keep-contig-headers", c.KeepContigHeaders)
	flag("compliant", c.Compliant)
	value("replicons", inputs[RepliconsTable])
	return append(args, genome), nil
}
