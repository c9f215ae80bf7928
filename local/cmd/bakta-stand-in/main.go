// Command bakta-stand-in is a substitute for Bakta; see package standin for what it does.
package main

import (
	"context"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/local/standin"
)

func main() {
	// Signals are not handled: a signal ends this program at once, as it ends Bakta.
	os.Exit(standin.Main(context.Background(), os.Args, os.Stdout, os.Stderr))
}
