// Command expire is the function that deletes jobs and sweeps.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/runs"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("expire", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*server.Server, error) {
	all, err := runs.Functions(d)
	if err != nil {
		return nil, err
	}
	f, err := all.Expire()
	if err != nil {
		return nil, err
	}
	authenticate, err := runs.Authenticator(d)
	if err != nil {
		return nil, err
	}
	return d.SweepingServer(authenticate, f.Register, f.RegisterSweep)
}
