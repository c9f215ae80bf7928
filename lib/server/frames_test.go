package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// counting counts the writes to its connections.
type counting struct {
	net.Listener
	writes *atomic.Int64
}

type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return counted{c, l.writes}, err
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestAnswerIsWrittenAtOnce: header, body and trailers of an answer leave together, and answers of any length arrive as they are.
func TestAnswerIsWrittenAtOnce(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789abcdef", 1<<16)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(http.TrailerPrefix+"End", "yes")
		if r.URL.Path == "/long" {
			_, _ = io.WriteString(w, body)
			return
		}
		_, _ = io.WriteString(w, "short")
	})
	for _, version := range []string{"HTTP/1.1", "HTTP/2.0"} {
		s := httptest.NewUnstartedServer(handler)
		var writes atomic.Int64
		s.Listener = gathering{counting{s.Listener, &writes}}
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(true)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
		defer s.Close()
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetHTTP1(version == "HTTP/1.1")
		transport.Protocols.SetUnencryptedHTTP2(version == "HTTP/2.0")
		defer transport.CloseIdleConnections()
		get := func(path, want string) {
			t.Helper()
			response, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get(s.URL + path)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			if err != nil || string(got) != want || response.Trailer.Get("End") != "yes" || response.Proto != version {
				t.Errorf("%s by %s: %d bytes, %v, trailers %v", path, response.Proto, len(got), err, response.Trailer)
			}
		}
		get("/short", "short") // opens the connection
		before := writes.Load()
		const times = 40
		for range times {
			get("/short", "short")
		}
		// A frame that is kept too long, on a busy machine, leaves alone.
		if n := writes.Load() - before; version == "HTTP/2.0" && n > 2*times {
			t.Errorf("%d answers took %d writes", times, n)
		}
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { get("/long", body) })
		}
		all.Wait()
	}
}

// TestStreamIsNotKept: what no other frame follows soon is written, too.
func TestStreamIsNotKept(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-ended // the client has the first part
	}))
	s.Listener = gathering{s.Listener}
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	defer s.Close()
	transport := &http.Transport{Protocols: s.Config.Protocols}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		close(ended)
		t.Fatal(err)
	}
	defer response.Body.Close()
	part := make([]byte, len("first"))
	_, err = io.ReadFull(response.Body, part)
	close(ended)
	if err != nil || string(part) != "first" {
		t.Errorf("the first part is %q, %v", part, err)
	}
}

// TestFrames cuts frames anywhere: what follows depends on the last one alone.
func TestFrames(t *testing.T) {
	t.Parallel()
	frame := func(kind, flags byte, length int) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(length)<<8|uint32(kind))
		return append(append(b, flags, 0, 0, 0, 1), bytes.Repeat([]byte{1}, length)...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var f frames
		for range 1 + r.IntN(5) {
			kind, flags := byte(r.IntN(10)), byte(r.IntN(16))
			all := frame(kind, flags, []int{0, 1, 5, 300}[r.IntN(4)])
			want := kind <= 1 && flags&1 == 0
			for rest := all; len(rest) > 0; {
				n := 1 + r.IntN(len(rest))
				got := f.add(rest[:n])
				if rest = rest[n:]; len(rest) > 0 && !got {
					t.Fatalf("after a part of a frame, nothing follows")
				} else if len(rest) == 0 && got != want {
					t.Fatalf("after a frame of kind %d with flags %x: %t", kind, flags, got)
				}
			}
		}
	}
}

// TestGatheredFails: an error of a write is that of all later ones, and Close ends a write that the client does not read.
func TestGatheredFails(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	c := &gathered{Conn: ours}
	go func() { _, _ = io.WriteString(theirs, preface+"\r\n") }()
	if _, err := io.ReadFull(c, make([]byte, len(preface)+2)); err != nil {
		t.Fatal(err)
	}
	data := []byte{0, 0, 1, frameData, endStream, 0, 0, 0, 1, 'x'}
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		wrote <- err
	}()
	if _, err := theirs.Read(make([]byte, 1)); err != nil { // the write has begun
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-wrote; err == nil {
		t.Error("a write that Close ends succeeds")
	}
	heads := []byte{0, 0, 0, frameHeads, 0, 0, 0, 0, 1}
	for range 3 {
		if _, err := c.Write(heads); err == nil {
			c.late()
		}
	}
	if _, err := c.Write(heads); err == nil {
		t.Error("a write to a closed connection succeeds")
	}
}
