package submit

import (
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// Register registers the function's methods.
func (f *Function) Register(s *server.Server) error {
	return errors.Join(
		s.Serve(server.V1(), f.V1(), "InitJob", "StartJob"),
		s.Serve(server.V2(), f.V2(), "InitJob", "StartJob", "SubmitJob"),
	)
}
