package stage

import (
	"bytes"
	"errors"
	"os"
	"strconv"
)

// ErrOutOfMemory is the error of a stage if the kernel has killed a process in its container at the memory limit. From then on
// the node considers the container failed, whatever the program does and whatever its exit code is, and starts no container
// after it. So no record is written.
var ErrOutOfMemory = errors.New("killed at the limit of memory")

// memoryEvents are the files in which the kernel counts its kills at the memory limit of this process's control group, as seen
// in a container: of cgroup version 2 and of version 1.
var memoryEvents = [...]string{"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"}

// oomKills returns that count, or 0 if it can't be read.
func oomKills() int {
	for _, path := range memoryEvents {
		if content, err := os.ReadFile(path); err == nil {
			return countOOM(content)
		}
	}
	return 0
}

// countOOM reads the count from the content of one of the files, which have a line for each counter.
func countOOM(content []byte) int {
	for line := range bytes.Lines(content) {
		if text, ok := bytes.CutPrefix(line, []byte("oom_kill ")); ok {
			n, err := strconv.Atoi(string(bytes.TrimSpace(text)))
			if err == nil {
				return n
			}
		}
	}
	return 0
}
