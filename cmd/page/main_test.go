package main

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPage: the program needs the configuration of the functions alone, and lets the page connect to the object storage of it.
func TestPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	config := "Objectstorage: {S3: {Endpoint: 'http://minio:9000', PublicEndpoint: 'https://s3.example.org'}}\n"
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := build(path, func(string) string { return "" }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context(), listener) }()
	url := "http://" + listener.Addr().String()
	get := func(path string) (*http.Response, string) {
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	page, body := get("/")
	if page.StatusCode != 200 || !strings.Contains(body, `<div id="app">`) ||
		!strings.Contains(page.Header.Get("Content-Security-Policy"), "connect-src 'self' https://s3.example.org;") {
		t.Errorf("the page is %d, %v: %s", page.StatusCode, page.Header, body)
	}
	if got, _ := get("/healthz"); got.StatusCode != 200 {
		t.Error("/healthz is", got.StatusCode)
	}
	if got, body := get("/api/v2/nothing"); got.StatusCode != 404 || !strings.HasPrefix(body, "{") {
		t.Errorf("a path that is not the page's is %d: %s", got.StatusCode, body)
	}
	select {
	case err := <-ended:
		t.Fatal("the server ended:", err)
	default:
	}
}
