package functions

import (
	"log/slog"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// LimitParts are what the limits of callers work with.
type LimitParts struct {
	Limits   store.Limits
	Jobs     limit.Jobs
	Secret   []byte           // of the deployment
	Recorder limit.Recorder   // nil: nothing is recorded
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger
}

// NewLimiter returns the limiter of the functions' callers; nil if all limits are off. It makes no network call.
func NewLimiter(p LimitParts, s settings.Settings) (*limit.Limiter, error) {
	if s.Caller.Off() {
		return nil, nil
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	return limit.New(limit.Options{
		Limits: s.Caller, Secret: p.Secret, Store: p.Limits, Jobs: p.Jobs, InFlight: s.InFlight + s.ClockSkew, Now: p.Now, Log: p.Log,
		Recorder: p.Recorder, Counts: limited, Later: submit.CountsItself,
	})
}

// limited reports whether a method is one that users call. Runs call others, to say what became of them; events have no method.
func limited(method string) bool {
	for _, service := range []string{protov1.BaktaJobs_ServiceDesc.ServiceName, protov2.BaktaJobs_ServiceDesc.ServiceName} {
		if strings.HasPrefix(method, "/"+service+"/") {
			return true
		}
	}
	return false
}
