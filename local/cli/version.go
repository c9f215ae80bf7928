package cli

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/spf13/cobra"
)

// ownVersion returns the version that this program was built as.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return "development-" + setting.Value[:12]
		}
	}
	return "development"
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Tell the versions of this program and of a server",
		Example: `  bakta-web version
  bakta-web version --server https://bakta.example.org`,
		Args: takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.version(cmd.Context()) },
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) version(ctx context.Context) error {
	server := a.newServer()
	// One try: a server that isn't there is no fault of this command, unless it was asked for.
	c, err := client.New(server, client.Options{Patience: -1, UserAgent: "bakta-web/" + ownVersion()})
	if err != nil {
		return &usageError{fmt.Errorf("%s: %w", shown(server), err)}
	}
	versions, asked := c.Version(ctx)
	if a.json {
		told := map[string]any{"bakta-web": ownVersion()}
		if asked == nil {
			told["server"] = map[string]string{"url": c.Server(), "version": versions.Backend, "bakta": versions.Tool, "database": versions.DB}
		}
		if err := a.printJSON(told); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.out, "bakta-web %s\n", ownVersion())
		if asked == nil {
			fmt.Fprintf(a.out, "server    %s: %s, Bakta %s, database %s\n", c.Server(), orUnknown(versions.Backend), orUnknown(versions.Tool), orUnknown(versions.DB))
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
