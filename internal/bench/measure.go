package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"
)

// sample contains the durations of repeated measurements.
type sample []time.Duration

// at returns the quantile q of the sample, from 0 to 1.
func (s sample) at(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// spread returns the 95 % confidence interval of the ratio of a's and b's quantiles, by resampling both samples. It shows
// the uncertainty of a 99th percentile, which depends on few values.
func spread(a, b sample, q float64) (low, high float64) {
	const draws = 400
	r := rand.New(rand.NewPCG(1, 1))
	again := func(s sample) sample {
		out := make(sample, len(s))
		for i := range out {
			out[i] = s[r.IntN(len(s))]
		}
		return out
	}
	ratios := make([]float64, 0, draws)
	for range draws {
		ratios = append(ratios, ratio(again(a).at(q), again(b).at(q)))
	}
	slices.Sort(ratios)
	return ratios[draws*25/1000], ratios[draws*975/1000]
}

// measured contains the samples of a figure on each site.
type measured struct {
	figure
	call, floor []sample
}

// warmUp is the number of batches that are not counted: they open connections and fill caches.
const warmUp = 1

// measure runs the figure's call and its floor on all sites in turns, so that other load of the machine affects all of them
// equally.
func measure(ctx context.Context, f figure, sites []*site) (measured, error) {
	m := measured{figure: f, call: make([]sample, len(sites)), floor: make([]sample, len(sites))}
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
			for turn := range 2 * len(steps) {
				// Each is the first equally often.
				which := (turn + k) % (2 * len(steps))
				i, do, sample := which/2, steps[which/2].call, m.call
				if which%2 == 1 {
					do, sample = steps[i].floor, m.floor
				}
				began := time.Now()
				err := do(ctx, k)
				took := time.Since(began)
				if err != nil {
					return m, fmt.Errorf("%s, %s: %w", f.name, sites[i].label, err)
				}
				if batch >= warmUp {
					sample[i] = append(sample[i], took)
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
