package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// site is a store with a number of jobs.
type site struct {
	store.Jobs
	stock
	label string
	count int      // of jobs that stay stored
	next  int      // number of the next temporary job
	made  []string // ids of the temporary jobs
	stays bool     // temporary jobs are not removed: to remove one takes the store too long
}

// newSite stores that many jobs.
func newSite(ctx context.Context, jobs store.Jobs, label string, count int) (*site, error) {
	s := siteOf(jobs, label, count)
	began := time.Now()
	for n := range count {
		if err := s.Insert(ctx, s.job(n, count)); err != nil {
			return nil, fmt.Errorf("storing job %d of %d: %w", n, count, err)
		}
		if took := time.Since(began); n > 0 && n%10_000 == 0 {
			measure.Say("%s: %d jobs are stored after %s", label, n, took.Round(time.Second))
		}
	}
	measure.Say("%s: %d jobs are stored after %s", label, count, time.Since(began).Round(100*time.Millisecond))
	return s, nil
}

// siteOf returns a site whose jobs are stored.
func siteOf(jobs store.Jobs, label string, count int) *site {
	return &site{Jobs: jobs, stock: stock{seed: uint64(count)}, label: label, count: count, next: count}
}

// fresh stores a temporary job in that state.
func (s *site) fresh(ctx context.Context, state job.State, change func(*job.Job)) (job.Job, error) {
	j := newJob(s.reserve(), state, time.Now())
	if change != nil {
		change(&j)
	}
	return j, s.Insert(ctx, j)
}

// reserve returns the id and the secret of the next temporary job.
func (s *site) reserve() client.Ref {
	ref := s.ref(s.next)
	s.next++
	s.made = append(s.made, ref.ID)
	return ref
}

// clear removes the temporary jobs.
func (s *site) clear(ctx context.Context) error {
	for _, id := range s.made {
		if s.stays {
			break
		}
		if _, err := s.Delete(ctx, id, time.Now()); err != nil {
			return err
		}
		if err := s.Remove(ctx, id); err != nil {
			return err
		}
	}
	s.made = nil
	return nil
}

// some returns the ids of a hundred different stored jobs, drawn evenly; of temporary ones, if too few others are stored.
func (s *site) some(temporary []job.Job) []string {
	const length = 100
	drawn := make(map[int]bool)
	for len(drawn) < min(length, s.count) {
		drawn[rand.IntN(s.count)] = true
	}
	var ids []string
	for n := range drawn {
		ids = append(ids, s.ref(n).ID)
	}
	for _, j := range temporary[:length-len(ids)] {
		ids = append(ids, j.ID)
	}
	return ids
}

// measured is a sample of an operation for each site.
type measured struct {
	operation
	took []measure.Sample
}

// inTurns measures an operation on all sites in turns. The first measurements, warmUp of them, are not counted: they open connections and
// fill caches.
func inTurns(ctx context.Context, o operation, sites []*site, warmUp, times int) (measured, error) {
	m := measured{operation: o, took: make([]measure.Sample, len(sites))}
	jobs := make([][]job.Job, len(sites))
	prepare := func() error {
		for i, s := range sites {
			if o.state != "" && (!o.shared || jobs[i] == nil) {
				jobs[i] = nil
				for range max(1, o.jobs) {
					j, err := s.fresh(ctx, o.state, o.change)
					if err != nil {
						return fmt.Errorf("%s: %s: preparing: %w", o.name(), s.label, err)
					}
					jobs[i] = append(jobs[i], j)
				}
			}
			if o.before != nil {
				if err := o.before(ctx, s); err != nil {
					return fmt.Errorf("%s: %s: preparing: %w", o.name(), s.label, err)
				}
			}
		}
		return nil
	}
	for k := range warmUp + times {
		if err := prepare(); err != nil {
			return m, err
		}
		var turns []func() error
		for i, s := range sites {
			turns = append(turns, func() error {
				if err := o.do(ctx, s, jobs[i]); err != nil {
					return fmt.Errorf("%s: %s: %w", o.name(), s.label, err)
				}
				return nil
			})
		}
		took, err := measure.Turn(k, turns...)
		if err != nil {
			return m, err
		}
		for i, s := range sites {
			if k >= warmUp {
				m.took[i] = append(m.took[i], took[i])
			}
			if o.shared && k+1 < warmUp+times {
				continue
			}
			if err := s.clear(ctx); err != nil {
				return m, fmt.Errorf("%s: %s: clearing: %w", o.name(), s.label, err)
			}
		}
	}
	return m, nil
}

// maxGrowth is the target: the median with the most stored jobs, divided by that with the fewest.
const maxGrowth = 1.5

// growth measures each operation of the store with few and with many stored jobs.
func (b *bench) growth(ctx context.Context, sizes []int, times int) (err error) {
	var sites []*site
	for _, size := range sizes {
		jobs, stop, err := openStore(ctx, filepath.Join(b.dir, fmt.Sprint("store-", size)))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		s, err := newSite(ctx, jobs, measure.Grouped(size), size)
		if err != nil {
			return err
		}
		sites = append(sites, s)
	}
	b.Line("\nEach operation of the store with few and with many stored jobs, in turns. Medians of %d, in ms.", times)
	b.Line("Target: with %s jobs at most %.1f times as long as with %s.\n", sites[len(sites)-1].label, maxGrowth, sites[0].label)
	head := "operation\t"
	for _, s := range sites {
		head += s.label + "\t"
	}
	b.Line("%sratio\ttarget\t", head)
	for _, o := range operations() {
		m, err := inTurns(ctx, o, sites, 2, times)
		if err != nil {
			return err
		}
		line := o.name() + "\t"
		for _, took := range m.took {
			line += measure.MS(took.Median()) + "\t"
		}
		ratio := measure.Ratio(m.took[len(sites)-1].Median(), m.took[0].Median())
		b.Line("%s%.2f\t%s\t", line, ratio, b.Verdict(ratio <= maxGrowth))
	}
	return b.Print()
}
