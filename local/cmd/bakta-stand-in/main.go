// Command bakta-stand-in plays Bakta where there is none; see package standin for what it does and does not.
package main

import (
	"context"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/local/standin"
)

func main() {
	// No signal is caught: a signal ends this program at once, as it ends Bakta.
	os.Exit(standin.Main(context.Background(), os.Args, os.Stdout, os.Stderr))
}
