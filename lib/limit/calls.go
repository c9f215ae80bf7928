package limit

import (
	"context"
	"sync"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// calls counts the calls of a minute. A process counts some calls of a caller in advance, at most three for each that was made, so that
// most calls need no write: within the bucket that they are counted in, and of a small part of the limit. It also remembers refusals that
// can't change before the next bucket.
type calls struct {
	mu     sync.Mutex
	bucket int64
	of     map[string]*share // by caller, in this bucket
}

// share is what a process knows of the calls of a caller.
type share struct {
	mu      sync.Mutex
	ahead   int // calls that are counted and were not made yet
	next    int // how many to count ahead the next time
	used    store.Used
	refused bool
	passes  time.Time // until when calls pass because they can't be counted
}

const (
	maxAhead  = 64
	growth    = 4               // each write counts so many times as many calls as the one before
	aheadPart = 240             // of the limit
	passTime  = 2 * time.Second // for which no other call of a caller waits for a store that has not counted one
)

func callWindow(limit, calls int) store.Window {
	return store.Window{Name: CallsPerMinute, Length: time.Minute, Limit: limit, Calls: calls}
}

// share returns what is known of a caller, and the use of one more call, now.
func (c *calls) share(l *Limiter, key string) (*share, store.Use) {
	u := store.Use{At: l.now(), Windows: []store.Window{callWindow(l.o.Limits.CallsPerMinute, 1)}}
	c.mu.Lock()
	defer c.mu.Unlock()
	if bucket := u.Windows[0].Bucket(u.At); c.bucket != bucket {
		c.bucket = bucket
		clear(c.of)
	}
	if c.of[key] == nil {
		c.of[key] = &share{next: l.more(0)}
	}
	return c.of[key], u
}

// more returns how many calls the next write counts ahead, by how many the one before did.
func (l *Limiter) more(last int) int {
	return min(growth*last+growth-1, maxAhead, l.o.Limits.CallsPerMinute/aheadPart)
}

// refused refuses a call if it is known that it would be refused.
func (c *calls) refused(ctx context.Context, l *Limiter, key string) error {
	if l.o.Limits.CallsPerMinute == 0 {
		return nil
	}
	s, u := c.share(l, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refuse(ctx, l, u)
}

// refuse returns the refusal if it is known. The caller holds the lock.
func (s *share) refuse(ctx context.Context, l *Limiter, u store.Use) error {
	if !s.refused {
		return nil
	}
	show(ctx, u, s.used, 0)
	return l.refuse(ctx, l.refusal(u, s.used))
}

// count counts a call with what else it uses, in one write at most, or refuses it. What is used is nil if that was not counted.
func (c *calls) count(ctx context.Context, l *Limiter, key string, more store.Use) (*store.Used, error) {
	s, call := c.share(l, key)
	s.mu.Lock() // calls of one caller wait for the one that writes, and then use what it has counted
	defer s.mu.Unlock()
	u, counted := more, l.o.Limits.CallsPerMinute == 0
	if s.refused {
		return nil, s.refuse(ctx, l, call)
	}
	if s.ahead > 0 {
		s.ahead--
		show(ctx, call, s.used, s.ahead)
		counted = true
	}
	if counted && len(u.Holds) == 0 {
		return &store.Used{}, nil
	}
	if call.At.Before(s.passes) {
		l.o.Recorder.Uncounted(ctx)
		return nil, nil
	}
	if !counted {
		ahead := s.next
		if len(u.Holds) > 0 { // the next call that creates a job needs no write as long as there are jobs in advance
			ahead = min(ahead, len(u.Holds[0].Ahead))
		}
		call.Windows[0].Calls += ahead
		u.Windows = call.Windows
	}
	used, err := l.use(ctx, key, u)
	if err != nil {
		s.passes = l.now().Add(passTime) // call.At is before the wait
		l.passes(ctx, err)
		return nil, nil
	}
	if !counted {
		s.used, s.refused = used, used.Refused == CallsPerMinute
		s.ahead = max(0, used.Counted[CallsPerMinute]-1)
		s.next = l.more(s.next)
	}
	show(ctx, u, used, s.ahead)
	if used.Refused != "" {
		return nil, l.refuse(ctx, l.refusal(u, used))
	}
	return &used, nil
}
