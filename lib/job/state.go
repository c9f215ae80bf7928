package job

import "slices"

// State is the state of a job. A job only moves from a state to a later one in the list.
type State string

// The states of a job.
const (
	Created   State = "created"   // the upload links were returned, nothing is started
	Submitted State = "submitted" // configuration and inputs are pinned; a run is owed, or waits
	Running   State = "running"   // a stage of the workflow runs
	Succeeded State = "succeeded" // the results are in the bucket
	Failed    State = "failed"    // a reason is recorded, the log is in the bucket
	Deleting  State = "deleting"  // deleted by its owner or expired; its data is being removed
)

// States lists every state in the order of a job's life.
func States() []State {
	return []State{Created, Submitted, Running, Succeeded, Failed, Deleting}
}

// next are the states that may follow each state. A run may end before it was seen running, so an outcome may follow submitted.
var next = map[State][]State{
	Created:   {Submitted, Deleting},
	Submitted: {Running, Succeeded, Failed, Deleting},
	Running:   {Succeeded, Failed, Deleting},
	Succeeded: {Deleting},
	Failed:    {Deleting},
	Deleting:  {},
}

// MayBecome reports whether a job in state s may move to state to.
func (s State) MayBecome(to State) bool { return slices.Contains(next[s], to) }

// Before lists the states that may become s: the filter of the compare-and-set that writes s.
func Before(s State) []State {
	var from []State
	for _, f := range States() {
		if f.MayBecome(s) {
			from = append(from, f)
		}
	}
	return from
}

// Active reports whether a run is owed, waits or runs.
func (s State) Active() bool { return s == Submitted || s == Running }

// Ended reports whether the job has an outcome.
func (s State) Ended() bool { return s == Succeeded || s == Failed }
