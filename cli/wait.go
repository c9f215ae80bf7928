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
	known := false // a step was shown
	status, err := c.Wait(ctx, ref(entry), pollInterval(entry.Server), func(s client.Status, err error) {
		if err != nil {
			// The same words as each try has, so that they show once.
			a.display.notice("%v; trying again", errors.Unwrap(err))
			return
		}
		a.display.passed()
		if s.State != client.Running {
			return
		}
		at, _, err := look(ctx, c, ref(entry), cmp.Or(s.Workflow, entry.Workflow, workflow.Bakta))
		if err != nil && known {
			return // without the logs, the last notice stays
		}
		if at == nil {
			b.step("running", "")
			return
		}
		known = true
		b.step(shown(at.Name), fmt.Sprintf("[%d/%d]", at.Number, at.Of))
		b.set(int64(at.Number), int64(at.Of))
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
