// Command routes writes the routes of a deployment: they send each path to its function, behind one host name. It gets the paths from the
// functions, and fails if no function serves a method below proto/. With -check it changes nothing, and fails if a file is out of date.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// files are the paths of what is generated, relative to the root of the repository.
var files = map[string]func([]route) []byte{
	"kservices/base/500-routes.yaml":         manifest,
	"kservices/ingress/kourier/ingress.yaml": kourierManifest,
}

func main() {
	check := flag.Bool("check", false, "change nothing; fail if a file is out of date")
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
	for name, content := range files {
		if err := update(filepath.Join(root, filepath.FromSlash(name)), content(routes), check); err != nil {
			return err
		}
	}
	return complete(root, all())
}

// update writes a file, or returns an error if it is not up to date.
func update(path string, content []byte, check bool) error {
	if !check {
		return os.WriteFile(path, content, 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, content) {
		return fmt.Errorf("%s is out of date; run make generate", path)
	}
	return nil
}
