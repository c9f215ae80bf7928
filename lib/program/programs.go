// Package program has the programs that stages run: their arguments, the steps that their output shows, and why they fail.
package program

import (
	"errors"
	"strconv"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// Programs that stages run.
const (
	ProgramBakta         = "bakta"
	ProgramBaktaProteins = "bakta_proteins"
	ProgramBaktfold      = "baktfold"
)

// ResultPrefix begins the names of all result files in the stages' output directories.
const ResultPrefix = "result"

// Environment is what a deployment gives a program.
type Environment struct {
	Command  []string // what starts the program, a path or a name on PATH first; its arguments follow
	Database string   // directory of its database; empty if it needs none
	GPU      bool     // it finds a graphics processor that it can compute on
	// Threads is how many it may use, at least 1. Bakta refuses more than the machine has, and does not see a
	// limit of CPU time: the caller goes by both.
	Threads int
}

// Command is how a stage's program is run. No shell ever reads it.
type Command struct {
	Argv []string // program first
	Env  []string // NAME=value, on top of what the process has
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
	a.value("prefix", ResultPrefix)
	a.flag("force", true) // the output directory exists
	a.value("tmp-dir", temp)
	a.value("threads", strconv.Itoa(env.Threads))
}

// baktaArguments returns Bakta's arguments.
func Bakta(c option.Config, inputs map[string]string, output, temp string, env Environment) ([]string, error) {
	genome := inputs[upload.GenomeFASTA]
	if genome == "" {
		return nil, errors.New("no genome")
	}
	var args arguments
	args.surroundings(output, temp, env)
	args = append(args, c.Arguments()...)
	args.value("prodigal-tf", inputs[upload.ProdigalTrainingFile])
	args.value("replicons", inputs[upload.RepliconsTable])
	args.value("regions", inputs[upload.RegionsFile])
	args.value("proteins", inputs[upload.TrustedProteinsFile])
	args.value("hmms", inputs[upload.HMMsFile])
	return append(args, genome), nil
}

// proteinsArguments returns the arguments of Bakta's program for proteins.
func Proteins(inputs map[string]string, output, temp string, env Environment) ([]string, error) {
	proteins := inputs[upload.ProteinFASTA]
	if proteins == "" {
		return nil, errors.New("no proteins")
	}
	var args arguments
	args.surroundings(output, temp, env)
	return append(args, proteins), nil
}

// baktfoldArguments returns Baktfold's arguments. It removes its output directory and makes it anew, and keeps its
// temporary files there. Its prefix must not be the name of one of its databases.
func Baktfold(inputs map[string]string, output string, env Environment) ([]string, error) {
	annotation := inputs[upload.BaktaJSON]
	if annotation == "" {
		return nil, errors.New("no annotation by Bakta")
	}
	args := arguments{"run"}
	args.value("input", annotation)
	args.value("output", output)
	args.value("prefix", ResultPrefix)
	args.value("database", env.Database)
	args.value("threads", strconv.Itoa(env.Threads))
	args.flag("force", true)
	args.flag("cpu", !env.GPU)
	return args, nil
}
