package storetest

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// owned lists the jobs of one owner, page by page, while jobs are added.
func owned(t *testing.T, s store.Jobs) {
	const ada = "0123456789ab:ada"
	names := []string{
		"E. coli K-12",
		"E. coli O157:H7",
		"e. coli",
		"",
		"50% \\d (.*) [a]_",
		"酵母 🧬",
		"酵母",
		"with\x00a NUL",
		"\U0010ffff\U0010ffff",
	}
	var all []job.Job // of ada, the newest first
	for i := range 30 {
		j := sample(job.States()[i%len(job.States())])
		j.Created = noon.Add(time.Duration(i/3) * time.Millisecond) // some of the same time
		j.Name, j.Workflow = names[i%len(names)], []string{"bakta", "baktfold"}[i/3%2]
		insert(t, s, j)
		if j.State != job.Deleting {
			all = append(all, j)
		}
		other := sample(job.Running)
		other.Owner, other.Created = []string{"", "0123456789ab:ben", "0123456789ab:ad", "0123456789ab:ada2"}[i%4], j.Created
		insert(t, s, other)
	}
	slices.SortFunc(all, func(a, b job.Job) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(b.ID, a.ID)
	})
	// list reads all pages of that size. between is called after each.
	list := func(which job.Owned, size int, between func()) (ids []string) {
		t.Helper()
		for {
			page, err := s.Owned(t.Context(), which, size)
			if err != nil {
				t.Fatal(err)
			}
			for _, j := range page {
				ids = append(ids, j.ID)
				whole := get(t, s, j.ID)
				same(t, j, job.Job{
					ID: j.ID, SecretHash: whole.SecretHash, Name: whole.Name, Owner: ada, Workflow: whole.Workflow, State: whole.State,
					Created: whole.Created, Started: whole.Started, Updated: whole.Updated,
				})
			}
			if len(page) < size {
				return ids
			}
			last := page[len(page)-1]
			which.After = job.Position{Created: last.Created, ID: last.ID}
			between()
		}
	}
	check := func(which job.Owned, matches func(job.Job) bool) {
		t.Helper()
		var want []string
		for _, j := range all {
			if matches(j) {
				want = append(want, j.ID)
			}
		}
		for _, size := range []int{1, 2, 7, 100} {
			if got := list(which, size, func() {}); !slices.Equal(got, want) {
				t.Errorf("pages of %d of %+v: %d jobs %v, want %d %v", size, which, len(got), got, len(want), want)
			}
		}
	}
	check(job.Owned{Owner: ada}, func(job.Job) bool { return true })
	check(job.Owned{Owner: "nobody"}, func(job.Job) bool { return false })
	check(job.Owned{}, func(job.Job) bool { return false }) // not the jobs without an owner
	check(job.Owned{Owner: ada, Workflow: "baktfold"}, func(j job.Job) bool { return j.Workflow == "baktfold" })
	waits := []job.State{job.Created, job.Submitted}
	check(job.Owned{Owner: ada, States: waits}, func(j job.Job) bool { return slices.Contains(waits, j.State) })
	check(job.Owned{Owner: ada, States: waits, Workflow: "bakta", Prefix: "E. coli"}, func(j job.Job) bool {
		return slices.Contains(waits, j.State) && j.Workflow == "bakta" && strings.HasPrefix(j.Name, "E. coli")
	})
	for _, prefix := range append(names, "E", "E.", "E. coli ", ".", "5", "50% \\d (.", "$", `"`, "with\x00", "with\x00b",
		"酵", "\U0010ffff", "\n") {
		check(job.Owned{Owner: ada, Prefix: prefix}, func(j job.Job) bool { return strings.HasPrefix(j.Name, prefix) })
	}

	// Jobs that are made, and one that is deleted, while the list is read: it has each of the others once.
	var kept []string
	for _, j := range all {
		if j.ID != all[20].ID {
			kept = append(kept, j.ID)
		}
	}
	got := list(job.Owned{Owner: ada}, 4, func() {
		j := sample(job.Created)
		j.Created = noon.Add(time.Minute)
		insert(t, s, j)
		if _, err := s.Delete(t.Context(), all[20].ID, later); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.Equal(got, kept) {
		t.Errorf("while jobs are made, the list is %v, want %v", got, kept)
	}
	if jobs, err := s.Owned(t.Context(), job.Owned{Owner: ada}, 0); len(jobs) != 0 || err != nil {
		t.Errorf("at most none: %d jobs, %v", len(jobs), err)
	}
	if j := get(t, s, all[20].ID); j.Owner != "" {
		t.Errorf("a deleted job has the owner %s", j.Owner)
	}
}
