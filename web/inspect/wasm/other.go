//go:build !(js && wasm)

// Command wasm runs in browsers, see main.go.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "this program runs in browsers only; make builds it with GOOS=js GOARCH=wasm")
	os.Exit(2)
}
