// Package stores holds the stores that local mode embeds: a MongoDB server and an S3 store, each on a directory.
// What they acknowledged is there again after the process was killed. Neither is for more than one process: a
// directory that two have open at once is spoiled, so whoever opens it has to lock it before.
package stores
