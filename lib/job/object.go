package job

import (
	"strconv"
	"strings"
)

// objectPrefix begins the name of every object that runs a job.
const objectPrefix = "bakta-"

// ObjectName is what a runner calls the object of a run. It depends on nothing else, so making the object a
// second time, after a crash, finds the first; and no other run ever has it, so an object that is still being
// deleted is in nobody's way.
func ObjectName(id string, run int) string { return objectPrefix + id + "-" + strconv.Itoa(run) }

// ParseObjectName returns the job whose run's object has that name, or whose object's pod ("…-x7k2p") has.
func ParseObjectName(name string) (id string, ok bool) {
	rest, ok := strings.CutPrefix(name, objectPrefix)
	if !ok || len(rest) < 38 || rest[36] != '-' || rest[37] < '0' || rest[37] > '9' {
		return "", false
	}
	id, err := ParseID(rest[:36])
	if err != nil || id != rest[:36] {
		return "", false
	}
	return id, true
}
