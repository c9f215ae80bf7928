package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// In creates the run's directory and downloads the inputs into it, exactly those that were pinned at the start.
//
// It returns a failure if the inputs will never be available, and records it, so that the stages do nothing and Out reports
// it. After an error (the store is unavailable, the disk is full), In can be called again. Once In has downloaded all inputs,
// or has recorded a failure, another call changes nothing.
func In(ctx context.Context, files Files, s Spec) (*job.Failure, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	d := Dir(s.Dir)
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the run's directory: %w", err)
	}
	state, err := makeDirs(d, s.Stages)
	if err != nil {
		return nil, fmt.Errorf("creating the run's directories: %w", err)
	}
	defer state.Close()
	var rec inputRecord
	found, err := read(d, inputState, &rec)
	if err != nil {
		return nil, err
	}
	if found {
		if rec.Job != s.Job || rec.Run != s.Run || !slices.Equal(rec.Inputs, s.Inputs) {
			return nil, fmt.Errorf("%s is the directory of run %d of job %s", s.Dir, rec.Run, rec.Job)
		}
		return rec.Failure, nil
	}
	rec = inputRecord{Job: s.Job, Run: s.Run, Inputs: s.Inputs}
	for _, in := range s.Inputs {
		if rec.Failure, err = fetch(ctx, files, s, in); err != nil {
			return nil, fmt.Errorf("downloading the input %s: %w", in.Kind, err)
		}
		if rec.Failure != nil {
			break
		}
	}
	return rec.Failure, write(state, inputState, rec)
}

// Fetch is In for a caller that keeps the records of the run, see Options.Fresh: it downloads all inputs at each call. The directory
// of the run must not exist, or be left by a call that returned an error.
func Fetch(ctx context.Context, files Files, s Spec) (*job.Failure, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the run's directory: %w", err)
	}
	state, err := makeDirs(Dir(s.Dir), nil)
	if err != nil {
		return nil, fmt.Errorf("creating the run's directories: %w", err)
	}
	if err := state.Close(); err != nil {
		return nil, err
	}
	for _, in := range s.Inputs {
		failure, err := fetch(ctx, files, s, in)
		if err != nil {
			return nil, fmt.Errorf("downloading the input %s: %w", in.Kind, err)
		}
		if failure != nil {
			return failure, nil
		}
	}
	return nil, nil
}

// makeDirs creates the missing directories of the run, and opens the one of the stages' states.
func makeDirs(d Dir, stages []Command) (*os.Root, error) {
	at, err := d.open()
	if err != nil {
		return nil, err
	}
	defer at.Close()
	for _, name := range []string{inputs, outputs, temps} {
		dir, err := made(at, name)
		if err != nil {
			return nil, err
		}
		dir.Close()
	}
	state, err := made(at, states)
	if err != nil {
		return nil, err
	}
	for _, c := range stages {
		dir, err := made(state, c.Stage)
		if err == nil {
			err = errors.Join(writeFile(dir, reserve, make([]byte, maxRecord)), dir.Close())
		}
		if err != nil {
			return nil, errors.Join(err, state.Close())
		}
	}
	return state, nil
}

// fetch downloads one input, with retries. It returns a failure if no retry can help.
func fetch(ctx context.Context, files Files, s Spec, in job.Input) (*job.Failure, error) {
	_, err := retry(ctx, downloadTimeout, in.Size, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, download(ctx, files, s, in)
	})
	switch {
	case changed(err):
		return badInput("%s: the upload was changed or removed after the job was started; "+
			"create a new job, upload the file again and start that job", upload.Label(in.Kind)), nil
	case job.Is(err, job.Invalid):
		// The start has inspected it, so another version of the backend did, whose rules differ.
		return badInput("%s: the upload can't be used: %s", upload.Label(in.Kind), message(err)), nil
	case err != nil:
		return nil, err
	}
	return nil, nil
}

// download writes an object to a file, in the form that programs read. The file appears completely or not at all.
func download(ctx context.Context, files Files, s Spec, in job.Input) error {
	key := job.UploadKey(s.Job, in.Kind)
	content, is, err := files.Open(ctx, key, in.ETag)
	if err != nil {
		return err
	}
	defer content.Close()
	if is.ETag != in.ETag || is.Size != in.Size {
		return job.Errorf(job.NotReady, "%s has size %d and ETag %s in place of %d and %s", key, is.Size, is.ETag, in.Size, in.ETag)
	}
	at, err := Dir(s.Dir).open(inputs)
	if err != nil {
		return err
	}
	defer at.Close()
	part := in.Name + ".part"
	if err := remove(at, part); err != nil {
		return err
	}
	f, err := at.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	// One byte more than expected shows that the object is too large.
	came := &counter{from: io.LimitReader(content, in.Size+1)}
	err = errors.Join(upload.Prepare(in.Kind, f, came), f.Close())
	if job.Is(err, job.Invalid) { // it ends at the first fault, and only a file that came whole is known to have it
		_, _ = io.Copy(io.Discard, came)
	}
	if came.read != in.Size && (err == nil || job.Is(err, job.Invalid)) {
		err = fmt.Errorf("%s came with %d bytes in place of %d", key, came.read, in.Size)
	}
	if err != nil {
		return err
	}
	return at.Rename(part, in.Name)
}

// counter counts what is read.
type counter struct {
	from io.Reader
	read int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.read += int64(n)
	return n, err
}

// message returns what an error says to a caller.
func message(err error) string {
	var e *job.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

func badInput(format string, args ...any) *job.Failure {
	return &job.Failure{Code: job.BadInput, Message: fmt.Sprintf(format, args...)}
}
