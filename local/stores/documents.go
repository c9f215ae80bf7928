package stores

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/FerretDB/FerretDB/ferretdb"
)

// Documents is an embedded FerretDB, a MongoDB server on SQLite.
//
// Its compare-and-sets are atomic only on one connection, so it serves one client with one connection. It has no accounts:
// it listens on a socket in a directory that only this user can access.
type Documents struct {
	URI string // connection string of the server, without a database

	cancel context.CancelFunc
	done   chan struct{}
	tmp    string // directory of the socket, if it is a temporary one
}

// socketName is the file of the socket. The driver recognises the path of a socket by the ending.
const socketName = "mongodb.sock"

// OpenDocuments starts a server on the data in a directory, which is created if missing. No other process may have the
// directory open. Of the server's messages, only errors are logged: it warns of every command that a client sends and that
// it does not support.
func OpenDocuments(dir string, logger *slog.Logger) (*Documents, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(dir, "?#%") {
		// These characters have a meaning in the URI that SQLite gets, so it would use another directory.
		return nil, fmt.Errorf("the directory %s can't be used for jobs: its path must not contain ?, # or %%; choose another with --data", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	d := &Documents{done: make(chan struct{})}
	path, tmp, err := socket(dir, socketName)
	if err != nil {
		return nil, err
	}
	d.tmp, d.URI = tmp, "mongodb://"+url.PathEscape(path)+"/"

	data := url.URL{
		Scheme: "file", Path: dir + "/", OmitHost: true,
		// Every commit is written to the disk, so that it survives a power failure.
		RawQuery: url.Values{"_pragma": {"synchronous(full)"}}.Encode(),
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: path},
		Handler:   "sqlite",
		SQLiteURL: data.String(),
		Logger:    slog.New(errorsOnly{logger.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("opening the store of jobs in %s: %w", dir, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go func() {
		defer close(d.done)
		_ = server.Run(ctx) // always returns nil
	}()
	return d, nil
}

// Close stops the server. All acknowledged writes are on disk.
func (d *Documents) Close() error {
	d.cancel()
	<-d.done
	if d.tmp != "" {
		return os.RemoveAll(d.tmp)
	}
	return nil
}

// errorsOnly passes only errors on.
type errorsOnly struct{ slog.Handler }

func (h errorsOnly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && h.Handler.Enabled(ctx, level)
}

func (h errorsOnly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return errorsOnly{h.Handler.WithAttrs(attrs)}
}

func (h errorsOnly) WithGroup(name string) slog.Handler { return errorsOnly{h.Handler.WithGroup(name)} }
