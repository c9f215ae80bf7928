// Command submit is the function that creates jobs and starts them.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/runs"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("submit", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*server.Server, error) {
	all, err := runs.Functions(d)
	if err != nil {
		return nil, err
	}
	f, err := all.Submit()
	if err != nil {
		return nil, err
	}
	return d.Server(f.Register)
}
