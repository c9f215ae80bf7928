// Package measure is what the benchmarks share: samples of durations, measurements in turns, and a report of targets that are reached
// or missed.
//
// Values that are compared are measured in turns in the same run, so that other load of the machine affects all of them equally. Their
// ratios are valid on a busy machine; the times are not.
package measure

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"
)

// Sample contains the durations of repeated measurements.
type Sample []time.Duration

// At returns the quantile q of the sample, from 0 to 1. The sample must not be empty.
func (s Sample) At(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(s))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Median returns the median of the sample, which must not be empty.
func (s Sample) Median() time.Duration { return s.At(0.5) }

// Ratio returns a divided by b.
func Ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

// Spread returns the 95 % confidence interval of the ratio of a's and b's quantiles, by resampling both samples. It shows
// the uncertainty of a 99th percentile, which depends on few values.
func Spread(a, b Sample, q float64) (low, high float64) {
	const draws = 400
	r := rand.New(rand.NewPCG(1, 1))
	again := func(s Sample) Sample {
		out := make(Sample, len(s))
		for i := range out {
			out[i] = s[r.IntN(len(s))]
		}
		return out
	}
	ratios := make([]float64, 0, draws)
	for range draws {
		ratios = append(ratios, Ratio(again(a).At(q), again(b).At(q)))
	}
	slices.Sort(ratios)
	return ratios[draws*25/1000], ratios[draws*975/1000]
}

// Turn calls each of the functions once, with the function number first (modulo their number) as the first one, and returns how long each
// took, in the order of the functions. It ends with the first error. Callers increase first from call to call, so that each function
// is the first equally often.
func Turn(first int, functions ...func() error) (Sample, error) {
	took := make(Sample, len(functions))
	for i := range functions {
		which := (first + i) % len(functions)
		began := time.Now()
		err := functions[which]()
		took[which] = time.Since(began)
		if err != nil {
			return nil, err
		}
	}
	return took, nil
}

// Say reports progress on standard error.
func Say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// Grouped returns a number as people write it: 1,000,000.
func Grouped(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// MS returns a duration in milliseconds, with two decimals.
func MS(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }
