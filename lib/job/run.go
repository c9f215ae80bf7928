package job

import (
	"slices"
	"time"
)

// Observation is what a runner knows about a run.
type Observation struct {
	Phase       Phase
	Since       time.Time // when the phase began; zero if not known. For Blocked: since when it is blocked without a break by that Failure
	Began       time.Time // for Active: when the first stage began; zero if not known
	Stages      []Stage   // as far as known
	Failure     *Failure  // for Ended: the reason, if the runner knows one; for Blocked: what prevents it
	Interrupted bool      // for Ended: it was ended by something outside of it, and should run again
	Waiting     string    // for Waiting: what it waits for, for people
	Blocked     bool      // for Waiting: it has no pod, no node can take it, or its node can't start it: with a Failure, if it says why
}

// Blocked says since when a run is seen to be blocked without a break.
type Blocked struct {
	Run   int         // number of the run; 0: no run is blocked
	By    FailureCode // what prevents it; empty if the runner does not know
	Stage string      // that can't begin; empty if it is none, or not known
	Since time.Time   // when it was first seen so
}

// AnyBegun reports whether a stage has begun.
func AnyBegun(stages []Stage) bool {
	return slices.ContainsFunc(stages, func(s Stage) bool { return s.Status != StagePending })
}

// Phase is the phase of a run.
type Phase int

// The phases of a run.
const (
	Absent  Phase = iota // it does not exist: never launched, or vanished
	Waiting              // launched, but nothing of it has begun
	Active               // something of it runs
	Ended                // it has ended; the manifest has the outcome, if there is one
)

// Queue is what a runner knows of the runs that wait for their turn.
type Queue struct {
	Length  int            // how many runs wait
	Places  map[string]int // by the ids of jobs: the places of their runs, from 1, in the order in which they begin as far as it is known now
	Slots   int            // how many runs are executed at the same time; 0 if not known
	Running []time.Time    // when those that are executed now began; nil if not known
	Lines   map[string]int // by the ids of jobs that wait for the turn of their caller: how many of the caller's do, instead of Length

	Hindrances map[string]string // by the ids of jobs that wait: what prevents their start until something is changed, for people
}

// WaitingTurn is a job that waits for the turn of its caller, see Start.Waits.
type WaitingTurn struct {
	Caller  string
	Started time.Time
}

// PastRun is what is kept of a run that succeeded, for what later runs may expect.
type PastRun struct {
	Took time.Duration // from the beginning of its first stage to the end of its last one, in milliseconds
	At   time.Time     // when its outcome was recorded
}

// MaxPastRuns bounds how many runs of a class are kept.
const MaxPastRuns = 50

// End is the outcome of a run, as it is stored.
type End struct {
	State   State // Succeeded or Failed
	Failure *Failure
	Stages  []Stage
	Results []File
	Logs    []File
	Owed    []Effect // what follows from it, see Effect

	Deliveries []Delivery // messages that follow from it; then Owed has OwesDeliveries

	At      time.Time // when it was recorded
	Due     time.Time // when the sweep checks the job again, in case the run was not released
	Expires time.Time // when the job may be removed

	// When the run's first stage began and its last one ended, by the clock of the run; zero if not known. Over is not stored.
	Began, Over time.Time
}
