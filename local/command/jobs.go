package command

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/cli"
	"github.com/ag-computational-bio/bakta-web-backend/local/control"
)

// jobsCommand returns the command `bakta-web local jobs`, which changes how many jobs a running backend runs at the same time.
func jobsCommand(c cli.Context) *cobra.Command {
	data := ""
	cmd := &cobra.Command{
		Use:   "jobs [NUMBER]",
		Short: "Change how many jobs a running server runs at the same time",
		Long: `Change how many jobs the server on the directory --data runs at the same time,
while it runs. Without NUMBER, nothing is changed. The command prints how many
jobs may run, how many run, and how many wait.

If the number grows, waiting jobs begin at once. If it falls, no running job is
ended: none begins until fewer run. Unless the server was started with --threads,
jobs that begin after the change share the CPUs evenly by the new number; jobs
that run keep their threads. The next start of the server uses its --jobs again.

Only the user who runs the server, and root, may change it.`,
		Example: `  bakta-web local jobs
  bakta-web local jobs 4 --data ~/bakta-web`,
		Args: cli.Takes(0, 1, "the number of jobs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if data == "" {
				if data, err = dataDir(c.Env); err != nil {
					return err
				}
			}
			var jobs control.Jobs
			if len(args) == 0 {
				jobs, err = control.Read(cmd.Context(), data)
			} else {
				var limit int
				if limit, err = strconv.Atoi(args[0]); err == nil {
					err = control.CheckJobs(limit)
				}
				if err != nil {
					return cli.Usagef("%q is not a number of jobs; write a number from 1 to %d", args[0], control.MaxJobs)
				}
				jobs, err = control.Set(cmd.Context(), data, limit)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(c.Out, "At most %d at the same time; %d running, %d waiting.\n", jobs.Limit, jobs.Running, jobs.Waiting)
			return nil
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "`directory` of all data of the server (default as of `bakta-web local`)")
	cmd.MarkFlagDirname("data")
	return cmd
}
