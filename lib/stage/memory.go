package stage

import (
	"bytes"
	"errors"
	"os"
	"strconv"
)

// ErrOutOfMemory is the error of a stage in whose container something was killed at the limit of memory. The
// machine that runs the container takes it for failed from then on, whatever the program makes of it and
// whatever exit code there is; no container after it would get its turn. So there is nothing to record.
var ErrOutOfMemory = errors.New("killed at the limit of memory")

// memoryEvents are the files in which the kernel counts what it killed in this process's control group for want
// of memory, as a container sees them: of version 2 and of version 1.
var memoryEvents = [...]string{"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"}

// oomKills returns that count, 0 if it can't be had.
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
