package cli

import (
	"bytes"
	"context"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// tail reads a job's log as it grows. A run that was interrupted is run again, with a new log in the old one's
// place, which offsets alone don't show: so each look asks for the end of what was read, too, and compares.
type tail struct {
	client *client.Client
	job    client.Ref
	offset int64  // how much was read
	last   []byte // the end of it
}

// overlap is how much of what was read is asked for again.
const overlap = 512

// next returns what is new. anew says that it is the beginning of another run's log.
func (t *tail) next(ctx context.Context) (text []byte, anew bool, err error) {
	from := t.offset - int64(len(t.last))
	text, err = t.client.Logs(ctx, t.job, from)
	if err != nil {
		return nil, false, err
	}
	if bytes.HasPrefix(text, t.last) {
		return t.read(text[len(t.last):]), false, nil
	}
	// It may be another log, or none for a moment, while it is on its way from the run to the storage.
	whole, err := t.client.Logs(ctx, t.job, 0)
	if err != nil || len(whole) == 0 {
		return nil, false, err
	}
	rest := whole[min(from, int64(len(whole))):]
	switch {
	case bytes.HasPrefix(rest, t.last):
		return t.read(rest[len(t.last):]), false, nil
	case len(rest) > 0 && bytes.HasPrefix(t.last, rest):
		return nil, false, nil // another machine's look at the same log may lag behind
	}
	t.offset, t.last = 0, nil
	return t.read(whole), true, nil
}

func (t *tail) read(text []byte) []byte {
	t.offset += int64(len(text))
	end := append(t.last, text...)
	t.last = bytes.Clone(end[max(0, len(end)-overlap):])
	return text
}
