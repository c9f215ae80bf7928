// Command jobupdate is the function that follows what happens to runs.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions/jobupdate"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("jobupdate", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*server.Server, error) {
	parts, err := d.Parts()
	if err != nil {
		return nil, err
	}
	f, err := jobupdate.New(jobupdate.Deps{Jobs: parts.Jobs, Lifecycle: parts.Life, Runs: parts.Runs, Log: d.Log})
	if err != nil {
		return nil, err
	}
	return d.Server(f.Register, f.RegisterEvents)
}
