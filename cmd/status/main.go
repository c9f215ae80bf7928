// Command status is the function that returns the states, results and logs of jobs.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// version is set by the build, with -ldflags "-X main.version=…".
var version string

func main() { deployment.Main("status", build, config.Mongo, config.S3Store, config.KubeLogs) }

func build(d *deployment.Deployment) (*server.Server, error) {
	versions := status.Versions{Backend: version, Programs: make(map[string]string), Databases: make(map[string]string)}
	for _, p := range workflow.Programs() {
		versions.Programs[p.Name], versions.Databases[p.Name] = d.Version.Of(p)
	}
	f, err := d.Status(func() status.Versions { return versions })
	if err != nil {
		return nil, err
	}
	return d.Server(f.Register)
}
