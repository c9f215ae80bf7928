// Package submit is the function that makes jobs and starts them. A created job is an id, a secret and links
// to upload to; a start inspects the uploads, promises to run the job, and launches the run.
package submit

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/notify"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Jobs is what is used of the store of jobs, see lib/store.
type Jobs interface {
	Insert(ctx context.Context, j job.Job) error
	Get(ctx context.Context, id string) (job.Job, error)
	Submit(ctx context.Context, id string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error)
	Unstarted(ctx context.Context, by time.Time, limit int) (int, error)
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
}

// Files is what is used of the store of files, see lib/store.
type Files interface {
	Missing(ctx context.Context) bool
	PresignPut(ctx context.Context, key string, ttl time.Duration) (string, error)
	Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error)
	List(ctx context.Context, prefix string) ([]job.File, error)
	Copy(ctx context.Context, from, etag, to string) (job.File, error)
}

// Launcher launches the owed run of a job; lib/lifecycle does.
type Launcher interface {
	Launch(ctx context.Context, j job.Job) error
}

// Deps is what the function works with.
type Deps struct {
	Jobs      Jobs
	Files     Files
	Launcher  Launcher
	Offered   []workflow.Workflow // the workflows that this deployment can run
	Retention time.Duration       // how long a job is kept after its start; one that is not started ends with its links
	UploadTTL time.Duration       // how long an upload link lives
	MaxSizes  map[string]int64    // bytes by upload kind, where the deployment allows less than the catalogue
	Now       func() time.Time
	Log       *slog.Logger
	Holder    string // names this process and no other, for leases; "": by chance

	Unstarted int // how many jobs may be created and not started at once, in all, about; 0: 10,000

	Notify     notify.Offer // which notifications a start may ask for
	OwnersOnly bool         // a job that has an owner is started, or run again, by its owner alone

	Looks    int      // how many starts inspect uploads at once, the others wait; 0: 8
	Recorder Recorder // nil: nothing is recorded
}

// defaultLooks keeps looks within 320 MiB: one at uploads that were made for it takes up to 40 MiB, a usual one much less.
const defaultLooks = 8

// Function is the submit function.
type Function struct {
	deps      Deps
	looks     chan struct{} // has an entry for each start that inspects uploads
	unstarted *unstarted
	reruns    sync.Map // leases that calls of this process have
}

// New returns the function.
func New(d Deps) (*Function, error) {
	if d.Jobs == nil || d.Files == nil || d.Launcher == nil || d.Now == nil || d.Log == nil {
		return nil, errors.New("submit needs jobs, files, a launcher, a clock and a log")
	}
	if len(d.Offered) == 0 {
		return nil, errors.New("submit needs at least one workflow to offer")
	}
	if d.Retention <= 0 || d.UploadTTL <= 0 {
		return nil, errors.New("submit needs to know how long jobs are kept and links live")
	}
	if d.Recorder == nil {
		d.Recorder = noRecorder{}
	}
	if d.Holder == "" {
		d.Holder = uuid.NewString()
	}
	if d.Looks <= 0 {
		d.Looks = defaultLooks
	}
	if d.Unstarted <= 0 {
		d.Unstarted = defaultUnstarted
	}
	return &Function{deps: d, looks: make(chan struct{}, d.Looks), unstarted: &unstarted{limit: d.Unstarted}}, nil
}

// Created is the answer to the caller that created a job. The secret is returned here and never again.
type Created struct {
	ID      string
	Secret  string
	Uploads []Upload
}

// Upload is a link to upload one kind of file to.
type Upload struct {
	workflow.Upload
	URL string
}

// owed is how soon the sweep handles a submitted job whose launch was not recorded.
const owed = 5 * time.Second

// Init is what a caller asks of a new job.
type Init struct {
	API      int    // version of the API by which it is asked
	Name     string // for people
	Batch    string // the batch that it belongs to; empty for none
	Workflow string
}

// Init makes a job. It is job.Exhausted while too many jobs wait to be started, or if a limit of the caller does not allow it, and
// job.Unavailable while the bucket does not exist.
func (f *Function) Init(ctx context.Context, n Init) (Created, error) {
	w, err := f.offered(n.Workflow)
	if err != nil {
		return Created{}, err
	}
	if err := checkName(n.Name); err != nil {
		return Created{}, err
	}
	if !job.ValidBatch(n.Batch) {
		return Created{}, job.Errorf(job.Invalid, "batch: the name of a batch has at most %d characters: letters (a to z, A to Z), digits, "+
			"dots, underscores and hyphens; it begins with a letter or a digit", job.MaxBatchLength)
	}
	if err := f.room(ctx); err != nil {
		return Created{}, err
	}
	// Some stores create a missing bucket when a user uploads. Later calls fail, or the user's browser does.
	if f.deps.Files.Missing(ctx) {
		return Created{}, job.Errorf(job.Unavailable, "the object storage is not set up; contact the operators").
			Because(errors.New("the configured bucket does not exist; run the program setup, or correct its name"))
	}
	id, err := limit.FromContext(ctx).Make(ctx, f.allowed(w))
	if err != nil {
		return Created{}, err
	}
	made := Created{ID: id, Secret: job.NewSecret()}
	for _, u := range w.Uploads {
		url, err := f.deps.Files.PresignPut(ctx, job.UploadKey(made.ID, u.Kind), f.deps.UploadTTL)
		if err != nil {
			return Created{}, err
		}
		made.Uploads = append(made.Uploads, Upload{Upload: u, URL: url})
	}
	// Stored last: a caller with an answer can rely on the job, and a caller without one has no link.
	_, err = f.insert(ctx, job.Job{
		ID: made.ID, SecretHash: job.HashSecret(made.Secret), Name: n.Name, Batch: n.Batch, Owner: caller.From(ctx).Subject,
		Workflow: w.Kind, API: n.API,
	})
	if err != nil {
		return Created{}, err
	}
	return made, nil
}

// allowed is how many bytes may be uploaded for a job of the workflow.
func (f *Function) allowed(w workflow.Workflow) (sum int64) {
	for _, u := range w.Uploads {
		sum += f.maxSize(u)
	}
	return sum
}

func checkName(name string) error {
	if len(name) > job.MaxNameBytes {
		return job.Errorf(job.Invalid, "name: %d bytes are too long, at most %d are allowed", len(name), job.MaxNameBytes)
	}
	if !utf8.ValidString(name) {
		return job.Errorf(job.Invalid, "name: this is not UTF-8 text")
	}
	return nil
}

// insert stores a new job, which expires unless it is started, and returns it as it is stored.
func (f *Function) insert(ctx context.Context, j job.Job) (job.Job, error) {
	now := f.now()
	expires := now.Add(min(f.deps.Retention, f.deps.UploadTTL+job.UploadGrace))
	j.State, j.Created, j.Updated, j.Expires, j.Due = job.Created, now, now, expires, expires
	if err := f.deps.Jobs.Insert(ctx, j); err != nil {
		return job.Job{}, err
	}
	f.unstarted.made.Add(1)
	f.deps.Log.InfoContext(ctx, "job created", "job", j.ID, "workflow", j.Workflow)
	f.deps.Recorder.Created(ctx, j.Workflow)
	return j, nil
}

func (f *Function) offered(kind string) (workflow.Workflow, error) {
	for _, w := range f.deps.Offered {
		if w.Kind == kind {
			return w, nil
		}
	}
	return workflow.Workflow{}, job.Errorf(job.Invalid, "the workflow %q is not offered here", kind)
}

// key returns what the caller has to open a job with.
func (f *Function) key(ctx context.Context, secret string) job.Key {
	return job.Key{Secret: secret, Subject: caller.From(ctx).Subject, OwnersOnly: f.deps.OwnersOnly}
}

// now is the time as the store keeps it.
func (f *Function) now() time.Time { return f.deps.Now().UTC().Truncate(time.Millisecond) }
