// Command submit is the function that makes jobs and starts them.
package main

import (
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
)

func main() { deployment.Main("submit", build, config.Mongo, config.S3Store, config.Kube) }

func build(d *deployment.Deployment) (*function.Host, error) {
	jobs, err := d.Jobs()
	if err != nil {
		return nil, err
	}
	files, err := d.Files()
	if err != nil {
		return nil, err
	}
	life, err := d.Lifecycle(jobs, files)
	if err != nil {
		return nil, err
	}
	f, err := submit.New(submit.Deps{
		Jobs: jobs, Files: files, Launcher: life, Offered: d.Offered(), MaxSizes: d.MaxSizes(),
		Keep: d.ExpiryTime, LinkTTL: deployment.UploadTTL, Now: time.Now, Log: d.Log,
	})
	if err != nil {
		return nil, err
	}
	return d.Host(f.Register)
}
