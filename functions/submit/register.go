package submit

import (
	"errors"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// Register registers the function's methods.
func (f *Function) Register(s *server.Server) error {
	return errors.Join(
		s.Serve(apiv1.API(), f.V1(), "InitJob", "StartJob"),
		s.Serve(apiv2.API(), f.V2(), "InitJob", "StartJob", "SubmitJob", "RerunJob"),
	)
}
