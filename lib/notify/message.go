// Package notify is the messages about the ends of jobs: what they say, who may be named as a receiver, and how an attempt to send one can
// fail. lib/notify/webhook and lib/notify/mail send them; functions/notify decides when.
package notify

import (
	"fmt"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// TypePrefix is what the types of CloudEvents about the ends of jobs begin with. A job.Event follows.
const TypePrefix = "org.bakta.job."

// DefaultSource is the source of CloudEvents where the deployment does not configure its URL.
const DefaultSource = "urn:bakta-web"

// Data is what a message says of a job. It has no secret and no link: whoever reads the message can't use the job.
type Data struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Workflow string    `json:"workflow"`
	State    string    `json:"state"` // of the second version of the API: "successful" or "error"
	Created  time.Time `json:"created"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Expires  time.Time `json:"expires"` // when the job and its results are removed
	Failure  *Failure  `json:"failure,omitempty"`
}

// Failure is why a job failed.
type Failure struct {
	Code    string `json:"code"` // a job.FailureCode
	Message string `json:"message"`
}

// states are the states of ended jobs in the words of the API's second version.
var states = map[job.State]string{job.Succeeded: "successful", job.Failed: "error"}

// DataOf returns what a message says of an ended job.
func DataOf(j job.Job) Data {
	d := Data{
		ID: j.ID, Name: j.Name, Workflow: j.Workflow, State: states[j.State],
		Created: j.Created.UTC(), Started: j.Started.UTC(), Ended: j.Updated.UTC(), Expires: j.Expires.UTC(),
	}
	if f := j.Failure; f != nil && j.State == job.Failed {
		d.Failure = &Failure{Code: string(f.Code), Message: f.Message}
	}
	return d
}

// CloudEvent returns the CloudEvent about an event of an ended job. It is the same each time. Its time is when a message about it became
// due: of an expiry that is long after the end.
func CloudEvent(source string, j job.Job, about job.Event) (event.Event, error) {
	e := event.New()
	e.SetID(job.MessageID(j.ID, about))
	e.SetSource(source)
	e.SetType(TypePrefix + string(about))
	e.SetSubject(j.ID)
	at := j.Updated
	for _, d := range j.Deliveries {
		if d.Event == about {
			at = d.Owed
		}
	}
	e.SetTime(at.UTC())
	if err := e.SetData(event.ApplicationJSON, DataOf(j)); err != nil {
		return event.Event{}, fmt.Errorf("describing the end of job %s: %w", j.ID, err)
	}
	return e, e.Validate()
}

// EventOf returns the event by which a job ended.
func EventOf(s job.State) job.Event {
	if s == job.Succeeded {
		return job.EventSucceeded
	}
	return job.EventFailed
}

// Error is why an attempt to send a message failed.
type Error struct {
	Words string // for the owner of the job; contains no address that the owner did not name
	Final bool   // another attempt can't succeed
	Cause error  // for the log; nil if the words say all
}

// Error returns the words and the cause.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Words + ": " + e.Cause.Error()
	}
	return e.Words
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
