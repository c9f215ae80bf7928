package expire

import (
	"context"
	"errors"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// SweepPath is where a timer posts an event to start a sweep.
const SweepPath = "/sweep"

// Register registers the methods that users call.
func (f *Function) Register(s *server.Server) error {
	return errors.Join(
		s.Serve(apiv1.API(), f.V1(), "Delete"),
		s.Serve(apiv2.API(), f.V2(), "Delete"),
	)
}

// RegisterSweep starts a sweep for every event that is posted to SweepPath, whatever its content. Only the timer needs to
// reach that path.
func (f *Function) RegisterSweep(s *server.Server) error {
	return s.Events(SweepPath, func(ctx context.Context, _ event.Event) error {
		_, err := f.Sweep(ctx)
		return err
	})
}
