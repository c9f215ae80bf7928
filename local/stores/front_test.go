package stores

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestRequireProgress: content that makes progress has no time limit, in both directions; content without progress is
// ended.
func TestRequireProgress(t *testing.T) {
	t.Parallel()
	const within, size = 400 * time.Millisecond, 16 * step
	ends := make(chan error, 1)
	server := httptest.NewServer(requireProgress(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		if r.Method == http.MethodPut {
			_, err = io.Copy(io.Discard, r.Body)
			if err == nil {
				// The handler may take long after the client has sent all content.
				select {
				case <-time.After(2 * within):
				case <-r.Context().Done():
					err = r.Context().Err()
				}
			}
		} else {
			for err == nil {
				_, err = w.Write(make([]byte, step))
			}
		}
		ends <- err
	}), within))
	defer server.Close()
	dial := func(begin string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, begin); err != nil {
			t.Fatal(err)
		}
		return c
	}
	put := fmt.Sprintf("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", size)

	// The pauses make the client slow.
	c := dial(put)
	for range size / step {
		time.Sleep(within / 4)
		if _, err := c.Write(bytes.Repeat([]byte("x"), step)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-ends; err != nil {
		t.Errorf("a slow upload of four times the limit: %v", err)
	}

	began := time.Now()
	dial(put + "some")
	if err := <-ends; err == nil {
		t.Error("an upload that stops: no error")
	}
	t.Logf("an upload that stops ended after %s", time.Since(began))

	c = dial(put)
	go func(c net.Conn) { // byte by byte, which is too slow
		for {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(within / 20)
		}
	}(c)
	if err := <-ends; err == nil {
		t.Error("an upload of single bytes: no error")
	}

	c = dial("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	taken, buffer := 0, make([]byte, 1<<20)
	for began = time.Now(); time.Since(began) < 4*within; time.Sleep(within / 8) {
		n, err := c.Read(buffer)
		if err != nil {
			t.Fatalf("a slow download, after %d bytes and %s: %v", taken, time.Since(began), err)
		}
		taken += n
	}
	// Now the client stops reading.
	if err := <-ends; err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a download that the client does not read: %v", err)
	}
}

// TestUnknownLength: content in chunks is refused, and does not reach the store, which would parse it as a request.
func TestUnknownLength(t *testing.T) {
	o := openObjects(t, t.TempDir(), "127.0.0.1:0")
	defer closeObjects(t, o)
	openFiles(t, o) // makes the bucket
	for n := range 20 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+o.Address+"/bakta/a",
			struct{ io.Reader }{strings.NewReader("GET / HTTP/1.1\r\n\r\n")})
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "http://localhost")
		for range 2 {
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			want := http.StatusLengthRequired
			if r.Method == http.MethodGet {
				want = http.StatusForbidden
			}
			mayRead := answer.Header.Get("Access-Control-Allow-Origin") != ""
			if answer.StatusCode != want || r.Method == http.MethodPut && !mayRead {
				t.Fatalf("request %d, %s: %s, want %d: %s", n, r.Method, answer.Status, want, text)
			}
			if r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+o.Address+"/bakta/a", nil); err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Origin", "http://localhost")
		}
	}
}

// TestRefusedContent: a client that sends all of a large file before it reads the response gets the reason of the refusal,
// both from the store, which reads little of the file, and from the front.
func TestRefusedContent(t *testing.T) {
	full := false
	o, err := OpenObjects(ObjectsOptions{Dir: t.TempDir(), Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Room: func(int64) error {
		if full {
			return errors.New("full")
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer closeObjects(t, o)
	openFiles(t, o) // makes the bucket
	content := make([]byte, 32<<20)
	for _, row := range []struct {
		full bool
		want int
		says string
	}{{false, http.StatusForbidden, "<Code>AccessDenied</Code>"}, {true, http.StatusInsufficientStorage, "<Code>InsufficientStorage</Code>"}} {
		full = row.full
		for range 5 {
			c, err := net.Dial("tcp", o.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := fmt.Fprintf(c, "PUT /bakta/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n", len(content)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Write(content); err != nil {
				t.Fatalf("sending what is refused with %d: %v", row.want, err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			if answer.StatusCode != row.want || err != nil || !strings.Contains(string(text), row.says) {
				t.Fatalf("%s, %v, want %d: %s", answer.Status, err, row.want, text)
			}
		}
	}
}
