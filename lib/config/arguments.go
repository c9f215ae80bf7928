package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// PathFrom returns the configuration file that -c or --configfile names in a function's arguments, else DefaultPath.
// If the arguments ask for help, it writes the help to out and returns flag.ErrHelp.
func PathFrom(program string, args []string, out io.Writer) (string, error) {
	path := DefaultPath
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&path, "configfile", path, "configuration `file`")
	flags.StringVar(&path, "c", path, "short for --configfile")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return "", err
		}
		return "", fmt.Errorf("reading the arguments: %w", err)
	}
	if flags.NArg() > 0 {
		return "", fmt.Errorf("%s: unexpected argument %q", program, flags.Arg(0))
	}
	return path, nil
}
