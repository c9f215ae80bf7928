package stage

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

const (
	// maxPartial is how much of a line is held back until its end is seen.
	maxPartial = 8 << 10
	// maxTail is how much of the end of each stream is kept to find the reason of a failure in. Bakta's reasons
	// are a few lines; a traceback is a few kilobytes.
	maxTail = 32 << 10
)

// recorder keeps what a program prints: stdout and stderr together in the log, and each copied to where this
// process's own goes. It takes all that comes, whatever happens to the log, because a program that can't get
// rid of its output stops for ever.
//
// The two streams come through two pipes, so which of two lines was first is known only as well as they were
// read. Lines are never mixed.
type recorder struct {
	mu    sync.Mutex
	log   io.Writer
	left  int64 // bytes that the log may still take
	limit int64
	err   error // why the log is not whole, if it isn't
}

// stream is one of the program's two streams.
type stream struct {
	to      *recorder
	copy    io.Writer // nil for none
	tail    *tail
	partial []byte
}

// Write takes what was read from the stream. It never fails.
func (s *stream) Write(b []byte) (int, error) {
	n := len(b)
	s.tail.Write(b)
	if s.to.full() {
		return n, nil
	}
	s.partial = append(s.partial, b...)
	end := bytes.LastIndexByte(s.partial, '\n') + 1
	if end == 0 && len(s.partial) >= maxPartial {
		end = len(s.partial)
	}
	if end > 0 {
		s.emit(s.partial[:end])
		s.partial = append(s.partial[:0], s.partial[end:]...)
	}
	return n, nil
}

// flush writes what is left after the stream's end.
func (s *stream) flush() {
	if len(s.partial) > 0 {
		s.emit(append(s.partial, '\n'))
		s.partial = nil
	}
}

func (s *stream) emit(b []byte) {
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	if s.copy != nil {
		if _, err := s.copy.Write(b); err != nil {
			s.copy = nil // whoever read it is gone
		}
	}
	s.to.append(b)
}

// full reports whether the output has reached the log's limit. What comes after that goes nowhere.
func (r *recorder) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left <= 0
}

// append writes to the log, up to its limit. The caller holds the lock.
func (r *recorder) append(b []byte) {
	if r.left <= 0 {
		return
	}
	part := b
	if int64(len(part)) > r.left {
		part = part[:r.left]
	}
	r.left -= int64(len(part))
	if r.err != nil {
		return
	}
	_, r.err = r.log.Write(part)
	if r.err == nil && r.left == 0 {
		_, r.err = fmt.Fprintf(r.log, "\n[The output is longer than %d bytes. The rest of it is left out of this log.]\n", r.limit)
	}
}

// tail keeps the last maxTail bytes of what is written to it, or a little more.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) {
	if len(b) > maxTail {
		b = b[len(b)-maxTail:]
	}
	if len(t.kept)+len(b) > 2*maxTail {
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-maxTail:]...)
	}
	t.kept = append(t.kept, b...)
}

// createLog creates the log of a stage, empty, in the directory of its state.
func createLog(state *os.Root) (*os.File, error) {
	// Not opened but made: what lies there may be a link that the program of an execution before this one left.
	if err := remove(state, logFile); err != nil {
		return nil, err
	}
	return state.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// quote writes a command line so that a person reads it, and a shell would, as it is.
func quote(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		plain := arg != "" && strings.IndexFunc(arg, func(c rune) bool {
			return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_=+./:,@%^", c))
		}) < 0
		printable := strings.IndexFunc(arg, func(c rune) bool { return !strconv.IsPrint(c) }) < 0
		switch {
		case plain:
			words[i] = arg
		case printable:
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		default:
			words[i] = "$" + strconv.QuoteToASCII(arg)
		}
	}
	return strings.Join(words, " ")
}
