package submit

import (
	"context"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/limit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Rerun is a request to run a job again, as a new job.
type Rerun struct {
	ID, Secret string         // of the old job
	RequestKey string         // the same key means the same new job
	Name       string         // of the new job; empty: that of the old one
	Config     *option.Config // of the new job; nil: that of the old one
	Notify     job.Notify     // what to notify of the new job; its key is not used
}

// Started is the answer to a caller whose job was run again.
type Started struct {
	ID, Secret string
	Workflow   string
	Start      *job.Start // as it is stored
}

const (
	// rerunTime bounds a call, so that it ends before its lease does. It is also less than the deadline of most callers.
	rerunTime = 25 * time.Second
	// rerunLease is for how long a call keeps others with the same request key waiting if its process is killed.
	rerunLease = rerunTime + 2*time.Second
	// rerunPause is the time between two looks whether another call with the same request key has ended.
	rerunPause = 100 * time.Millisecond
)

// Rerun starts a new job with the uploads of an old one, which it copies inside the store of files. Id and secret of the new
// job follow from the request (see job.Rerun): the same request returns the same job, and completes what an earlier one that
// was interrupted has left: a job without files, some of the files, all files and no start. A new job that is never
// completed expires as every job that is not started.
//
// The old job may be in any state after its start. Its inputs are pinned then, so it makes no difference whether it has
// ended; and a user who sees a mistake while the job waits need not wait for its end.
func (f *Function) Rerun(ctx context.Context, r Rerun) (Started, error) {
	id, err := job.ParseID(r.ID)
	if err != nil {
		return Started{}, err
	}
	if err := job.CheckRequestKey(r.RequestKey); err != nil {
		return Started{}, err
	}
	if err := checkName(r.Name); err != nil {
		return Started{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, rerunTime)
	defer cancel()
	old, err := f.deps.Jobs.Get(ctx, id)
	if err == nil {
		err = old.Authorise(f.key(ctx, r.Secret))
	}
	if err != nil && !job.Is(err, job.NotFound) {
		return Started{}, err
	}
	next, nameErr := r.next(id, old)
	if nameErr != nil {
		return Started{}, nameErr
	}
	if job.Is(err, job.NotFound) {
		return f.orphan(ctx, r, next, err)
	}
	if old.Start == nil {
		return Started{}, job.Errorf(job.NotReady, "the job was never started, so it can't be run again; start it instead")
	}
	w, err := f.offered(old.Workflow)
	if err != nil {
		return Started{}, err
	}
	config, err := r.config(old.Start.Config)
	if err != nil {
		return Started{}, err
	}
	made, release, err := f.alone(ctx, next)
	if err != nil {
		return Started{}, err
	}
	defer release()
	if made.Start == nil {
		if made, err = f.again(ctx, old, made, r, next, w, w.Normalise(config)); err != nil {
			return Started{}, err
		}
	}
	return f.startAgain(ctx, made, r, next, w, w.Normalise(config))
}

// next returns the id and the secret of the new job. old is the zero job if it does not exist.
func (r Rerun) next(id string, old job.Job) (next Started, err error) {
	derive := r.Secret
	if old.ID != "" && !old.Opens(r.Secret) {
		derive = old.OwnerSecret() // the caller is its owner, and the secret that it sent, if any, may be anything
	}
	next.ID, next.Secret, err = job.Rerun(id, derive, r.RequestKey)
	return next, err
}

// config returns the configuration of the new job.
func (r Rerun) config(old []byte) (option.Config, error) {
	if r.Config != nil {
		return *r.Config, nil
	}
	return option.Decode(old)
}

// orphan answers a repeated request whose old job was deleted after the new one was started. Only a caller with the old
// job's secret can know the new one's, so it is enough that there is a new job.
func (f *Function) orphan(ctx context.Context, r Rerun, next Started, missing error) (Started, error) {
	made, err := f.deps.Jobs.Get(ctx, next.ID)
	if job.Is(err, job.NotFound) || err == nil && (made.Start == nil || !made.Opens(next.Secret)) {
		return Started{}, missing
	}
	if err != nil {
		return Started{}, err
	}
	w, err := f.offered(made.Workflow)
	if err != nil {
		return Started{}, err
	}
	config, err := r.config(made.Start.Config) // that of the old job can't be known any more
	if err != nil {
		return Started{}, err
	}
	return f.startAgain(ctx, made, r, next, w, w.Normalise(config))
}

// startAgain starts the new job, or repeats its start.
func (f *Function) startAgain(
	ctx context.Context,
	made job.Job,
	r Rerun,
	next Started,
	w workflow.Workflow,
	config option.Config,
) (Started, error) {
	if r.Name != "" && r.Name != made.Name {
		return Started{}, job.Errorf(job.AlreadyExists, "request_key: it was used before with another name; use a new one for another job")
	}
	var err error
	next.Workflow = w.Kind
	next.Start, err = f.start(ctx, made, w, made.API, config, r.Notify)
	switch {
	case job.Is(err, job.AlreadyExists):
		err = job.Errorf(job.AlreadyExists,
			"request_key: it was used before with another configuration or other notifications; use a new one for another job")
	case job.Is(err, job.Invalid), job.Is(err, job.NotFound):
		// An upload that is missing may have been removed with the new job.
		if j, getErr := f.deps.Jobs.Get(ctx, made.ID); job.Is(getErr, job.NotFound) || getErr == nil && j.State == job.Deleting {
			err = errDeleted()
		}
	}
	return next, err
}

// errDeleted is the error about a request whose new job was deleted.
func errDeleted() error {
	return job.Errorf(job.AlreadyExists, "request_key: the job that it made was deleted, or has expired; use a new one")
}

// alone waits until no other call makes the same new job, and returns the job as it is stored: the zero value if it does not
// exist. Without that, a late copy could replace a file that the start of the other call has pinned. The content is the
// same, but the ETag is not in stores that encrypt objects. The job is returned at once if it is started.
func (f *Function) alone(ctx context.Context, next Started) (made job.Job, release func(), err error) {
	for {
		release, err := f.hold(ctx, "rerun-"+next.ID)
		if err != nil {
			return job.Job{}, nil, err
		}
		made, err := f.deps.Jobs.Get(ctx, next.ID)
		switch {
		case err != nil && !job.Is(err, job.NotFound):
		case made.State == job.Deleting:
			err = errDeleted()
		case release != nil:
			return made, release, nil
		case made.Start != nil:
			return made, func() {}, nil
		default:
			err = nil
		}
		if err != nil {
			if release != nil {
				release()
			}
			return job.Job{}, nil, err
		}
		select {
		case <-time.After(rerunPause):
		case <-ctx.Done():
			return job.Job{}, nil, job.Errorf(job.Unavailable, "another call with the same request key has not ended yet; try again later").
				Because(ctx.Err())
		}
	}
}

// hold takes a lease, unless another call has it: then release is nil. The lease is this process's, so that the next process
// of local mode, which has the same name, need not wait for that of a killed one. Calls of one process exclude each other here.
func (f *Function) hold(ctx context.Context, lease string) (release func(), err error) {
	if _, other := f.reruns.LoadOrStore(lease, true); other {
		return nil, nil
	}
	got, err := f.deps.Jobs.Acquire(ctx, lease, f.deps.Holder, rerunLease)
	if err != nil || !got {
		f.reruns.Delete(lease)
		return nil, err
	}
	return func() {
		defer f.reruns.Delete(lease)
		// Also after the caller has gone: a lease that is kept delays a repeated call.
		if err := f.deps.Jobs.ReleaseLease(context.WithoutCancel(ctx), lease, f.deps.Holder); err != nil {
			f.deps.Log.WarnContext(ctx, "a lease could not be released; it expires", "lease", lease, "error", err)
		}
	}, nil
}

// again makes the new job, unless it was made before, and copies its files.
func (f *Function) again(
	ctx context.Context,
	old, made job.Job,
	r Rerun,
	next Started,
	w workflow.Workflow,
	config option.Config,
) (job.Job, error) {
	if err := w.Validate(config); err != nil {
		return job.Job{}, err
	}
	if _, err := f.deps.Notify.Check(r.Notify.Webhook, r.Notify.Email); err != nil {
		return job.Job{}, err
	}
	inputs, err := f.reuse(ctx, old, w, config)
	if err != nil {
		return job.Job{}, err
	}
	// Counted before anything is made: a caller whose starts are refused must not fill the store with copies.
	if err := limit.FromContext(ctx).Rerun(ctx, next.ID, size(inputs)); err != nil {
		return job.Job{}, err
	}
	var copies []job.File
	if made.ID == "" {
		if err := f.room(ctx); err != nil {
			return job.Job{}, err
		}
		name := r.Name
		if name == "" {
			name = old.Name
		}
		made, err = f.insert(ctx, job.Job{
			ID: next.ID, SecretHash: job.HashSecret(next.Secret), Name: name, Batch: old.Batch, RerunOf: old.ID,
			Owner: caller.From(ctx).Subject, Workflow: w.Kind, API: 2,
		})
	} else {
		// A copy after the job has expired could be left behind by its removal.
		if f.now().Add(rerunTime).After(made.Expires) {
			return job.Job{}, job.Errorf(job.AlreadyExists, "request_key: the job that it made expires; use a new one")
		}
		copies, err = f.deps.Files.List(ctx, job.UploadKey(made.ID, ""))
	}
	if err != nil {
		return job.Job{}, err
	}
	for _, in := range inputs {
		if copied(copies, in) {
			continue
		}
		if _, err := f.deps.Files.Copy(ctx, job.UploadKey(old.ID, in.Kind), in.ETag, job.UploadKey(made.ID, in.Kind)); err != nil {
			return job.Job{}, f.uncopied(ctx, old, in, err)
		}
	}
	return made, nil
}

// size is how many bytes uploads have.
func size(inputs []job.Input) (sum int64) {
	for _, in := range inputs {
		sum += in.Size
	}
	return sum
}

// copied reports whether an interrupted call has copied a file. Two ETags that are equal prove equal content; where a
// copy's ETag is another one, the file is copied again.
func copied(copies []job.File, in job.Input) bool {
	for _, c := range copies {
		if c.Name == in.Kind {
			return c.Size == in.Size && c.ETag == in.ETag
		}
	}
	return false
}

// reuse returns the uploads of the old job that the new one uses. Those that the old job was started with are the pinned
// ones. Others are used as they are now, and only if the configuration asks for them.
func (f *Function) reuse(ctx context.Context, old job.Job, w workflow.Workflow, config option.Config) ([]job.Input, error) {
	var inputs []job.Input
	for _, u := range w.Uploads {
		need := needOf(u, 2, config.Use)
		in, pinned := old.Input(u.Kind)
		switch {
		case need == unused, need == optional && !pinned:
			continue
		case !pinned:
			content, file, err := f.deps.Files.Open(ctx, job.UploadKey(old.ID, u.Kind), "")
			if job.Is(err, job.NotFound) {
				return nil, job.Errorf(job.Invalid, "%s: the job that is run again has no such upload; leave the file out, or create a new job "+
					"and upload all files", u.Label)
			}
			if err != nil {
				return nil, err
			}
			_ = content.Close()
			in = job.Input{Kind: u.Kind, Size: file.Size, ETag: file.ETag}
		}
		if err := f.fits(u, in.Size); err != nil {
			return nil, err
		}
		inputs = append(inputs, in)
	}
	return inputs, nil
}

// uncopied returns why a file of the old job can't be copied.
func (f *Function) uncopied(ctx context.Context, old job.Job, in job.Input, err error) error {
	switch {
	case job.Is(err, job.NotReady):
		return job.Errorf(job.NotReady, "%s: the file was replaced after the job was started with it; create a new job and upload all files",
			upload.Label(in.Kind)).Because(err)
	case job.Is(err, job.NotFound):
		// The old job may have been deleted meanwhile.
		j, getErr := f.deps.Jobs.Get(ctx, old.ID)
		if getErr != nil {
			return getErr
		}
		if j.State == job.Deleting {
			return job.Errorf(job.NotFound, "the job was deleted, or expired, while it was run again")
		}
		return job.Errorf(job.NotReady, "%s: the file is not stored any more; create a new job and upload all files",
			upload.Label(in.Kind)).Because(err)
	}
	return err
}
