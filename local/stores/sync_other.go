//go:build !linux

package stores

import "os"

// syncFileSystem does nothing: a backend runs only on Linux.
func syncFileSystem(*os.File) error { return nil }
