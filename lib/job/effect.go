package job

import "strconv"

// Effect is something that a job owes outside its document because of how it ended. It is written by the same
// compare-and-set as the outcome, so a crash at any moment loses none: whoever settles the job next carries it out, and so
// does the sweep. An effect happens at least once, and never before the outcome is stored.
type Effect struct {
	ID   string     // names it among the effects of the job
	Kind EffectKind //
	Run  int        // the run that it is about
}

// EffectKind says what has to be done.
type EffectKind string

// The kinds of effects.
const (
	ReleaseRun EffectKind = "release_run" // let go of what the runner kept of the run, see runner.Runner.Release
	DiscardRun EffectKind = "discard_run" // end the run and remove its object, see runner.Runner.Discard
	Deliver    EffectKind = "deliver"     // make the deliveries of the job; it is done when none is pending
)

// OwesDeliveries returns the effect that stands for the deliveries of a job. Versions that don't know deliveries leave an effect alone that
// they don't know, so none is lost during an upgrade.
func OwesDeliveries(run int) Effect { return Effect{ID: string(Deliver), Kind: Deliver, Run: run} }

// OwesRun returns the effect of that kind on a run.
func OwesRun(kind EffectKind, run int) Effect {
	return Effect{ID: string(kind) + "-" + strconv.Itoa(run), Kind: kind, Run: run}
}
