// Package stores contains the stores that local mode embeds: a MongoDB server and an S3 store, each on a directory.
// Acknowledged writes survive a kill of the process. Each is for one process: two processes that open the same directory
// corrupt it, so the caller has to lock the directory first.
package stores
