package job

import (
	"strconv"
	"strings"
)

// Object keys, relative to the configured base key. All objects of a job have its prefix, so that deleting the prefix deletes the job's
// data. All objects of a run have the run's prefix, so that objects of another run are never mistaken for its own.

// AllPrefix is the prefix of all objects of all jobs.
const AllPrefix = "jobs/"

// Prefix is the prefix of all objects of a job.
func Prefix(id string) string { return AllPrefix + id + "/" }

// UploadKey is the key of the upload of a kind.
func UploadKey(id, kind string) string { return Prefix(id) + "uploads/" + kind }

// RunPrefix is the prefix of the objects of a run.
func RunPrefix(id string, run int) string { return Prefix(id) + "runs/" + strconv.Itoa(run) + "/" }

// ManifestKey is the key of a run's manifest.
func ManifestKey(id string, run int) string { return RunPrefix(id, run) + "manifest.json" }

// IsManifestKey reports whether a key is the key of the manifest of any run.
func IsManifestKey(key string) bool {
	id, rest, _ := strings.Cut(strings.TrimPrefix(key, AllPrefix), "/runs/")
	number, _, _ := strings.Cut(rest, "/")
	run, err := strconv.Atoi(number)
	return err == nil && key == ManifestKey(id, run)
}
