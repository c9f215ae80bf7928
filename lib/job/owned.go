package job

import "time"

// Owned says which jobs of an owner to list.
type Owned struct {
	Owner    string
	States   []State // the states to list; empty: all but Deleting
	Workflow string  // empty: any
	Prefix   string  // of the name, in this very case; empty: any name
	// After is the position of the last job of the page before: only jobs behind it are listed. The zero value is the beginning.
	After Position
}

// Position is the place of a job in the list of its owner's jobs: the newest first, those of the same millisecond by their ids.
type Position struct {
	Created time.Time
	ID      string
}

// Listed returns the states to list. A job that is being deleted never is: an older version of this program may have left its owner.
func (o Owned) Listed() []State {
	if len(o.States) > 0 {
		return o.States
	}
	return []State{Created, Submitted, Running, Succeeded, Failed}
}
