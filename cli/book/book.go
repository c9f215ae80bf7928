// Package book stores the list of the jobs that this user created, in a file that no other user can read: it has their
// secrets, which the server returns only once.
package book

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Entry is one job.
type Entry struct {
	ID      string    `json:"id"` // a UUID
	Secret  string    `json:"secret"`
	Server  string    `json:"server"` // URL of the server that has it
	Name    string    `json:"name"`
	File    string    `json:"file,omitempty"` // the file that was to be annotated
	Created time.Time `json:"created"`

	Workflow string `json:"workflow,omitempty"` // the API's name of what is done; a book of old doesn't say, and means bakta
}

// Book is a file of jobs. Several processes may use it at a time.
type Book struct{ path string }

// version is of the file's layout.
const version = 1

type content struct {
	Version int     `json:"version"`
	Jobs    []Entry `json:"jobs"` // in the order in which they were made
}

// lockTime is how long another process may hold the book before that is an error: it takes milliseconds.
const lockTime = 10 * time.Second

// Path returns where the book lies: BAKTA_WEB_JOBS, else in the directory for state that the XDG rules name.
func Path(env func(string) string) (string, error) {
	if path := env("BAKTA_WEB_JOBS"); path != "" {
		return filepath.Abs(path)
	}
	// The rules want a relative path in the variable to be ignored.
	state := env("XDG_STATE_HOME")
	if !filepath.IsAbs(state) {
		home := env("HOME")
		if home == "" {
			return "", errors.New(
				"there is no home directory to remember jobs in; name a file for them by the environment variable BAKTA_WEB_JOBS",
			)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "bakta-web", "jobs.json"), nil
}

// Open returns the book at that path. The file need not be there yet.
func Open(path string) *Book { return &Book{path: path} }

// Jobs returns all jobs in the order in which they were made.
func (b *Book) Jobs() ([]Entry, error) {
	read, err := b.read()
	return read.Jobs, err
}

// Add remembers a job. When it returns nil, the job is on the disk.
func (b *Book) Add(ctx context.Context, entry Entry) error {
	return b.change(ctx, func(jobs []Entry) []Entry { return append(jobs, entry) })
}

// Remove removes a job from the list. It succeeds for a job that is not in it.
func (b *Book) Remove(ctx context.Context, id string) error {
	return b.change(ctx, func(jobs []Entry) []Entry {
		return slices.DeleteFunc(jobs, func(e Entry) bool { return e.ID == id })
	})
}

// Find returns the one job whose id begins like that.
func (b *Book) Find(prefix string) (Entry, error) {
	jobs, err := b.Jobs()
	if err != nil {
		return Entry{}, err
	}
	prefix = strings.ToLower(strings.TrimSpace(prefix))
	var found []Entry
	for _, entry := range jobs {
		if prefix != "" && strings.HasPrefix(entry.ID, prefix) {
			found = append(found, entry)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Entry{}, fmt.Errorf("no job that was submitted from here has an id that begins with %q; `bakta-web list` shows them", prefix)
	default:
		var ids []string
		for _, entry := range found {
			ids = append(ids, entry.ID)
		}
		return Entry{}, fmt.Errorf("%q stands for %d jobs, write more of the id: %s", prefix, len(found), strings.Join(ids, ", "))
	}
}

func (b *Book) read() (content, error) {
	text, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return content{}, nil
	}
	if err != nil {
		return content{}, fmt.Errorf("reading the file of known jobs: %w", err)
	}
	var read content
	if err := json.Unmarshal(text, &read); err != nil {
		return content{}, fmt.Errorf("the file of known jobs %s is damaged (%w). It holds the secrets of your jobs, so nothing was changed: "+
			"repair it, or move it away to begin a new one", b.path, err)
	}
	if read.Version > version {
		return content{}, fmt.Errorf("the file of known jobs %s was written by a newer bakta-web; use that one", b.path)
	}
	return read, nil
}

// change replaces the file by what edit makes of it. The lock keeps two writers apart; the new content takes the
// old one's place at once, so that a reader or a crash sees one or the other.
func (b *Book) change(ctx context.Context, edit func([]Entry) []Entry) error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return fmt.Errorf("remembering jobs: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, fmt.Errorf("another process holds %s.lock", b.path))
	defer cancel()
	// The lock is on a file of its own: the book itself is replaced, and a lock would go with the old one.
	lock := flock.New(b.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("remembering jobs: %w", err)
	}
	defer lock.Unlock()
	read, err := b.read()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(content{Version: version, Jobs: edit(read.Jobs)}, "", "  ")
	if err != nil {
		return fmt.Errorf("remembering jobs: %w", err)
	}
	if err := b.replace(append(text, '\n')); err != nil {
		return fmt.Errorf("remembering jobs: %w", err)
	}
	return nil
}

func (b *Book) replace(text []byte) (err error) {
	// Behind a link lies the file that is meant.
	path := b.path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".jobs-*") // readable by its owner alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	return err
}
