package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/cli/batch"
	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// absence is how long a server may be away in the middle of a batch: an upgrade takes less.
const absence = 15 * time.Minute

// isMany reports whether several samples are meant: then each fails alone, and a later call goes on where this one ended.
func (s *submission) isMany(args []string) bool {
	if s.sheet != "" || len(args) != 1 {
		return true
	}
	info, err := os.Stat(args[0])
	return err == nil && info.IsDir()
}

// submitMany annotates several samples.
func (a *app) submitMany(ctx context.Context, s submission, args []string, changed func(flag string) bool) error {
	if s.name != "" {
		return Usagef("--name is for one file; several are named after their files, or by a column \"name\" of --sheet")
	}
	samples, err := a.plan(s, args, changed)
	if err != nil {
		return err
	}
	c, err := a.client(a.newServer())
	if err != nil {
		return err
	}
	if s.fetch.out != "" {
		if err := makeDir(s.fetch.out); err != nil {
			return err
		}
	}
	o := batch.Options{
		Client: c.WithPatience(max(a.absence, a.transferPatience)), Out: s.fetch.out, Wait: s.wait, Uploads: s.uploads,
		MaxDownload: s.fetch.limit, Again: s.again, RetryFailed: s.retryFailed, Force: s.fetch.force, Pause: pauses(c.Server()),
	}
	closeRecord, err := a.record(&o)
	if err != nil {
		return err
	}
	defer closeRecord()
	// Somebody sits before the screen: a server that isn't there shows now, and not after the patience of a batch.
	if err := a.offers(ctx, c, samples); err != nil {
		return err
	}
	shows := &progress{app: a, wait: s.wait, out: s.fetch.out, again: s.again, server: c.Server(), began: time.Now()}
	o.Changed, o.Note = shows.changed, shows.note
	b := batch.New(samples, o)
	end := a.display.show(func(columns, rows int) []string { return shows.frame(b.Views(), columns, rows) })
	err = b.Run(ctx)
	end()
	return shows.ended(ctx, b.Views(), err)
}

// record opens what remembers the jobs, and names the batch.
func (a *app) record(o *batch.Options) (closeRecord func(), err error) {
	jobs, err := a.book()
	if err != nil {
		return nil, err
	}
	if _, err := jobs.Jobs(); err != nil {
		return nil, err // before there is a job whose secret could not be kept
	}
	if o.Out == "" {
		o.Name = uuid.NewString()
		o.Record, err = batch.InBook(jobs)
		return func() {}, err
	}
	ledger, err := batch.OpenLedger(o.Out, jobs)
	if err != nil {
		return nil, &exitError{exitFailed, err}
	}
	o.Name, o.Record = ledger.Batch(), ledger
	if began := ledger.RoundBegan(); o.Again && !began.IsZero() {
		a.display.line("goes on with --again of %s: only samples without a job since then get a new one", timeText(began))
	}
	return func() { ledger.Close() }, nil
}

// offers reports a workflow that the server does not offer.
func (a *app) offers(ctx context.Context, c *client.V2, samples []batch.Sample) error {
	known, err := c.Workflows(ctx)
	if err != nil {
		return err
	}
	for _, s := range samples {
		if !slices.ContainsFunc(known, func(w client.Workflow) bool { return w.Kind == s.Workflow.Kind }) {
			return &exitError{exitUsage, fmt.Errorf("%s: the server does not offer the workflow %s; `bakta-web workflows` shows what it offers",
				shown(s.Input()), workflowName(s.Workflow.Kind))}
		}
	}
	return nil
}

// pauses returns the shortest and the longest time between two requests for the states of all jobs.
func pauses(server string) [2]time.Duration {
	shortest := pollInterval(server)
	return [2]time.Duration{shortest, 10 * shortest}
}

// progress shows how a batch goes.
type progress struct {
	app    *app
	wait   bool
	out    string
	again  bool
	server string
	began  time.Time

	mu sync.Mutex // of what is printed
}

// change is a line of the JSON output: a change of one sample. The fields are documented, and stable: new ones may be added.
type change struct {
	Event    string      `json:"event"` // "sample"
	Time     time.Time   `json:"time"`
	Name     string      `json:"name"`
	File     string      `json:"file"`
	Place    string      `json:"place,omitempty"` // its row in the sheet
	Workflow string      `json:"workflow"`
	State    batch.State `json:"state"`
	ID       string      `json:"id,omitempty"` // of its job
	Server   string      `json:"server"`
	Stage    string      `json:"stage,omitempty"`
	Step     *step       `json:"step,omitempty"`
	Queue    *queuePlace `json:"queue,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Earlier  bool        `json:"earlier,omitempty"` // an earlier call had done it
	Out      string      `json:"out,omitempty"`     // folder of its results
}

type queuePlace struct {
	Place  int `json:"place"`
	Length int `json:"length"`
}

// totals is the last line of the JSON output: how many samples are in each state.
type totals struct {
	Event     string    `json:"event"` // "end"
	Time      time.Time `json:"time"`
	Total     int       `json:"total"`
	Done      int       `json:"done"`
	Submitted int       `json:"submitted"`
	Failed    int       `json:"failed"`
	Running   int       `json:"running"` // on the server: they wait, run, or have results to fetch
	Unsent    int       `json:"unsent"`
	Earlier   int       `json:"earlier"` // of those that are done: by an earlier call
	Summary   string    `json:"summary,omitempty"`
}

func count(views []batch.View) totals {
	t := totals{Event: "end", Time: time.Now().UTC(), Total: len(views)}
	for _, v := range views {
		switch v.State {
		case batch.Succeeded:
			t.Done++
		case batch.Submitted:
			t.Submitted++
		case batch.Unable:
			t.Failed++
		case batch.Queued, batch.Running, batch.Downloading:
			t.Running++
		default:
			t.Unsent++
		}
		if v.Earlier && v.State != batch.Unable {
			t.Earlier++
		}
	}
	return t
}

// changed shows a change of a sample.
func (p *progress) changed(v batch.View) {
	p.app.display.passed()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.app.json {
		c := change{Event: "sample", Time: time.Now().UTC(), Name: v.Name, File: v.File, Place: v.Place, Workflow: v.Workflow, State: v.State,
			ID: v.Job.ID, Server: p.server, Stage: v.Status.Stage, Reason: v.Reason, Earlier: v.Earlier, Out: v.Folder}
		if at := v.Status.Progress; at != nil && v.State == batch.Running {
			c.Step = &step{Number: at.Step, Of: at.Steps, Name: at.Text}
		}
		if q := v.Status.Queue; q != nil && v.State == batch.Queued {
			c.Queue = &queuePlace{q.Place, q.Length}
		}
		p.app.printJSONLine(c) // the end reports what can't be written
	} else if !p.wait && v.State.Settled() && v.State != batch.Unable {
		fmt.Fprintf(p.app.out, "%s\t%s\n", v.Job.ID, shown(v.Name))
	}
	name := shown(v.Name)
	switch {
	case v.State == batch.Unable:
		p.app.display.line("%s: %s", name, failedText(v))
	case v.Earlier: // the total says how many
	case v.State == batch.Queued && v.Status.State == "", v.State == batch.Submitted:
		does := "started"
		if v.Resumed {
			does = "goes on with"
		}
		p.app.display.line("%s: %s job %s", name, does, v.Job.ID)
	case v.State == batch.Succeeded:
		p.app.display.line("%s: done", name)
	case v.State == batch.Running && v.Status.Progress == nil && !p.app.display.terminal:
		p.app.display.line("%s: running", name)
	}
}

// failedText says why a sample failed.
func failedText(v batch.View) string {
	text := "failed"
	if v.Earlier {
		text = "failed in an earlier call"
	}
	if v.Place != "" {
		text += " (" + shown(v.Place) + ")"
	}
	return text + ": " + shownLines(v.Reason, "  ")
}

// note shows a text about a sample.
func (p *progress) note(v batch.View, text string) {
	p.app.display.line("%s: %s", shown(v.Name), shownLines(text, "  "))
}

// ended shows what became of a batch, and returns the error that makes the exit code.
func (p *progress) ended(ctx context.Context, views []batch.View, err error) error {
	t := count(views)
	if p.out != "" {
		t.Summary = filepath.Join(p.out, batch.SummaryName)
	}
	if p.app.json {
		if err := p.app.printJSONLine(t); err != nil {
			return err
		}
	} else if p.out != "" {
		fmt.Fprintln(p.app.out, t.Summary)
	}
	d := p.app.display
	p.failures(views)
	d.line("%s", t.text(p.wait))
	command := "bakta-web " + strings.Join(quotedAll(p.app.args), " ")
	goOn := "To go on"
	if p.again && p.out == "" { // which is recorded only in a folder
		goOn = "To make a new job for each sample again"
	}
	switch {
	case err != nil && ctx.Err() != nil:
		d.line("Interrupted. %s %s:\n  %s", t.left(), goOn, command)
		return &exitError{code: exitInterrupted}
	case err != nil:
		d.line("The batch ended early. %s %s:\n  %s", t.left(), goOn, command)
		return &exitError{exitFailed, err}
	case t.Failed > 0:
		if slices.ContainsFunc(views, func(v batch.View) bool { return v.State == batch.Unable && v.JobEnded }) &&
			!slices.Contains(p.app.args, "--retry-failed") {
			tries := "The same command tries again what was not submitted. With --retry-failed it also runs those again that failed"
			if p.again {
				tries = "With --retry-failed in place of --again, the same command runs those again that failed"
				args := slices.DeleteFunc(slices.Clone(p.app.args), func(arg string) bool { return arg == "--again" || arg == "--again=true" })
				command = "bakta-web " + strings.Join(quotedAll(args), " ")
			}
			d.line("%s:\n  %s --retry-failed", tries, command)
		}
		return &exitError{code: exitSomeFailed}
	case !p.wait:
		d.line("To wait for them and download the results, add --out DIRECTORY to the next call; `bakta-web list` shows how they do.")
	}
	return nil
}

// failures lists what failed, the first of many.
func (p *progress) failures(views []batch.View) {
	const most = 20
	n := 0
	for _, v := range views {
		if v.State != batch.Unable {
			continue
		}
		if n++; n == 1 {
			p.app.display.line("failed:")
		}
		if n <= most {
			place := ""
			if v.Place != "" {
				place = " (" + shown(v.Place) + ")"
			}
			p.app.display.line("  %s%s: %s", shown(v.Name), place, shownLines(v.Reason, "    "))
		}
	}
	if n > most {
		p.app.display.line("  and %d more", n-most)
	}
}

// text says how many samples came how far.
func (t totals) text(wait bool) string {
	samples := "samples"
	if t.Total == 1 {
		samples = "sample"
	}
	parts := []string{}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	if wait || t.Done > 0 {
		parts = append(parts, fmt.Sprintf("%d done", t.Done))
	}
	add(t.Submitted, "submitted")
	parts = append(parts, fmt.Sprintf("%d failed", t.Failed))
	add(t.Running, "on the server")
	add(t.Unsent, "not sent")
	text := fmt.Sprintf("%d %s: %s", t.Total, samples, strings.Join(parts, ", "))
	if t.Earlier > 0 {
		text += fmt.Sprintf(" (%d by an earlier call)", t.Earlier)
	}
	return text
}

// left says what is left to do.
func (t totals) left() string {
	switch jobs := t.Running + t.Submitted; jobs {
	case 0:
		return "No job goes on."
	case 1:
		return "1 job goes on without you."
	default:
		return fmt.Sprintf("%d jobs go on without you.", jobs)
	}
}

func quotedAll(args []string) []string {
	all := make([]string, len(args))
	for i, arg := range args {
		all[i] = quoted(arg)
	}
	return all
}
