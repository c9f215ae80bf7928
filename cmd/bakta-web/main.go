// Command bakta-web sends genomes to a Bakta-Web server, watches the jobs and downloads the results. The program of the
// same name in local/cmd also contains a backend.
package main

import (
	"context"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/cli"
)

// version is set by the build, with -ldflags "-X main.version=…".
var version string

func main() {
	os.Exit(cli.Main(context.Background(), cli.Program{Version: version}, os.Args[1:], os.Stdout, os.Stderr, os.Getenv))
}
