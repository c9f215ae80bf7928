package sqlite

import (
	"context"
	"sync"
	"time"
)

// leases are kept in memory: they are for several processes on one store, and a database has one process. So a lease ends
// with its process, and a sweep writes nothing to the disk if no job is due.
type leases struct {
	mu   sync.Mutex
	held map[string]lease // by name
}

type lease struct {
	holder string
	ends   time.Time
}

// Acquire implements store.Leases.
func (s *Store) Acquire(_ context.Context, name, holder string, ttl time.Duration) (bool, error) {
	l, now := &s.leases, time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if is, ok := l.held[name]; ok && is.holder != holder && is.ends.After(now) {
		return false, nil
	}
	if l.held == nil {
		l.held = make(map[string]lease)
	}
	l.held[name] = lease{holder: holder, ends: now.Add(ttl)}
	return true, nil
}

// Extend implements store.Leases. A lease that ended and still has this holder had no other holder in between.
func (s *Store) Extend(_ context.Context, name, holder string, ttl time.Duration) (bool, error) {
	l := &s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	if is, ok := l.held[name]; !ok || is.holder != holder {
		return false, nil
	}
	l.held[name] = lease{holder: holder, ends: time.Now().Add(ttl)}
	return true, nil
}

// ReleaseLease implements store.Leases.
func (s *Store) ReleaseLease(_ context.Context, name, holder string) error {
	l := &s.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name].holder == holder {
		delete(l.held, name)
	}
	return nil
}
