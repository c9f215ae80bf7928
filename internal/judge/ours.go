package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// desk is a store of one job and its uploads in memory. The start itself is the deployed function.
type desk struct {
	submit.Jobs  // nil: methods that a start does not call
	submit.Files // likewise
	job          job.Job
	uploads      map[string][]byte // by object key
}

const secret = "0123456789abcdefghijABCDEFGHIJ01"

// start starts a job with a variant. It returns the started job and the warnings for the user, or the refusal. The variant
// does not cause other errors.
func start(ctx context.Context, v variant) (d *desk, warnings []job.Warning, refusal *job.Error, err error) {
	const id = "123e4567-e89b-42d3-a456-426614174000"
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	d = &desk{
		job:     job.Job{ID: id, SecretHash: job.HashSecret(secret), Workflow: v.kind, API: 2, State: job.Created, Created: now, Updated: now},
		uploads: make(map[string][]byte),
	}
	for _, u := range v.uploads {
		d.uploads[job.UploadKey(id, u.kind)] = u.content
	}
	f, err := submit.New(submit.Deps{
		Jobs: d, Files: d, Launcher: d, Offered: workflow.Catalogue(), Retention: time.Hour, UploadTTL: time.Hour,
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, nil, err
	}
	start, err := f.Start(ctx, submit.Start{API: 2, ID: id, Secret: secret, Workflow: v.kind, Config: v.config})
	switch {
	case errors.As(err, &refusal) && refusal.Code == job.Invalid:
		return d, nil, refusal, nil
	case err != nil:
		return d, nil, nil, err
	}
	return d, start.Warnings, nil, nil
}

func (d *desk) Get(context.Context, string) (job.Job, error) { return d.job, nil }

func (d *desk) Submit(_ context.Context, _ string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error) {
	d.job.State, d.job.Start, d.job.Run, d.job.Stages = job.Submitted, &start, 1, stages
	d.job.Started, d.job.Due, d.job.Expires = at, due, expires
	return true, nil
}

func (d *desk) Launch(context.Context, job.Job) error { return nil }

func (d *desk) Missing(context.Context) bool { return false }

func (d *desk) PresignPut(context.Context, string, time.Duration) (string, error) {
	return "", errors.ErrUnsupported
}

func (d *desk) Put(context.Context, string, io.Reader, int64) (job.File, error) {
	return job.File{}, errors.ErrUnsupported
}

func (d *desk) Open(_ context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	content, ok := d.uploads[key]
	if !ok {
		return nil, job.File{}, job.Errorf(job.NotFound, "%s does not exist", key)
	}
	sum := sha256.Sum256(content)
	file := job.File{Key: key, Size: int64(len(content)), ETag: hex.EncodeToString(sum[:])}
	if etag != "" && etag != file.ETag {
		return nil, job.File{}, job.Errorf(job.NotReady, "%s has the ETag %s", key, file.ETag)
	}
	return io.NopCloser(bytes.NewReader(content)), file, nil
}

// asGiven changes the job of a refused variant to the one that a start without checks would create: the program gets the
// uploads unchanged, under the user's names.
func (d *desk) asGiven(v variant) error {
	w, ok := workflow.Lookup(v.kind)
	if !ok {
		return fmt.Errorf("unknown workflow %s", v.kind)
	}
	encoded, err := option.Encode(w.Normalise(v.config))
	if err != nil {
		return err
	}
	d.job.State, d.job.Run, d.job.Start = job.Submitted, 1, &job.Start{Config: encoded}
	for _, u := range v.uploads {
		d.job.Start.Inputs = append(d.job.Start.Inputs, job.Input{Kind: u.kind, Name: u.name, Size: int64(len(u.content)), ETag: "as given"})
	}
	return nil
}
