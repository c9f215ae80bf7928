// Command bakta-web sends genomes to a Bakta-Web server, watches the jobs and downloads the results. `bakta-web local` is
// such a server.
package main

import (
	"context"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/cli"
	"github.com/ag-computational-bio/bakta-web-backend/local/command"
)

// version is set by the build, with -ldflags "-X main.version=…".
var version string

func main() {
	program := cli.Program{Version: version, Local: command.Local, Parts: command.Parts()}
	os.Exit(cli.Main(context.Background(), program, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}
