package sqlite_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// from passes these jobs on.
func from(jobs ...job.Job) func(func(job.Job) error) error {
	return func(visit func(job.Job) error) error {
		for _, j := range jobs {
			if err := visit(j); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestImport(t *testing.T) {
	s := open(t, t.TempDir())
	now := time.Now().UTC().Truncate(time.Millisecond)
	var jobs []job.Job
	for i, state := range job.States() {
		j := sample(state)
		j.Created, j.Updated, j.Due, j.Expires = now, now, now, now
		if i%2 == 1 {
			j.Start = &job.Start{Config: []byte("{}"), Warnings: []job.Warning{{Code: "a", Upload: "b", Message: "c"}}}
			j.Owed = []job.Effect{job.OwesRun(job.ReleaseRun, 1)}
			j.Results = []job.File{{Name: "gff3", Key: "k", Size: 1 << 40, ETag: "e"}}
			j.Failure = &job.Failure{Code: job.Internal, Message: "m"}
		}
		jobs = append(jobs, j)
	}
	jobs = append(jobs, job.Job{ID: "nothing else", SecretHash: []byte{}, Updated: now})
	check := func(want []job.Job) {
		t.Helper()
		for _, j := range want {
			if got, err := s.Get(t.Context(), j.ID); err != nil || !cmp.Equal(got, j, cmpopts.EquateEmpty()) {
				t.Errorf("%v: %s", err, cmp.Diff(j, got, cmpopts.EquateEmpty()))
			}
		}
	}
	for range 2 { // the second time nothing is left to do
		if n, err := s.Import(t.Context(), from(jobs...)); n != len(jobs) || err != nil {
			t.Fatal(n, err)
		}
		check(jobs)
	}

	// Of two states of a job, the later one stays.
	later, before := slices.Clone(jobs), slices.Clone(jobs)
	for i := range jobs {
		later[i].Updated, later[i].Name = now.Add(time.Second), "later"
		before[i].Updated, before[i].Name = now.Add(-time.Second), "before"
	}
	if _, err := s.Import(t.Context(), from(before...)); err != nil {
		t.Fatal(err)
	}
	check(jobs)
	if _, err := s.Import(t.Context(), from(later...)); err != nil {
		t.Fatal(err)
	}
	check(later)
}

// TestImportFails imports all jobs or none.
func TestImportFails(t *testing.T) {
	broken := errors.New("broken")
	a, b := sample(job.Created), sample(job.Failed)
	changed := b
	changed.Name = "changed"
	passes := func(first, second func(func(job.Job) error) error) func(func(job.Job) error) error {
		return func(visit func(job.Job) error) error {
			pass := first
			first = second
			return pass(visit)
		}
	}
	fails := func(visit func(job.Job) error) error { return errors.Join(visit(a), broken) }
	for name, source := range map[string]func(func(job.Job) error) error{
		"the first pass ends early":  passes(fails, from(a, b)),
		"the second pass ends early": passes(from(a, b), fails),
		"a job is changed":           passes(from(a, b), from(a, changed)),
		"a job is added":             passes(from(a), from(a, b)),
		"a job is missing":           passes(from(a, b), from(a)),
	} {
		s := open(t, t.TempDir())
		if n, err := s.Import(t.Context(), source); n != 0 || err == nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
		for _, j := range []job.Job{a, b} {
			if _, err := s.Get(t.Context(), j.ID); !job.Is(err, job.NotFound) {
				t.Errorf("%s: %v, want that nothing is imported", name, err)
			}
		}
	}
}
