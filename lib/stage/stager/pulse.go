package stager

import (
	"io"
	"sync"
	"time"
)

// pulseTime is the shortest time between two empty lines that report output: a program that writes much must not keep the
// reader of its reports busy.
const pulseTime = 200 * time.Millisecond

// pulsed writes reports and, between them, an empty line some time after output came.
type pulsed struct {
	to io.Writer

	mu      sync.Mutex
	planned bool // an empty line will be written
	stopped bool
}

// Write writes a report.
func (p *pulsed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.to.Write(b)
}

// beat plans an empty line. It returns at once.
func (p *pulsed) beat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.planned || p.stopped {
		return
	}
	p.planned = true
	time.AfterFunc(pulseTime, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.planned = false
		if !p.stopped {
			// If the reader is gone, this process learns it from its stdin.
			_, _ = p.to.Write([]byte("\n"))
		}
	})
}

// stop ends the empty lines.
func (p *pulsed) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// beats is a copy of a program's stream that reports output, and discards it.
type beats struct{ *pulsed }

func (b beats) Write(output []byte) (int, error) {
	b.beat()
	return len(output), nil
}
