package submit

import (
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// Register has a host serve the function.
func (f *Function) Register(h *server.Host) error {
	return errors.Join(
		h.Serve(server.V1(), f.V1(), "InitJob", "StartJob"),
		h.Serve(server.V2(), f.V2(), "InitJob", "StartJob", "SubmitJob"),
	)
}
