// Package local is the whole backend in one process: the four functions on embedded stores, with jobs as local
// processes. Everything that it keeps lies under one directory.
package local

import (
	"context"
	"errors"
)

// Options is what the local backend is started with.
type Options struct {
	Listen string   // address of the API, for example 127.0.0.1:8080; port 0 takes a free one
	Data   string   // directory of all data; made if missing
	UI     string   // directory of a built web UI to serve at /; empty: the API's documentation
	Bakta  string   // program that annotates, a path or a name on PATH; StandIn for the built-in stand-in
	DB     string   // Bakta's database directory; not needed by the stand-in
	Mongo  string   // URI of a MongoDB to use in place of the embedded one
	Jobs   int      // how many jobs run at a time
	Stager []string // command line that starts this program's stager, in front of its arguments
	Stand  []string // command line that starts this program's stand-in
}

// StandIn as Options.Bakta asks for the built-in stand-in.
const StandIn = "stand-in"

// Run serves until ctx ends, then stops in order. It calls ready once with the API's URL when it serves.
func Run(ctx context.Context, o Options, ready func(url string)) error {
	return errors.New("not built yet")
}
