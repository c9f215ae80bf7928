package status

import (
	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// Register has a host serve the function, and the API's documentation.
func (f *Function) Register(h *function.Host) error {
	if err := h.Serve(function.V1(), f.V1(), "JobsStatus", "JobResult", "Logs", "Version"); err != nil {
		return err
	}
	return h.Docs("Bakta Web API", pb.OpenAPI())
}
