package process

import "syscall"

// dieWithParent makes the kernel kill the child when its parent has ended, even by SIGKILL.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
