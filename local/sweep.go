package local

import (
	"context"
	"log/slog"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
)

const (
	// idleSweep is the time between two sweeps while no job is due. What else a sweep does is not urgent.
	idleSweep = 10 * time.Minute
	// sweepTime bounds a sweep. The next one continues.
	sweepTime = 30 * time.Second
	// reserveTime is the minimum time between two sweeps that use the reserve of a full disk: the program that filled the
	// disk may still write, and takes each byte that is free.
	reserveTime = 15 * time.Second
)

// sweeper sweeps when a job is due, and every idleSweep. In a cluster a timer does.
type sweeper struct {
	every   time.Duration // between two checks
	log     *slog.Logger
	disk    *space.Disk
	jobs    store.Jobs
	written func() bool // see functions.Changes
	sweep   func(context.Context) (expire.Swept, error)

	next     time.Time // when a job is due, or the store has to be read again, unless a document is written before
	swept    time.Time // when the last sweep ended; zero if it failed
	released time.Time // when a sweep last used the reserve
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	ticker := time.NewTicker(s.every)
	defer ticker.Stop()
	for {
		if time.Since(s.swept) >= idleSweep || s.isDue(ctx) {
			s.once(ctx)
		}
		s.disk.Refill()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// isDue reports whether a sweep would find a job to handle. While no document is written, it reads the store once in idleSweep. A store
// that can't be read is for the sweep to report.
func (s *sweeper) isDue(ctx context.Context) bool {
	now := time.Now()
	if !s.written() && now.Before(s.next) {
		return false
	}
	s.next = now.Add(idleSweep)
	due, err := s.jobs.Due(ctx, s.next, 1)
	switch {
	case err != nil:
		s.next = now
	case len(due) > 0:
		s.next = due[0].Due
	}
	return !now.Before(s.next)
}

// once sweeps, again with the reserve if the disk is full.
func (s *sweeper) once(ctx context.Context) {
	err := s.limited(ctx)
	if err != nil && ctx.Err() == nil && s.disk.Full() && time.Since(s.released) > reserveTime {
		s.released = time.Now()
		back := s.disk.Release()
		err = s.limited(ctx)
		back()
	}
	s.swept = time.Now()
	if err != nil && ctx.Err() == nil {
		s.log.Warn("a sweep failed; the next one tries again", "error", err)
		s.swept = time.Time{}
	}
}

func (s *sweeper) limited(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	_, err := s.sweep(ctx)
	return err
}
