package batch

import (
	"context"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/cli/annotation"
	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
)

// Phase is how far a recorded job came.
type Phase string

// Phases. The words are those of the record on the disk.
const (
	Made    Phase = "made"    // created; whether it was started is not known
	Started Phase = "started" // the server acknowledged the start
	Done    Phase = "done"    // it succeeded, and its results are in place
	Failed  Phase = "failed"  // the server says so
	Dropped Phase = "dropped" // it counts no more: it was never started, or is gone from the server
)

// Job is what is recorded of the job of a sample.
type Job struct {
	Key      string    `json:"key"` // see Sample.key
	Name     string    `json:"name"`
	Folder   string    `json:"folder,omitempty"`
	File     string    `json:"file"` // absolute path of the file to annotate
	Workflow string    `json:"workflow"`
	Server   string    `json:"server"`
	ID       string    `json:"id"`
	Secret   string    `json:"secret"`
	Made     time.Time `json:"made"`
	Phase    Phase     `json:"phase"`
	Uploaded bool      `json:"uploaded,omitempty"` // the server has all of its files
	Round    string    `json:"round,omitempty"`    // the one that was open when it was made, see Record

	Reason  string              `json:"reason,omitempty"`  // why it failed
	Seconds float64             `json:"seconds,omitempty"` // how long it ran
	Files   map[string]int64    `json:"files,omitempty"`   // sizes of the result files in bytes, by name
	Facts   *annotation.Summary `json:"facts,omitempty"`
	// Before has the result files that earlier jobs of the sample left in the folder, as Files. They are replaced.
	Before map[string]int64 `json:"before,omitempty"`
}

// left returns the result files that are in the folder by this job and those before it.
func (j Job) left() map[string]int64 {
	left := maps.Clone(j.Before)
	if left == nil {
		left = make(map[string]int64)
	}
	maps.Copy(left, j.Files)
	return left
}

// keeps reports whether the job has results, or may have some.
func (j Job) keeps() bool {
	return len(j.left()) > 0 || j.Phase != Failed && j.Phase != Dropped
}

// Record remembers jobs from one call of the command to the next.
type Record interface {
	// Find returns the job of a key that was recorded last.
	Find(key string) (Job, bool)
	// Named returns the job of a sample's name that was recorded last, whatever its key.
	Named(name string) (Job, bool)
	// Put records a job in place of what was recorded of it. It is on the disk when Put returns nil.
	Put(ctx context.Context, job Job) error
	// All returns the jobs that were recorded last of each name, in the order in which the names came up.
	All() []Job

	// Round returns the id of the round that is open, empty if none is. A round makes a new job for each sample (Options.Again). It is open
	// until all are settled, so that a call that goes on makes none of these jobs again.
	Round() string
	// BeginRound opens a round. It is on the disk when BeginRound returns nil.
	BeginRound() error
	// EndRound ends the round.
	EndRound() error
}

// inBook is the record of batches without an output folder: the user's book of jobs. The server knows their state.
type inBook struct {
	book  *book.Book
	byKey map[string]Job // as it was when the batch began; of this batch's jobs nothing more is asked
	round string
}

// InBook returns the record that consists of the jobs in the user's book.
func InBook(b *book.Book) (Record, error) {
	entries, err := b.Jobs()
	if err != nil {
		return nil, err
	}
	r := &inBook{book: b, byKey: make(map[string]Job)}
	for _, e := range entries {
		if e.Key != "" {
			r.byKey[e.Key] = Job{Key: e.Key, Name: e.Name, File: e.File, Workflow: e.Workflow, Server: e.Server, ID: e.ID, Secret: e.Secret,
				Made: e.Created, Phase: Made, Uploaded: e.Uploaded}
		}
	}
	return r, nil
}

func (r *inBook) Find(key string) (Job, bool) { job, ok := r.byKey[key]; return job, ok }
func (r *inBook) Named(string) (Job, bool)    { return Job{}, false } // names say nothing without a folder
func (r *inBook) All() []Job                  { return nil }
func (r *inBook) Round() string               { return r.round } // of this call alone: the book is of all batches
func (r *inBook) BeginRound() error           { r.round = uuid.NewString(); return nil }
func (r *inBook) EndRound() error             { return nil }

func (r *inBook) Put(ctx context.Context, job Job) error {
	switch job.Phase {
	case Made:
		entry := book.Entry{ID: job.ID, Secret: job.Secret, Server: job.Server, Name: job.Name, File: job.File, Created: job.Made,
			Workflow: job.Workflow, Key: job.Key, Uploaded: job.Uploaded}
		if job.Uploaded {
			return r.book.Change(ctx, entry)
		}
		return r.book.Add(ctx, entry)
	case Dropped:
		return r.book.Remove(ctx, job.ID)
	}
	return nil
}
