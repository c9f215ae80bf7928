// Package limit limits what each caller uses: calls, jobs that are created or started, and runs that are launched at once. A caller is
// the subject of a token, else a network, see caller.Caller.Key. What callers use is kept by a store.Limits, under a keyed hash of that
// key, because an address is personal data.
//
// What a caller holds (jobs that are not started, jobs that wait or run, runs that are launched) is a list of jobs in the caller's
// document. The jobs themselves are the truth: before a call is refused because a list is full, the jobs in it are read, and those that
// are no longer what the list says leave it. So nothing has to be undone after a crash.
//
// A call that can't be counted passes.
package limit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// The names of the limits. Clients and metrics have them, so they must not change.
const (
	CallsPerMinute = "calls-per-minute"
	StartsPerHour  = "starts-per-hour"
	StartsPerDay   = "starts-per-day"
	UnstartedJobs  = "unstarted-jobs"
	UploadBytes    = "upload-bytes"
	ActiveJobs     = "active-jobs"

	launchedRuns = "launched-runs" // refuses no call
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	GetStates(ctx context.Context, ids []string) ([]job.Job, error)
}

// Recorder receives what metrics count. Its methods return at once.
type Recorder interface {
	// Refused receives each call that is refused, with the name of the limit.
	Refused(ctx context.Context, limit string)
	// Uncounted receives each call that passes because it could not be counted.
	Uncounted(ctx context.Context)
}

// Options are the parts of a Limiter.
type Options struct {
	Limits   settings.Caller
	Secret   []byte // of the deployment: keys the hashes of callers
	Store    store.Limits
	Jobs     Jobs
	InFlight time.Duration // how long a call can act, by the clock of any process, see settings.Settings
	Now      func() time.Time
	Log      *slog.Logger
	Recorder Recorder // nil: nothing is recorded

	// Counts reports whether calls of a method are limited; the method is the full name. Later reports whether they count themselves when
	// it is known what they use, by FromContext, so that a call is one write; Finish counts those that did not.
	Counts, Later func(method string) bool
}

// Limiter counts and refuses calls. It is safe for concurrent use.
type Limiter struct {
	o      Options
	calls  calls
	claims claims
	warned atomic.Int64 // when a failure was logged last, in Unix milliseconds
}

// New returns a Limiter. It makes no network call.
func New(o Options) (*Limiter, error) {
	if o.Store == nil || o.Jobs == nil || o.Now == nil || o.Log == nil || o.Counts == nil || o.Later == nil {
		return nil, errors.New("limit: a store of limits, jobs, a clock, a log and the methods are required")
	}
	if len(o.Secret) == 0 || o.InFlight <= 0 {
		return nil, errors.New("limit: a secret and the time of a call are required")
	}
	if o.Recorder == nil {
		o.Recorder = noRecorder{}
	}
	return &Limiter{o: o, calls: calls{of: make(map[string]*share)}, claims: claims{of: make(map[string]*claimed)}}, nil
}

// countTime bounds how long a call waits to be counted. The first call of a process also connects to the store in that time.
const countTime = 2 * time.Second

// now is the time with the precision of the store.
func (l *Limiter) now() time.Time { return l.o.Now().UTC().Truncate(time.Millisecond) }

// key returns the name of a caller in the store; empty for a caller without limits.
func (l *Limiter) key(c caller.Caller) string {
	who := c.Key(l.o.Limits.IPv4Prefix, l.o.Limits.IPv6Prefix)
	if who == "" {
		return ""
	}
	h := hmac.New(sha256.New, l.o.Secret)
	h.Write([]byte("bakta-web caller " + who))
	return hex.EncodeToString(h.Sum(nil)[:16]) // it is also the value of a label in Kubernetes
}

// Call is a call of a limited caller. A nil Call is one without limits.
type Call struct {
	l       *Limiter
	key     string
	counted bool
	started *Started // by Rerun

	policies, left []string // what the fields RateLimit-Policy and RateLimit have so far
}

type callKey struct{}

// FromContext returns the call that a context belongs to; nil if it is not limited.
func FromContext(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// Admit counts a call, or refuses it; a call that counts itself is counted later. It is a server.Admission.
func (l *Limiter) Admit(ctx context.Context, who caller.Caller, method string) (context.Context, error) {
	if !l.o.Counts(method) {
		return ctx, nil
	}
	c := &Call{l: l, key: l.key(who)}
	if c.key == "" {
		return ctx, nil
	}
	ctx = context.WithValue(ctx, callKey{}, c)
	if l.o.Later(method) {
		return ctx, l.calls.refused(ctx, l, c.key)
	}
	return ctx, c.count(ctx)
}

// Finish counts a call that has ended and was not counted. If it must be refused now, the caller gets that error: such a call has failed,
// or has repeated what an earlier one did.
func (l *Limiter) Finish(ctx context.Context, err error) error {
	if c := FromContext(ctx); c != nil && !c.counted {
		if refusal := c.count(ctx); refusal != nil {
			return refusal
		}
	}
	return err
}

// count counts a call that uses nothing else.
func (c *Call) count(ctx context.Context) error {
	c.counted = true
	if c.l.o.Limits.CallsPerMinute == 0 {
		return nil
	}
	_, err := c.l.calls.count(ctx, c.l, c.key, store.Use{At: c.l.now()})
	return err
}

// Make counts a call that creates a job, whose upload links allow that many bytes. It returns the id that the job must have: it may be held
// already.
func (c *Call) Make(ctx context.Context, bytes int64) (string, error) {
	if c == nil {
		return uuid.NewString(), nil
	}
	if c.l.unstarted() == nil {
		return uuid.NewString(), c.count(ctx)
	}
	c.counted = true
	return c.l.claims.claim(ctx, c.l, c.key, bytes)
}

// Started is what a start has to store with the job.
type Started struct {
	Caller string // the key of the caller; empty without limits
	Waits  bool   // the job waits for its turn
}

// Start counts a call that starts a job, unless Rerun has counted it.
func (c *Call) Start(ctx context.Context, id string) (Started, error) {
	switch {
	case c == nil:
		return Started{}, nil
	case c.started != nil:
		return *c.started, nil
	}
	return c.start(ctx, store.Use{Job: id, Ends: c.l.unstarted()})
}

// Rerun counts a call that creates a job with uploads of that many bytes, and starts it.
func (c *Call) Rerun(ctx context.Context, id string, bytes int64) error {
	if c == nil {
		return nil
	}
	// The job is held as one that is not started, which it is if the call is killed before the start. Otherwise it leaves that list when
	// the list is full.
	started, err := c.start(ctx, store.Use{Job: id, Holds: c.l.made(bytes)})
	c.started = &started
	return err
}

func (c *Call) start(ctx context.Context, u store.Use) (Started, error) {
	limits := c.l.o.Limits
	u.Windows = append(u.Windows, starts(limits)...)
	if limits.Active > 0 {
		u.Holds = append(u.Holds, store.Hold{Name: ActiveJobs, Limit: limits.Active})
	}
	if limits.Launched > 0 {
		u.Holds = append(u.Holds, store.Hold{Name: launchedRuns, Limit: limits.Launched, Optional: true})
	}
	used, err := c.use(ctx, u)
	// If the call could not be counted, it is not known whether the job has a turn.
	return Started{Caller: c.key, Waits: limits.Launched > 0 && (used == nil || len(used.Full) > 0)}, err
}

// unstarted are the lists that a job leaves when it is started.
func (l *Limiter) unstarted() []string {
	if l.o.Limits.Unstarted == 0 && l.o.Limits.UploadBytes == 0 {
		return nil
	}
	return []string{UnstartedJobs}
}

// made are the lists that a created job is in.
func (l *Limiter) made(bytes int64) []store.Hold {
	if l.unstarted() == nil {
		return nil
	}
	return []store.Hold{{
		Name: UnstartedJobs, Limit: l.o.Limits.Unstarted, Bytes: bytes, BytesName: UploadBytes, BytesLimit: l.o.Limits.UploadBytes,
	}}
}

// starts are the windows of a start.
func starts(limits settings.Caller) (windows []store.Window) {
	for _, w := range []store.Window{
		{Name: StartsPerHour, Length: time.Hour, Limit: limits.StartsPerHour},
		{Name: StartsPerDay, Length: 24 * time.Hour, Limit: limits.StartsPerDay},
	} {
		if w.Limit > 0 {
			w.Calls, w.PerJob = 1, true
			windows = append(windows, w)
		}
	}
	return windows
}

// use counts the call with what it uses. What is used is nil if it could not be counted.
func (c *Call) use(ctx context.Context, u store.Use) (*store.Used, error) {
	c.counted = true
	if limit := c.l.o.Limits.CallsPerMinute; limit > 0 {
		u.Windows = append([]store.Window{callWindow(limit, 1)}, u.Windows...)
	}
	u.At = c.l.now()
	used, err := c.l.use(ctx, c.key, u)
	if err != nil {
		c.l.passes(ctx, err)
		return nil, nil
	}
	show(ctx, u, used, 0)
	if used.Refused != "" {
		return &used, c.l.refuse(ctx, c.l.refusal(u, used))
	}
	return &used, nil
}

// How long the document of a caller is kept after a use: longer than its longest window, and longer than a job waits or runs.
const (
	keepCounts = 28 * time.Hour
	keepHeld   = 30 * 24 * time.Hour
)

// use counts what a call uses. If a list does not allow that, the jobs in it are compared with what is stored of them.
func (l *Limiter) use(ctx context.Context, key string, u store.Use) (store.Used, error) {
	ctx, cancel := context.WithTimeout(ctx, countTime)
	defer cancel()
	if u.Until = u.At.Add(keepCounts); len(u.Holds) > 0 {
		u.Until = u.At.Add(keepHeld)
	}
	used, err := l.o.Store.Use(ctx, key, u)
	if err != nil || used.Refused == "" || len(used.Entries) == 0 {
		return used, err
	}
	if u.Gone, err = l.gone(ctx, used.Entries); err != nil || len(u.Gone) == 0 {
		return used, err
	}
	// What was counted although the list has refused the call is not counted again.
	first := used
	u.Windows = slices.DeleteFunc(slices.Clone(u.Windows), func(w store.Window) bool {
		return !w.PerJob && w.Name != first.Refused && first.Counted[w.Name] > 0
	})
	if used, err = l.o.Store.Use(ctx, key, u); err != nil {
		return used, err
	}
	for name, buckets := range used.Windows {
		first.Windows[name], first.Counted[name] = buckets, used.Counted[name]
	}
	used.Windows, used.Counted = first.Windows, first.Counted
	return used, nil
}

// gone returns the entries whose jobs are not what the list says. A call may have entered a job a moment ago and not have stored yet what
// follows: then the entry stays until no such call can be in flight.
func (l *Limiter) gone(ctx context.Context, entries []store.Held) ([]store.Held, error) {
	ids := make([]string, 0, len(entries))
	for _, e := range entries {
		ids = append(ids, e.Job)
	}
	jobs, err := l.o.Jobs.GetStates(ctx, ids)
	if err != nil {
		return nil, err
	}
	stored := make(map[string]job.Job, len(jobs))
	for _, j := range jobs {
		stored[j.ID] = j
	}
	var gone []store.Held
	for _, e := range entries {
		j, ok := stored[e.Job]
		waits := j.Waits()
		var holds, mayHold bool
		after := l.o.InFlight
		switch e.Name {
		case UnstartedJobs:
			holds, mayHold = j.State == job.Created, !ok
			after += claimTime // a call may take up the entry until then
		case ActiveJobs:
			holds, mayHold = j.State.Active(), !ok || j.State == job.Created
		default: // a job that waits may be about to have its turn
			holds, mayHold = j.State.Active() && !waits, !ok || j.State == job.Created || waits
		}
		if !holds && (!mayHold || l.now().Sub(e.At) >= after) {
			gone = append(gone, e)
		}
	}
	return gone, nil
}

// passes records a call that passes because it could not be counted. It is logged once a minute.
func (l *Limiter) passes(ctx context.Context, err error) {
	l.o.Recorder.Uncounted(ctx)
	now, last := l.now().UnixMilli(), l.warned.Load()
	if now-last >= time.Minute.Milliseconds() && l.warned.CompareAndSwap(last, now) {
		l.o.Log.WarnContext(ctx, "calls are not counted, and pass without limits", "error", err)
	}
}

// refuse records a refusal and returns it.
func (l *Limiter) refuse(ctx context.Context, refusal *job.Error) error {
	l.o.Recorder.Refused(ctx, refusal.Retry.Limit)
	return refusal
}

// Turns reports whether the runs that a caller may have launched at once are limited.
func (l *Limiter) Turns() bool { return l.o.Limits.Launched > 0 }

// Take takes a turn of the caller for the run of a job, unless other jobs have all of them. It succeeds again for the same job.
func (l *Limiter) Take(ctx context.Context, key, id string) (bool, error) {
	used, err := l.use(ctx, key, store.Use{
		At: l.now(), Job: id, Holds: []store.Hold{{Name: launchedRuns, Limit: l.o.Limits.Launched}}, Durable: true,
	})
	return err == nil && used.Refused == "", err
}

// Release gives back the turn of a job that has ended.
func (l *Limiter) Release(ctx context.Context, key, id string) error {
	return l.o.Store.Release(ctx, key, id)
}

// noRecorder is the recorder of a Limiter that has none.
type noRecorder struct{}

func (noRecorder) Refused(context.Context, string) {}
func (noRecorder) Uncounted(context.Context)       {}
