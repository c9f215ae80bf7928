package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// pollInterval is how often a server is asked. One on this machine may be asked more often.
func pollInterval(server string) time.Duration {
	if u, err := url.Parse(server); err == nil {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return 500 * time.Millisecond
		}
	}
	return 2 * time.Second
}

// comeBack is the command that goes on where a wait was left.
func comeBack(entry book.Entry, c *client.V2, out string) string {
	command := "bakta-web results --wait"
	if out != "" {
		command += " --out " + quoted(out)
	}
	if c.Server() != entry.Server {
		command += " --server " + quoted(c.Server())
	}
	return command + " " + entry.ID
}

// wait shows how a job goes until it has ended, and returns nil if it succeeded.
func (a *app) wait(ctx context.Context, c *client.V2, entry book.Entry, out string) error {
	state, err := a.await(ctx, c, entry, out)
	switch {
	case err != nil:
		return err
	case state == client.Failed:
		return a.failed(ctx, c, entry)
	}
	return nil
}

// await shows how a job goes until it has succeeded or failed. When ctx ends before, the job goes on, and the user
// learns how to come back for the results in the directory out.
func (a *app) await(ctx context.Context, c *client.V2, entry book.Entry, out string) (client.State, error) {
	began := time.Now()
	c = c.WithPatience(a.patience)
	b := a.display.start("waiting for the job to begin", inSteps)
	p := passage{bar: b}
	status, err := c.Watch(ctx, ref(entry), pollInterval(entry.Server), func(s client.JobState, err error) {
		if err != nil {
			// The same words as each try has, so that they show once.
			a.display.notice("%v; trying again", errors.Unwrap(err))
			return
		}
		a.display.passed()
		at, known := stepOf(s), true
		if s.Version == "" && s.State == client.Running { // an older server: its logs show the step
			var err error
			at, _, err = look(ctx, c, ref(entry), cmp.Or(s.Workflow, entry.Workflow, workflow.Bakta))
			known = err == nil
		}
		p.show(s, at, known)
	})
	switch {
	case err != nil && ctx.Err() != nil:
		b.end("The job goes on without you. To come back:\n  %s", comeBack(entry, c, out))
		return "", &exitError{code: exitInterrupted}
	case err != nil:
		b.end("The job may still run. To come back:\n  %s", comeBack(entry, c, out))
		return "", err
	case status.State == client.Successful:
		b.end("finished after %s", durationText(time.Since(began)))
	case status.State == client.Failed:
		b.end("")
	default:
		b.end("")
		return "", errGone
	}
	return status.State, nil
}

// passage shows how a job goes.
type passage struct {
	bar    *bar
	queued bool // its place in the queue was shown
	moving bool // a step was shown

	hindrance string // the last one that was shown
}

// show shows a state of a job, and the step that it is at, nil for none; known is false if that could not be read.
func (p *passage) show(s client.JobState, at *step, known bool) {
	if s.Hindrance != "" && s.Hindrance != p.hindrance {
		p.bar.display.line("%s", shown(s.Hindrance))
		p.hindrance = s.Hindrance
	}
	switch {
	case s.State == client.Init && s.Queue != nil:
		label := queueText(s.Queue) + expectedText(", starts about ", s.Expected, true)
		if p.bar.rename(label) && p.bar.bar == nil && !p.queued {
			p.bar.display.line("%s", label)
		}
		p.queued = true
	case s.State != client.Running, !known && p.moving: // without the logs, the last step stays
	case at == nil:
		p.bar.step("running", "")
	default:
		p.moving = true
		p.bar.step(shown(at.Name), fmt.Sprintf("[%d/%d]", at.Number, at.Of))
		p.bar.set(int64(at.Number), int64(at.Of))
	}
}

// queueText is the place of a job that waits.
func queueText(q *client.Queue) string {
	return fmt.Sprintf("number %d of %d in the queue", q.Place, q.Length)
}

// expectedText is when a job is expected to start or to end, behind those words; empty if that is not known.
func expectedText(words string, e *client.Expected, start bool) string {
	switch {
	case e == nil || start && e.Start.IsZero() || !start && e.End.IsZero():
		return ""
	case start:
		return words + timeText(e.Start)
	case e.LatestEnd.IsZero():
		return words + timeText(e.End)
	}
	return words + timeText(e.End) + ", by " + timeText(e.LatestEnd) + " in nine of ten cases"
}

// stepOf returns the step that a state shows, nil if it shows none.
func stepOf(s client.JobState) *step {
	p := s.Progress
	if p == nil {
		return nil
	}
	name := strings.TrimSpace(p.Text)
	if len(s.Stages) > 1 && name != "" && !strings.EqualFold(name, s.Stage) {
		name = s.Stage + ": " + name
	}
	return &step{Number: p.Step, Of: p.Steps, Name: name}
}

// look returns the step that a job has come to, nil if its logs show none yet, and the logs.
func look(ctx context.Context, c *client.V2, job client.Ref, kind string) (*step, []client.StageLog, error) {
	logs, err := c.Logs(ctx, job)
	if err != nil {
		return nil, nil, err
	}
	var text strings.Builder
	speaks := "" // the stage that wrote last
	for _, l := range logs {
		if l.Content != "" {
			fmt.Fprintln(&text, l.Content)
			speaks = l.Stage
		}
	}
	at, ok := workflow.StepOf(kind, text.String())
	if !ok {
		return nil, logs, nil
	}
	name := strings.TrimSpace(at.Name)
	if len(logs) > 1 && name != "" && !strings.EqualFold(name, speaks) {
		name = speaks + ": " + name
	}
	return &step{Number: at.Number, Of: at.Of, Name: name}, logs, nil
}
