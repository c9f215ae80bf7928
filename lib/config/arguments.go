package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// PathFrom returns the configuration file that a function's arguments name by -c or --configfile, else
// DefaultPath. It returns flag.ErrHelp after it wrote the help that was asked for.
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
		return "", fmt.Errorf("%s takes no argument %q", program, flags.Arg(0))
	}
	return path, nil
}
