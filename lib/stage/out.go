package stage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"golang.org/x/sync/errgroup"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	// maxFile bounds one uploaded file, in bytes: S3's limit of one PUT or copy.
	maxFile = 5 << 30
	// maxStoredLog bounds a stored log, in bytes. The stager cuts a log far earlier, but its program may write to the file.
	maxStoredLog = 2 * DefaultMaxLog
	// parallel is how many files are uploaded at the same time.
	parallel = 4
)

// StorageFull is the message to the user if the results of a run could not be stored for lack of space.
const StorageFull = "The results could not be stored, because the object storage is full. " +
	"This is not a fault of your data; please contact the operators."

// Out stores the result files, each stage's log, and last the manifest, which it returns. A run that failed has a manifest,
// too. An error means that no manifest was written: a file could not be uploaded, or the run has not begun. Out can be called
// again. Every call uploads under a prefix of its own, so the objects that an earlier manifest names never change, and the
// last manifest counts.
//
// If the run failed, Out stores the results of the stages that succeeded. If the store is full, the run fails, with what could
// be stored; the error is job.Exhausted if there is no space for the manifest either.
func Out(ctx context.Context, files Files, s Spec) (Manifest, error) {
	if err := s.Validate(); err != nil {
		return Manifest{}, err
	}
	records, err := ReadRecords(s)
	if err != nil {
		return Manifest{}, err
	}
	return Store(ctx, files, s, records)
}

// Store is Out for a caller that has the records of the run.
func Store(ctx context.Context, files Files, s Spec, records Records) (Manifest, error) {
	if err := s.Validate(); err != nil {
		return Manifest{}, err
	}
	m := verdict(s, records)
	found, err := m.collect(s)
	if err != nil {
		return Manifest{}, err
	}
	found = m.bounded(s, found)
	prefix := job.RunPrefix(s.Job, s.Run) + strings.ToLower(rand.Text()) + "/"
	m.Files, m.Logs = make([]job.File, len(found)), []job.File{}
	uploads := make([]outgoing, 0, len(found)+len(s.Stages))
	for i, r := range found {
		uploads = append(
			uploads,
			outgoing{name: r.Ending, path: r.Path, limit: maxFile, key: prefix + "results/result." + r.Ending, to: &m.Files[i]},
		)
	}
	stored := make([]job.File, len(s.Stages))
	for i, c := range s.Stages {
		path := filepath.Join(states, c.Stage, logFile)
		if _, err := sizeOf(Dir(s.Dir), path); err == nil {
			uploads = append(
				uploads,
				outgoing{name: c.Stage, path: path, limit: maxStoredLog, key: prefix + "logs/" + c.Stage + ".log", to: &stored[i]},
			)
		}
	}
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, u := range uploads {
		group.Go(func() error { return u.run(each, files, Dir(s.Dir)) })
	}
	if err := group.Wait(); err != nil {
		if !job.Is(err, job.Exhausted) {
			return Manifest{}, err
		}
		m.Outcome = Failed
		if m.Failure == nil {
			m.Failure = &job.Failure{Code: job.Internal, Message: StorageFull}
		}
		m.Files = slices.DeleteFunc(m.Files, func(f job.File) bool { return f.Key == "" })
	}
	for _, f := range stored {
		if f.Key != "" {
			m.Logs = append(m.Logs, f)
		}
	}
	return m, m.store(ctx, files)
}

// verdict returns the run's manifest as far as its records determine it.
func verdict(s Spec, records Records) Manifest {
	m := Manifest{Version: ManifestVersion, Job: s.Job, Run: s.Run, Outcome: Succeeded}
	names := make([]job.Stage, len(s.Stages))
	for i, c := range s.Stages {
		names[i].Name = c.Stage
	}
	failed := func(f *job.Failure) {
		if m.Failure == nil && f != nil {
			fit := f.Fit(names)
			m.Outcome, m.Failure = Failed, &fit
		}
	}
	failed(records.Inputs)
	for _, c := range s.Stages {
		rec := records.Stages[c.Stage]
		switch {
		case m.Failure != nil && !rec.over():
			rec = Record{Result: Result{Status: job.StagePending}}
		case !rec.over() || rec.Status == job.StageFailed && rec.Failure == nil:
			rec.Status, rec.ExitCode = job.StageFailed, -1
			rec.Failure = &job.Failure{Code: job.Internal, Stage: c.Stage,
				Message: fmt.Sprintf("%s did not run to its end. This is not a fault of your data; please contact the operators.", c.Title)}
		}
		failed(rec.Failure)
		rec.Name, rec.Signal = c.Stage, job.Words(rec.Signal, maxSignal)
		m.Stages = append(m.Stages, rec.Result)
	}
	return m
}

// maxSignal bounds the name of a signal, in bytes.
const maxSignal = 16

// result is a result file that a stage left.
type result struct {
	Ending string
	Path   string // below the run's directory
	Size   int64  // bytes
}

// bounded returns the results to store: all, or none if they are too large, and then the run has failed.
func (m *Manifest) bounded(s Spec, found []result) []result {
	limit, sum := cmp.Or(s.MaxResults, DefaultMaxResults), int64(0)
	single := false // one of them is larger than maxFile
	for _, r := range found {
		single = single || r.Size > maxFile
		sum += min(r.Size, math.MaxInt64/maxFiles)
	}
	if sum <= limit && !single {
		return found
	}
	slices.SortStableFunc(found, func(a, b result) int { return cmp.Compare(b.Size, a.Size) })
	var largest []string
	for _, r := range found[:min(3, len(found))] {
		largest = append(largest, fmt.Sprintf("%s (%s)", filepath.Base(r.Path), units.BytesSize(float64(r.Size))))
	}
	bound := units.BytesSize(float64(limit)) + " may be stored"
	if sum <= limit {
		bound = units.BytesSize(maxFile) + " may be stored as one file"
	}
	if m.Failure == nil {
		m.Outcome = Failed
		m.Failure = &job.Failure{Code: job.OutOfDisk, Stage: s.Stages[len(s.Stages)-1].Stage,
			Message: fmt.Sprintf("The results are too large: %s together, of which at most %s. The largest are %s. "+
				"Annotate fewer sequences at a time, or ask the operators to allow more.",
				units.BytesSize(float64(sum)), bound, strings.Join(largest, ", "))}
	}
	return nil
}

// collect returns the results that exist. The run fails if a required one does not.
func (m *Manifest) collect(s Spec) ([]result, error) {
	done := make(map[string]bool, len(m.Stages))
	for _, r := range m.Stages {
		done[r.Name] = r.Status == job.StageSucceeded
	}
	var found []result
	var missing []string
	for _, r := range s.Results {
		path, size, err := r.find(Dir(s.Dir), done)
		if err != nil {
			return nil, fmt.Errorf("looking for the result %s: %w", r.Ending, err)
		}
		if r.Required && path != r.Path && done[writer(r.Path)] {
			missing = append(missing, r.Path)
		}
		if path != "" {
			found = append(found, result{Ending: r.Ending, Path: path, Size: size})
		}
	}
	if len(missing) > 0 && m.Failure == nil {
		at := slices.IndexFunc(s.Stages, func(c Command) bool { return c.Stage == writer(missing[0]) })
		names := make([]string, len(missing))
		for i := range missing {
			names[i] = filepath.Base(missing[i])
		}
		m.Outcome = Failed
		m.Failure = &job.Failure{
			Code:  job.Internal,
			Stage: s.Stages[at].Stage,
			Message: fmt.Sprintf("%s ended without an error, but did not write these results: %s. "+
				"This is not a fault of your data; please contact the operators.", s.Stages[at].Title, strings.Join(names, ", ")),
		}
	}
	return found, nil
}

// find returns the first of the result's places with a file that was written by a stage that succeeded, or "".
func (r Expected) find(d Dir, done map[string]bool) (string, int64, error) {
	for _, path := range r.places() {
		if !done[writer(path)] {
			continue
		}
		size, err := sizeOf(d, path)
		if err == nil {
			return path, size, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errIrregular) {
			return "", 0, err
		}
	}
	return "", 0, nil
}

// outgoing is a file to upload.
type outgoing struct {
	name  string    // the name of the job.File
	path  string    // below the run's directory
	limit int64     // how many bytes of it are stored at most
	key   string    // of the object
	to    *job.File // receives the stored file
}

func (u outgoing) run(ctx context.Context, files Files, d Dir) error {
	f, info, err := openRegular(d, u.path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", u.path, err)
	}
	defer f.Close()
	size := min(info.Size(), u.limit)
	*u.to, err = retry(ctx, uploadTimeout, size, func(ctx context.Context) (job.File, error) {
		// A section with a fixed size, because the file may still grow. Each retry reads it from the beginning.
		stored, err := files.Put(ctx, u.key, io.NewSectionReader(f, 0, size), size)
		if err == nil && (stored.Size != size || stored.ETag == "") {
			err = fmt.Errorf("%d bytes with ETag %q were stored in place of %d", stored.Size, stored.ETag, size)
		}
		return stored, err
	})
	if err != nil {
		return fmt.Errorf("storing %s: %w", u.path, err)
	}
	u.to.Name, u.to.Key = u.name, u.key
	return nil
}

// store stores the manifest. From then on the run has an outcome.
func (m Manifest) store(ctx context.Context, files Files) error {
	content, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(content) > MaxManifest {
		return fmt.Errorf("the manifest has %d bytes, at most %d are allowed", len(content), MaxManifest)
	}
	_, err = retry(ctx, uploadTimeout, int64(len(content)), func(ctx context.Context) (job.File, error) {
		return files.Put(ctx, job.ManifestKey(m.Job, m.Run), bytes.NewReader(content), int64(len(content)))
	})
	if err != nil {
		return fmt.Errorf("storing the manifest: %w", err)
	}
	return nil
}
