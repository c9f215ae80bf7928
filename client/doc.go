// Package client speaks to a Bakta-Web server: it makes jobs, uploads genomes, starts jobs, watches them and
// downloads what came out, through the API over HTTP.
//
// A job takes five calls: Init answers who the job is and where its files go, Upload sends them, Start starts
// it, Wait looks until it has ended, Result answers links that Download fetches.
//
// The methods of Client speak the API's first version, in which a job is the annotation of a genome by Bakta.
// Those of V2 speak the second, which has other workflows, too.
//
// # Faults
//
// Every call may be repeated without harm, and is: when the server can't be reached, or answers 429, 502, 503
// or 504, the call is made again with growing pauses, or when the answer's Retry-After says, until it succeeds
// or Options.Patience is over. A call ends at once when its context does, with the context's cause.
//
// What a server answers comes back as *Error; errors.As finds it. No error text holds a job's secret or a link,
// which are as good as the data itself.
package client
