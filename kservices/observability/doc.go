// Package observability is what operators watch a deployment by: a dashboard, rules, and what has Prometheus scrape the
// functions. Its tests hold them to the metrics that there are.
package observability
