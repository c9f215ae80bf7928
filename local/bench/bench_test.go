package main

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// TestEveryMethodIsMeasured: a method that is added to the contract of stores also needs a measurement.
func TestEveryMethodIsMeasured(t *testing.T) {
	measured := make(map[string]bool)
	for _, o := range operations() {
		measured[o.method] = true
	}
	for method := range reflect.TypeFor[store.Jobs]().Methods() {
		if once := []string{"Setup", "Ping"}; !measured[method.Name] && !slices.Contains(once, method.Name) {
			t.Errorf("no operation measures %s", method.Name)
		}
		delete(measured, method.Name)
	}
	for method := range measured {
		t.Errorf("an operation measures %s, which is not a method of a store", method)
	}
}

// TestOperations measures each operation on small stores: each does what it should, and clears what it has made.
func TestOperations(t *testing.T) {
	var sites []*site
	for _, count := range []int{10, 150} {
		jobs, stop, err := openStore(t.Context(), filepath.Join(t.TempDir(), "jobs"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
		s, err := newSite(t.Context(), jobs, measure.Grouped(count), count)
		if err != nil {
			t.Fatal(err)
		}
		sites = append(sites, s)
	}
	for _, o := range operations() {
		m, err := inTurns(t.Context(), o, sites, 1, 3)
		if err != nil {
			t.Error(err)
			continue
		}
		for i, took := range m.took {
			if len(took) != 3 || slices.Min(took) <= 0 {
				t.Errorf("%s, %s: %v", o.name(), sites[i].label, took)
			}
		}
	}
	for _, s := range sites {
		left, err := s.Due(t.Context(), time.Now().Add(3*keep), 1000)
		if err != nil || len(left) != s.count {
			t.Errorf("%d jobs are left of %d, %v", len(left), s.count, err)
		}
	}
}

// TestStock: the stored jobs have different ids, belong to their secrets, and are of all states that the measurements need.
func TestStock(t *testing.T) {
	const count = 1000
	s := stock{seed: count}
	states, ids := make(map[job.State]int), make(map[string]bool)
	for n := range count {
		j := s.job(n, count)
		states[j.State]++
		ids[j.ID] = true
		if id, err := job.ParseID(j.ID); id != j.ID || err != nil || j.Authorise(job.Key{Secret: s.ref(n).Secret}) != nil {
			t.Errorf("job %d: %q, %v", n, j.ID, err)
		}
		if time.Since(j.Created) > keep+time.Minute || time.Until(j.Due) < time.Minute {
			t.Errorf("job %d was created at %s and is due at %s", n, j.Created, j.Due)
		}
	}
	if len(ids) != count || states[job.Created] != 1 || states[job.Running] != 2 || states[job.Failed] != 100 ||
		states[job.Submitted] < 200 || states[job.Succeeded] < 500 {
		t.Errorf("%d ids, %v", len(ids), states)
	}
}

// TestVerdicts checks which idle backends reach their targets.
func TestVerdicts(t *testing.T) {
	var out strings.Builder
	b := &bench{Report: measure.NewReport(&out), program: "now", before: "earlier"}
	idlers := func(used time.Duration, memory int64) []*idler {
		return []*idler{
			{program: "now", backend: &backend{}, used: used, proportional: memory},
			{program: "now", backend: &backend{}, proportional: 60},
			{program: "earlier", backend: &backend{}, proportional: 100, used: time.Minute},
			{program: "earlier", backend: &backend{}, proportional: 100},
		}
	}
	for _, row := range []struct {
		used   time.Duration
		memory int64
		missed int
	}{
		{9 * time.Millisecond, 60, 0},
		{12 * time.Millisecond, 60, 1},
		{12 * time.Millisecond, 61, 2},
	} {
		b.Missed = 0
		if err := b.idlers(idlers(row.used/3, row.memory), 20*time.Second); err != nil || b.Missed != row.missed {
			t.Errorf("%s, %d bytes: %d targets are missed, want %d; %v\n%s", row.used, row.memory, b.Missed, row.missed, err, &out)
		}
	}
}
