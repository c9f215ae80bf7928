// Command status is the function that tells of jobs.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// version is set by the build, with -ldflags "-X main.version=…".
var version string

func main() { deployment.Main("status", build, config.Mongo, config.S3Store, config.KubeLogs) }

func build(d *deployment.Deployment) (*server.Server, error) {
	jobs, err := d.Jobs()
	if err != nil {
		return nil, err
	}
	files, err := d.Files()
	if err != nil {
		return nil, err
	}
	logs, err := d.Logs()
	if err != nil {
		return nil, err
	}
	versions := status.Versions{
		Tool: d.Version.Tool, Database: d.Version.DB, Baktfold: d.Version.Baktfold, BaktfoldDatabase: d.Version.BaktfoldDB, Backend: version,
	}
	f, err := status.New(status.Deps{
		Jobs: jobs, Files: files, Logs: logs, Offered: d.Offered(), DownloadTTL: deployment.DownloadTTL, MaxList: d.Limits.ListSize, Log: d.Log,
		Versions: func() status.Versions { return versions },
	})
	if err != nil {
		return nil, err
	}
	return d.Server(f.Register)
}
