package limit

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// claims are the jobs that a process has entered in the lists of callers before any call creates them, so that most calls of a caller that
// creates many jobs need no write. They are what a list has after a killed call: entries whose jobs are not stored. So they need no other
// care. The store enters them only where a list has much room, and a process uses its own before it asks for another, so they refuse a
// caller nothing, unless it calls several processes.
type claims struct {
	mu     sync.Mutex
	of     map[string]*claimed // by caller
	tidied time.Time
}

// claimed is what a process has claimed for a caller.
type claimed struct {
	last time.Time // of the last call; guarded by claims.mu

	mu    sync.Mutex
	hold  store.Hold   // without the jobs
	jobs  []string     // that no call has created yet
	at    time.Time    // when they were entered
	next  int          // how many to enter the next time
	used  store.Used   // then, of the hold
	ended []store.Held // whose time is over; the next write removes them
}

const (
	claimTime = time.Minute // for which a job can be created after it was entered
	maxClaims = 15
)

// get returns what is claimed for a caller.
func (m *claims) get(l *Limiter, key string, now time.Time) *claimed {
	m.mu.Lock()
	defer m.mu.Unlock()
	if keep := claimTime + l.o.InFlight; now.Sub(m.tidied) >= keep {
		// After that time, the lists themselves no longer have the entries of jobs that are not stored, see Limiter.gone.
		maps.DeleteFunc(m.of, func(_ string, s *claimed) bool { return now.Sub(s.last) >= keep })
		m.tidied = now
	}
	if m.of[key] == nil {
		m.of[key] = new(claimed)
	}
	m.of[key].last = now
	return m.of[key]
}

// claim counts a call that creates a job, and returns its id.
func (m *claims) claim(ctx context.Context, l *Limiter, key string, bytes int64) (string, error) {
	now := l.now()
	s := m.get(l, key, now)
	s.mu.Lock() // calls of one caller wait for the one that writes, and then use what it has claimed
	defer s.mu.Unlock()
	if age := now.Sub(s.at); s.hold.Bytes != bytes || age < 0 || age >= claimTime {
		s.end()
	}
	if len(s.jobs) > 0 {
		if _, err := l.calls.count(ctx, l, key, store.Use{At: now}); err != nil {
			return "", err
		}
		id := s.jobs[0]
		s.jobs = s.jobs[1:]
		hold := s.hold
		hold.Ahead = s.jobs
		show(ctx, store.Use{At: now, Holds: []store.Hold{hold}}, s.used, 0)
		return id, nil
	}
	id, hold := uuid.NewString(), l.made(bytes)
	s.hold = hold[0]
	for range s.next {
		hold[0].Ahead = append(hold[0].Ahead, uuid.NewString())
	}
	used, err := l.calls.count(ctx, l, key, store.Use{At: now, Job: id, Holds: hold, Gone: s.ended})
	if err != nil || used == nil {
		return id, err
	}
	s.used = store.Used{Held: used.Held, Bytes: used.Bytes, Ahead: used.Ahead}
	s.at, s.ended = now, nil
	if s.next = min(growth*s.next+growth-1, maxClaims); len(hold[0].Ahead) > 0 {
		if slices.Contains(used.Ahead, hold[0].Name) {
			s.jobs = hold[0].Ahead
		} else {
			s.next = 0
		}
	}
	return id, nil
}

// end ends what was claimed and not used: the next write removes it.
func (s *claimed) end() {
	for _, id := range s.jobs {
		s.ended = append(s.ended, store.Held{Name: s.hold.Name, Job: id, At: s.at})
	}
	s.jobs, s.next = nil, 0
}
