// Command notify is the function that sends webhooks and mail at the ends of jobs.
package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

func main() { deployment.Main("notify", build, config.Mongo) }

func build(d *deployment.Deployment) (*server.Server, error) {
	f, err := d.Notifications()
	if err != nil {
		return nil, err
	}
	return d.HintServer(f.RegisterEvents)
}
