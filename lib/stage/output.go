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
	// maxPartial is how many bytes of a line are buffered until its end.
	maxPartial = 8 << 10
	// maxTail is how many bytes from the end of each stream are kept, to find the reason of a failure. Bakta prints a few
	// lines; a traceback is a few kilobytes.
	maxTail = 32 << 10
)

// recorder writes a program's output to the log, stdout and stderr together, and copies each stream. It accepts all output,
// even if the log can't be written, because a program that can't write its output blocks for ever.
//
// The two streams come through two pipes, so the order of their lines in the log is only approximate. Lines are never mixed.
type recorder struct {
	mu    sync.Mutex
	log   io.Writer
	left  int64 // bytes that the log may still take
	limit int64
	err   error // why the log is not complete
}

// stream is one of the program's two streams.
type stream struct {
	to      *recorder
	copy    io.Writer // nil for none
	tail    *tail
	partial []byte
}

// Write accepts what was read from the stream. It never fails.
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
			s.copy = nil // the reader is gone
		}
	}
	s.to.append(b)
}

// full reports whether the output has reached the log's limit. Further output is discarded.
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
	// Created, not opened: the program of an earlier execution may have left a link there.
	if err := remove(state, logFile); err != nil {
		return nil, err
	}
	return state.OpenFile(logFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}

// quote formats a command line for people, with the quotes that a shell would need.
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
