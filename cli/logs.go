package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

func (a *app) logsCommand() *cobra.Command {
	follow, only := false, ""
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Print what a job's programs write, while they run and afterwards",
		Long: `Print what a job's programs write, while they run and afterwards: of all stages,
one after the other, or of one. A job that is interrupted by its machine is run
again with a new log; --follow says so, and goes on with the beginning of that
one. --follow also goes on while the server is away for up to 15 minutes.`,
		Example: `  bakta-web logs 0fd4
  bakta-web logs -f 0fd4
  bakta-web logs --stage baktfold 0fd4`,
		Args:              Takes(1, 1, "the ID of a job"),
		ValidArgsFunction: a.completeIDs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.logs(cmd.Context(), args[0], only, follow) },
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "continue until the job has ended")
	cmd.Flags().StringVar(&only, "stage", "", "print only the log of this `stage`")
	_ = cmd.RegisterFlagCompletionFunc("stage", cobra.FixedCompletions(stageNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// stageNames are the stages of all workflows.
func stageNames() (names []string) {
	for _, w := range workflow.Catalogue() {
		for _, s := range w.Stages {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

func (a *app) logs(ctx context.Context, prefix, only string, follow bool) error {
	entry, c, err := a.find(prefix)
	if err != nil {
		return err
	}
	out := &printer{app: a, only: only, tails: map[string]*tail{}}
	for last := time.Now(); ; {
		logs, ended, err := readLogs(ctx, c, ref(entry), follow)
		switch {
		case err == nil:
			last = time.Now()
			a.display.passed()
			if err := out.stages(logs); err != nil {
				return err
			}
			if !follow || ended {
				return out.end()
			}
		case !follow || !client.Transient(err) || time.Since(last) > a.absence:
			return err
		default:
			// The same words as each try has, so that they show once.
			a.display.notice("%v; trying again", errors.Unwrap(err))
		}
		if err := pause(ctx, pollInterval(entry.Server)); err != nil {
			return err
		}
	}
}

// readLogs returns the logs of a job and, to follow them, whether it has ended.
func readLogs(ctx context.Context, c *client.V2, job client.Ref, follow bool) (logs []client.StageLog, ended bool, err error) {
	// The state is asked for before the log: what is there after the job has ended is all of it.
	if follow {
		states, err := c.Status(ctx, job)
		if err != nil {
			return nil, false, err
		}
		switch states[0].State {
		case client.NotFound, client.Unauthorized:
			return nil, false, errGone
		}
		ended = states[0].State.Ended()
	}
	logs, err = c.Logs(ctx, job)
	return logs, ended, err
}

// printer prints logs as they grow.
type printer struct {
	*app
	only  string           // the one stage to print; empty: all
	tails map[string]*tail // by stage
	last  string           // the stage that was printed last
}

// stages prints what is new in the stages' logs.
func (p *printer) stages(logs []client.StageLog) error {
	var names []string
	for _, l := range logs {
		names = append(names, l.Stage)
		if p.only != "" && l.Stage != p.only {
			continue
		}
		if p.tails[l.Stage] == nil {
			p.tails[l.Stage] = &tail{}
		}
		text, again := p.tails[l.Stage].next(l.Content)
		if text == "" {
			continue
		}
		if (again || p.last != l.Stage) && p.last != "" {
			if _, err := fmt.Fprintln(p.logOut); err != nil { // ends what stands there
				return err
			}
		}
		if again {
			p.display.line("The job is run again. This is its new log:")
		}
		if _, err := fmt.Fprint(p.logOut, text); err != nil {
			return err
		}
		p.last = l.Stage
	}
	if p.only != "" && !slices.Contains(names, p.only) {
		return Usagef("--stage: the job has no stage %q; its stages are %s", p.only, shown(strings.Join(names, ", ")))
	}
	return nil
}

// end ends what was printed.
func (p *printer) end() error {
	if p.last == "" {
		p.display.line("The log is empty so far.")
		return nil
	}
	_, err := fmt.Fprintln(p.logOut) // the API leaves out what white space ends a log
	return err
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
