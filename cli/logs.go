package cli

import (
	"context"
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
one.`,
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
	// The state is asked for before the log: what is there after the job has ended is all of it.
	for ended := false; ; {
		if follow {
			states, err := c.Status(ctx, ref(entry))
			if err != nil {
				return err
			}
			switch states[0].State {
			case client.NotFound, client.Unauthorized:
				return errGone
			}
			ended = states[0].State.Ended()
		}
		logs, err := c.Logs(ctx, ref(entry))
		if err != nil {
			return err
		}
		if err := out.stages(logs); err != nil {
			return err
		}
		if !follow || ended {
			if out.last == "" {
				a.display.line("The log is empty so far.")
				return nil
			}
			_, err := fmt.Fprintln(a.logOut) // the API leaves out what white space ends a log
			return err
		}
		if err := pause(ctx, pollInterval(entry.Server)); err != nil {
			return err
		}
	}
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

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
