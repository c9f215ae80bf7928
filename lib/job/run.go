package job

import "time"

// Observation is what a runner knows of a run.
type Observation struct {
	Phase       Phase
	Since       time.Time // since when it is in this phase, if that is known
	Stages      []Stage   // as far as known
	Failure     *Failure  // for Ended: why, if it failed for a reason that the runner knows; for Blocked: what is wrong with it
	Interrupted bool      // for Ended: it was cut off by something that has nothing to do with it; run it again
	Waiting     string    // for Waiting: what it waits for, in words
	Blocked     bool      // for Waiting: no machine can take it as things are or, with a Failure, the one that took it can't begin it
}

// Phase is where a run is.
type Phase int

// The phases of a run.
const (
	Absent  Phase = iota // there is no such run: never launched, or vanished
	Waiting              // launched, nothing of it runs yet
	Active               // something of it runs
	Ended                // nothing of it will run any more; the manifest tells the outcome, if it left one
)

// End is the outcome of a run as it is recorded.
type End struct {
	State   State // Succeeded or Failed
	Failure *Failure
	Stages  []Stage
	Results []File
	Logs    []File
	Owed    []Effect  // what follows from it, see Effect
	At      time.Time // when it was recorded
	Due     time.Time // when the sweep looks again, in case the run was not released
	Expires time.Time // from when on the job may be removed

	// Not recorded, for who measures: when the run's first stage began and its last one ended, by the clock of the
	// run; zero if not known.
	Began, Over time.Time
}
