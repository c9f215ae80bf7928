// Command routes writes the routes of a deployment: which path goes to which function, behind one host name. It asks
// the functions themselves what they serve, and holds that every method below proto/ is served by one of them. With
// -check it changes nothing and fails if the file is not what it would write.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// file is what is written, below the repository's root.
const file = "kservices/base/500-routes.yaml"

func main() {
	check := flag.Bool("check", false, "change nothing; fail if the file is not what it should be")
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
		return fmt.Errorf("%s is not what the functions and proto/ make of it; run make generate", file)
	}
	return complete(root, all())
}
