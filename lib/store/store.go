// Package store is the contract of the backend's stores: the store of jobs, and the store of files. Each package below it
// adapts one product. storetest is the test suite that any store of jobs passes.
//
// The functions and lib/lifecycle declare the methods that they use. The contract of each method is written here, once.
package store

import (
	"context"
	"io"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Jobs stores one document for each job.
//
// Every write of a job is one compare-and-set on its document. A write reports false, and changes nothing, when the job
// is not in a state that the write may leave, or when its run is not the one named. Errors are job.Unavailable when the
// store cannot be reached; such a write may have happened or not.
type Jobs interface {
	// Setup creates the collections and indexes that the store needs. It can be repeated.
	Setup(ctx context.Context) error
	// Ping reports whether the store can be reached.
	Ping(ctx context.Context) error

	// Insert stores a new job. It returns job.AlreadyExists if the id is another job's. A job with the same id and secret
	// is the same job, stored by a call whose answer was lost: then Insert succeeds.
	Insert(ctx context.Context, j job.Job) error
	// Get returns a job, or a job.NotFound error.
	Get(ctx context.Context, id string) (job.Job, error)
	// GetMany returns those of the jobs that exist, each once, in any order. They hold what a list shows: id, secret hash,
	// name, owner, workflow, state, and the times Created, Started and Updated.
	GetMany(ctx context.Context, ids []string) ([]job.Job, error)
	// GetStates is GetMany for all that is known of the states of jobs: they may lack results, logs, effects, and of what
	// they were started with all but the configuration and the inputs.
	GetStates(ctx context.Context, ids []string) ([]job.Job, error)
	// Owned returns the jobs of an owner, the newest first, at most limit of them. They hold what those of GetMany do. The cost depends
	// on the number of the owner's jobs that it passes over, and not on the jobs of others.
	Owned(ctx context.Context, which job.Owned, limit int) ([]job.Job, error)
	// Due returns the jobs, in any state, whose Due time has come, the oldest first, at most limit of them. They may lack
	// results and logs.
	Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error)
	// Unstarted counts the created jobs that are due by that time, at most limit of them.
	Unstarted(ctx context.Context, by time.Time, limit int) (int, error)
	// Waiting returns when the submitted jobs were started, the earliest first, at most limit of them.
	Waiting(ctx context.Context, limit int) ([]time.Time, error)

	// Submit moves a created job to submitted: it pins what the job was started with, and owes run 1.
	Submit(ctx context.Context, id string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error)
	// Launched records the name of the run's object, and when the job is due next. The run may already be running.
	Launched(ctx context.Context, id string, run int, name string, due time.Time) (bool, error)
	// Running moves submitted to running, or updates the stages of a running job. An observation that is older than the
	// one recorded changes nothing. Began that is zero stays as it is.
	Running(ctx context.Context, id string, run int, stages []job.Stage, began, at, due time.Time) (bool, error)
	// Finish records the outcome of a run, with the effects and the deliveries that it owes. Stages that are nil, and Began if it is
	// zero, stay as they are. Blocked is removed.
	Finish(ctx context.Context, id string, run int, end job.End) (bool, error)
	// SetBlocked sets since when the active run b.Run is seen to be blocked, or, if b.Since is zero, that it is not.
	SetBlocked(ctx context.Context, id string, b job.Blocked) (bool, error)
	// Relaunch gives up a run that vanished, and owes the next one. The state stays as it is; the stages, Began and Blocked are of the
	// run that was given up, and are removed.
	Relaunch(ctx context.Context, id string, run int, at, due time.Time) (bool, error)
	// Done removes effects from those that an ended job owes, and sets when it is due next. It reports false if the job
	// owes none of them.
	Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error)
	// SetDelivery replaces the delivery of that ID of an ended job, if it is pending and its Next is the time was. If the new one is
	// pending, and the job is due later than its Next, the job is due then.
	SetDelivery(ctx context.Context, id string, was time.Time, d job.Delivery) (bool, error)
	// Postpone sets when the job is due next, if it is still due at the time was.
	Postpone(ctx context.Context, id string, was, due time.Time) error

	// Delete moves any other state to deleting, empties the document of all that is the user's, and makes it due at once.
	// Updated becomes the time named. It reports false for a job that is deleting already, or gone.
	Delete(ctx context.Context, id string, at time.Time) (bool, error)
	// Expire does what Delete does, to a job that has expired by then and of which no run is owed or active.
	Expire(ctx context.Context, id string, now time.Time) (bool, error)
	// ExpireUnstarted shortens the life of created jobs: those created before the time made that would live longer
	// become due, and expire, at the time by. It returns how many there were.
	ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error)
	// Remove removes the document of a job that is deleting. It leaves a job in another state alone.
	Remove(ctx context.Context, id string) error

	PastRuns
	Leases
}

// PastRuns keeps what past runs took, by class, so that later runs of the class know what to expect. It outlives the jobs.
type PastRuns interface {
	// AddPastRun adds a run to those of a class. The last job.MaxPastRuns that were added are kept.
	AddPastRun(ctx context.Context, class string, r job.PastRun) error
	// PastRuns returns the runs of those classes that have any, in the order in which they were added.
	PastRuns(ctx context.Context, classes []string) (map[string][]job.PastRun, error)
}

// Leases keep several processes from doing the same at once.
type Leases interface {
	// Acquire takes the lease of that name for the holder, for ttl from now, unless another holder has it. A holder may
	// take its own lease again, which extends it. Only the name distinguishes holders.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	// Extend makes a lease end ttl from now, if the holder still has it, and reports whether it has.
	Extend(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	// ReleaseLease gives up a lease. It does nothing to a lease of another holder.
	ReleaseLease(ctx context.Context, name, holder string) error
}

// Files stores what jobs read and write, as objects. Keys are relative to the configured base key. Errors are
// job.NotFound for an object that is missing, and job.Unavailable when the store cannot be reached.
type Files interface {
	// Missing reports whether the store answers that the place of the objects, such as the bucket, does not exist. It is false if the
	// store does not answer within a second. A place that existed once is not asked for again.
	Missing(ctx context.Context) bool
	// PresignPut returns a link that accepts an upload for ttl. It makes no network call.
	PresignPut(ctx context.Context, key string, ttl time.Duration) (string, error)
	// PresignGet returns a link that downloads an object for ttl, under that file name. It makes no network call.
	PresignGet(ctx context.Context, key, fileName string, ttl time.Duration) (string, error)
	// Open reads an object if it has that ETag; "" stands for any ETag. It returns the size and the ETag of what is read,
	// or job.NotReady if the object was replaced. A reader that is closed early costs no more than what was read.
	Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error)
	// Get returns the content of an object, at most limit bytes of it.
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	// List returns all objects under a prefix. The Name of each is its key without the prefix.
	List(ctx context.Context, prefix string) ([]job.File, error)
	// Put stores an object of that size in bytes, and returns it as stored. A size of -1 means that the size is not known.
	// Content that turns out shorter or longer stores no object. The error is job.Exhausted if the store is full.
	Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error)
	// Copy copies an object that has that ETag, inside the store where it can, and returns the copy, whose ETag may be another
	// one. It replaces an object that has the new key. The copy has the content that the ETag stands for, whole, or the error
	// is job.NotReady because the object was replaced; job.NotFound if it is missing, job.Exhausted if the store is full. After
	// an error there may be an object with the new key, and its content is not defined.
	Copy(ctx context.Context, from, etag, to string) (job.File, error)
	// RemovePrefix removes all objects under a prefix, which ends in a slash. It succeeds when there are none.
	RemovePrefix(ctx context.Context, prefix string) error
}
