// Package storetest is the test suite that any store of jobs passes. The tests of lib/store/mongo run it on a real mongod, those
// of local/stores/sqlite on SQLite.
package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// Run tests a store. Each call of open returns one that is set up and empty.
func Run(t *testing.T, open func(t *testing.T) store.Jobs) {
	for name, test := range map[string]func(*testing.T, store.Jobs){
		"a set-up can be repeated":          repeatedSetup,
		"what is stored comes back":         roundTrip,
		"any text can be stored":            anyText,
		"an id is nothing but text":         idsAreText,
		"an id is taken once":               takenIDs,
		"jobs are listed":                   list,
		"an owner's jobs come newest first": owned,
		"due jobs come oldest first":        due,
		"jobs that wait to be started":      unstarted,
		"jobs that wait to run":             waiting,
		"past runs are kept by class":       pastRuns,
		"states are left as the table says": transitions,
		"special cases of the table":        specialCases,
		"of sixteen starts one wins":        concurrentSubmits,
		"of sixteen ends one is recorded":   concurrentEnds,
		"of sixteen attempts one begins":    concurrentAttempts,
		"a lease has one holder":            leases,
		"of sixteen takers one has a lease": concurrentLeases,
		"sixteen jobs are stored at once":   concurrentInserts,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

var (
	noon    = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	later   = noon.Add(time.Minute)
	muchAt  = noon.Add(time.Hour)
	inAYear = noon.AddDate(1, 0, 0)
)

var (
	someStart = job.Start{
		Config: []byte(`{"genus":"Escherichia","complete":true}`),
		Inputs: []job.Input{{Kind: "fasta", Size: 3362, ETag: "0123456789abcdef", Name: "genome.fna"}},
		Caller: "a caller",
		Notify: &job.Notify{Webhook: "https://example.org/hook?a=b", Email: "ada@example.org", Key: []byte{0, 255, 34, 10}},
	}
	someStages = []job.Stage{{Name: "bakta", Status: job.StageRunning}, {Name: "plot", Status: job.StagePending}}
	someEnd    = job.End{
		State:   job.Failed,
		Failure: &job.Failure{Code: job.BadInput, Message: "ERROR: wrong genome file format", Stage: "bakta"},
		Stages:  []job.Stage{{Name: "bakta", Status: job.StageFailed}, {Name: "plot", Status: job.StagePending}},
		Results: []job.File{{Name: "tsv", Key: "jobs/x/runs/1/a.tsv", Size: 17, ETag: "aa"}},
		Logs:    []job.File{{Name: "bakta", Key: "jobs/x/runs/1/bakta.log", Size: 0, ETag: "bb"}},
		Owed:    []job.Effect{job.OwesRun(job.ReleaseRun, 2), job.OwesRun(job.DiscardRun, 1)},
		At:      muchAt, Due: later, Expires: inAYear, Began: noon.Add(time.Second),

		Deliveries: []job.Delivery{
			job.OwesDelivery(job.EventFailed, job.ChannelWebhook, muchAt), job.OwesDelivery(job.EventExpiring, job.ChannelWebhook, inAYear),
			{ID: "failed-email", Event: job.EventFailed, Channel: job.ChannelEmail, State: job.DeliveryGivenUp, Owed: noon, Next: noon,
				Attempts: 3, Last: later, Error: "the mail server does not accept the address"},
		},
	}
)

// sample returns a job that has reached a state by the usual transitions.
func sample(state job.State) job.Job {
	j := job.Job{
		ID: uuid.NewString(), SecretHash: job.HashSecret(job.NewSecret()), Name: "E. coli", Batch: "plate-3",
		RerunOf: "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d", Owner: "0123456789ab:ada", Workflow: "bakta", API: 2,
		State: state, Created: noon, Updated: noon, Due: later, Expires: inAYear,
	}
	if state == job.Created {
		return j
	}
	start := someStart
	j.Start, j.Run, j.Started, j.RunName = &start, 2, noon, job.ObjectName(j.ID, 2)
	j.Stages = slices.Clone(someStages)
	if state.Active() {
		j.Blocked = job.Blocked{Run: 2, By: job.BadImage, Stage: "bakta", Since: noon.Add(time.Minute)}
	}
	if state == job.Running {
		j.Began = noon
	}
	if state.Ended() {
		j.Began = someEnd.Began
		j.Stages, j.Logs = someEnd.Stages, someEnd.Logs
		j.Results, j.Due, j.Owed = someEnd.Results, inAYear, someEnd.Owed
		j.Deliveries = someEnd.Deliveries
		if state == job.Failed {
			j.Failure = someEnd.Failure
		}
	}
	return j
}

func insert(t *testing.T, s store.Jobs, j job.Job) job.Job {
	t.Helper()
	if err := s.Insert(t.Context(), j); err != nil {
		t.Fatalf("insert: %v", err)
	}
	return j
}

func get(t *testing.T, s store.Jobs, id string) job.Job {
	t.Helper()
	j, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("get: %v", err)
	}
	return j
}

func same(t *testing.T, got, want job.Job) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the stored job is not as expected (-want +got):\n%s", diff)
	}
}
