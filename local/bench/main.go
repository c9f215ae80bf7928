// Command bench measures local mode as ratios: the store of jobs with few and with many jobs, this build beside an earlier one, jobs beside
// the programs that they run, and what an idle backend costs.
//
// Values that are compared are measured in turns in the same run. So the ratios are valid on a machine that also runs other programs; the
// times are not. It ends within 20 minutes, or 10 with -quick, and removes everything that it has written.
//
//	cd local && go run ./bench -program ../bin/bakta-web [-before EARLIER] [-quick] [-only PART]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
	"time"

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
		program = flag.String("program", "", "the bakta-web that is measured")
		before  = flag.String("before", "", "the bakta-web of an earlier build, to compare with")
		quick   = flag.Bool("quick", false, "measure less often")
		only    = flag.String("only", "", "measure only one part: store, jobs, idle or before")
		strict  = flag.Bool("strict", false, "return an error if a target is missed")
		profile = flag.String("cpuprofile", "", "write a profile of this process, which contains the store, to this file")
	)
	flag.Parse()
	if *program == "" {
		return errors.New("-program is not set; make bench-local builds bin/bakta-web and measures it")
	}
	limit := 20 * time.Minute
	if *quick {
		limit = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the measurements took longer than %s", limit))
	defer cancel()
	dir, err := os.MkdirTemp("", "bakta-web-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	stopProfile, err := profileTo(*profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	b := &bench{
		Report: measure.NewReport(os.Stdout), dir: dir, program: *program, before: *before, quick: *quick, filled: make(map[string]bool),
	}
	if err := b.all(ctx, *only); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	fmt.Printf("\nTargets missed: %d.\n", b.Missed)
	if *strict && b.Missed > 0 {
		return fmt.Errorf("%d targets are missed", b.Missed)
	}
	return nil
}

// bench are the measurements of one run.
type bench struct {
	*measure.Report
	dir     string // of everything that they write
	program string
	before  string // program of an earlier build; empty: none
	quick   bool

	filled     map[string]bool // by label: the stores that have their jobs
	firstLines measure.Sample  // from the start of a job to the first line of its program
}

// most returns the first value, or the second one in a quick run.
func most[T any](b *bench, full, quick T) T {
	if b.quick {
		return quick
	}
	return full
}

// all makes all measurements, or those of one part.
func (b *bench) all(ctx context.Context, only string) error {
	parts := []struct {
		name string
		run  func(context.Context) error
	}{
		{"store", func(ctx context.Context) error {
			return b.growth(ctx, []int{10, 1000, 10_000, 50_000}, most(b, 200, 50))
		}},
		{"jobs", b.besideBare},
		{"idle", b.idle},
		{"before", b.beside}, // the last one, because the earlier build may be so slow on a busy machine that the time ends
	}
	known := false
	for _, part := range parts {
		if only != "" && only != part.name {
			continue
		}
		known = true
		began := time.Now()
		if err := part.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		measure.Say("%s: measured in %s", part.name, time.Since(began).Round(time.Second))
	}
	if !known {
		return fmt.Errorf("-only: there is no part %q", only)
	}
	return nil
}

// profileTo starts a profile of this process. The returned function ends it.
func profileTo(path string) (func() error, error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	out, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return out.Close()
	}, nil
}
