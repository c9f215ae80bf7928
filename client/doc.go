// Package client is a client of a Bakta-Web server. It creates jobs, uploads genomes, starts jobs, waits for them and downloads their
// results, by the API over HTTP.
//
// A job takes five calls: Init returns the job's id, secret and upload links, Upload sends the files, Start starts the job, Wait waits
// until it has ended, and Result returns links for Download.
//
// The methods of Client use the first version of the API, in which a job is the annotation of a genome by Bakta. Those of V2 use the
// second version, which has more workflows.
//
// # Errors
//
// Every call may be repeated without harm. If the server can't be reached, or answers 429, 502, 503 or 504, the client repeats the call
// with growing pauses, or after the time in the answer's Retry-After, until it succeeds or Options.Patience is over. A call ends at once
// when its context ends, and returns the context's cause.
//
// An error that the server reports is an *Error; errors.As finds it. No text of an error contains a job's secret or a link, because
// either gives access to the data.
package client
