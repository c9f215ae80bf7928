package batch

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/cli/input"
	"github.com/ag-computational-bio/bakta-web-backend/cli/resultfiles"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	libjob "github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// sendAll sends samples, one after the other.
func (b *Batch) sendAll(ctx context.Context) error {
	for {
		it := b.nextToSend()
		if it == nil {
			return nil
		}
		if err := b.send(ctx, it); err != nil {
			return err
		}
	}
}

// send makes a job for a sample, unless one is recorded that will do. It returns an error if the batch can't go on.
func (b *Batch) send(ctx context.Context, it *item) error {
	if it.kept {
		return b.start(ctx, it, time.Now())
	}
	b.move(it, Checking)
	key, sums, err := it.key(b.o.Client.Server(), b.digests)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		var missing *fs.PathError
		errors.As(err, &missing)
		b.fail(it, "the file %s does not exist", missing.Path)
		return nil
	case err != nil:
		b.fail(it, "%v", err)
		return nil
	}
	known, ok := b.o.Record.Find(key)
	fresh := it.fresh || b.o.Again && known.Round != b.o.Record.Round()
	if ok && !fresh && known.Phase != Dropped {
		if b.resume(it, known) {
			return nil
		}
	} else if other, ok := b.o.Record.Named(it.Name); ok && other.Key != key && other.Phase != Dropped {
		b.note(it, "its file, its options or the server differ from those of job %s, so it gets a new job", other.ID)
	}
	if it.stale != nil {
		b.discard(ctx, it, *it.stale)
		it.stale = nil
	}
	if err := b.free(it, key); err != nil {
		b.fail(it, "%v", err)
		return nil
	}
	if b.waits(it) {
		return nil
	}
	if failed := it.rerunOf; failed != nil {
		it.rerunOf = nil
		if done, err := b.rerun(ctx, it, key, *failed); done || err != nil {
			return err
		}
	}
	uploads, err := b.inspect(it, sums)
	if err != nil {
		b.fail(it, "%v", err)
		return nil
	}
	return b.submit(ctx, it, key, uploads)
}

// waits lets a sample wait if a limit holds up starts.
func (b *Batch) waits(it *item) bool {
	b.mu.Lock()
	held := b.held()
	b.mu.Unlock()
	if held {
		b.move(it, Waiting)
		b.postpone(it)
	}
	return held
}

// resume takes over the job of an earlier call. It reports false if a new job is to be made.
func (b *Batch) resume(it *item, known Job) bool {
	it.job = known
	last, ok := b.o.Record.Named(it.Name)
	other := ok && last.ID != known.ID
	if other {
		// What is in the folder is the other job's, and may be replaced by what this one had there.
		it.job.Before = known.left()
		maps.Copy(it.job.Before, last.left())
		it.job.Files = nil
	}
	// What another job has put there may have the same sizes.
	inPlace := known.Phase == Done && !other && b.complete(known)
	b.known(it)
	ref := client.Ref{ID: known.ID, Secret: known.Secret}
	switch {
	case inPlace:
		b.change(it, func(v *View) { v.State, v.Job, v.Earlier = Succeeded, ref, true })
		return true
	case known.Phase == Failed && b.o.RetryFailed:
		b.note(it, "job %s failed, so it gets a new job", known.ID)
		it.rerunOf = &known
		return false
	case known.Phase == Failed:
		b.change(it, func(v *View) {
			v.State, v.Job, v.Earlier, v.JobEnded, v.Reason = Unable, ref, true, true, known.Reason
		})
		return true
	}
	// The server says how it does.
	b.change(it, func(v *View) { v.State, v.Job, v.Resumed = Queued, ref, true })
	return true
}

// complete reports whether the results of a job are all in place.
func (b *Batch) complete(job Job) bool {
	for name, size := range job.Files {
		if info, err := os.Stat(filepath.Join(b.o.Out, job.Folder, name)); err != nil || info.Size() != size {
			return false
		}
	}
	return len(job.Files) > 0
}

// inspect checks the files of a sample as a start does.
func (b *Batch) inspect(it *item, sums []string) ([]*sending, error) {
	// Reading a genome takes memory and a processor; the network is what more of them at a time are good for.
	b.digests.turns <- struct{}{}
	defer func() { <-b.digests.turns }()
	inspection := it.Workflow.NewInspection(it.Config)
	var uploads []*sending
	for i, f := range it.Files {
		content, err := input.Inspect(inspection, f.Kind, f.Path)
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, &sending{File: f, content: content, sum: sums[i]})
	}
	return uploads, nil
}

// free reports what is in the way of the results: it would be a pity to see that when the job is done.
func (b *Batch) free(it *item, key string) error {
	if b.o.Out == "" {
		return nil
	}
	last, ok := b.o.Record.Named(it.Name)
	left := last.left()
	folder := filepath.Join(b.o.Out, it.Folder)
	// A file with other content is the same sample in another state, if it is at the same place. At another place it is another sample.
	same := last.Key == key || last.File == input.Absolute(it.Input()) || resultfiles.SameFile(last.File, it.Input())
	if ok && !same && last.keeps() && !b.o.Force {
		return fmt.Errorf("%s is for the results of another file of that name, %s; give another directory by --out, name the samples by the "+
			"column name of a sheet, or replace the results by --force", folder, last.File)
	}
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is a file, and its results need a folder of that name", folder)
	}
	for _, result := range it.Workflow.Results {
		name := it.Folder + "." + result.Ending
		path := filepath.Join(folder, name)
		for _, f := range it.Files {
			if resultfiles.SameFile(f.Path, path) {
				return fmt.Errorf("%s is to be uploaded, and a result would overwrite it; give another directory by --out", path)
			}
		}
		info, err := os.Lstat(path)
		if err == nil && (info.IsDir() || !b.o.Force && left[name] != info.Size()) {
			return fmt.Errorf("%s has other files of the names that the results will have, such as %s; give another directory by --out, or --force",
				folder, name)
		}
	}
	return nil
}

// submit makes the job, sends its files and starts it.
func (b *Batch) submit(ctx context.Context, it *item, key string, uploads []*sending) error {
	size := int64(0)
	for _, u := range uploads {
		size += u.content.Size
	}
	b.change(it, func(v *View) { v.State, v.Sent, v.Size = Uploading, 0, size })
	c, began := b.o.Client, time.Now()
	made, err := c.InitInBatch(ctx, it.Workflow.Kind, it.Name, b.o.Name)
	if after, limited := client.Limited(err); limited && ctx.Err() == nil && b.holdsUp() {
		b.refused(it, err, after)
		return nil
	}
	if err != nil {
		return b.unsendable(ctx, it, err, began)
	}
	b.answered()
	// Recorded before anything is sent: what is sent can be deleted.
	if err := b.record(ctx, it, key, made.Job); err != nil {
		b.discard(ctx, it, it.job)
		return err // the next job could not be recorded, either
	}
	if err := b.upload(ctx, it, made, uploads); err != nil {
		if ctx.Err() == nil && it.passes(err) {
			b.sendAgain(it, clone(it.job)) // its links are as old as the job
			return nil
		}
		b.discard(ctx, it, it.job)
		return b.unsendable(ctx, it, err, began)
	}
	b.answered()
	// What is uploaded need not be sent again, whatever becomes of the start.
	if err := b.put(ctx, it, func(j *Job) { j.Uploaded = true }); err != nil {
		b.fail(it, "%v", err)
		return err
	}
	return b.start(ctx, it, began)
}

// record records the new job of a sample.
func (b *Batch) record(ctx context.Context, it *item, key string, made client.Ref) error {
	last, _ := b.o.Record.Named(it.Name)
	it.made = true
	err := b.put(ctx, it, func(j *Job) {
		*j = Job{Key: key, Name: it.Name, Folder: it.Folder, File: input.Absolute(it.Input()), Workflow: it.Workflow.Kind,
			Server: b.o.Client.Server(), ID: made.ID, Secret: made.Secret, Made: time.Now().UTC().Truncate(time.Second), Phase: Made,
			Round: b.o.Record.Round(), Before: last.left()}
	})
	if err != nil {
		b.fail(it, "%v", err)
		return err
	}
	b.change(it, func(v *View) { v.Job, v.Resumed = made, false })
	return nil
}

// rerun has the server run a failed job again, with the files that it has. It reports false if the files have to be sent again: the server
// deleted the job, refuses to run it again, or is an older one that can't.
func (b *Batch) rerun(ctx context.Context, it *item, key string, failed Job) (done bool, err error) {
	old, requestKey := client.Ref{ID: failed.ID, Secret: failed.Secret}, cmp.Or(it.rerunBy, uuid.NewString())
	it.rerunBy = ""
	var next client.Ref
	if next.ID, next.Secret, err = libjob.Rerun(old.ID, old.Secret, requestKey); err != nil {
		return false, nil // an id of another kind of server
	}
	// What the server will derive, too, is recorded before it is asked: the answer can be lost, and this program can be killed. If the server
	// does not know the job then, its files are sent.
	if err := b.record(ctx, it, key, next); err != nil {
		return true, err
	}
	began := time.Now()
	made, warnings, err := b.o.Client.Rerun(ctx, client.Rerun{Job: old, RequestKey: requestKey, Name: it.Name})
	if err == nil && made.Job != next { // another version of the server derives it in another way
		if err := b.record(ctx, it, key, made.Job); err != nil {
			return true, err
		}
	}
	if after, limited := client.Limited(err); limited && ctx.Err() == nil {
		it.fresh, it.rerunOf, it.rerunBy = true, &failed, requestKey
		b.refused(it, err, after)
		return true, nil
	}
	if err == nil || ctx.Err() != nil || client.Transient(err) {
		return true, b.started(ctx, it, warnings, err, began)
	}
	b.discard(ctx, it, it.job)
	b.note(it, "%s; its files are sent again", refusal(err))
	return false, nil
}

// unsendable ends the way of a sample whose files could not be sent.
func (b *Batch) unsendable(ctx context.Context, it *item, err error, began time.Time) error {
	b.change(it, func(v *View) { v.Job = client.Ref{} })
	if ctx.Err() != nil {
		b.move(it, Waiting)
		return nil
	}
	b.fail(it, "%v", err)
	if b.absent(err, began) {
		return err
	}
	return nil
}

// upload sends the files of a sample.
func (b *Batch) upload(ctx context.Context, it *item, made client.Made, uploads []*sending) error {
	done := int64(0)
	for _, u := range uploads {
		name := filepath.Base(u.Path)
		i := slices.IndexFunc(made.Uploads, func(link client.UploadLink) bool { return link.Kind == u.Kind })
		if i < 0 {
			return fmt.Errorf("%s: the server does not accept this file for the workflow; it is an older version", name)
		}
		content := client.Content{Size: u.content.Size, Open: u.open}
		err := b.o.Client.Upload(ctx, made.Uploads[i], content, func(sent int64) {
			b.mu.Lock()
			defer b.mu.Unlock()
			it.view.Sent = done + sent
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if !u.intact() {
			return fmt.Errorf("%s changed while it was sent; call again when it is complete", name)
		}
		done += u.content.Size
	}
	return nil
}

// start starts a job whose files are sent.
func (b *Batch) start(ctx context.Context, it *item, began time.Time) error {
	warnings, err := b.o.Client.Start(ctx, client.Ref{ID: it.job.ID, Secret: it.job.Secret}, it.Workflow.Kind, it.Request)
	return b.started(ctx, it, warnings, err, began)
}

// holdsUp reports whether jobs of this batch wait for a limit. They may be what fills another one.
func (b *Batch) holdsUp() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held() || len(b.due) > 0
}

// started takes the outcome of a call that starts a job.
func (b *Batch) started(ctx context.Context, it *item, warnings []client.Warning, err error, began time.Time) error {
	kept := it.kept
	it.kept = false
	after, limited := client.Limited(err)
	switch {
	case err == nil:
		b.answered()
		if err := b.put(ctx, it, func(j *Job) { j.Phase = Started }); err != nil {
			return err
		}
		for _, w := range warnings {
			b.note(it, "warning: %s", w.Message)
		}
		if b.o.Wait {
			b.move(it, Queued)
		} else {
			b.settle(it, Submitted)
		}
		return nil
	case ctx.Err() != nil:
		// The answer is unknown, and the next call asks the server.
		b.move(it, Queued)
		return nil
	case limited:
		it.kept = true
		b.refused(it, err, after)
		return nil
	case kept && client.CodeOf(err) == codes.NotFound:
		// It expired while it waited.
		b.note(it, "job %s has expired before it could be started, so it gets a new job", it.job.ID)
		b.sendAgain(it, nil)
		return nil
	case client.Transient(err):
		// The same; this call asks the server, too, unless it is away.
		b.move(it, Queued)
		if b.absent(err, began) {
			return err
		}
		return nil
	}
	b.discard(ctx, it, it.job)
	return b.unsendable(ctx, it, err, began)
}

// discardTime is how long the removal of a job that was not started may take: somebody waits for the prompt.
const discardTime = 5 * time.Second

// discard removes a job that was not started. The server does so later anyway, so it is not an error if it can't be reached.
func (b *Batch) discard(ctx context.Context, it *item, job Job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	err := b.o.Client.Delete(ctx, client.Ref{ID: job.ID, Secret: job.Secret})
	if err != nil && client.Transient(err) {
		return // it stays recorded, and the next call deletes it
	}
	job.Phase = Dropped
	if err := b.o.Record.Put(ctx, job); err != nil {
		b.note(it, "%v", err)
	}
}

// sending is a file that is sent. Each attempt sends the whole of it.
type sending struct {
	File
	content client.Content
	sum     string // its digest when the key was computed

	mu   sync.Mutex
	last *summed
}

func (s *sending) open() (io.ReadCloser, error) {
	source, err := s.content.Open()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = &summed{ReadCloser: source, sum: sha256.New()}
	return s.last, nil
}

// intact reports whether what was sent is what the key stands for.
func (s *sending) intact() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last != nil && s.last.digest() == s.sum
}

// summed computes the digest of what is read.
type summed struct {
	io.ReadCloser
	mu  sync.Mutex // the transport may read the end when the answer is there
	sum hash.Hash
}

func (s *summed) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Write(p[:n])
	return n, err
}

func (s *summed) digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hex.EncodeToString(s.sum.Sum(nil))
}
