// Package stores contains the stores that local mode embeds, each on a directory: the object storage here, the store of jobs
// in sqlite. Acknowledged writes survive a kill of the process. Each is for one process: two processes that open the same
// directory corrupt it, so the caller has to lock the directory first.
package stores
