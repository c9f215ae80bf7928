// Command bench measures the backend on real stores, as ratios: each call of the API against the raw operations of the
// stores that it needs, with few stored jobs and with many, and the time until the functions' programs are ready.
//
// Values that are compared are measured in turns in the same run. So the ratios are valid on a machine that also runs
// other programs; the times are not.
//
//	go run ./internal/teststores/cmd/with-stores -memory 4 go run ./internal/bench [-quick] [-only TEXT]
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := realMain(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func realMain(ctx context.Context) (err error) {
	var (
		few   = flag.Int("few", 1000, "number of stored jobs on one site")
		many  = flag.Int("many", 1_000_000, "number of stored jobs on the other")
		times = flag.Float64("times", 1, "factor of the number of measurements")
		quick = flag.Bool("quick", false, "measure in a minute or two: -many 50000 -loaded 20000 -times 0.25")
		only  = flag.String("only", "", "measure only figures with this text in their name; \"callers\": those of several callers at once; "+
			"\"ready\": the start of the programs")
		loaded  = flag.Int("loaded", 100_000, "number of stored jobs, besides -few, where several callers call at once")
		file    = flag.String("report", "", "write the figures of several callers to this file, in Markdown")
		strict  = flag.Bool("strict", false, "return an error if a target is missed")
		profile = flag.String("cpuprofile", "", "write a profile of the measurement to this file")
	)
	flag.Parse()
	if *quick {
		*many, *loaded, *times = 50_000, 20_000, 0.25
	}
	if *profile != "" {
		out, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.Close()) }()
		if err := pprof.StartCPUProfile(out); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r := report{measure.NewReport(os.Stdout)}
	if err := measureCalls(ctx, r, *few, *many, *times, *only); err != nil {
		return err
	}
	if err := measureLoads(ctx, r, *few, *loaded, *times, *only, *file); err != nil {
		return err
	}
	if strings.Contains("ready", *only) {
		measure.Say("starting the functions' programs")
		hello, all, err := starts(ctx, max(5, int(40**times)))
		if err != nil {
			return err
		}
		if err := r.starts(hello, all); err != nil {
			return err
		}
	}
	fmt.Printf(`
Targets missed: %d; unclear, because the machine was too busy for this number of measurements: %d.
To measure again: make bench, or some of it by make bench BENCH="-quick" or BENCH="-only StartJob -times 4".
`, r.Missed, r.Unclear)
	if *strict && r.Missed > 0 {
		return fmt.Errorf("%d targets are missed", r.Missed)
	}
	return nil
}

func measureCalls(ctx context.Context, r report, few, many int, times float64, only string) (err error) {
	var chosen []figure
	for _, f := range figures() {
		if strings.Contains(strings.ToLower(f.name), strings.ToLower(only)) {
			f.batches = max(1, int(float64(f.batches)*times))
			chosen = append(chosen, f)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	w, err := open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close(ctx)) }()
	var sites []*site
	for _, count := range []int{few, many} {
		s, err := w.stocked(ctx, count)
		if err != nil {
			return err
		}
		sites = append(sites, s)
	}
	var all []measured
	for _, f := range chosen {
		began := time.Now()
		m, err := inTurns(ctx, f, sites)
		if err != nil {
			return err
		}
		measure.Say("%s: measured in %s", f.name, time.Since(began).Round(100*time.Millisecond))
		all = append(all, m)
	}
	if err := r.calls(sites, all); err != nil {
		return err
	}
	if err := r.growth(sites[0], sites[1], all); err != nil {
		return err
	}
	return measureLimits(ctx, r, sites[0], chosen)
}

// measureLimits measures the calls with limits of callers against those without.
func measureLimits(ctx context.Context, r report, s *site, chosen []figure) error {
	l, err := s.limited()
	if err != nil {
		return err
	}
	var all []measured
	for _, f := range chosen {
		if !f.limited() {
			continue
		}
		began := time.Now()
		m, err := inTurns(ctx, f, []*site{s, l})
		if err != nil {
			return err
		}
		measure.Say("%s with limits: measured in %s", f.name, time.Since(began).Round(100*time.Millisecond))
		all = append(all, m)
	}
	if len(all) == 0 {
		return nil
	}
	return r.limits(all)
}

// open opens the stores that the environment names.
func open(ctx context.Context) (*world, error) {
	e, err := fromEnvironment()
	if err != nil {
		return nil, err
	}
	return newWorld(ctx, e)
}

// stocked returns a new site with that many stored jobs.
func (w *world) stocked(ctx context.Context, count int) (*site, error) {
	s, err := w.newSite(ctx, "bench-"+strings.ToLower(rand.Text()), measure.Grouped(count), count)
	if err != nil {
		return nil, err
	}
	return s, stock(ctx, s)
}

// stock stores the site's jobs.
func stock(ctx context.Context, s *site) error {
	began := time.Now()
	var done atomic.Int64
	stored := func(n int) {
		if now := done.Add(int64(n)); now%200_000 == 0 {
			measure.Say("%d of %s jobs are stored after %s", now, s.label, time.Since(began).Round(time.Second))
		}
	}
	if err := fill(ctx, s.jobs, s.templates, s.numbers, s.count, stored); err != nil {
		return fmt.Errorf("storing %s jobs: %w", s.label, err)
	}
	// Otherwise the server writes to disk while it is measured.
	if err := s.client.Database("admin").RunCommand(ctx, bson.D{{Key: "fsync", Value: 1}}).Err(); err != nil {
		return fmt.Errorf("writing the database to disk: %w", err)
	}
	measure.Say("%s jobs are stored after %s", s.label, time.Since(began).Round(time.Second))
	return nil
}
