package submit_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// again is a store of jobs and one of files with an old job, for what can't be had of real ones at the right moment.
type again struct {
	submit.Jobs
	submit.Files
	mu        sync.Mutex
	jobs      map[string]job.Job
	files     map[string]string // by key; the ETag is the content
	leases    map[string]string // holders
	unstarted int
	copies    []string                    // kinds of the uploads that were copied, or were to be
	before    func(a *again, n int) error // before the n-th copy, from 1
}

const (
	oldID      = "123e4567-e89b-42d3-a456-426614174000"
	requestKey = "a-request-key-of-tests"
	small      = ">c1\nATGAAACTGCTGGTGTAA\n"
	table      = "c1\tc1\tplasmid\tlinear\tp1\n"
)

func newAgain() *again {
	a := &again{jobs: make(map[string]job.Job), leases: make(map[string]string), files: map[string]string{
		job.UploadKey(oldID, upload.GenomeFASTA): small, job.UploadKey(oldID, upload.RepliconsTable): table,
	}}
	a.jobs[oldID] = job.Job{ID: oldID, SecretHash: job.HashSecret(secret), Name: "old", Batch: "b1", Workflow: workflow.Bakta, API: 1,
		State: job.Failed, Start: &job.Start{Config: []byte(`{"genus":"g"}`), Inputs: []job.Input{
			{Kind: upload.GenomeFASTA, Size: int64(len(small)), ETag: small}, {Kind: upload.RepliconsTable, Size: int64(len(table)), ETag: table},
		}}}
	return a
}

func (a *again) Get(_ context.Context, id string) (job.Job, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	j, ok := a.jobs[id]
	if !ok {
		return job.Job{}, job.Errorf(job.NotFound, "no job")
	}
	return j, nil
}

func (a *again) Insert(_ context.Context, j job.Job) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.jobs[j.ID] = j
	return nil
}

func (a *again) Submit(_ context.Context, id string, start job.Start, _ []job.Stage, _, _, _ time.Time) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	j := a.jobs[id]
	j.State, j.Start = job.Submitted, &start
	a.jobs[id] = j
	return true, nil
}

func (a *again) Unstarted(context.Context, time.Time, int) (int, error) { return a.unstarted, nil }

func (a *again) Acquire(_ context.Context, name, holder string, _ time.Duration) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if other := a.leases[name]; other != "" && other != holder {
		return false, nil
	}
	a.leases[name] = holder
	return true, nil
}

func (a *again) ReleaseLease(_ context.Context, name, _ string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.leases, name)
	return nil
}

func (a *again) Open(_ context.Context, key, _ string) (io.ReadCloser, job.File, error) {
	content, ok := a.files[key]
	if !ok {
		return nil, job.File{}, job.Errorf(job.NotFound, "no file")
	}
	return io.NopCloser(strings.NewReader(content)), job.File{Key: key, Size: int64(len(content)), ETag: content}, nil
}

func (a *again) List(_ context.Context, prefix string) (files []job.File, err error) {
	for key, content := range a.files {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			files = append(files, job.File{Name: name, Key: key, Size: int64(len(content)), ETag: content})
		}
	}
	return files, nil
}

func (a *again) Copy(_ context.Context, from, tag, to string) (job.File, error) {
	a.copies = append(a.copies, to[strings.LastIndexByte(to, '/')+1:])
	if a.before != nil {
		if err := a.before(a, len(a.copies)); err != nil {
			return job.File{}, err
		}
	}
	content, ok := a.files[from]
	switch {
	case !ok:
		return job.File{}, job.Errorf(job.NotFound, "no file")
	case content != tag:
		return job.File{}, job.Errorf(job.NotReady, "replaced")
	}
	a.files[to] = content
	return job.File{Key: to, Size: int64(len(content)), ETag: content}, nil
}

// function returns a function on the stores whose clock stands still at a time after noon.
func (a *again) function(t *testing.T, after time.Duration, change func(*submit.Deps)) *submit.Function {
	t.Helper()
	d := submit.Deps{
		Jobs: a, Files: a, Launcher: launched{}, Offered: workflow.Catalogue(), Unstarted: 10, Retention: 30 * 24 * time.Hour,
		UploadTTL: 3 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).Add(after) },
	}
	if change != nil {
		change(&d)
	}
	f, err := submit.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func asked() submit.Rerun { return submit.Rerun{ID: oldID, Secret: secret, RequestKey: requestKey} }

// The new job is the old one's in all that its owner has said of it.
func TestRerun(t *testing.T) {
	t.Parallel()
	a := newAgain()
	got, err := a.function(t, 0, nil).Rerun(t.Context(), asked())
	if err != nil {
		t.Fatal(err)
	}
	j := a.jobs[got.ID]
	if j.Name != "old" || j.Batch != "b1" || j.Workflow != workflow.Bakta || j.API != 2 || string(j.Start.Config) != `{"genus":"g"}` ||
		len(j.Start.Inputs) != 2 || !j.Opens(got.Secret) || len(a.leases) != 0 {
		t.Errorf("the new job is %+v, started with %+v", j, j.Start)
	}
}

// What is refused before there is a new job leaves none.
func TestRerunRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(a *again, d *submit.Deps, r *submit.Rerun)
		code   job.Code
		says   string
	}{
		{"too many jobs", func(a *again, _ *submit.Deps, _ *submit.Rerun) { a.unstarted = 10 }, job.Exhausted, "too many jobs"},
		{"a smaller limit", func(_ *again, d *submit.Deps, _ *submit.Rerun) { d.MaxSizes = map[string]int64{upload.GenomeFASTA: 5} },
			job.Invalid, "genome: the file has"},
		{"stricter rules", func(a *again, _ *submit.Deps, _ *submit.Rerun) {
			a.jobs[oldID].Start.Config = []byte(`{"translation_table":7}`)
		},
			job.Invalid, "translation_table"},
		{"a workflow of before", func(_ *again, d *submit.Deps, _ *submit.Rerun) { d.Offered = d.Offered[1:] }, job.Invalid, "not offered"},
		{"a short key", func(_ *again, _ *submit.Deps, r *submit.Rerun) { r.RequestKey = "short" }, job.Invalid, "request_key"},
		{"a long name", func(_ *again, _ *submit.Deps, r *submit.Rerun) { r.Name = strings.Repeat("x", 1025) }, job.Invalid, "name"},
	} {
		a, r := newAgain(), asked()
		f := a.function(t, 0, func(d *submit.Deps) { row.change(a, d, &r) })
		_, err := f.Rerun(t.Context(), r)
		if job.CodeOf(err) != row.code || !strings.Contains(err.Error(), row.says) || len(a.jobs) != 1 || len(a.copies) != 0 ||
			len(a.leases) != 0 {
			t.Errorf("%s: %v; %d jobs, copies %v, leases %v", row.name, err, len(a.jobs), a.copies, a.leases)
		}
	}
}

// What goes wrong while files are copied, and what the same request does afterwards.
func TestRerunCopies(t *testing.T) {
	t.Parallel()
	second := func(do func(a *again) error) func(*again, int) error {
		return func(a *again, n int) error {
			if n != 2 {
				return nil
			}
			return do(a)
		}
	}
	for _, row := range []struct {
		name   string
		before func(*again, int) error
		code   job.Code
		says   string
		after  job.Code // of the same request
	}{
		{"a full store", second(func(*again) error { return job.Errorf(job.Exhausted, "the object storage is full") }), job.Exhausted,
			"full", ""},
		{"a store that is away", second(func(*again) error { return job.Errorf(job.Unavailable, "away") }), job.Unavailable, "away", ""},
		{"an upload that is replaced", second(func(a *again) error {
			a.files[job.UploadKey(oldID, upload.RepliconsTable)] = "other"
			return nil
		}), job.NotReady, "replicon table: the file was replaced after the job was started", job.NotReady},
		{"an upload that is missing", second(func(a *again) error {
			delete(a.files, job.UploadKey(oldID, upload.RepliconsTable))
			return nil
		}), job.NotReady, "replicon table: the file is not stored any more", job.NotReady},
		{"an old job that is deleted", second(func(a *again) error {
			a.files = map[string]string{}
			old := a.jobs[oldID]
			old.State, old.Start = job.Deleting, nil
			a.jobs[oldID] = old
			return nil
		}), job.NotFound, "deleted, or expired, while it was run again", job.NotFound},
	} {
		a := newAgain()
		a.before = row.before
		f := a.function(t, 0, nil)
		_, err := f.Rerun(t.Context(), asked())
		if job.CodeOf(err) != row.code || !strings.Contains(err.Error(), row.says) || len(a.leases) != 0 {
			t.Errorf("%s: %v, leases %v", row.name, err, a.leases)
		}
		if len(a.jobs) != 2 || len(a.copies) != 2 {
			t.Errorf("%s: %d jobs, copies %v", row.name, len(a.jobs), a.copies)
		}
		got, err := f.Rerun(t.Context(), asked())
		if job.CodeOf(err) != row.after || (err != nil) != (row.after != "") {
			t.Errorf("%s, repeated: %v", row.name, err)
		}
		if err != nil {
			continue
		}
		// The file that was copied before is not copied again.
		if j := a.jobs[got.ID]; j.State != job.Submitted || len(j.Start.Inputs) != 2 || len(a.jobs) != 2 || len(a.copies) != 3 {
			t.Errorf("%s, repeated: %+v, copies %v", row.name, j, a.copies)
		}
	}
}

// A job that is about to expire gets no more files, because its removal might not see them.
func TestRerunExpires(t *testing.T) {
	t.Parallel()
	const life = 3*time.Hour + job.UploadGrace
	for after, code := range map[time.Duration]job.Code{life - time.Minute: "", life - 20*time.Second: job.AlreadyExists} {
		a := newAgain()
		a.before = func(*again, int) error { return job.Errorf(job.Unavailable, "away") }
		if _, err := a.function(t, 0, nil).Rerun(t.Context(), asked()); !job.Is(err, job.Unavailable) {
			t.Fatal(err)
		}
		a.before = nil
		if _, err := a.function(t, after, nil).Rerun(t.Context(), asked()); job.CodeOf(err) != code || (err != nil) != (code != "") {
			t.Errorf("%s after it was made: %v", after, err)
		}
	}
}

// While another process carries out the same request, a call waits, and says so if it has to give up.
func TestRerunWaits(t *testing.T) {
	t.Parallel()
	a := newAgain()
	id, newSecret, err := job.Rerun(oldID, secret, requestKey)
	if err != nil {
		t.Fatal(err)
	}
	a.leases["rerun-"+id] = "another process"
	f := a.function(t, 0, nil)
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.Rerun(short, asked()); !job.Is(err, job.Unavailable) || !strings.Contains(err.Error(), "another call") {
		t.Errorf("during the other call: %v", err)
	}
	if len(a.jobs) != 1 || len(a.copies) != 0 {
		t.Errorf("%d jobs, copies %v", len(a.jobs), a.copies)
	}
	// The other call has started the job, and still has its lease.
	a.jobs[id] = job.Job{ID: id, SecretHash: job.HashSecret(newSecret), Workflow: workflow.Bakta, API: 2, State: job.Running,
		Start: &job.Start{Config: []byte(`{"genus":"g"}`)}}
	if got, err := f.Rerun(t.Context(), asked()); err != nil || got.ID != id || got.Secret != newSecret {
		t.Errorf("after it: %+v, %v", got, err)
	}
}
