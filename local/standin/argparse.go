package standin

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// argparse is a command line of one argument and options, read and refused the way that Python's argparse does.
type argparse struct {
	*pflag.FlagSet
	program, input string // how the program and its argument are called
	help, version  bool   // these were asked for, and nothing else counts
}

func newArgparse(program, input string) *argparse {
	p := &argparse{FlagSet: pflag.NewFlagSet(program, pflag.ContinueOnError), program: program, input: input}
	p.SortFlags = false
	return p
}

// number declares an option whose value is an integer, perhaps one of a few.
func (p *argparse) number(value *int, preset int, name, short, usage string, choices ...string) {
	*value = preset
	p.VarP(&limited{number: value, choices: choices}, name, short, usage)
}

// general declares the options that all of Bakta's programs have.
func (p *argparse) general(threads *int, tmpDir *string, versionShort string) {
	p.BoolVarP(&p.help, "help", "h", false, "show this help")
	p.BoolP("verbose", "v", false, "accepted, not used")
	p.Bool("debug", false, "accepted, not used")
	p.number(threads, 0, "threads", "t", "number of threads (0: all)")
	p.StringVar(tmpDir, "tmp-dir", "", "directory for temporary files (must exist, not used)")
	p.BoolVarP(&p.version, "version", versionShort, false, "show the version")
}

// limited is an option's value that is an integer, or one of some choices, or both.
type limited struct {
	text    *string
	number  *int
	choices []string
}

func (l *limited) Set(s string) error {
	shown := "'" + s + "'"
	if l.number != nil {
		n, err := strconv.Atoi(s)
		if err != nil {
			return errors.New("invalid int value: " + shown)
		}
		*l.number, shown = n, s
	}
	if len(l.choices) > 0 && !slices.Contains(l.choices, s) {
		return fmt.Errorf("invalid choice: %s (choose from %s)", shown, strings.Join(l.choices, ", "))
	}
	if l.text != nil {
		*l.text = s
	}
	return nil
}

func (l *limited) String() string { return "" }
func (l *limited) Type() string   { return "value" }

// parse reads the options and returns the one argument. A wrong command line is a failure with exit status 2.
func (p *argparse) parse(args []string) (string, error) {
	err := p.valuesGiven(args)
	if err == nil {
		err = p.Parse(args)
	}
	var invalid *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case p.help || p.version:
		return "", nil
	case errors.As(err, &invalid):
		err = fmt.Errorf("argument %s: %w", spelled(invalid.GetFlag()), invalid.Unwrap())
	case errors.As(err, &unknown):
		dashes := "--"
		if unknown.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		err = errors.New("unrecognized arguments: " + dashes + unknown.GetSpecifiedName())
	case err == nil && p.NArg() == 0:
		err = errors.New("the following arguments are required: " + p.input)
	case err == nil && p.NArg() > 1:
		err = errors.New("unrecognized arguments: " + strings.Join(p.Args()[1:], " "))
	}
	if err != nil {
		return "", &failure{2, fmt.Sprintf("usage: %s [OPTIONS] %s\n%[1]s: error: %[3]v", p.program, p.input, err)}
	}
	return p.Arg(0), nil
}

// spelled returns an option as argparse names it.
func spelled(f *pflag.Flag) string {
	if f.Shorthand == "" {
		return "--" + f.Name
	}
	return "--" + f.Name + "/-" + f.Shorthand
}

var dashed = regexp.MustCompile(`^-[^0-9.]`) // a negative number is a value

// valuesGiven refuses a value that begins with a dash and does not stand behind "=": pflag would take it,
// argparse does not, and a caller that gets this wrong must fail here as it would with Bakta.
func (p *argparse) valuesGiven(args []string) error {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		var f *pflag.Flag
		if name, long := strings.CutPrefix(args[i], "--"); long {
			f = p.Lookup(name)
		} else if len(args[i]) == 2 && args[i][0] == '-' {
			f = p.ShorthandLookup(args[i][1:])
		}
		if f == nil || f.Value.Type() == "bool" {
			continue
		}
		if i++; i == len(args) || dashed.MatchString(args[i]) {
			return fmt.Errorf("argument %s: expected one argument", spelled(f))
		}
	}
	return nil
}
