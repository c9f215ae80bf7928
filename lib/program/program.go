// Package program has what any program of a stage is: a row with its arguments, the steps that its output shows, the causes of
// its failures and how it says its version. It reads the output of programs. The rows are in the packages below this one, and
// lib/workflow lists them.
package program

import (
	"regexp"
	"sync"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// Program is a row: all that the backend knows of a program.
type Program struct {
	// Name is the name in stages, in the configuration of a deployment and on PATH.
	Name string
	// Title is the name for people.
	Title string
	// Key is the key below Programs in the configuration's file.
	Key string
	// VersionKey and DatabaseVersionKey are the keys below Version in that file that say the versions which a deployment has. They
	// are empty for a part of another program.
	VersionKey, DatabaseVersionKey string
	// Release is the version of the program whose source files the strings of this row come from.
	Release string
	// Part says that the program comes with another one, of that name, and uses its database. It is empty for a program of its
	// own.
	Part string
	// Arguments returns the arguments of a run. It is an error if an input is missing that the program requires.
	Arguments func(r Run) ([]string, error)
	// Env are variables that the program needs: NAME=value.
	Env []string
	// Version are the arguments with which the program prints its version: the last word of the first line.
	Version []string

	// Help describes the flag of `bakta-web local` that names the program, --NAME. The word between backquotes stands for the
	// value.
	Help string
	// Install is the command that installs the program, for people.
	Install string
	// Database is its reference database; nil for a Part.
	Database *Database
	// GPU says that it can compute on a graphics processor.
	GPU bool

	// Steps are the steps that the output shows, in order.
	Steps []Line
	// Read returns what a line of output stands for among the lines of Steps, if lines have parts that differ from run to run.
	// nil: the line itself.
	Read func(line string) string

	// Refusals are what the program says of an input that it refuses; the first that matches counts.
	Refusals []Cause
	// Faults are what it says if the installation is at fault, in order.
	Faults []Cause
	// Tool matches the error by which the program says that a tool failed that it had started. Its first group is the name of
	// the tool. nil: there is none.
	Tool *Pattern
	// Idle is how the program fails if an input leaves it nothing to do. nil: it does not fail.
	Idle *Idle
	// Omit matches a part of the program's words that does not concern users. nil: there is none.
	Omit *Pattern
	// Crashed is advice for a program that a signal ended. It may be empty.
	Crashed string
}

// Database is a program's reference database.
type Database struct {
	Variable string // the program's environment variable that names the database's directory
	Download string // the command that downloads it, for people
	File     string // a file that is in its directory
	// Version returns the database's version from the content of File. nil: that file does not have it.
	Version func(content []byte) (string, error)
}

// Line is a step, as lines of the program's output show it.
type Line struct {
	Texts []string // the lines, more than one if the program words the step in several ways
	Open  bool     // the lines begin so, and end with what differs from run to run
	File  string   // the source file that has the texts
	Built bool     // the texts are not literally in that file, which Read explains
}

// Source is the source file of a program that prints a text, and a literal part of the text as it is in the file.
type Source struct {
	File, Text string
}

// Pattern is a regular expression for what a program prints.
type Pattern struct {
	Expression func() *regexp.Regexp // nil in a zero Pattern
	Sources    []Source              // of each alternative
}

// Match returns a pattern.
func Match(expression string, sources ...Source) Pattern {
	return Pattern{compiled(expression), sources}
}

// compiled returns a function that compiles the expression when it is first called. Most processes that link this package explain no
// failure, and all expressions of the programs together take a quarter of a megabyte and half a millisecond.
func compiled(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// Cause is a cause of failure, which the program's words show.
type Cause struct {
	Pattern
	Code   job.FailureCode
	Advice string
	// Own says that only the program's own words count, without the names of files and sequences, which may have any word.
	Own bool
}

// Idle is the failure of a program that has nothing to do.
type Idle struct {
	Output  Pattern // what it prints on standard error before
	Words   Pattern // with what it ends
	Message string  // for the job's owner, after the stage's title
}

// Run is what a program runs with.
type Run struct {
	Config      option.Config     // normalised and validated
	Inputs      map[string]string // paths, by the kinds of the uploads
	Output      string            // directory for the results, which exists and is empty
	Temp        string            // directory for temporary files
	Environment Environment
}

// Environment is what a deployment gives a program.
type Environment struct {
	Command  []string // what starts the program, a path or a name on PATH first; its arguments follow
	Database string   // directory of its database; empty if it needs none
	GPU      bool     // there is a graphics processor that it can compute on
	// Threads is how many threads it may use, at least 1. Bakta refuses more than the node has cores, and does not see a limit
	// of CPU time: the caller respects both.
	Threads int
}

// Command is how a stage's program is started, without a shell.
type Command struct {
	Argv []string // program first
	Env  []string // NAME=value, added to the environment of the process
}

// ResultPrefix begins the names of all result files in the output directories of stages.
const ResultPrefix = "result"

// Arguments collects the arguments of a program. A value stands in one word with its flag: in a word of its own, a value that
// begins with a dash would be read as a flag.
type Arguments []string

// Value adds a flag with a value, unless that is empty.
func (a *Arguments) Value(flag, value string) {
	if value != "" {
		*a = append(*a, "--"+flag+"="+value)
	}
}

// Flag adds a flag if it is set.
func (a *Arguments) Flag(flag string, set bool) {
	if set {
		*a = append(*a, "--"+flag)
	}
}

// Advice that the causes of several programs have.
const (
	// NotYours ends advice about what only operators can correct.
	NotYours = "This is not a fault of your data; please contact the operators."
	// BrokenDatabase is about the reference database.
	BrokenDatabase = "The reference database of this installation is damaged or incomplete. " + NotYours
	// MissingTool is about programs and libraries.
	MissingTool = "A tool is missing in this installation. " + NotYours
)
