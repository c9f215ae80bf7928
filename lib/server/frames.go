package server

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// net/http's HTTP/2 (of Go 1.26) reads the header of each frame and its payload from the connection by a system call each. It writes each
// frame of an answer as soon as its handler has waited for the one before: by gRPC, header, message and trailers are three writes, and
// the client wakes up three times. A gathered connection reads as much as has arrived, and keeps frames that another one of the same
// stream must follow, to write them together.

const (
	// gatherTime is how long a frame is kept if no other one follows: a method may stream.
	gatherTime = 200 * time.Microsecond
	// gatherSize is how many bytes are kept.
	gatherSize = 16 << 10
	readSize   = 4 << 10 // bytes that are read at once; longer payloads are read as they are

	preface = "PRI * HTTP/2.0" // the beginning of what an HTTP/2 client sends; RFC 9113, section 3.4

	frameHeader = 9 // bytes; RFC 9113, section 4.1
	frameData   = 0
	frameHeads  = 1 // HEADERS
	endStream   = 1 // flag of both
)

// gathering is a listener of gathered connections.
type gathering struct{ net.Listener }

func (l gathering) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &gathered{Conn: c}, nil
}

// gathered is a connection. Until it has read the preface of HTTP/2, it keeps nothing.
type gathered struct {
	net.Conn
	reader io.Reader // nil before anything was read; only the goroutine that reads uses it

	mu      sync.Mutex
	http2   bool
	frames  frames
	pending []byte
	timer   *time.Timer // writes what is pending; nil before the first
	failed  error       // of a write
}

func (c *gathered) Read(p []byte) (int, error) {
	if c.reader != nil {
		return c.reader.Read(p)
	}
	n, err := c.Conn.Read(p)
	if n == 0 {
		return n, err
	}
	c.reader = c.Conn
	if bytes.HasPrefix(p[:n], []byte(preface)) { // net/http reads it at once, and nothing behind it
		c.reader = bufio.NewReaderSize(c.Conn, readSize)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.http2 = true
	}
	return n, err
}

func (c *gathered) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.http2 {
		return c.Conn.Write(p)
	}
	if c.failed != nil {
		return 0, c.failed
	}
	follows := c.frames.add(p)
	if len(c.pending) == 0 && !follows {
		return c.Conn.Write(p)
	}
	if c.pending = append(c.pending, p...); follows && len(c.pending) < gatherSize {
		if c.timer == nil {
			c.timer = time.AfterFunc(gatherTime, c.late)
		} else {
			c.timer.Reset(gatherTime)
		}
		return len(p), nil
	}
	c.flush()
	if c.failed != nil {
		return 0, c.failed
	}
	return len(p), nil
}

// late writes what nothing has followed.
func (c *gathered) late() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
}

// flush writes what is pending. The caller holds the lock.
func (c *gathered) flush() {
	if len(c.pending) == 0 || c.failed != nil {
		return
	}
	_, c.failed = c.Conn.Write(c.pending)
	c.pending = c.pending[:0]
}

// Close writes what is pending, unless a write is in progress, which Close ends.
func (c *gathered) Close() error {
	if c.mu.TryLock() {
		if len(c.pending) > 0 {
			_ = c.SetWriteDeadline(time.Now().Add(lastConnection))
			c.flush()
		}
		c.mu.Unlock()
	}
	return c.Conn.Close()
}

// CloseWrite lets net/http end an HTTP/1.1 connection so that the client can read the last answer.
func (c *gathered) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// frames follows the frames in what is written.
type frames struct {
	header [frameHeader]byte // of the frame that is being written, as much as there is
	have   int               // bytes of it
	rest   int               // bytes of its payload that are missing
}

// add reads what is written next. It reports whether another frame of the last one's stream must follow: then the last one is of a header
// or of data, and does not end the stream.
func (f *frames) add(p []byte) (follows bool) {
	for len(p) > 0 {
		if f.rest > 0 {
			n := min(f.rest, len(p))
			f.rest, p = f.rest-n, p[n:]
			continue
		}
		if f.have == frameHeader {
			f.have = 0
		}
		n := copy(f.header[f.have:], p)
		f.have, p = f.have+n, p[n:]
		if f.have == frameHeader {
			f.rest = int(binary.BigEndian.Uint32(f.header[:4]) >> 8)
		}
	}
	kind, flags := f.header[3], f.header[4]
	return f.have < frameHeader || f.rest > 0 || (kind == frameData || kind == frameHeads) && flags&endStream == 0
}
