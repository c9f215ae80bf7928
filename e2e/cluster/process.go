package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process identifies a process until the machine is restarted: another process may get the same pid later.
type process struct {
	pid   int
	since uint64 // time of its start, in clock ticks since the start of the machine
}

// processOf returns the process that has a pid now.
func processOf(pid int) (process, error) {
	// The second field is the program's name in parentheses and may contain any characters.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const state, start = 0, 19
	if len(fields) <= start {
		return process{}, fmt.Errorf("/proc/%d/stat has too few fields: %s", pid, stat)
	}
	if fields[state] == "Z" || fields[state] == "X" {
		return process{}, fmt.Errorf("process %d has ended", pid)
	}
	since, err := strconv.ParseUint(fields[start], 10, 64)
	return process{pid: pid, since: since}, err
}

// alive reports whether the process runs.
func (p process) alive() bool {
	now, err := processOf(p.pid)
	return err == nil && now == p
}

// end sends a signal and waits until the process has ended. After patience, it kills the process.
func (p process) end(signal syscall.Signal, patience time.Duration) {
	if !p.alive() {
		return
	}
	_ = syscall.Kill(p.pid, signal) // fails if the process has just ended
	for deadline := time.Now().Add(patience); p.alive(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// record writes the process to a file that recorded reads.
func (p process) record(file string) error {
	return os.WriteFile(file, fmt.Appendf(nil, "%d %d\n", p.pid, p.since), 0o644)
}

// recorded reads what record wrote. The process may have ended since.
func recorded(file string) (process, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return process{}, err
	}
	var p process
	if _, err := fmt.Sscan(string(text), &p.pid, &p.since); err != nil {
		return process{}, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}
