package local_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// TestStrangePages sends what a browser sends for pages of this machine and for others, to both ports.
func TestStrangePages(t *testing.T) {
	t.Parallel()
	b := startBackend(t, t.TempDir(), "--bakta", "stand-in", "--public", "lab.example.org", "--allow-origin", "https://Bakta.example.org:443/")
	_, port, err := net.SplitHostPort(strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	at := "127.0.0.1:" + port
	api := "http://" + at + "/api/v1/version"
	here, err := client.New("http://"+at, client.Options{Patience: -1})
	if err != nil {
		t.Fatal(err)
	}
	made, err := here.Init(t.Context(), "", protov1.RepliconTableType_TSV)
	if err != nil {
		t.Fatal(err)
	}
	upload, err := url.Parse(made.Genome)
	if err != nil || upload.Hostname() != "lab.example.org" {
		t.Fatal(made.Genome, err)
	}
	signed := upload.Host
	upload.Host = "127.0.0.1:" + upload.Port()

	const ok, otherHost, otherPage = 200, http.StatusMisdirectedRequest, http.StatusForbidden
	for _, row := range []struct {
		host, origin string // %s is the port
		want         int
	}{
		{"127.0.0.1:%s", "", ok},
		{"127.0.0.1", "", ok}, // a proxy that keeps no port
		{"localhost:%s", "", ok},
		{"LOCALHOST.:%s", "", ok},
		{"ui.localhost:%s", "", ok},
		{"[::1]:%s", "", ok},
		{"127.8.9.1:%s", "", ok},
		{"lab.example.org:%s", "", ok},
		{"Lab.example.org", "https://lab.example.org", ok},
		{"localhost:%s", "http://localhost:%s", ok},
		{"localhost:%s", "http://localhost:5173", ok},
		{"127.0.0.1:%s", "http://[::1]:5173", ok},
		{"127.0.0.1:%s", "https://bakta.example.org", ok},

		{"evil.example:%s", "", otherHost},
		{"evil.example:%s", "http://evil.example:%s", otherHost},
		{"evil.example:%s", "http://localhost:5173", otherHost},
		{"127.0.0.1.evil.example:%s", "", otherHost},
		{"localhost.evil.example:%s", "", otherHost},
		{"evil-localhost:%s", "", otherHost},
		{"xlab.example.org:%s", "", otherHost},
		{"10.0.0.1:%s", "", otherHost},
		{"0.0.0.0:%s", "", otherHost},
		{"[::]:%s", "", otherHost},
		{"[2001:db8::1]:%s", "", otherHost},
		{"127.0.0.1:%s", "https://evil.example", otherPage},
		{"127.0.0.1:%s", "null", otherPage},
		{"127.0.0.1:%s", "http://localhost.evil.example", otherPage},
		{"127.0.0.1:%s", "http://evil.example/http://localhost", otherPage},
		{"127.0.0.1:%s", "http://localhost@evil.example", otherPage},
		{"127.0.0.1:%s", "http://bakta.example.org", otherPage}, // of another scheme
		{"127.0.0.1:%s", "https://bakta.example.org:8443", otherPage},
		{"127.0.0.1:%s", "https://x.bakta.example.org", otherPage},
		{"127.0.0.1:%s", "file://", otherPage},
	} {
		fill := func(text string) string { return strings.ReplaceAll(text, "%s", port) }
		host, origin := fill(row.host), fill(row.origin)
		for name, call := range map[string]struct {
			method, url, host, body string
			http2                   bool
		}{
			"API":         {http.MethodGet, api, host, "", false},
			"API, HTTP/2": {http.MethodGet, api, host, "", true},
			"API v2":      {http.MethodGet, "http://" + at + "/api/v2/version", host, "", false},
			// A browser sends this without a preflight, because it looks like a form.
			"making":    {http.MethodPost, "http://" + at + "/api/v1/job/init", host, "{}", false},
			"preflight": {http.MethodOptions, "http://" + at + "/api/v1/job/init", host, "", false},
			"upload":    {http.MethodPut, upload.String(), signed, ">a\nACGT", false},
			"asking to": {http.MethodOptions, upload.String(), signed, "", false},
		} {
			if call.host == signed && row.want == ok && !strings.EqualFold(strings.Split(host, ":")[0], "127.0.0.1") {
				continue // the signature covers the host
			}
			if call.host == signed && row.want == otherHost {
				call.host = host
			}
			r, err := http.NewRequestWithContext(t.Context(), call.method, call.url, strings.NewReader(call.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Host = call.host
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			if call.method == http.MethodOptions {
				if origin == "" {
					continue
				}
				r.Header.Set("Access-Control-Request-Method", http.MethodPost)
				if call.url == upload.String() {
					r.Header.Set("Access-Control-Request-Method", http.MethodPut)
				}
			}
			answer, err := speaker(t, call.http2).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
			answer.Body.Close()
			if name == "API v2" && row.want != ok && !strings.HasPrefix(string(text), `"`) {
				t.Errorf("%s of %q for %q: not in the form of its errors: %s", name, call.host, origin, text)
			}
			may := answer.Header.Get("Access-Control-Allow-Origin")
			switch {
			case row.want == ok && answer.StatusCode/100 != 2 || row.want != ok && answer.StatusCode != row.want:
				t.Errorf("%s of %q for %q: %s, want %d: %s", name, call.host, origin, answer.Status, row.want, text)
			case row.want == ok && origin != "" && may != origin:
				t.Errorf("%s of %q for %q: allowed to read is %q", name, call.host, origin, may)
			case row.want != ok && may != "":
				t.Errorf("%s of %q for %q: refused, but allowed to read is %q", name, call.host, origin, may)
			case row.want == otherHost && !strings.Contains(string(text), "--public"), row.want == otherPage &&
				!strings.Contains(string(text), "--allow-origin"):
				t.Errorf("%s of %q for %q: it does not say what to do: %s", name, call.host, origin, text)
			}
		}
		if origin != "" {
			continue
		}
		conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(host))
		if err != nil {
			t.Fatal(err)
		}
		_, err = protov1.NewBaktaJobsClient(conn).Version(t.Context(), &protov1.Empty{})
		conn.Close()
		if row.want == ok && err != nil || row.want != ok &&
			(status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "--public and")) {
			t.Errorf("gRPC of %q: %v", host, err)
		}
	}
}

// TestSilentConnections: clients that hold connections without sending or reading do not lock out others.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	b := startBackend(t, t.TempDir(), "--bakta", "stand-in")
	c := b.client()
	made, err := c.Init(t.Context(), "", protov1.RepliconTableType_TSV)
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(made.Genome)
	if err != nil {
		t.Fatal(err)
	}
	for name, address := range map[string]string{"API": strings.TrimPrefix(b.url, "http://"), "object storage": link.Host} {
		for _, begin := range []string{
			"",
			"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",                        // a header that doesn't end
			"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", // HTTP/2 without a request
		} {
			held := make([]net.Conn, 0, 1100)
			for range cap(held) {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				held = append(held, conn)
				io.WriteString(conn, begin) // fails where the connection is refused, which is as good
			}
			began := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // for a busy machine; who is kept out is so for ever
			for n := range 3 {
				if err := wholeJob(ctx, b); err != nil {
					t.Errorf("%s, with %d connections that begin %q: job %d: %v", name, len(held), begin, n, err)
					break
				}
			}
			t.Logf("%s, with %d connections that begin %.10q: three jobs from their making to their result took %s", name, len(held), begin,
				time.Since(began).Round(time.Millisecond))
			cancel()
			for _, conn := range held {
				conn.Close()
			}
		}
	}
}

// wholeJob takes a job from its creation to the download of a result, over connections of its own.
func wholeJob(ctx context.Context, b *backend) error {
	c, err := client.New(b.url, client.Options{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}})
	if err != nil {
		return err
	}
	ref, _, err := submit(ctx, c, "", genome)
	if err != nil {
		return err
	}
	if s, err := c.Wait(ctx, ref, 20*time.Millisecond, nil); err != nil || s.State != client.Successful {
		return fmt.Errorf("waiting: %v, %w", s, err)
	}
	result, err := c.Result(ctx, ref)
	if err != nil {
		return err
	}
	answer, err := http.Get(result.Files["JSON"])
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}
