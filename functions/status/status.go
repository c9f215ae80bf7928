// Package status is the function that reads jobs: their states, results and logs.
package status

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Get(ctx context.Context, id string) (job.Job, error)
	GetMany(ctx context.Context, ids []string) ([]job.Job, error)
	GetStates(ctx context.Context, ids []string) ([]job.Job, error)
	Owned(ctx context.Context, which job.Owned, limit int) ([]job.Job, error)
	Waiting(ctx context.Context, limit int) ([]time.Time, error)
	PastRuns(ctx context.Context, classes []string) (map[string][]job.PastRun, error)
}

// Files is what is used of the store of files, see lib/store.
type Files interface {
	PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error)
	Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error)
}

// Logs is what is used of the runner, see lib/runner.
type Logs interface {
	Log(ctx context.Context, j job.Job, stage string) (io.ReadCloser, error)
	Tail(ctx context.Context, j job.Job, stage string, limit int64) ([]byte, error)
}

// Queue is what is used of a runner that knows its queue, see lib/runner.
type Queue interface {
	Queue(ctx context.Context, jobs []job.Job) (job.Queue, error)
}

// Turns is what is used where jobs may wait for the turn of their caller, see store.Turns.
type Turns interface {
	WaitingTurns(ctx context.Context, limit int) ([]job.WaitingTurn, error)
}

// Changes notifies of the changes of a job, until stop is called: with true if its document may have changed, with false if
// its output or the queue has.
type Changes interface {
	Watch(id string, notify func(stored bool)) (stop func())
}

// Versions are the versions of a deployment. What is not known, or not installed, is absent or empty.
type Versions struct {
	Backend   string            // of this program
	Programs  map[string]string // by the names of programs
	Databases map[string]string // of their reference databases, by the names of the programs
}

// Access is how the callers of a deployment are identified. The zero value is that of one that accepts no tokens.
type Access struct {
	Issuer   string   // URL of the OpenID Connect issuer whose tokens are accepted; empty: none are
	Audience string   // that a token must have
	ClientID string   // public client by which programs of users log in; empty: none is known
	Scopes   []string // that such a program asks for
	Required bool     // each call needs a token, and a job that has an owner is used by its owner alone
}

// Deps is what the function works with.
type Deps struct {
	Jobs        Jobs
	Files       Files
	Logs        Logs
	Versions    func() Versions     // called for each answer, since some become known later; nil: none is known
	Offered     []workflow.Workflow // the workflows that this deployment can run
	MaxSizes    map[string]int64    // the largest uploads in bytes, by kind; a kind that is absent has that of lib/upload
	DownloadTTL time.Duration       // how long a download link lives
	MaxList     int                 // how many jobs one list may ask for
	Notify      notify.Offer        // which notifications a start may ask for
	Access      Access              // how callers are identified
	Log         *slog.Logger

	Queue   Queue            // nil: the queue is the jobs that wait, by their age
	Turns   Turns            // nil: no job waits for the turn of its caller
	Changes Changes          // nil: calls that wait read the store again and again
	Ends    Ends             // nil: the ends of all jobs are reported
	Now     func() time.Time // nil: time.Now

	LogReads int // how many calls read large logs at once, the others wait; 0: 4
	Waits    int // how many calls wait for a change at once, the others are answered early; 0: 100
}

// defaultLogReads bounds the memory for logs: reading one of 8 MiB takes about twice that.
const defaultLogReads = 4

// Function is the status function.
type Function struct {
	deps   Deps
	reads  chan struct{} // has an entry for each call that reads large logs
	waits  chan struct{} // has an entry for each call that waits for a change
	steps  *steps
	line   *line
	poller *poller // nil if changes are reported
	ends   *ends   // nil if ends are reported
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Files == nil || d.Logs == nil || d.Log == nil {
		return nil, errors.New("status: jobs, files, logs of running jobs and a log are required")
	}
	if len(d.Offered) == 0 {
		return nil, errors.New("status: at least one workflow is required")
	}
	if d.DownloadTTL <= 0 || d.MaxList <= 0 {
		return nil, errors.New("status: DownloadTTL and MaxList are required")
	}
	if d.Versions == nil {
		d.Versions = func() Versions { return Versions{} }
	}
	if d.LogReads <= 0 {
		d.LogReads = defaultLogReads
	}
	if d.Waits <= 0 {
		d.Waits = defaultWaits
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	f := &Function{deps: d, reads: make(chan struct{}, d.LogReads), waits: make(chan struct{}, d.Waits)}
	f.steps, f.line = newSteps(d.Logs, d.Changes == nil), newLine(d)
	if d.Changes == nil {
		f.poller = newPoller(d.Jobs, d.Log)
	}
	if d.Ends != nil && d.Changes == nil {
		f.ends = newEnds(d.Ends, d.Now, d.Log, f.poller.reread)
		f.poller.between = f.ends.search
	}
	return f, nil
}

// Ref names a job and has its secret. The job's owner needs no secret.
type Ref struct{ ID, Secret string }

// Found is one entry of a list: a job, or why there is none.
type Found struct {
	Ref Ref
	Job job.Job
	Err error // job.NotFound or job.WrongSecret
}

// List returns an entry for each ref, in their order. A wrong ref fails alone.
func (f *Function) List(ctx context.Context, refs []Ref) ([]Found, error) {
	return f.list(ctx, refs, f.deps.Jobs.GetMany)
}

// ListViews is List with all that is shown of the jobs, in the order of the refs. What is shown of a wrong ref is empty.
func (f *Function) ListViews(ctx context.Context, refs []Ref) ([]Found, []View, error) {
	list, err := f.list(ctx, refs, f.deps.Jobs.GetStates)
	if err != nil {
		return nil, nil, err
	}
	jobs := make([]job.Job, len(list)) // of no state where there is none
	for i := range list {
		jobs[i] = list[i].Job
	}
	return list, f.views(ctx, jobs), nil
}

func (f *Function) list(ctx context.Context, refs []Ref, get func(context.Context, []string) ([]job.Job, error)) ([]Found, error) {
	if len(refs) > f.deps.MaxList {
		return nil, job.Errorf(job.Invalid, "jobs: %d entries are too many, at most %d may be asked for at once", len(refs), f.deps.MaxList)
	}
	parsed := make([]string, len(refs)) // "" for an invalid id
	ids := make([]string, 0, len(refs))
	where := make(map[string]int, len(refs)) // index of each id in what was found; -1: not found
	for k, r := range refs {
		id, err := job.ParseID(r.ID)
		if err != nil {
			continue
		}
		parsed[k] = id
		if _, asked := where[id]; !asked {
			where[id] = -1
			ids = append(ids, id)
		}
	}
	var found []job.Job
	if len(ids) > 0 {
		var err error
		if found, err = get(ctx, ids); err != nil {
			return nil, err
		}
	}
	for i := range found {
		where[found[i].ID] = i
	}
	list := make([]Found, len(refs))
	for k, r := range refs {
		entry := &list[k]
		entry.Ref = r
		i, asked := where[parsed[k]]
		if !asked || i < 0 {
			entry.Err = job.Errorf(job.NotFound, "there is no such job")
		} else if entry.Err = found[i].Authorise(f.key(ctx, r.Secret)); entry.Err == nil {
			entry.Job = found[i]
			f.ends.search(found[i])
		}
	}
	return list, nil
}

// key returns what the caller has to open a job with.
func (f *Function) key(ctx context.Context, secret string) job.Key {
	return job.Key{Secret: secret, Subject: caller.From(ctx).Subject, OwnersOnly: f.deps.Access.Required}
}

// get returns the job that the ref names.
func (f *Function) get(ctx context.Context, r Ref) (job.Job, error) {
	id, err := job.ParseID(r.ID)
	if err != nil {
		return job.Job{}, err
	}
	j, err := f.deps.Jobs.Get(ctx, id)
	if err != nil {
		return job.Job{}, err
	}
	if err := j.Authorise(f.key(ctx, r.Secret)); err != nil {
		return j, err
	}
	f.ends.search(j)
	return j, nil
}

// Download is a link to a result file.
type Download struct {
	workflow.ResultFile
	URL string
}

// unfinished says why a job that has not ended has no results.
type unfinished string

func (u unfinished) Error() string { return string(u) }

// Result returns a succeeded job with a link for each of its files. For a job that failed, or has not ended, the error is
// job.NotReady; it states the reason of the failure, or has an unfinished as its cause. With partial, a failed job is
// returned with the files that it kept, which may be none.
func (f *Function) Result(ctx context.Context, r Ref, partial bool) (job.Job, []Download, error) {
	j, err := f.get(ctx, r)
	if err != nil {
		return job.Job{}, nil, err
	}
	switch {
	case j.State == job.Failed && !partial:
		return job.Job{}, nil, job.Errorf(job.NotReady, "%s", reason(j))
	case j.State == job.Created:
		return job.Job{}, nil, job.Errorf(job.NotReady, "the job is not finished: it was not started yet").Because(unfinished("created"))
	case !j.State.Ended():
		return job.Job{}, nil, job.Errorf(job.NotReady, "the job is not finished").Because(unfinished(j.State))
	}
	w, ok := workflow.Lookup(j.Workflow)
	if !ok {
		return job.Job{}, nil, job.Errorf(job.NotReady, "the job's workflow %q is not known to this version of the backend", j.Workflow)
	}
	stored := make(map[string]job.File, len(j.Results))
	for _, file := range j.Results {
		stored[file.Name] = file
	}
	var downloads []Download
	for _, result := range w.Results {
		file, ok := stored[result.Ending]
		if !ok {
			continue
		}
		name := j.Name
		if name == "" {
			name = "result"
		}
		url, err := f.deps.Files.PresignGet(ctx, file.Key, name+"."+result.Ending, f.deps.DownloadTTL)
		if err != nil {
			return job.Job{}, nil, err
		}
		downloads = append(downloads, Download{ResultFile: result, URL: url})
	}
	return j, downloads, nil
}

// reason returns why a job failed.
func reason(j job.Job) string {
	if j.Failure == nil || j.Failure.Message == "" {
		return "The job failed."
	}
	return j.Failure.Message
}
