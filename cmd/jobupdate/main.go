// Command jobupdate is the function that updates the states of jobs after events of their runs.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/runs"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("jobupdate", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*server.Server, error) {
	all, err := runs.Functions(d)
	if err != nil {
		return nil, err
	}
	f, err := all.JobUpdate()
	if err != nil {
		return nil, err
	}
	authenticate, err := runs.Authenticator(d)
	if err != nil {
		return nil, err
	}
	return d.EventServer(authenticate, f.Register, f.RegisterEvents)
}
