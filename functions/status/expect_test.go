package status

import (
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// expected describes an expectation by minutes from now; -1 for a time that is missing.
type expected struct{ start, end, latest, runs int }

func TestExpect(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
	const own, smaller, larger, far = "bakta .fna 2^22", "bakta .fna 2^21", "bakta .fna 2^23", "bakta .fna 2^24"
	runs := func(minutes ...int) (past []job.PastRun) {
		for _, m := range minutes {
			past = append(past, job.PastRun{Took: time.Duration(m) * time.Minute})
		}
		return past
	}
	ten := runs(10, 1, 9, 2, 8, 3, 7, 4, 6, 5)
	ends := func(n, every int, last time.Time) (past []job.PastRun) {
		for i := range n {
			past = append(past, job.PastRun{At: last.Add(time.Duration((i-n+1)*every) * time.Minute)})
		}
		return past
	}
	running := func(minutes int) job.Job {
		return job.Job{State: job.Running, Began: now.Add(-time.Duration(minutes) * time.Minute)}
	}
	waiting := job.Job{State: job.Submitted}
	place := func(n, slots int, began ...int) job.Queue {
		q := job.Queue{Length: n, Places: map[string]int{"id": n}, Slots: slots}
		for _, m := range began {
			q.Running = append(q.Running, now.Add(-time.Duration(m)*time.Minute))
		}
		return q
	}
	for _, tt := range []struct {
		name string
		past past
		j    job.Job
		q    job.Queue
		want *expected
	}{
		{"no past runs", nil, running(0), job.Queue{}, nil},
		{"below the minimum", past{own: runs(1, 2, 3, 4)}, running(0), job.Queue{}, nil},
		{"at the minimum", past{own: runs(5, 4, 3, 2, 1)}, running(0), job.Queue{}, &expected{-1, 3, 5, 5}},
		{"above the minimum", past{own: ten}, running(0), job.Queue{}, &expected{-1, 5, 9, 10}},
		{"neighbours help", past{own: runs(3), smaller: runs(1, 2), larger: runs(4, 5)}, running(0), job.Queue{}, &expected{-1, 3, 5, 5}},
		{"neighbours are not needed", past{own: runs(3, 3, 3, 3, 3), smaller: ten}, running(0), job.Queue{}, &expected{-1, 3, 3, 5}},
		{"too few with neighbours", past{own: runs(3), smaller: runs(1), larger: runs(4, 5)}, running(0), job.Queue{}, nil},
		{"those far away don't help", past{own: runs(3), far: ten}, running(0), job.Queue{}, nil},
		{"of another workflow", past{"baktfold .json 2^22": ten}, running(0), job.Queue{}, nil},
		{"it has run for a while", past{own: ten}, running(4), job.Queue{}, &expected{-1, 3, 6, 10}}, // of 5 to 10: 7 and 10
		{"it has run for as long as half of them", past{own: ten}, running(5), job.Queue{}, &expected{-1, 3, 5, 10}},
		{"few took longer", past{own: ten}, running(7), job.Queue{}, &expected{-1, 2, 3, 10}},
		{"too few took longer", past{own: ten}, running(8), job.Queue{}, nil},
		{"it runs longer than any", past{own: ten}, running(600), job.Queue{}, nil},
		{"its beginning is not known", past{own: ten}, job.Job{State: job.Running}, job.Queue{}, nil},
		{"its beginning is in the future, by another clock", past{own: ten}, running(-1), job.Queue{}, &expected{-1, 6, 10, 10}},
		{"not started", past{own: ten}, job.Job{State: job.Created}, job.Queue{}, nil},
		{"ended", past{own: ten}, job.Job{State: job.Succeeded, Began: now}, job.Queue{}, nil},
		{"it waits, and its place is not known", past{own: ten}, waiting, job.Queue{}, nil},
		{"a place is free", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(1, 2, 0), &expected{0, 6, 6, 5}},
		{"the next of one", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(1, 1, 2), &expected{4, 10, 10, 5}},
		{"the third of one", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(3, 1, 2), &expected{16, 22, 22, 5}},
		{"two at a time", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(2, 2, 1, 4), &expected{5, 11, 11, 5}},
		{"behind those", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(5, 2, 1, 4), &expected{14, 20, 20, 5}},
		{"what runs takes longer than any", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(1, 1, 60), &expected{0, 6, 6, 5}},
		{"more run than may", past{own: runs(6, 6, 6, 6, 6)}, waiting, place(1, 1, 1, 3, 5), &expected{5, 11, 11, 5}},
		{"it waits again after a restart", past{own: runs(6, 6, 6, 6, 6)}, running(600), place(1, 1, 2), &expected{4, 10, 10, 5}},
		{"by the last ends", past{own: ten, lifecycle.Ends: ends(6, 2, now)}, waiting, place(3, 0), &expected{5, 10, 14, 10}}, // 10 minutes for 6
		{"the last ends are long ago", past{own: ten, lifecycle.Ends: ends(6, 2, now.Add(-50*time.Minute))}, waiting, place(3, 0),
			&expected{30, 35, 39, 10}},
		{"too few ends", past{own: ten, lifecycle.Ends: ends(4, 2, now)}, waiting, place(3, 0), nil},
		{"all ends at once", past{own: ten, lifecycle.Ends: ends(6, 0, now)}, waiting, place(3, 0), nil},
	} {
		tt.j.ID, tt.j.Workflow = "id", workflow.Bakta
		tt.j.Start = &job.Start{Inputs: []job.Input{{Kind: upload.GenomeFASTA, Name: "genome.fna", Size: 4 << 20}}}
		e := tt.past.expect(tt.j, tt.q, now)
		if e == nil || tt.want == nil {
			if e != nil || tt.want != nil {
				t.Errorf("%s: %+v, want %+v", tt.name, e, tt.want)
			}
			continue
		}
		minutes := func(at time.Time) int {
			if at.IsZero() {
				return -1
			}
			if at.Before(now) {
				t.Errorf("%s: %v is in the past", tt.name, at)
			}
			return int(at.Sub(now) / time.Minute)
		}
		if got := (expected{minutes(e.Start), minutes(e.End), minutes(e.LatestEnd), e.Runs}); got != *tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, *tt.want)
		}
	}
}
