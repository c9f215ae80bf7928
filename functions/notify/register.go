package notify

import (
	"context"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// EventsPath is where events about the ends of jobs are posted.
const EventsPath = "/deliveries"

// typeOwed is the type of the event by which a sweep names a job that owes deliveries.
const typeOwed = notify.TypePrefix + "owed"

// RegisterEvents registers the events at EventsPath.
func (f *Function) RegisterEvents(s *server.Server) error { return s.Events(EventsPath, f.Event) }

// Event makes the deliveries of the job that the event names. What else the event says does not matter, so a forged one can only have
// deliveries made that are due.
func (f *Function) Event(ctx context.Context, e event.Event) error {
	id, err := job.ParseID(e.Subject())
	if err != nil || !strings.HasPrefix(e.Type(), notify.TypePrefix) {
		f.deps.Log.InfoContext(ctx, "an event that is not about a job", "type", e.Type(), "subject", e.Subject())
		server.Ignore(ctx, "not about a job")
		return nil
	}
	server.Note(ctx, "job", id)
	return f.Deliver(ctx, id)
}
