package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *app) deleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete jobs with all of their data",
		Long: `Delete jobs from their server, with all of their data: uploads, results, logs.
What runs is stopped. The jobs are no longer listed. Files that were downloaded
stay.`,
		Example: `  bakta-web delete 0fd4
  bakta-web delete 0fd4 17ac`,
		Args:              takes(1, -1, "the ID of a job"),
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, prefix := range args {
				if err := a.delete(cmd.Context(), prefix); err != nil {
					return err
				}
			}
			return nil
		},
	}
	return cmd
}

func (a *app) delete(ctx context.Context, prefix string) error {
	entry, c, err := a.find(prefix)
	if err != nil {
		return err
	}
	b, err := a.book()
	if err != nil {
		return err
	}
	// The server first: a job that is forgotten here and still there can't be deleted by anybody.
	if err := c.Delete(ctx, ref(entry)); err != nil {
		return err
	}
	if err := b.Remove(context.WithoutCancel(ctx), entry.ID); err != nil {
		return err
	}
	a.display.line("deleted %s (%s)", entry.ID, shown(entry.Name))
	return nil
}
