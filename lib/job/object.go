package job

import (
	"strconv"
	"strings"
)

// objectPrefix begins the name of every object of a run.
const objectPrefix = "bakta-"

// ObjectName is the name of a runner's object of a run. It depends only on job and run, so creating the object again after a crash finds
// the first one. No other run has this name, so an object that is still being deleted does not block another run.
func ObjectName(id string, run int) string { return objectPrefix + id + "-" + strconv.Itoa(run) }

// ParseObjectName returns the job of a run's object, by the name of the object or of its pod ("…-x7k2p").
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
