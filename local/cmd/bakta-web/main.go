// Command bakta-web sends genomes to a Bakta-Web server, watches the jobs, fetches what came out, and can be
// such a server itself.
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
	os.Exit(cli.Main(context.Background(), cli.Program{Version: version, Local: command.Local, Parts: command.Parts()}, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}
