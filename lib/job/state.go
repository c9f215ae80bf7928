package job

import "slices"

// State is where a job is in its life. States only move down the order in which they are listed.
type State string

// The states of a job, and what holds in each.
const (
	Created   State = "created"   // links are handed out, nothing is started
	Submitted State = "submitted" // configuration and inputs are pinned, a run is owed or waits
	Running   State = "running"   // a stage of the workflow runs
	Succeeded State = "succeeded" // the results are in the bucket
	Failed    State = "failed"    // a reason is recorded, the log is in the bucket
	Deleting  State = "deleting"  // the user or expiry wants it gone; removal may be under way
)

// States lists every state in the order of a job's life.
func States() []State {
	return []State{Created, Submitted, Running, Succeeded, Failed, Deleting}
}

// next holds the states that each state may become. A run may finish before anybody saw it run, so submitted
// leads straight to an outcome, too.
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

// Active reports whether a run is owed, waiting or under way.
func (s State) Active() bool { return s == Submitted || s == Running }

// Ended reports whether the job has an outcome.
func (s State) Ended() bool { return s == Succeeded || s == Failed }
