// Command submit is the function that makes jobs and starts them.
package main

import (
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("submit", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*server.Server, error) {
	parts, err := d.Parts()
	if err != nil {
		return nil, err
	}
	f, err := submit.New(submit.Deps{
		Jobs: parts.Jobs, Files: parts.Files, Launcher: parts.Life, Offered: d.Offered(), MaxSizes: d.MaxSizes(),
		Retention: d.ExpiryTime, UploadTTL: deployment.UploadTTL, Now: time.Now, Log: d.Log,
		Unstarted: d.Limits.Unstarted, Recorder: d.Recorder(),
	})
	if err != nil {
		return nil, err
	}
	return d.Server(f.Register)
}
