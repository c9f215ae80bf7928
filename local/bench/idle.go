package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
)

// The targets, as a share of the earlier build.
const (
	maxSize   = 0.6
	maxMemory = 0.6
)

// idler is a backend that is measured while it is idle.
type idler struct {
	name    string
	program string
	data    string
	*backend
	resident, proportional int64 // bytes
	ticks                  int
	used                   time.Duration
}

// idle measures what backends cost while they do nothing, all during the same time.
func (b *bench) idle(ctx context.Context) (err error) {
	if err := b.size(); err != nil {
		return err
	}
	data, _, closeStore, err := b.present(ctx)
	if err != nil {
		return err
	}
	if err := closeStore(); err != nil {
		return err
	}
	many := ", " + measure.Grouped(stored) + " jobs"
	idlers := []*idler{
		{name: "this build, no jobs", program: b.program, data: filepath.Join(b.dir, "empty")},
		{name: "this build" + many, program: b.program, data: data},
	}
	if b.before != "" {
		before, _, err := b.earlier(ctx)
		if err != nil {
			return err
		}
		if err := before.stop(); err != nil {
			return err
		}
		idlers = append(idlers,
			&idler{name: "earlier build, no jobs", program: b.before, data: filepath.Join(b.dir, "empty-before")},
			&idler{name: "earlier build" + many, program: b.before, data: before.data})
	}
	for _, i := range idlers {
		if i.backend, err = startBackend(ctx, i.program, i.data, nil); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, i.stop()) }()
	}
	settle, during := most(b, 20*time.Second, 10*time.Second), most(b, time.Minute, 20*time.Second)
	if err := pause(ctx, settle); err != nil {
		return err
	}
	for _, i := range idlers {
		if err := i.count(-1); err != nil {
			return err
		}
	}
	if err := pause(ctx, during); err != nil {
		return err
	}
	for _, i := range idlers {
		if err := i.count(1); err != nil {
			return err
		}
		if i.resident, i.proportional, err = i.memory(); err != nil {
			return err
		}
	}
	return b.idlers(idlers, during)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// count adds the processor time so far, with that sign.
func (i *idler) count(sign int) error {
	ticks, err := i.backend.ticks()
	if err != nil {
		return err
	}
	used, err := i.processorTime()
	i.ticks += sign * ticks
	i.used += time.Duration(sign) * used
	return err
}

// idlers prints what idle backends cost. The earlier build's are the second half, if there are any.
func (b *bench) idlers(all []*idler, during time.Duration) error {
	b.Line(
		"\nIdle backends, all during the same %s, some seconds after their start. Targets: less than a tick of the kernel in a minute, "+
			"which is 10 ms of",
		during,
	)
	b.Line(
		"processor time; at most %.0f %% of the earlier build's memory (PSS: with its share of the pages that other processes use, too).\n",
		100*maxMemory,
	)
	b.Line("backend\tserved after\tprocessor time\tticks\ttarget\tRSS\tPSS\tshare\ttarget\t")
	for n, i := range all {
		processor, share, memory := "-", "", "-"
		if i.program == b.program {
			processor = b.Verdict(i.used*time.Duration(time.Minute/during) < 10*time.Millisecond)
			if earlier := n + 2; earlier < len(all) {
				of := float64(i.proportional) / float64(all[earlier].proportional)
				share, memory = fmt.Sprintf("%.0f %%", 100*of), b.Verdict(of <= maxMemory)
			}
		}
		b.Line("%s\t%d ms\t%s ms\t%d\t%s\t%.1f MB\t%.1f MB\t%s\t%s\t", i.name, i.ready.Milliseconds(), measure.MS(i.used), i.ticks, processor,
			mb(i.resident), mb(i.proportional), share, memory)
	}
	return b.Print()
}

func mb(bytes int64) float64 { return float64(bytes) / 1e6 }

// size compares the programs' files.
func (b *bench) size() error {
	now, err := os.Stat(b.program)
	if err != nil {
		return err
	}
	line := fmt.Sprintf("\n%s has %.1f MB", filepath.Base(b.program), mb(now.Size()))
	if b.before == "" {
		b.Line("%s.", line)
		return b.Print()
	}
	earlier, err := os.Stat(b.before)
	if err != nil {
		return err
	}
	share := float64(now.Size()) / float64(earlier.Size())
	b.Line("%s, %.0f %% of the earlier build's %.1f. Target: at most %.0f %%: %s.", line, 100*share, mb(earlier.Size()), 100*maxSize,
		b.Verdict(share <= maxSize))
	return b.Print()
}
