package job

import "strconv"

// Object keys, relative to the configured base key. Everything of a job lies under its own prefix, so that
// removing the prefix removes the job's data, and everything of a run lies under the run's, so that what
// another run left behind is never taken for this one's.

// AllPrefix holds everything of all jobs.
const AllPrefix = "jobs/"

// Prefix holds everything of a job.
func Prefix(id string) string { return AllPrefix + id + "/" }

// UploadKey is where the upload of that kind goes.
func UploadKey(id, kind string) string { return Prefix(id) + "uploads/" + kind }

// RunPrefix holds what one run leaves behind.
func RunPrefix(id string, run int) string { return Prefix(id) + "runs/" + strconv.Itoa(run) + "/" }

// ManifestKey is where a run's manifest goes.
func ManifestKey(id string, run int) string { return RunPrefix(id, run) + "manifest.json" }
