package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// job is a job in the JSON output of commands.
type job struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Workflow  string    `json:"workflow"` // the API's name of it
	State     string    `json:"state"`    // the API's words in upper case, or UNREACHABLE
	Server    string    `json:"server"`
	File      string    `json:"file,omitempty"`
	Submitted time.Time `json:"submitted"`
	Updated   time.Time `json:"updated,omitzero"`
	Waiting   *bool     `json:"waiting,omitempty"` // of INIT: it was started and waits, or was not started; missing if the server doesn't say
	Step      *step     `json:"step,omitempty"`

	Queue    *client.Queue    `json:"queue,omitempty"`    // of a job that waits
	Expected *client.Expected `json:"expected,omitempty"` // of a job that waits or runs
	Stages   []stage          `json:"stages,omitempty"`   // of the command status
	Reason   string           `json:"reason,omitempty"`   // why it failed

	Hindrance string `json:"hindrance,omitempty"` // what prevents the start of a job that waits

	Notifications []client.Notification `json:"notifications,omitempty"` // of the command status
}

// step is where a running job is.
type step struct {
	Number int    `json:"number"`
	Of     int    `json:"of"`
	Name   string `json:"name"`
}

// stage is how a stage of a job does.
type stage struct {
	Stage  string `json:"stage"`
	Status string `json:"status"` // the API's words
}

// unreachable stands for the state of a job whose server doesn't answer.
const unreachable = "UNREACHABLE"

func describe(entry book.Entry, status client.Status) job {
	return job{
		ID:        entry.ID,
		Name:      entry.Name,
		Workflow:  cmp.Or(status.Workflow, entry.Workflow, workflow.Bakta),
		State:     string(status.State),
		Server:    entry.Server,
		File:      entry.File,
		Submitted: entry.Created,
		Updated:   status.Updated,
		Waiting:   status.Waiting,
		Step:      stepOf(client.JobState{Status: status}),
		Reason:    reasonOf(status),
		Queue:     status.Queue,
		Expected:  status.Expected,
		Hindrance: status.Hindrance,
	}
}

// reasonOf returns why a job failed, if its server says so with its state.
func reasonOf(status client.Status) string {
	if status.Failure == nil {
		return ""
	}
	return status.Failure.Message
}

func (a *app) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the jobs that were submitted from here, or belong to your account",
		Long: `List the jobs that were submitted from here, and those of your account on servers
where you are logged in ("bakta-web login"), the newest last, and where they are:
WAITING (started, waits for a machine), NOT STARTED, RUNNING, SUCCESSFUL, ERROR
(failed), NOT_FOUND (deleted or expired), UNREACHABLE (its server doesn't
answer). With --json the first two are INIT, and the field waiting says which.
With --server only those of that server are listed.`,
		Example: `  bakta-web list
  bakta-web list --json | jq -r '.[] | select(.state == "SUCCESSFUL") | .id'`,
		Args: Takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.list(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) list(ctx context.Context) error {
	b, err := a.book()
	if err != nil {
		return err
	}
	entries, err := b.Jobs()
	if err != nil {
		return err
	}
	known := len(entries)
	if a.server != "" {
		c, err := a.client(a.server)
		if err != nil {
			return err
		}
		kept := entries[:0]
		for _, entry := range entries {
			if entry.Server == c.Server() {
				kept = append(kept, entry)
			}
		}
		entries = kept
	}
	jobs, err := a.statesOf(ctx, entries)
	if own, ownErr := a.ownJobs(ctx, entries); len(own) > 0 || ownErr != nil {
		jobs, err = append(jobs, own...), errors.Join(err, ownErr)
		slices.SortStableFunc(jobs, func(a, b job) int { return a.Submitted.Compare(b.Submitted) })
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.json {
		if printErr := a.printJSON(jobs); printErr != nil {
			return printErr
		}
	} else if len(jobs) == 0 && known > 0 {
		a.display.line("No job was submitted from here to %s. %d jobs are on other servers; `bakta-web list` without --server lists them.",
			shown(a.server), known)
	} else if len(jobs) == 0 {
		a.display.line("No job was submitted from here yet. `bakta-web submit genome.fna` does.")
	} else if tableErr := a.table(jobs); tableErr != nil {
		return tableErr
	}
	return err
}

// statesOf asks each server for its jobs. A server that does not answer leaves its jobs UNREACHABLE, and its error is
// among those returned.
func (a *app) statesOf(ctx context.Context, entries []book.Entry) ([]job, error) {
	places := make(map[string][]int) // of entries, by server
	var servers []string
	for i, entry := range entries {
		if places[entry.Server] == nil {
			servers = append(servers, entry.Server)
		}
		places[entry.Server] = append(places[entry.Server], i)
	}
	jobs := make([]job, len(entries))
	var failures []error
	for _, server := range servers {
		var refs []client.Ref
		for _, i := range places[server] {
			jobs[i] = describe(entries[i], client.Status{State: unreachable})
			refs = append(refs, ref(entries[i]))
		}
		c, err := a.client(server)
		var states []client.Status
		if err == nil {
			states, err = c.Status(ctx, refs...)
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		for n, i := range places[server] {
			jobs[i] = describe(entries[i], states[n])
		}
	}
	return jobs, errors.Join(failures...)
}

// table prints jobs, those of each server under its URL if there are several servers.
func (a *app) table(jobs []job) error {
	var servers []string
	for _, j := range jobs {
		if !slices.Contains(servers, j.Server) {
			servers = append(servers, j.Server)
		}
	}
	length := shortest(jobs)
	for i, server := range servers {
		if len(servers) > 1 {
			if i > 0 {
				fmt.Fprintln(a.out)
			}
			fmt.Fprintf(a.out, "On %s:\n", shown(server))
		}
		rows := [][]string{{"ID", "NAME", "WORKFLOW", "STATE", "SUBMITTED"}}
		for _, j := range jobs {
			if j.Server == server {
				id := j.ID[:min(length, len(j.ID))]
				rows = append(rows, []string{id, shown(j.Name), shown(workflowName(j.Workflow)), shown(stateWord(j)), timeText(j.Submitted)})
			}
		}
		fit(rows, 1, a.columns)
		if err := tabled(a.out, rows); err != nil {
			return err
		}
	}
	return nil
}

// fit cuts the cells of one column so that the rows are not wider than that. At least ten characters of a cell stay.
func fit(rows [][]string, column, width int) {
	widest := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widest[i] = max(widest[i], runewidth.StringWidth(cell))
		}
	}
	left := width - 2*(len(widest)-1)
	for i, w := range widest {
		if i != column {
			left -= w
		}
	}
	for _, row := range rows {
		row[column] = clipped(row[column], max(left, 10))
	}
}

// stateWord is the state of a job for people, who care whether a job that is INIT was started.
func stateWord(j job) string {
	switch {
	case client.State(j.State) != client.Init || j.Waiting == nil:
		return j.State
	case *j.Waiting:
		return "WAITING"
	}
	return "NOT STARTED"
}

// shortest returns how many characters of the ids distinguish the jobs, at least eight.
func shortest(jobs []job) int {
	for length := 8; ; length++ {
		seen, unique := make(map[string]bool), true
		for _, j := range jobs {
			id := j.ID[:min(length, len(j.ID))]
			unique = unique && (!seen[id] || length >= len(j.ID))
			seen[id] = true
		}
		if unique {
			return length
		}
	}
}

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [ID]",
		Short: "Tell how a job does",
		Long: `Tell how a job does: its state and that of its stages, the step that it is at, or
the reason of its failure. Without an ID it is the job that was submitted last.
The exit code is 0 if the state is known, whatever it is.`,
		Example: `  bakta-web status
  bakta-web status 0fd4
  bakta-web status --json 0fd4 | jq -r .state`,
		Args:              Takes(0, 1, "ID"),
		ValidArgsFunction: a.completeIDs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.status(cmd.Context(), strings.Join(args, "")) },
	}
	a.jsonFlag(cmd)
	return cmd
}

// notificationText is what became of a message.
func notificationText(n client.Notification) string {
	text := shown(n.Event) + ": " + strings.ReplaceAll(shown(n.Status), "_", " ")
	if n.Error != "" {
		attempts := "attempts"
		if n.Attempts == 1 {
			attempts = "attempt"
		}
		text += fmt.Sprintf(" after %d %s: %s", n.Attempts, attempts, shown(n.Error))
	}
	if n.Status == "pending" && !n.Next.IsZero() {
		text += ", next attempt " + timeText(n.Next)
	}
	return text
}

func (a *app) status(ctx context.Context, prefix string) error {
	entry, c, err := a.findOrLast(prefix)
	if err != nil {
		return err
	}
	state, err := c.Look(ctx, ref(entry))
	if err != nil {
		return err
	}
	j := describe(entry, state.Status)
	j.Step = stepOf(state)
	for _, s := range state.Stages {
		j.Stages = append(j.Stages, stage(s))
	}
	j.Notifications = state.Notifications
	if state.Version == "" {
		a.older(ctx, c, entry, &j)
	}
	if a.json {
		return a.printJSON(j)
	}
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "id\t%s\n", j.ID)
	fmt.Fprintf(w, "name\t%s\n", shown(j.Name))
	fmt.Fprintf(w, "workflow\t%s\n", shown(workflowName(j.Workflow)))
	fmt.Fprintf(w, "state\t%s\n", explained(j))
	if len(j.Stages) > 1 {
		var told []string
		for _, s := range j.Stages {
			told = append(told, shown(s.Stage)+" "+shown(s.Status))
		}
		fmt.Fprintf(w, "stages\t%s\n", strings.Join(told, ", "))
	}
	if j.Queue != nil {
		fmt.Fprintf(w, "waits as\t%s\n", queueText(j.Queue))
	}
	if j.Hindrance != "" {
		fmt.Fprintf(w, "held up\t%s\n", shownLines(j.Hindrance, "\t"))
	}
	if start := expectedText("about ", j.Expected, true); start != "" {
		fmt.Fprintf(w, "starts\t%s\n", start)
	}
	if end := expectedText("about ", j.Expected, false); end != "" {
		fmt.Fprintf(w, "ends\t%s\n", end)
	}
	if j.Reason != "" {
		fmt.Fprintf(w, "reason\t%s\n", shownLines(j.Reason, "\t"))
	}
	for _, n := range j.Notifications {
		fmt.Fprintf(w, "%s\t%s\n", shown(n.Channel), notificationText(n))
	}
	fmt.Fprintf(w, "submitted\t%s\n", timeText(j.Submitted))
	if !j.Updated.IsZero() {
		fmt.Fprintf(w, "updated\t%s\n", timeText(j.Updated))
	}
	fmt.Fprintf(w, "server\t%s\n", shown(j.Server))
	return w.Flush()
}

// older adds what a server of an older version does not say of a job at once.
func (a *app) older(ctx context.Context, c *client.V2, entry book.Entry, j *job) {
	switch client.State(j.State) {
	case client.Running, client.Failed, client.Successful:
		// They may be out of reach for a moment, and the rest is still shown.
		at, logs, err := look(ctx, c, ref(entry), j.Workflow)
		if err == nil && j.State == string(client.Running) {
			j.Step = at
		}
		for _, l := range logs {
			j.Stages = append(j.Stages, stage{l.Stage, l.Status})
		}
	}
	if j.State == string(client.Failed) && j.Reason == "" {
		j.Reason = a.reason(ctx, c, entry)
	}
}

// explained says what a state means.
func explained(j job) string {
	switch client.State(j.State) {
	case client.Init:
		switch stateWord(j) {
		case "WAITING":
			return j.State + " (started, waits for a machine)"
		case "NOT STARTED":
			return j.State + " (not started)"
		}
		return j.State + " (waits, or was not started)"
	case client.Running:
		if j.Step != nil {
			return fmt.Sprintf("%s (step %d of %d: %s)", j.State, j.Step.Number, j.Step.Of, shown(j.Step.Name))
		}
	case client.Failed:
		return j.State + " (failed)"
	case client.NotFound:
		return j.State + " (deleted or expired)"
	case client.Unauthorized:
		return j.State + " (the server has another secret)"
	}
	return j.State
}

// findOrLast is find, and the job that was made last without a prefix.
func (a *app) findOrLast(prefix string) (book.Entry, *client.V2, error) {
	if prefix != "" {
		return a.find(prefix)
	}
	b, err := a.book()
	if err != nil {
		return book.Entry{}, nil, err
	}
	entries, err := b.Jobs()
	if err != nil {
		return book.Entry{}, nil, err
	}
	if len(entries) == 0 {
		return book.Entry{}, nil, &exitError{exitUsage, errors.New("no job was submitted from here yet; `bakta-web submit genome.fna` does")}
	}
	entry := entries[len(entries)-1]
	c, err := a.clientFor(entry)
	return entry, c, err
}

// reason asks why a job failed.
func (a *app) reason(ctx context.Context, c *client.V2, entry book.Entry) string {
	_, err := c.Result(ctx, ref(entry), false)
	var answer *client.Error
	if errors.As(err, &answer) {
		return answer.Message
	}
	return ""
}

// completeIDs completes the ids of known jobs in a shell.
func (a *app) completeIDs(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var known []string
	if b, err := a.book(); err == nil && len(args) == 0 {
		entries, _ := b.Jobs()
		for _, entry := range entries {
			known = append(known, entry.ID+"\t"+shown(entry.Name))
		}
	}
	return known, cobra.ShellCompDirectiveNoFileComp
}
