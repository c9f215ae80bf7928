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
	far   chan struct{}  // receives when all but the end of a large one was read
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
	f, err := New(
		Deps{
			Jobs:        s,
			Files:       s,
			Logs:        s,
			Offered:     workflow.Catalogue(),
			DownloadTTL: time.Hour,
			MaxList:     10,
			Log:         slog.New(slog.DiscardHandler),
			LogReads:    1,
		},
	)
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
		called.deps.Jobs = single{j}
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

// A stage that has written something is not called pending, whatever was recorded before it did.
func TestAgree(t *testing.T) {
	t.Parallel()
	const p, r, s, f = job.StagePending, job.StageRunning, job.StageSucceeded, job.StageFailed
	for _, tt := range []struct {
		name  string
		state job.State
		from  []job.StageStatus
		texts []string
		want  []job.StageStatus
	}{
		{"nothing written", job.Running, []job.StageStatus{p, p}, []string{"", ""}, []job.StageStatus{p, p}},
		{"begun without a word", job.Running, []job.StageStatus{r, p}, []string{"", ""}, []job.StageStatus{r, p}},
		{"the first has written", job.Submitted, []job.StageStatus{p, p}, []string{"a", ""}, []job.StageStatus{r, p}},
		{"the second has written", job.Running, []job.StageStatus{r, p}, []string{"a", "b"}, []job.StageStatus{s, r}},
		{"the second alone, the first's log is gone", job.Running, []job.StageStatus{p, p}, []string{"", "b"}, []job.StageStatus{s, r}},
		{"as recorded", job.Running, []job.StageStatus{s, r}, []string{"a", "b"}, []job.StageStatus{s, r}},
		{"ended well, the states are lost", job.Succeeded, []job.StageStatus{p, p}, []string{"a", "b"}, []job.StageStatus{s, s}},
		{"ended badly, the states are lost", job.Failed, []job.StageStatus{p, p}, []string{"a", "b"}, []job.StageStatus{s, f}},
		{"ended badly in the first", job.Failed, []job.StageStatus{f, p}, []string{"a", ""}, []job.StageStatus{f, p}},
		{"ended before any began", job.Failed, []job.StageStatus{p, p}, []string{"", ""}, []job.StageStatus{p, p}},
	} {
		var logs []StageLog
		for i := range tt.from {
			logs = append(logs, StageLog{State: tt.from[i], Text: tt.texts[i]})
		}
		agree(job.Job{State: tt.state}, logs)
		for i := range logs {
			if logs[i].State != tt.want[i] {
				t.Errorf("%s: stage %d is %s, want %s", tt.name, i, logs[i].State, tt.want[i])
			}
		}
	}
}

// ending is a job whose run ends and is released after the job was read for the first time.
type ending struct {
	single
	reads *int
}

func (e ending) Get(context.Context, string) (job.Job, error) {
	j := e.job
	if *e.reads++; *e.reads == 1 {
		j.State, j.Logs = job.Running, nil
	}
	return j, nil
}

func (e ending) Open(context.Context, string, string) (io.ReadCloser, job.File, error) {
	return io.NopCloser(strings.NewReader("Bakta Command: bakta\n")), job.File{}, nil
}

func (e ending) Log(context.Context, job.Job, string) (io.ReadCloser, error) {
	return nil, job.Errorf(job.NotFound, "there is no log of the stage")
}

// A log does not become empty for the moment in which its run is released.
func TestLogOfARunThatEnds(t *testing.T) {
	t.Parallel()
	e := ending{single{job.Job{ID: ownID, SecretHash: job.HashSecret(secret), State: job.Succeeded, Workflow: workflow.Bakta, Run: 1,
		Stages: []job.Stage{{Name: "bakta", Status: job.StageSucceeded}}, Logs: []job.File{{Name: "bakta", Key: "k"}}}}, new(int)}
	f, err := New(Deps{Jobs: e, Files: e, Logs: e, Offered: workflow.Catalogue(), DownloadTTL: time.Hour, MaxList: 10,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	j, logs, err := f.StageLogs(t.Context(), Ref{ID: ownID, Secret: secret})
	if err != nil || j.State != job.Succeeded || len(logs) != 1 || logs[0].Text != "Bakta Command: bakta\n" {
		t.Errorf("%v, %+v, %v", j.State, logs, err)
	}
}
