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
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/ag-computational-bio/bakta-web-backend/cli/privatefile"
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

	// Key stands for the content, options and server of one of many jobs that were submitted together; see cli/batch. Empty: the job was
	// submitted alone.
	Key string `json:"key,omitempty"`
	// Uploaded says that the server has all files of such a job. Whether it was started is not recorded.
	Uploaded bool `json:"uploaded,omitempty"`

	NotifyKey string `json:"notify_key,omitempty"` // signs the messages to the webhook of the job

	// Rerun is set for a job that runs another one again.
	Rerun *Rerun `json:"rerun,omitempty"`
}

// Rerun is how a job that runs another one again was asked for.
type Rerun struct {
	Of string `json:"of"` // id of the other job
	// RequestKey is the key of the call that makes the job, until its answer is known. Then the server may not know the job.
	RequestKey string `json:"request_key,omitempty"`
	// Request stands for the options and the name that the call asks for. The same request is repeated with the same key.
	Request string `json:"request,omitempty"`
}

// Book is a file of jobs, and the journal of the latest changes beside it. Several processes may use it at a time.
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
	// The journal first: a change that moves it into the book meanwhile is seen in the book.
	changes, err := b.journal()
	if err != nil {
		return nil, err
	}
	read, err := b.read()
	return apply(read.Jobs, changes), err
}

// Add remembers a job. When it returns nil, the job is on the disk.
func (b *Book) Add(ctx context.Context, entry Entry) error {
	return b.change(ctx, change{Added: &entry})
}

// Remove removes a job from the list. It succeeds for a job that is not in it.
func (b *Book) Remove(ctx context.Context, id string) error {
	return b.change(ctx, change{Removed: id})
}

// Change replaces what is known of a job that is in the list.
func (b *Book) Change(ctx context.Context, entry Entry) error {
	return b.change(ctx, change{Changed: &entry})
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

// change makes one change, on the disk when it returns nil. The lock keeps two writers apart.
func (b *Book) change(ctx context.Context, c change) error {
	if err := b.locked(ctx, func() error { return b.make(c) }); err != nil {
		return fmt.Errorf("remembering jobs: %w", err)
	}
	return nil
}

func (b *Book) locked(ctx context.Context, do func() error) error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockTime, fmt.Errorf("another process holds %s.lock", b.path))
	defer cancel()
	// The lock is on a file of its own: the book itself is replaced, and a lock would go with the old one.
	lock := flock.New(b.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s can't be locked: %w; if its file system has no locks, name a file on another one by BAKTA_WEB_JOBS",
			lock.Path(), err)
	}
	defer lock.Unlock()
	return do()
}

// make makes a change while the book is locked. A small book is rewritten, so that earlier versions of this program see all of it.
// Thousands of jobs would be rewritten thousands of times: the change of a large book goes to the journal, until that has half the size
// of the book.
func (b *Book) make(c change) error {
	if size := sizeOf(b.path); size >= smallBook && sizeOf(b.journalPath()) < size/2 {
		return b.note(c)
	}
	changes, err := b.journal()
	if err != nil {
		return err
	}
	read, err := b.read()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(content{Version: version, Jobs: apply(read.Jobs, append(changes, c))}, "", "  ")
	if err != nil {
		return err
	}
	if err := privatefile.Write(b.real(), append(text, '\n')); err != nil {
		return err
	}
	// The book has these changes now. If the journal is not removed, they are made again without effect.
	if err := os.Remove(b.journalPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// real returns the path of the file that is meant, which may lie behind a link.
func (b *Book) real() string {
	if real, err := filepath.EvalSymlinks(b.path); err == nil {
		return real
	}
	return b.path
}
