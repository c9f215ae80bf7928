package submit

import (
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
)

// Register has a host serve the function.
func (f *Function) Register(h *function.Host) error {
	return errors.Join(
		h.Serve(function.V1(), f.V1(), "InitJob", "StartJob"),
		h.Serve(function.V2(), f.V2(), "InitJob", "StartJob", "SubmitJob"),
	)
}
