//go:build !linux

package access

// maxFiles returns 0: a backend runs only on Linux.
func maxFiles() uint64 { return 0 }
