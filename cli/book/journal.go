package book

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// smallBook is the size, in bytes, of a book that is rewritten with every change. It has some 200 jobs.
const smallBook = 64 << 10

// change is a line of the journal.
type change struct {
	Added   *Entry `json:"added,omitempty"`
	Removed string `json:"removed,omitempty"` // an id
	Changed *Entry `json:"changed,omitempty"` // what is known now of a job that was added
}

func (b *Book) journalPath() string { return b.real() + ".journal" }

// apply makes changes. One that was made already has no effect: a crash may leave changes in the journal that the book has, too.
func apply(jobs []Entry, changes []change) []Entry {
	if len(changes) == 0 {
		return jobs
	}
	removed := make(map[string]bool)
	for _, c := range changes {
		if c.Removed != "" {
			removed[c.Removed] = true
		}
	}
	known := make(map[string]bool)
	for _, entry := range jobs {
		known[entry.ID] = true
	}
	for _, c := range changes {
		if c.Added != nil && !known[c.Added.ID] {
			known[c.Added.ID] = true
			jobs = append(jobs, *c.Added)
		}
	}
	for _, c := range changes {
		if c.Changed == nil {
			continue
		}
		if i := slices.IndexFunc(jobs, func(e Entry) bool { return e.ID == c.Changed.ID }); i >= 0 {
			jobs[i] = *c.Changed
		}
	}
	return slices.DeleteFunc(jobs, func(e Entry) bool { return removed[e.ID] })
}

// journal returns the changes that the book does not have yet. A line that a crash cut off was not acknowledged, and is left out.
func (b *Book) journal() ([]change, error) {
	text, err := os.ReadFile(b.journalPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading the file of known jobs: %w", err)
	}
	var changes []change
	for line := range bytes.Lines(text) {
		var c change
		if json.Unmarshal(line, &c) == nil {
			changes = append(changes, c)
		}
	}
	return changes, nil
}

// note writes a change at the end of the journal.
func (b *Book) note(c change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(b.journalPath(), os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	// A crash may have left a part of a line at the end. This line must not become the rest of it.
	last := make([]byte, 1)
	if size := sizeOf(b.journalPath()); size > 0 {
		if _, err = file.ReadAt(last, size-1); err == nil && last[0] != '\n' {
			line = append([]byte{'\n'}, line...)
		}
	}
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// sizeOf returns the size of a file in bytes, 0 if it is not there.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
