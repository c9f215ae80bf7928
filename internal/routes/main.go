// Command routes writes the routes of a deployment: they send each path to its function, behind one host name. It gets the paths from the
// functions, and fails if no function serves a method below proto/. With -check it changes nothing, and fails if the file is out of date.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// file is the path of the routes, relative to the root of the repository.
const file = "kservices/base/500-routes.yaml"

func main() {
	check := flag.Bool("check", false, "change nothing; fail if the file is out of date")
	root := flag.String("root", ".", "directory of the repository")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, "routes:", err)
		os.Exit(1)
	}
}

func run(root string, check bool) error {
	routes, err := public(all())
	if err != nil {
		return err
	}
	path := filepath.Join(root, filepath.FromSlash(file))
	made := manifest(routes)
	if !check {
		if err := os.WriteFile(path, made, 0o644); err != nil {
			return err
		}
		return complete(root, all())
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, made) {
		return fmt.Errorf("%s is out of date; run make generate", file)
	}
	return complete(root, all())
}
