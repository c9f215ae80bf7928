package local_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// TestPublicName: the URL and the links contain the public name of the machine, and work.
func TestPublicName(t *testing.T) {
	t.Parallel()
	b := startBackend(t, t.TempDir(), "--bakta", "stand-in", "--public", "localhost")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	created, err := b.client().Init(ctx, "", protov1.RepliconTableType_TSV)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{b.url, created.Genome} {
		if u, err := url.Parse(text); err != nil || u.Hostname() != "localhost" {
			t.Errorf("the host of %s is another (%v)", text, err)
		}
	}
	if err := b.client().Upload(ctx, created.Genome, client.BytesContent([]byte(genome)), nil); err != nil {
		t.Error(err)
	}
}

// TestNoSocket: a directory that can't hold the socket for commands is no reason not to serve.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if err := os.MkdirAll(filepath.Join(data, "control.sock", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := startBackend(t, data, "--bakta", "stand-in")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if _, err := b.client().V2().Workflows(ctx); err != nil {
		t.Error(err)
	}
}

// TestRefusedStarts: a backend with options that can't work ends at once, with an error that says what to do.
func TestRefusedStarts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	unused := l.Addr().String()
	l.Close()
	held := t.TempDir()
	lock := flock.New(filepath.Join(held, "lock"))
	if ok, err := lock.TryLock(); err != nil || !ok {
		t.Fatal(err)
	}
	defer lock.Unlock()
	for _, row := range []struct {
		name, data string
		env        []string
		args       []string
		says       string
	}{
		{"all addresses", t.TempDir(), nil, []string{"--listen", "0.0.0.0:0"}, "set --public to"},
		{"no database", t.TempDir(), nil, []string{"--mongodb", "mongodb://u:hidden@" + unused}, "/bakta-web"},
		{"no database in the environment", t.TempDir(), []string{"BAKTA_WEB_MONGODB=mongodb://u:hidden@" + unused}, nil, "/bakta-web"},
		{"no server", t.TempDir(), nil, []string{"--mongodb", "mongodb://" + unused + "/d?serverSelectionTimeoutMS=200"},
			"--mongodb: the MongoDB can't be used: dial tcp " + unused + ": connect: connection refused\n"},
		{"in use", held, nil, nil, "is in use by another bakta-web"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := tryBackend(t, row.data, row.env, append([]string{"--bakta", "stand-in"}, row.args...)...)
			if err == nil {
				t.Fatal("it serves")
			}
			if text := err.Error(); !strings.Contains(text, row.says) || strings.Contains(text, "hidden") || strings.Contains(text, "topology") {
				t.Errorf("it says %s", text)
			}
		})
	}
}
