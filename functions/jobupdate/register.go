package jobupdate

import (
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// EventsPath is where events about runs are posted.
const EventsPath = "/events"

// Register registers the status update, which runs call.
func (f *Function) Register(s *server.Server) error {
	return s.Serve(apiv1.Updates(), f.V1(), "UpdateStatus")
}

// RegisterEvents registers the events of runs at EventsPath. Only their source needs to reach that path.
func (f *Function) RegisterEvents(s *server.Server) error {
	return s.Events(EventsPath, f.Event)
}
