package batch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/cli/privatefile"
)

// ledgerFolder is the folder of the ledger and of incomplete downloads, in an output folder.
const ledgerFolder = ".bakta-web"

// ledgerVersion is of the file's layout.
const ledgerVersion = 1

// Ledger is the record of an output folder: a file in it to which a line is added with each change. The last line of a key counts. Only its
// owner can read it: it has the secrets of the jobs. The jobs are in the user's book, too.
type Ledger struct {
	dir  string // of the ledger
	book *book.Book
	lock *flock.Flock

	mu     sync.Mutex
	file   *os.File
	cut    bool // a line may have been written in part
	batch  string
	byKey  map[string]Job
	byName map[string]Job
	names  []string
	round  round
}

// ledgerHead is the first line.
type ledgerHead struct {
	Version int    `json:"version"`
	Batch   string `json:"batch"` // by which the server tells the jobs of this folder from others
}

// round is a line about the round that is open, see Record. Without an id, none is. Earlier versions ignore such lines.
type round struct {
	ID    string    `json:"id,omitempty"`
	Began time.Time `json:"began,omitzero"`
}

// errBusy is the error for an output folder that another process works on.
var errBusy = errors.New("another bakta-web works on this folder; wait until it ends")

// OpenLedger opens the record of an output folder, which no other process can open until Close.
func OpenLedger(out string, b *book.Book) (_ *Ledger, err error) {
	l := &Ledger{dir: filepath.Join(out, ledgerFolder), book: b, byKey: make(map[string]Job), byName: make(map[string]Job)}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, err
	}
	l.lock = flock.New(filepath.Join(l.dir, "lock"), flock.SetPermissions(0o600))
	switch ok, err := l.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("%s can't be locked, so that no other bakta-web works on this folder: %w; if its file system has no locks, "+
			"give a directory on another one by --out", l.lock.Path(), err)
	case !ok:
		return nil, fmt.Errorf("%s: %w", out, errBusy)
	}
	defer func() {
		if err != nil {
			l.lock.Unlock()
		}
	}()
	lines, err := l.read()
	if err != nil {
		return nil, err
	}
	// Most lines were replaced by later ones: half of a long file is enough to rewrite it.
	if l.batch == "" || lines > 1000 && lines > 2*len(l.byKey) {
		if err := l.rewrite(); err != nil {
			return nil, err
		}
	}
	if l.file, err = os.OpenFile(l.path(), os.O_RDWR|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	return l, l.endLine()
}

func (l *Ledger) path() string { return filepath.Join(l.dir, "jobs.jsonl") }

// read reads the file and returns the number of its lines. A line that a crash cut off was not acknowledged, and is left out.
func (l *Ledger) read() (lines int, err error) {
	text, err := os.ReadFile(l.path())
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	var head ledgerHead
	if err := json.Unmarshal(first, &head); err != nil || head.Batch == "" {
		return 0, fmt.Errorf("%s is damaged. It holds the secrets of the jobs of this folder, so nothing was changed: repair it, move it away, "+
			"or give another directory by --out", l.path())
	}
	if head.Version > ledgerVersion {
		return 0, fmt.Errorf("%s was written by a newer bakta-web; use that one", l.path())
	}
	l.batch = head.Batch
	for line := range bytes.Lines(rest) {
		lines++
		var entry struct {
			Job
			Again *round `json:"again"`
		}
		switch {
		case json.Unmarshal(line, &entry) != nil:
		case entry.Again != nil:
			l.round = *entry.Again
		case entry.Key != "":
			l.take(entry.Job)
		}
	}
	return lines, nil
}

func (l *Ledger) take(job Job) {
	if _, ok := l.byName[job.Name]; !ok {
		l.names = append(l.names, job.Name)
	}
	l.byKey[job.Key], l.byName[job.Name] = job, job
}

// rewrite makes a file of the lines that count, and puts it in the old one's place.
func (l *Ledger) rewrite() error {
	if l.batch == "" {
		l.batch = uuid.NewString()
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.Encode(ledgerHead{ledgerVersion, l.batch}) // into memory, which does not fail
	if l.round.ID != "" {
		encoder.Encode(map[string]round{"again": l.round})
	}
	for _, name := range l.names {
		// Other keys of the name are of what it was before. They count no more, since their results were replaced.
		if err := encoder.Encode(l.byName[name]); err != nil { //nolint:gosec // as Put
			return err
		}
	}
	return privatefile.Write(l.path(), text.Bytes())
}

// endLine ends a line that a crash cut off, so that the next one does not become a part of it.
func (l *Ledger) endLine() error {
	info, err := l.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := l.file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = l.file.WriteString("\n")
	return err
}

// Batch returns the name of this folder's batch.
func (l *Ledger) Batch() string { return l.batch }

// Find implements Record.
func (l *Ledger) Find(key string) (Job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	job, ok := l.byKey[key]
	return job, ok
}

// Named implements Record.
func (l *Ledger) Named(name string) (Job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	job, ok := l.byName[name]
	return job, ok
}

// All implements Record.
func (l *Ledger) All() []Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	jobs := make([]Job, len(l.names))
	for i, name := range l.names {
		jobs[i] = l.byName[name]
	}
	return jobs
}

// Put implements Record.
func (l *Ledger) Put(ctx context.Context, job Job) error {
	line, err := json.Marshal(job) //nolint:gosec // the file is for its owner alone, and is where the secrets are kept
	if err != nil {
		return err
	}
	if err := l.add(line, func() { l.take(job) }); err != nil {
		return fmt.Errorf("recording the job: %w", err)
	}
	if job.Phase == Made && job.Uploaded {
		return nil // only batches of this folder ask for that
	}
	// The other commands know the job by the book.
	books := inBook{book: l.book}
	job.Key = "" // not for batches without this folder
	return books.Put(ctx, job)
}

// add writes a line. When it is on the disk, it is taken.
func (l *Ledger) add(line []byte, take func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	// On a full disk, a part of a line may have been written. The next one must not become the rest of it when there is room again.
	if l.cut {
		if err := l.endLine(); err != nil {
			return err
		}
	}
	l.cut = true
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.cut = false
	take()
	return nil
}

// Round implements Record.
func (l *Ledger) Round() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.round.ID
}

// RoundBegan returns when the round that is open began, the zero time if none is.
func (l *Ledger) RoundBegan() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.round.Began
}

// BeginRound implements Record.
func (l *Ledger) BeginRound() error {
	return l.setRound(round{uuid.NewString(), time.Now().UTC().Truncate(time.Second)})
}

// EndRound implements Record.
func (l *Ledger) EndRound() error { return l.setRound(round{}) }

func (l *Ledger) setRound(r round) error {
	line, err := json.Marshal(map[string]round{"again": r})
	if err == nil {
		err = l.add(line, func() { l.round = r })
	}
	if err != nil {
		return fmt.Errorf("recording what is made again: %w", err)
	}
	return nil
}

// Close lets other processes open the record.
func (l *Ledger) Close() error { return errors.Join(l.file.Close(), l.lock.Unlock()) }
