package cli

import (
	"context"
	"errors"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/spf13/cobra"
)

func (a *app) logsCommand() *cobra.Command {
	follow := false
	cmd := &cobra.Command{
		Use:   "logs ID",
		Short: "Print what Bakta writes, while it runs and afterwards",
		Long: `Print what Bakta writes, while it runs and afterwards. A job that is interrupted
by its machine is run again with a new log; --follow says so, and goes on with
the beginning of that one.`,
		Example: `  bakta-web logs 0fd4
  bakta-web logs -f 0fd4`,
		Args:              takes(1, 1, "the ID of a job"),
		ValidArgsFunction: a.completeIDs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.logs(cmd.Context(), args[0], follow) },
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job has ended")
	return cmd
}

func (a *app) logs(ctx context.Context, prefix string, follow bool) error {
	entry, c, err := a.find(prefix)
	if err != nil {
		return err
	}
	log := &tail{client: c, job: ref(entry)}
	// The state is asked for before the log: what is there after the job has ended is all of it.
	for ended := false; ; {
		if follow {
			states, err := c.Status(ctx, ref(entry))
			if err != nil {
				return err
			}
			switch states[0].State {
			case client.NotFound, client.Unauthorized:
				return &exitError{exitJobFailed, errors.New("the job is gone: it was deleted, or it has expired")}
			}
			ended = states[0].State.Ended()
		}
		printed, err := a.printLog(ctx, log)
		if err != nil {
			return err
		}
		switch {
		case !follow && log.offset == 0:
			a.display.line("The log is empty so far.")
			return nil
		case !follow || ended:
			return nil
		case printed:
			continue
		}
		if err := pause(ctx, pollInterval(entry.Server)); err != nil {
			return err
		}
	}
}

// printLog prints what is new, and reports whether that is something.
func (a *app) printLog(ctx context.Context, log *tail) (bool, error) {
	for printed := false; ; printed = true {
		text, anew, err := log.next(ctx)
		if err != nil || len(text) == 0 {
			return printed, err
		}
		if anew {
			a.display.line("The job is run again. This is its new log:")
		}
		if _, err := a.out.Write(text); err != nil {
			return printed, err
		}
	}
}

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
