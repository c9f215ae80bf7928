package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// JobState is the state of one job in full. A time that has not come yet is zero.
type JobState struct {
	Status
	Batch         string    // the batch that the job was created in; empty if in none
	Created       time.Time // when the job was created
	Began         time.Time // when the first stage of its current run began
	Ended         time.Time // when it ended
	Expires       time.Time // when it may be deleted with all of its data
	Run           int       // the number of its current run, from 1; 0 before the start
	Stages        []StageState
	Config        *Config        // what the job was started with; nil before the start, or if an older server does not say
	Notifications []Notification // messages about its end

	Version string // stands for what the state shows, see State; empty if an older server was asked for less
}

// Notification is a message about the end of a job, and what became of it.
type Notification struct {
	ID       string    `json:"id"`
	Event    string    `json:"event"`   // "succeeded", "failed" or "expiring"
	Channel  string    `json:"channel"` // "webhook" or "email"
	Status   string    `json:"status"`  // "pending", "delivered" or "given_up"
	Attempts int       `json:"attempts"`
	Last     time.Time `json:"last_attempt,omitzero"`
	Next     time.Time `json:"next_attempt,omitzero"`
	Error    string    `json:"error,omitempty"` // why the last attempt failed
}

// StageState is the state of a stage.
type StageState struct {
	Stage  string `json:"stage"`
	Status string `json:"status"` // one of the Stage… constants
}

// Progress is the step that the programs of a job have reached.
type Progress struct {
	Step  int    `json:"step"`  // from 1
	Steps int    `json:"steps"` // of all stages together
	Text  string `json:"text"`  // in the program's words, for people; may be empty
}

// Queue is the place of a job that waits.
type Queue struct {
	Place  int `json:"place"`  // among the jobs that wait, from 1
	Length int `json:"length"` // how many jobs wait
}

// Expected is when a job is expected to start and to end. A time that is not known is zero.
type Expected struct {
	Start     time.Time `json:"start,omitzero"`      // of a job that waits
	End       time.Time `json:"end,omitzero"`        // half of the jobs end earlier
	LatestEnd time.Time `json:"latest_end,omitzero"` // nine of ten jobs end earlier
	Runs      int       `json:"runs"`                // how many earlier jobs this follows from
}

// Failure is why a job failed.
type Failure struct {
	Code    string `json:"code"`            // its kind, a word for programs: "bad_input", for example
	Message string `json:"message"`         // for people
	Stage   string `json:"stage,omitempty"` // the stage that failed, if one had begun
}

// wireDetails are the fields that a list with details and the state of one job share.
type wireDetails struct {
	Waiting  *bool     `json:"waiting"`
	Stage    string    `json:"stage"`
	Progress *Progress `json:"progress"`
	Queue    *Queue    `json:"queue"`
	Expected *Expected `json:"expected"`
	Failure  *Failure  `json:"failure"`

	Hindrance string `json:"hindrance"`
}

// in returns the status with these details.
func (d wireDetails) in(s Status) Status {
	s.Waiting, s.Stage, s.Progress, s.Queue, s.Expected, s.Failure = d.Waiting, d.Stage, d.Progress, d.Queue, d.Expected, d.Failure
	s.Hindrance = d.Hindrance
	return s
}

// maxWait is the longest time that a server waits for a change.
const maxWait = 25 * time.Second

// State returns the state of one job in full. With a wait, which is rounded down to seconds, it returns when the version of the state
// differs from after, and at the latest after that time; a server may limit the time, and may return early without a change. A server
// of an older version returns an *Error: State then can't tell whether the job exists; Status and Watch can.
func (v *V2) State(ctx context.Context, job Ref, wait time.Duration, after string) (JobState, error) {
	query := job.queryV2()
	if seconds := int(wait / time.Second); seconds > 0 {
		query.Set("wait", strconv.Itoa(seconds))
	}
	if after != "" {
		query.Set("after", after)
	}
	var answer struct {
		ID         string       `json:"job_id"`
		Name       string       `json:"name"`
		Batch      string       `json:"batch"`
		Workflow   string       `json:"workflow_kind"`
		ResultKind string       `json:"result_kind"`
		Status     string       `json:"status"`
		Created    time.Time    `json:"created"`
		Started    time.Time    `json:"started"`
		Began      time.Time    `json:"began"`
		Ended      time.Time    `json:"ended"`
		Updated    time.Time    `json:"updated"`
		Expires    time.Time    `json:"expires"`
		Run        int          `json:"run"`
		Stages     []StageState `json:"stages"`
		Version    string       `json:"version"`

		Notifications []Notification `json:"notifications"`

		Config *Config `json:"config"`
		wireDetails
	}
	if err := v.call(ctx, http.MethodGet, "/job/status", query, nil, &answer); err != nil {
		return JobState{}, fmt.Errorf("getting the state: %w", err)
	}
	if answer.ID != job.ID || answer.Status == "" {
		return JobState{}, fmt.Errorf("getting the state: the answer of %s is not about job %s", v.c.server, job.ID)
	}
	started := answer.Started
	if started.IsZero() {
		started = answer.Created
	}
	return JobState{
		Status: answer.in(Status{ID: answer.ID, State: State(strings.ToUpper(answer.Status)), Name: answer.Name, Started: started,
			Updated: answer.Updated, Workflow: answer.Workflow, ResultKind: answer.ResultKind}),
		Batch: answer.Batch, Created: answer.Created, Began: answer.Began, Ended: answer.Ended, Expires: answer.Expires, Run: answer.Run,
		Stages: answer.Stages, Version: answer.Version, Config: answer.Config, Notifications: answer.Notifications,
	}, nil
}

// Look returns the state of one job: in full, or, from a server of an older version, what Status returns. A job that does not exist,
// or that has another secret, has the state NotFound or Unauthorized.
func (v *V2) Look(ctx context.Context, job Ref) (JobState, error) {
	w := watch{v: v, job: job}
	return w.next(ctx)
}

// Watch returns when a job has ended, and calls seen, if it is not nil, with each state before that and with the last one. The server
// reports each change at once. One of an older version is asked for the state again and again, at that interval (2 s if zero), and
// returns what Status returns. Seen is also called with each transient error: Watch continues while the server is down, for up to 15
// minutes. The job does not depend on Watch.
func (v *V2) Watch(ctx context.Context, job Ref, interval time.Duration, seen func(JobState, error)) (JobState, error) {
	interval = cmp.Or(max(interval, 0), 2*time.Second)
	w := watch{v: v, job: job}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return JobState{}, context.Cause(ctx)
		case <-timer.C:
		}
		began, shown := time.Now(), w.after
		state, err := w.next(ctx)
		if err != nil && (!Transient(err) || time.Since(last) > absence) {
			return JobState{}, err
		}
		if err == nil {
			last = time.Now()
		}
		if seen != nil {
			seen(state, err)
		}
		if err == nil && state.State.Ended() {
			return state, nil
		}
		pause := interval
		if err == nil && !w.old && (state.Version != shown || time.Since(began) >= interval) {
			pause = 0 // the server waits for the next change
		}
		timer.Reset(pause)
	}
}

// Wait waits until a job has ended, as Client.Wait does, by Watch.
func (v *V2) Wait(ctx context.Context, job Ref, interval time.Duration, seen func(Status, error)) (Status, error) {
	state, err := v.Watch(ctx, job, interval, func(s JobState, err error) {
		if seen != nil {
			seen(s.Status, err)
		}
	})
	return state.Status, err
}

// watch asks for the state of a job.
type watch struct {
	v     *V2
	job   Ref
	after string // the version of the last state; empty before the first
	old   bool   // the server does not have the call
}

// next returns the next state: the present one at first, then the one after the next change.
func (w *watch) next(ctx context.Context) (JobState, error) {
	if !w.old {
		wait := time.Duration(0)
		if w.after != "" {
			wait = maxWait
		}
		state, err := w.v.State(ctx, w.job, wait, w.after)
		if err == nil {
			w.after = state.Version
			return state, nil
		}
		if !refuses(err) {
			return JobState{}, err
		}
	}
	// The list also says which of both a refusal was: about the job, or the call. A server that once had the call still has it.
	states, err := w.v.Status(ctx, w.job)
	if err != nil {
		return JobState{}, err
	}
	w.old = w.after == "" && !states[0].State.Ended()
	return JobState{Status: states[0]}, nil
}

// refuses reports whether an error is what a server answers that does not have a call, or does not have the job, or only with another
// secret.
func refuses(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && (refusal.Code == codes.Unimplemented || refusal.Code == codes.Unauthenticated ||
		slices.Contains(noSuchCall, refusal.Status))
}
