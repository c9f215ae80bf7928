// Command stager runs in the containers of a job's pod; see package stager for its command line. "stager db" copies the
// reference database of jobs to its volume.
package main

import (
	"context"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

func main() { os.Exit(realMain(context.Background())) }

func realMain(ctx context.Context) int {
	ctx, stop := stager.Signals(ctx)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == "db" {
		return changeDatabase(ctx, os.Args[2:])
	}
	s := stager.Stager{
		Environ: os.Environ(), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Files: storage, Hint: hint,
	}
	return s.Main(ctx, os.Args[1:])
}
