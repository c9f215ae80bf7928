package store

import (
	"context"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Limits keeps what callers use of what they may use, in one small document for each caller. Each write is one atomic change of one
// document. A document that is not used any more is removed some time after Use.Until.
type Limits interface {
	// Use counts what a call uses, if that exceeds no limit; otherwise it counts nothing of it, except in the windows that are not counted
	// by job. What was counted of a job before is not counted again, so a call can be repeated if its answer was lost.
	Use(ctx context.Context, caller string, u Use) (Used, error)
	// Release has the caller hold a job under no name any more.
	Release(ctx context.Context, caller, id string) error
}

// Use is what a call uses.
type Use struct {
	At      time.Time // the time of the call; windows use the store's clock, so that those of the processes may differ
	Until   time.Time // the document is kept until then, if no other use keeps it longer
	Job     string    // the job that the call is about; empty for none
	Windows []Window  // in which the call is counted
	Holds   []Hold    // under which the caller holds the job from now on
	Ends    []string  // names of holds that the job leaves
	Durable bool      // the write survives a change of primaries; otherwise the last ones may be lost
	Gone    []Held    // entries that are removed in any case, unless they were renewed
}

// Buckets is how many parts the length of a window is divided into.
const Buckets = 12

// Window is a limit of what is counted in a length of time. It is counted in buckets. A bucket counts until all of it is older than the
// length, so that no interval of this length, whenever it begins, has more than the limit.
type Window struct {
	Name   string
	Length time.Duration
	Limit  int
	Calls  int  // how many are counted, at least 1. If only fewer are allowed, fewer are counted
	PerJob bool // a job is counted once. The last hundred jobs are known
}

// BucketLength is the length of a bucket, in whole milliseconds.
func (w Window) BucketLength() time.Duration { return (w.Length / Buckets).Truncate(time.Millisecond) }

// Bucket returns the number of the bucket that has the time.
func (w Window) Bucket(at time.Time) int64 {
	return at.UnixMilli() / w.BucketLength().Milliseconds()
}

// Begin returns when the bucket of that number begins.
func (w Window) Begin(bucket int64) time.Time {
	return time.UnixMilli(bucket * w.BucketLength().Milliseconds()).UTC()
}

// Hold is a limit of the jobs that a caller holds under a name.
type Hold struct {
	Name     string
	Limit    int  // 0: the number is not limited
	Optional bool // a job above the limit is not held, and the call is counted all the same

	Bytes      int64  // that are held with the job
	BytesName  string // name of the limit of the bytes
	BytesLimit int64  // 0: the bytes are not limited

	// Ahead are jobs that are held from now on, too, each with as many bytes: all of them, if the job and they need at most an AheadPart
	// of the room that is left, else none.
	Ahead []string
}

// AheadPart is the part of the room of a hold that a use may take in advance.
const AheadPart = 8

// Held is a job that a caller holds.
type Held struct {
	Name string
	Job  string
	At   time.Time // of the last use
}

// Used is what a caller uses after a call.
type Used struct {
	Refused string                   // name of the limit that does not allow the call; empty: the call was counted
	Full    []string                 // names of optional holds that have no place for the job
	Ahead   []string                 // names of holds whose jobs in advance are held
	Counted map[string]int           // by window of the call: how many calls this one counted
	Windows map[string][]WindowCount // by window of the call: the buckets that count, in the order of time
	Held    map[string]int           // by hold of the call: the number of jobs
	Bytes   map[string]int64         // by hold of the call: the bytes of these jobs
	Entries []Held                   // the jobs under the holds that have no place
	Skew    time.Duration            // how much the store's clock, which the windows use, is ahead of that of the call
}

// WindowCount is how many were counted in a bucket.
type WindowCount struct {
	Bucket int64
	Count  int
}

// Turns finds the jobs that wait for the turn of their callers, see job.Start.Waits.
type Turns interface {
	// NextTurn returns the caller's job that waits and was started first; job.NotFound if none waits.
	NextTurn(ctx context.Context, caller string) (job.Job, error)
	// NextCaller returns the first caller after that one, in any fixed order, that has a job which waits; empty if there is none.
	NextCaller(ctx context.Context, after string) (string, error)
	// WaitingTurns returns all jobs that wait, of each caller in the order of their starts, at most limit of them.
	WaitingTurns(ctx context.Context, limit int) ([]job.WaitingTurn, error)
	// Turn ends the waiting of a submitted job: its run is owed from now on. It reports false if the job does not wait.
	Turn(ctx context.Context, id string, at, due time.Time) (bool, error)
}
