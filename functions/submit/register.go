package submit

import (
	"errors"
	"path"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// methods are the names of the methods in both versions of the API.
var methods = []string{"InitJob", "StartJob", "SubmitJob", "RerunJob"}

// Register registers the function's methods.
func (f *Function) Register(s *server.Server) error {
	return errors.Join(
		s.Serve(apiv1.API(), f.V1(), methods[:2]...),
		s.Serve(apiv2.API(), f.V2(), methods...),
	)
}

// CountsItself reports whether the calls of a method, by its full name, count themselves: they use more than a call, see lib/limit.
func CountsItself(method string) bool { return slices.Contains(methods, path.Base(method)) }
