package jobupdate

import "github.com/ag-computational-bio/bakta-web-backend/lib/server"

// EventsPath is where events about runs are posted.
const EventsPath = "/events"

// Register has a host serve the status update that runs call.
func (f *Function) Register(h *server.Host) error {
	return h.Serve(server.V1Updates(), f.V1(), "UpdateStatus")
}

// RegisterEvents has a host take events that are posted to EventsPath. Only their source has to reach it.
func (f *Function) RegisterEvents(h *server.Host) error {
	return h.Events(EventsPath, f.Event)
}
