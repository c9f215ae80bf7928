package status

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// maxLog bounds how much of a stage's log is read for one answer, in bytes: all that a stage may write, and the line that
// says where the log was cut.
const maxLog = stage.DefaultMaxLog + 4<<10

// smallLog is how much of a log any number of calls may read at once, in bytes. Most logs have no more.
const smallLog = 256 << 10

// StageLog is what a stage has written so far.
type StageLog struct {
	Stage workflow.Stage
	State job.StageStatus
	Text  string // empty while it has written nothing
}

// StageLogs returns the logs of all stages of the job's workflow, in their order, in any state of the job.
func (f *Function) StageLogs(ctx context.Context, r Ref) (job.Job, []StageLog, error) {
	j, logs, err := f.stageLogs(ctx, r)
	if err == nil && j.State.Active() && logs[0].Text == "" {
		// Nothing was written yet; or the run ended and was released after the job was read, and its logs are in the bucket now. A log
		// must not be empty for a moment: clients that follow it count bytes.
		return f.stageLogs(ctx, r)
	}
	return j, logs, err
}

// stageLogs returns the job and its logs as they are read one after the other.
func (f *Function) stageLogs(ctx context.Context, r Ref) (job.Job, []StageLog, error) {
	j, err := f.get(ctx, r)
	if err != nil {
		return job.Job{}, nil, err
	}
	w, ok := workflow.Lookup(j.Workflow)
	if !ok {
		return job.Job{}, nil, job.Errorf(job.NotReady, "the job's workflow %q is not known to this version of the backend", j.Workflow)
	}
	status := make(map[string]job.StageStatus, len(j.Stages))
	for _, s := range j.Stages {
		status[s.Name] = s.Status
	}
	logs := make([]StageLog, 0, len(w.Stages))
	large := reading{reads: f.reads}
	defer large.end()
	behind := false // a stage before has not begun
	for _, s := range w.Stages {
		log := StageLog{Stage: s, State: job.StagePending}
		if known, ok := status[s.Name]; ok {
			log.State = known
		}
		if pending := log.State == job.StagePending && j.State.Active(); !pending || !behind {
			if log.Text, err = f.text(ctx, j, s.Name, &large); err != nil {
				return job.Job{}, nil, fmt.Errorf("reading the log of stage %s: %w", s.Name, err)
			}
			behind = pending && log.Text == ""
		}
		logs = append(logs, log)
	}
	agree(j, logs)
	return j, logs, nil
}

// agree makes the states of stages agree with their logs, which are read after the job and are newer: a stage that has
// written has begun, and the stages before it have succeeded, since stages run one after the other and none after one that
// failed.
func agree(j job.Job, logs []StageLog) {
	last := -1
	for i := range logs {
		if logs[i].Text != "" {
			last = i
		}
	}
	for i := range logs[:last+1] {
		began := logs[i].State == job.StagePending || logs[i].State == job.StageRunning
		switch {
		case began && (i < last || j.State == job.Succeeded):
			logs[i].State = job.StageSucceeded
		case began && j.State == job.Failed:
			logs[i].State = job.StageFailed
		case logs[i].State == job.StagePending:
			logs[i].State = job.StageRunning
		}
	}
}

// text returns what a stage has written so far: from the bucket after the run has ended, from where it runs before.
func (f *Function) text(ctx context.Context, j job.Job, name string, large *reading) (string, error) {
	var content io.ReadCloser
	var err error
	if j.State.Ended() {
		i := 0
		for i < len(j.Logs) && j.Logs[i].Name != name {
			i++
		}
		if i == len(j.Logs) {
			return "", nil
		}
		content, _, err = f.deps.Files.Open(ctx, j.Logs[i].Key, j.Logs[i].ETag)
	} else if j.State.Active() {
		content, err = f.deps.Logs.Log(ctx, j, name)
	} else {
		return "", nil
	}
	if job.Is(err, job.NotFound) {
		return "", nil // not begun, or gone, see StageLogs
	}
	if err != nil {
		return "", err
	}
	defer content.Close()
	var text strings.Builder
	n, err := io.Copy(&text, io.LimitReader(content, smallLog))
	if err == nil && n == smallLog {
		if err := large.begin(ctx); err != nil {
			return "", err
		}
		_, err = io.Copy(&text, io.LimitReader(content, maxLog-smallLog))
	}
	if err != nil {
		return "", job.Errorf(job.Unavailable, "the log cannot be read at the moment").Because(err)
	}
	return validText(text.String()), nil
}

// reading is the place of a call among those that read large logs.
type reading struct {
	reads chan struct{}
	begun bool
}

// begin waits for a place. A call takes one place for all of its logs: calls that wait for a second place while they hold
// the first could all wait forever.
func (r *reading) begin(ctx context.Context) error {
	if r.begun {
		return nil
	}
	select {
	case r.reads <- struct{}{}:
		r.begun = true
		return nil
	case <-ctx.Done():
		return job.Errorf(job.Exhausted, "too many logs are read at the moment; please try again later").Because(ctx.Err())
	}
}

func (r *reading) end() {
	if r.begun {
		<-r.reads
	}
}

// validText returns a log as valid UTF-8, which JSON and gRPC require: a program may print any bytes, and a live log may end
// inside a character.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// PlainLog returns the logs of all stages as one text. It begins with the line "Bakta Command: …", which clients expect, and
// ends with the reason if the job failed.
func (f *Function) PlainLog(ctx context.Context, r Ref) (string, error) {
	j, logs, err := f.StageLogs(ctx, r)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	size := 1 << 10 // room for what is added
	for _, log := range logs {
		size += len(log.Text)
	}
	text.Grow(size)
	for _, log := range logs {
		text.WriteString(log.Text)
		if log.Text != "" && !strings.HasSuffix(log.Text, "\n") && j.State.Ended() {
			text.WriteByte('\n')
		}
	}
	if text.Len() == 0 && j.State.Ended() {
		// It failed before anything could run. While a job waits its log is empty: a placeholder would have to disappear
		// when the log begins, and a client that follows the log counts bytes.
		fmt.Fprintf(&text, "%s Command: (nothing was run)\n", logs[0].Stage.Title)
	}
	if j.State == job.Failed {
		fmt.Fprintf(&text, "\n%s\n", reason(j))
	}
	return text.String(), nil
}
