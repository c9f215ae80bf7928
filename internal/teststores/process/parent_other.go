//go:build !linux

package process

import "syscall"

// dieWithParent does nothing where the kernel offers nothing: there a child outlives a parent that was killed.
func dieWithParent(*syscall.SysProcAttr) {}
