// Command expire is the function that removes jobs and sweeps.
package main

import (
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("expire", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*server.Server, error) {
	parts, err := d.Parts()
	if err != nil {
		return nil, err
	}
	f, err := expire.New(expire.Deps{Jobs: parts.Jobs, Lifecycle: parts.Life, Runs: parts.Runs, UploadTTL: deployment.UploadTTL, Now: time.Now, Log: d.Log, Holder: d.Holder, Recorder: d.Recorder()})
	if err != nil {
		return nil, err
	}
	return d.SweepingServer(f.Register, f.RegisterSweep)
}
