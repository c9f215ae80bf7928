package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// built returns the version that this program was built as: what its build says, else what Go recorded.
func built(version string) string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Tell the versions of this program and of a server",
		Example: `  bakta-web version
  bakta-web version --server https://bakta.example.org`,
		Args: Takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.version(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) version(ctx context.Context) error {
	server := a.newServer()
	// One try: a missing server is not an error of this command, unless the user named one.
	c, err := client.New(server, client.Options{Patience: -1, UserAgent: "bakta-web/" + a.own})
	if err != nil {
		return &usageError{fmt.Errorf("%s: %w", shown(server), err)}
	}
	versions, asked := c.V2().Version(ctx)
	if a.json {
		told := map[string]any{"bakta-web": a.own}
		if asked == nil {
			told["server"] = map[string]string{"url": c.Server(), "version": versions.Backend, "bakta": versions.Tool, "database": versions.DB,
				"baktfold": versions.Baktfold, "baktfold-database": versions.BaktfoldDB}
		}
		if err := a.printJSON(told); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.out, "bakta-web %s\n", a.own)
		if asked == nil {
			fmt.Fprintf(a.out, "server    %s: %s, Bakta %s, database %s",
				c.Server(), orUnknown(versions.Backend), orUnknown(versions.Tool), orUnknown(versions.DB))
			if versions.Baktfold != "" {
				fmt.Fprintf(a.out, ", Baktfold %s", shown(versions.Baktfold))
			}
			fmt.Fprintln(a.out)
		}
	}
	if asked != nil && (a.server != "" || ctx.Err() != nil) {
		return asked
	}
	if asked != nil {
		a.display.line("No server answers at %s.", c.Server())
	}
	return nil
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return shown(text)
}
