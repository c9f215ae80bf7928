package status

import (
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// Register registers the function's methods, and the API's documentation.
func (f *Function) Register(s *server.Server) error {
	return errors.Join(
		s.Serve(apiv1.API(), f.V1(), "JobsStatus", "JobResult", "Logs", "Version"),
		s.Serve(apiv2.API(), f.V2(), "Workflows", "Options", "JobsStatus", "ListJobs", "JobState", "JobResult", "Logs", "Access", "Version"),
		s.Docs("Bakta Web API",
			server.Document{Version: "v2", Swagger2: protov2.Swagger2(), OpenAPI31: protov2.OpenAPI31()},
			server.Document{Version: "v1", Swagger2: protov1.Swagger2(), OpenAPI31: protov1.OpenAPI31()}),
	)
}
