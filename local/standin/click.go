package standin

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// foldOptions is the command line of baktfold run, read and refused the way that Python's click does.
type foldOptions struct {
	*pflag.FlagSet
	input, output, prefix, database string
	threads                         int
	force, fast, all                bool
	help, version                   bool
}

func newFoldOptions() *foldOptions {
	o := &foldOptions{FlagSet: pflag.NewFlagSet("baktfold", pflag.ContinueOnError)}
	o.SortFlags = false
	number := func(value *int, preset int, name, short, usage string) {
		*value = preset
		o.VarP(&limited{number: value}, name, short, usage)
	}
	o.StringVarP(&o.input, "input", "i", "", "annotation, the JSON file that Bakta wrote")
	o.StringVarP(&o.output, "output", "o", "output_baktfold", "output directory")
	number(&o.threads, 1, "threads", "t", "number of threads (not used)")
	o.StringVarP(&o.prefix, "prefix", "p", "baktfold", "prefix of the output files")
	o.StringVarP(&o.database, "database", "d", "", "database directory; none is needed, none is read")
	o.BoolVarP(&o.force, "force", "f", false, "remove an output directory that is there")
	o.BoolVar(&o.fast, "fast", false, "without the AlphaFold database")
	o.BoolVarP(&o.all, "all-proteins", "a", false, "not the hypothetical ones alone")
	for _, name := range strings.Fields("autotune cpu omit-probs save-per-residue-embeddings save-per-protein-embeddings keep-tmp-files ultra-sensitive foldseek-gpu euk") {
		o.Bool(name, false, "accepted, not used")
	}
	for _, name := range strings.Fields("batch-size max-seqs") {
		number(new(int), 1, name, "", "accepted, not used")
	}
	for _, name := range strings.Fields("mask-threshold extra-foldseek-params custom-db custom-annotations cds-program trna-program tmrna-program rrna-program ncrna-program") {
		o.String(name, "", "accepted, not used")
	}
	o.StringP("evalue", "e", "", "accepted, not used")
	o.StringP("sensitivity", "s", "", "accepted, not used")
	o.BoolVarP(&o.help, "help", "h", false, "show this help")
	o.BoolVarP(&o.version, "version", "V", false, "show the version")
	return o
}

// parse reads the options behind the command, and reports whether that was all: help or the version is asked for.
// A wrong command line is a failure with exit status 2.
func (o *foldOptions) parse(args []string) (done bool, err error) {
	wrong := func(usage, format string, more ...any) (bool, error) {
		return false, &failure{2, "Usage: baktfold " + usage + "\n\nError: " + fmt.Sprintf(format, more...)}
	}
	if len(args) > 0 && args[0] != "run" && !strings.HasPrefix(args[0], "-") {
		return wrong("[OPTIONS] COMMAND [ARGS]...", "No such command '%s'.", args[0])
	}
	command := len(args) > 0 && args[0] == "run"
	if command {
		args = args[1:]
	}
	err = o.Parse(args)
	var invalid *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	var incomplete *pflag.ValueRequiredError
	const usage = "run [OPTIONS]"
	dashes := func(shorthand string) string {
		if shorthand != "" {
			return "-"
		}
		return "--"
	}
	switch {
	case o.help || o.version:
		return true, nil
	case errors.As(err, &invalid):
		return wrong(usage, "Invalid value for %s: '%s' is not a valid integer.", clicked(invalid.GetFlag()), invalid.GetValue())
	case errors.As(err, &unknown):
		return wrong(usage, "No such option '%s%s'.", dashes(unknown.GetSpecifiedShortnames()), unknown.GetSpecifiedName())
	case errors.As(err, &incomplete):
		return wrong(usage, "Option '%s%s' requires an argument.", dashes(incomplete.GetSpecifiedShortnames()), incomplete.GetSpecifiedName())
	case err != nil:
		return wrong(usage, "%v", err)
	case !command:
		return wrong("[OPTIONS] COMMAND [ARGS]...", "Missing command.")
	case !o.Changed("input"):
		return wrong(usage, "Missing option %s.", clicked(o.Lookup("input")))
	case o.NArg() == 1:
		return wrong(usage, "Got unexpected extra argument (%s)", o.Arg(0))
	case o.NArg() > 1:
		return wrong(usage, "Got unexpected extra arguments (%s)", strings.Join(o.Args(), " "))
	}
	return false, nil
}

// clicked returns an option as click names it.
func clicked(f *pflag.Flag) string {
	if f.Shorthand == "" {
		return "'--" + f.Name + "'"
	}
	return "'-" + f.Shorthand + "' / '--" + f.Name + "'"
}
