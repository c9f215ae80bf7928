package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
)

// measured contains the samples of a figure on each site.
type measured struct {
	figure
	call, floor []measure.Sample
}

// warmUp is the number of batches that are not counted: they open connections and fill caches.
const warmUp = 1

// inTurns runs the figure's call and its floor on all sites in turns, so that other load of the machine affects all of them
// equally.
func inTurns(ctx context.Context, f figure, sites []*site) (measured, error) {
	m := measured{figure: f, call: make([]measure.Sample, len(sites)), floor: make([]measure.Sample, len(sites))}
	steps := make([]step, len(sites))
	for i, s := range sites {
		var err error
		if steps[i], err = f.open(s, ctx, f.batch); err != nil {
			return m, fmt.Errorf("%s, %s: preparing: %w", f.name, s.label, err)
		}
	}
	runtime.GC()
	for batch := range warmUp + f.batches {
		for i, s := range steps {
			if s.renew == nil {
				continue
			}
			if err := s.renew(ctx); err != nil {
				return m, fmt.Errorf("%s, %s: preparing: %w", f.name, sites[i].label, err)
			}
		}
		for k := range f.batch {
			var turns []func() error
			for i, s := range steps {
				for _, do := range []func(context.Context, int) error{s.call, s.floor} {
					turns = append(turns, func() error {
						if err := do(ctx, k); err != nil {
							return fmt.Errorf("%s, %s: %w", f.name, sites[i].label, err)
						}
						return nil
					})
				}
			}
			took, err := measure.Turn(k, turns...)
			if err != nil {
				return m, err
			}
			for i := range steps {
				if batch >= warmUp {
					m.call[i], m.floor[i] = append(m.call[i], took[2*i]), append(m.floor[i], took[2*i+1])
				}
			}
		}
	}
	for i, s := range steps {
		if s.close == nil {
			continue
		}
		if err := s.close(ctx); err != nil {
			return m, fmt.Errorf("%s, %s: cleaning up: %w", f.name, sites[i].label, err)
		}
	}
	return m, nil
}
