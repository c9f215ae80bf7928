package cli

import (
	"context"
	"io"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
	"github.com/ag-computational-bio/bakta-web-backend/local/standin"
)

// part runs the programs that the local backend starts of itself. They are no commands for people, and each has
// its own way with signals.
func part(ctx context.Context, args []string, stdout, stderr io.Writer) (exit int, ok bool) {
	if len(args) == 0 {
		return 0, false
	}
	switch args[0] {
	case "stand-in":
		return standin.Main(ctx, args, stdout, stderr), true
	case "stager":
		ctx, stop := stager.Signals(ctx)
		defer stop()
		s := stager.Stager{Environ: os.Environ(), Stdin: os.Stdin, Stdout: stdout, Stderr: stderr}
		return s.Main(ctx, args[1:]), true
	}
	return 0, false
}
