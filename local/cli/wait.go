package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	"github.com/ag-computational-bio/bakta-web-backend/local/book"
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
func comeBack(entry book.Entry, c *client.Client, out string) string {
	command := "bakta-web results --wait"
	if out != "" {
		command += " --out " + quoted(out)
	}
	if c.Server() != entry.Server {
		command += " --server " + quoted(c.Server())
	}
	return command + " " + entry.ID
}

// wait shows how a job goes until it has ended, and returns nil if it succeeded. When ctx ends before, the job
// goes on, and the user is told how to come back for the results in the directory out.
func (a *app) wait(ctx context.Context, c *client.Client, entry book.Entry, out string) error {
	began := time.Now()
	c = c.WithPatience(a.patience)
	f := newFollower(c, ref(entry))
	b := a.display.start("waiting for the job to begin", inSteps)
	status, err := c.Wait(ctx, ref(entry), pollInterval(entry.Server), func(s client.Status, err error) {
		if err != nil {
			// The same words as each try has, so that they show once.
			a.display.once("%v; trying again", errors.Unwrap(err))
			return
		}
		a.display.forget()
		if s.State != client.Running {
			return
		}
		at, ok := f.look(ctx)
		if !ok {
			b.step("running", "")
			return
		}
		b.step(shown(at.Name), fmt.Sprintf("[%d/%d]", at.Number, at.Of))
		b.set(int64(at.Number), int64(at.Of))
	})
	switch {
	case err != nil && ctx.Err() != nil:
		b.end("The job goes on without you. To come back:\n  %s", comeBack(entry, c, out))
		return &exitError{code: exitInterrupted}
	case err != nil:
		b.end("The job may go on. To come back:\n  %s", comeBack(entry, c, out))
		return err
	case status.State == client.Successful:
		b.end("finished after %s", durationText(time.Since(began)))
		return nil
	case status.State == client.Failed:
		b.end("")
		return a.failed(ctx, c, entry)
	default:
		b.end("")
		return errGone
	}
}

// follower reads off a job's log where it is.
type follower struct {
	log   tail
	steps *workflow.Progress
}

func newFollower(c *client.Client, job client.Ref) *follower {
	return &follower{log: tail{client: c, job: job}, steps: workflow.NewProgress(workflow.Bakta)}
}

// look returns the step that the log has come to. That the log can't be had now is no reason to stop waiting.
func (f *follower) look(ctx context.Context) (step, bool) {
	if text, anew, err := f.log.next(ctx); err == nil {
		if anew {
			f.steps = workflow.NewProgress(workflow.Bakta)
		}
		f.steps.Write(text)
	}
	at, ok := f.steps.Step()
	return step{Number: at.Number, Of: at.Of, Name: strings.TrimSpace(at.Name)}, ok
}
