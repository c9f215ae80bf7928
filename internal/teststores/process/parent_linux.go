package process

import "syscall"

// dieWithParent has the kernel kill the child when its parent is gone, even by SIGKILL.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
