package submit

import "github.com/ag-computational-bio/bakta-web-backend/lib/function"

// Register has a host serve the function.
func (f *Function) Register(h *function.Host) error {
	return h.Serve(function.V1(), f.V1(), "InitJob", "StartJob")
}
