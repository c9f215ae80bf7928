package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"

	"github.com/ag-computational-bio/bakta-web-backend/cli/book"
	"github.com/ag-computational-bio/bakta-web-backend/client"
)

func (a *app) deleteCommand() *cobra.Command {
	forget := false
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete jobs with all of their data",
		Long: `Delete jobs from their server, with all of their data: uploads, results, logs.
What runs is stopped. The jobs are no longer listed. Files that were downloaded
stay. A job that its server no longer has is forgotten here, too; one that a
server named by --server doesn't have stays known, for it was made elsewhere.

--forget forgets jobs whatever their server answers, for one that is gone for
good. A job that its server still has can't be deleted by anybody then, and
goes when it expires.`,
		Example: `  bakta-web delete 0fd4
  bakta-web delete 0fd4 17ac`,
		Args:              Takes(1, -1, "the ID of a job"),
		ValidArgsFunction: a.completeIDs,
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, prefix := range args {
				if err := a.delete(cmd.Context(), prefix, forget); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&forget, "forget", false, "forget the jobs here even if they can't be deleted")
	return cmd
}

func (a *app) delete(ctx context.Context, prefix string, forget bool) error {
	entry, c, err := a.find(prefix)
	if err != nil {
		return err
	}
	b, err := a.book()
	if err != nil {
		return err
	}
	// The server first: a job that is forgotten here and still there can't be deleted by anybody.
	gone, err := erase(ctx, c, entry)
	switch {
	case err != nil && (!forget || ctx.Err() != nil):
		return err
	case err != nil:
		a.display.line("%v", err)
	}
	if err := b.Remove(context.WithoutCancel(ctx), entry.ID); err != nil {
		return err
	}
	done := "deleted"
	switch {
	case err != nil:
		done = "forgot"
	case gone:
		a.display.line("%s has no such job any more", c.Server())
		done = "forgot"
	}
	a.display.line("%s %s (%s)", done, entry.ID, shown(entry.Name))
	return nil
}

// erase deletes a job from a server, and reports whether it was gone already. That the server has no such job is
// an error when it is not the one that made it: the job may live on there.
func erase(ctx context.Context, c *client.V2, entry book.Entry) (gone bool, err error) {
	// Deleting a job that does not exist succeeds, and a server without Bakta-Web may answer 404 to any path. The list of jobs
	// reports the state of this job.
	states, err := c.Status(ctx, ref(entry))
	switch {
	case client.CodeOf(err) == codes.NotFound:
		return false, fmt.Errorf("there is no Bakta-Web server at %s", c.Server())
	case err != nil:
		return false, err
	case states[0].State != client.NotFound:
		return false, c.Delete(ctx, ref(entry))
	case c.Server() != entry.Server:
		return false, fmt.Errorf("%s does not have this job: %s was created on %s, and stays in the list of jobs here",
			c.Server(), entry.ID, entry.Server)
	}
	return true, nil
}
