//go:build !linux

package process

import "syscall"

// dieWithParent does nothing, because this kernel does not support it: a child outlives a parent that was killed.
func dieWithParent(*syscall.SysProcAttr) {}
