package status

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// shelf is a storage of logs whose end can be read once it is opened.
type shelf struct {
	single
	sizes map[string]int // by key
	far   chan struct{}  // told when all but the end of a large one was read
	open  chan struct{}
}

func (s shelf) Open(_ context.Context, key, _ string) (io.ReadCloser, job.File, error) {
	text := strings.NewReader(strings.Repeat("x", s.sizes[key]-1))
	return io.NopCloser(io.MultiReader(text, &gate{large: s.sizes[key] > smallLog, shelf: s}, strings.NewReader("\n"))), job.File{}, nil
}

// gate is nothing to read, and is passed when a shelf is open.
type gate struct {
	large bool
	shelf
}

func (g *gate) Read([]byte) (int, error) {
	if g.large {
		g.far <- struct{}{}
		<-g.open
	}
	return 0, io.EOF
}

// While as many calls read large logs as may, another one waits, for as long as its caller does; small logs are read at
// any time.
func TestLogReads(t *testing.T) {
	t.Parallel()
	s := shelf{sizes: map[string]int{"small": smallLog - 1, "large": 2 * smallLog}, far: make(chan struct{}, 3), open: make(chan struct{})}
	f, err := New(Deps{Jobs: s, Files: s, Logs: s, Offered: workflow.Catalogue(), LinkTTL: time.Hour, MaxList: 10, Log: slog.New(slog.DiscardHandler), LogReads: 1})
	if err != nil {
		t.Fatal(err)
	}
	read := func(ctx context.Context, keys ...string) (int, error) {
		j := job.Job{ID: ownID, SecretHash: job.HashSecret(secret), State: job.Succeeded, Workflow: workflow.BaktaBaktfold}
		w, _ := workflow.Lookup(j.Workflow)
		for i, key := range keys {
			j.Logs = append(j.Logs, job.File{Name: w.Stages[i].Name, Key: key})
		}
		called := *f
		called.Jobs = single{j}
		text, err := called.PlainLog(ctx, Ref{ID: ownID, Secret: secret})
		return len(text), err
	}
	type outcome struct {
		size int
		err  error
	}
	first := make(chan outcome, 1)
	go func() {
		size, err := read(t.Context(), "large", "large") // with one place for both
		first <- outcome{size, err}
	}()
	<-s.far
	if size, err := read(t.Context(), "small", "small"); err != nil || size != 2*(smallLog-1) {
		t.Errorf("small logs while a large one is read: %d bytes, %v", size, err)
	}
	hasty, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := read(hasty, "small", "large"); !job.Is(err, job.Exhausted) {
		t.Errorf("a large log while another is read: %v", err)
	}
	close(s.open)
	if o := <-first; o.err != nil || o.size != 4*smallLog {
		t.Errorf("the first: %d bytes, %v", o.size, o.err)
	}
	if size, err := read(t.Context(), "large"); err != nil || size != 2*smallLog {
		t.Errorf("a large log after it: %d bytes, %v", size, err)
	}
}
