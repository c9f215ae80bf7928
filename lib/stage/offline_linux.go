package stage

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// offline makes the kernel refuse sockets to the calling thread and to all processes that it starts from now on, except those
// between processes of this machine (AF_UNIX). Nothing lifts that. The thread must be locked to its goroutine, and never be unlocked.
//
// A filter of system calls does it, and not a network namespace: an unprivileged process needs a user namespace for that, which
// the seccomp profile RuntimeDefault of containers refuses.
func offline() error {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("denying the network to programs isn't supported on %s", runtime.GOARCH)
	}
	raw, err := bpf.Assemble(offlineFilter(arch))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	// The kernel demands this of unprivileged processes. Programs with the set-user-ID bit then run without its rights.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up new privileges: %w", err)
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]} //nolint:gosec // a dozen
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER,
		uintptr(unsafe.Pointer(&program)), 0, 0); err != nil { //nolint:gosec // the kernel reads it during the call
		return fmt.Errorf("denying the network to programs: %w", err)
	}
	return nil
}

// architectures are those whose numbers of system calls this program knows, and that have no other call for sockets than socket.
var architectures = map[string]uint32{
	"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64, "riscv64": unix.AUDIT_ARCH_RISCV64,
}

// Offsets in what the filter examines, struct seccomp_data of linux/seccomp.h. The architectures are little-endian, and a family
// is an int, so that its low half says all.
const (
	offNumber = 0
	offArch   = 4
	offFamily = 16 // the first argument
)

// x32 is the bit in the numbers of a second set of system calls of amd64.
const x32 = 0x40000000

// The filter's answers.
const (
	allow    = unix.SECCOMP_RET_ALLOW
	noCall   = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	noFamily = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT) // as a kernel without network has it
)

// offlineFilter allows all system calls except: sockets of other families than AF_UNIX; io_uring, which makes sockets without a
// system call; and all calls of another architecture, such as those of programs for 32 bits, whose numbers differ.
func offlineFilter(arch uint32) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: arch, SkipTrue: 7},
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: x32, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_IO_URING_SETUP, SkipTrue: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SOCKET, SkipTrue: 2},
		bpf.LoadAbsolute{Off: offFamily, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_UNIX, SkipTrue: 2},
		bpf.RetConstant{Val: allow},
		bpf.RetConstant{Val: noCall},
		bpf.RetConstant{Val: noFamily},
	}
}
