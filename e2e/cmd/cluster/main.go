// Command cluster starts and stops a real Kubernetes with Knative on this machine, and runs commands in it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		if errors.Is(err, cluster.ErrMachine) {
			os.Exit(3)
		}
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var dir, source string
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A Kubernetes with Knative on this machine, in namespaces of its own",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	tree := sourceTree()
	root.PersistentFlags().StringVar(&dir, "dir", os.Getenv("CLUSTER_DIR"),
		"where its programs, images and data are (CLUSTER_DIR; else .cache/cluster of the source tree)")
	root.PersistentFlags().StringVar(&source, "source", filepath.Join(tree, "e2e"), "where the modules are that its programs are built from")
	open := func() (*cluster.Cluster, error) {
		if dir == "" {
			if tree == "" {
				return nil, errors.New("not in the source tree; set --dir to the directory of the cluster's state")
			}
			dir = filepath.Join(tree, ".cache", "cluster")
		}
		return cluster.New(dir, source, os.Stdout)
	}
	root.AddCommand(check(open), build(open), up(open), down(open), kill(open), status(open), execute(open), load(open), loadBakta(open),
		registry())
	return root
}

type opener func() (*cluster.Cluster, error)

// start is Build or Up.
type start func(c *cluster.Cluster, ctx context.Context, extent cluster.Extent, with ...string) error

func up(open opener) *cobra.Command {
	return withExtent(&cobra.Command{Use: "up", Short: "Start all parts of the cluster that do not run"}, open, (*cluster.Cluster).Up)
}

func check(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check whether this machine can run a cluster; the exit code is 3 if it can't",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Check(cmd.Context())
		},
	}
}

func build(open opener) *cobra.Command {
	return withExtent(&cobra.Command{Use: "build", Short: "Build the cluster's programs, as `up` does first"}, open, (*cluster.Cluster).Build)
}

// withExtent adds the flags that say what the cluster has to a command.
func withExtent(cmd *cobra.Command, open opener, do start) *cobra.Command {
	only := cmd.Flags().String("only", "", "kubernetes: without Knative and Traefik")
	broker := cmd.Flags().Bool("broker", false, "with Knative's broker and in-memory channels too")
	with := cmd.Flags().StringSlice("with", nil, "software that institutes run beside the backend: "+strings.Join(cluster.Neighbours(), ", "))
	cmd.MarkFlagsMutuallyExclusive("only", "broker")
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		extent := cluster.Knative
		switch {
		case *broker:
			extent = cluster.Broker
		case *only == "kubernetes":
			extent = cluster.Kubernetes
		case *only != "":
			return fmt.Errorf("--only is %q; the only value is kubernetes", *only)
		}
		c, err := open()
		if err != nil {
			return err
		}
		return do(c, cmd.Context(), extent, *with...)
	}
	return cmd
}

func down(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the cluster; programs, images and logs are kept",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Down(cmd.Context())
		},
	}
}

func kill(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "kill PART",
		Short: "Kill a part, named as `status` names it, as a crash does; `up` starts it again",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Kill(args[0])
		},
	}
}

func status(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "List the running parts; fails if the cluster is down or has lost a part",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Status(cmd.Context())
		},
	}
}

func execute(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT...]",
		Short: "Run a command in the cluster's network, with KUBECONFIG set and the cluster's kubectl on the PATH",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.Exec(args)
		},
	}
}

// registry is a part of the cluster, not a command for users.
func registry() *cobra.Command {
	return &cobra.Command{
		Use:    "registry ADDRESS DIR",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE:   func(_ *cobra.Command, args []string) error { return cluster.ServeRegistry(args[0], args[1]) },
	}
}

func load(open opener) *cobra.Command {
	var image cluster.Image
	var entrypoint string
	var packages []string
	cmd := &cobra.Command{
		Use:   "load IMAGE FILE[:TARGET]...",
		Short: "Make an image of files of this machine and load it into the cluster",
		Long: `Make an image of files of this machine and load it into the cluster.

FILE is a file or a directory; it lies at TARGET in the image, or at /NAME. The first one is the program that is run,
unless --entrypoint says otherwise. IMAGE looks like dev.local/NAME:TAG, where TAG is not latest.`,
		Example: `  cluster load dev.local/stager:1 bin/stager
  cluster load dev.local/hmmer:1 /usr/bin/hmmsearch --debian hmmer`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			for _, arg := range args[1:] {
				f, err := cluster.ParseFile(arg)
				if err != nil {
					return err
				}
				image.Files = append(image.Files, f)
			}
			if entrypoint == "" {
				entrypoint = image.Files[0].Target
			}
			image.Entrypoint = []string{entrypoint}
			if len(packages) > 0 {
				files, err := cluster.DebianFiles(cmd.Context(), packages...)
				if err != nil {
					return err
				}
				image.Files = append(image.Files, files...)
			}
			return c.Load(cmd.Context(), args[0], image)
		},
	}
	cmd.Flags().StringVar(&entrypoint, "entrypoint", "", "the program that is run")
	cmd.Flags().StringArrayVar(&packages, "debian", nil, "an installed Debian package that the image holds too, with all that it depends on")
	cmd.Flags().StringArrayVar(&image.Path, "path", nil, "a directory of the image in which programs are looked for")
	cmd.Flags().StringArrayVar(&image.Env, "env", nil, "KEY=VALUE, set for the program")
	cmd.Flags().StringVar(&image.User, "user", "", "UID or UID:GID that runs it (default 65532:65532)")
	return cmd
}

func loadBakta(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "load-bakta IMAGE DIR",
		Short: "Make an image of the real Bakta that `make bakta` has set up in DIR, and load it into the cluster",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			image, err := cluster.BaktaImage(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			return c.Load(cmd.Context(), args[0], image)
		},
	}
}

// sourceTree finds the source tree above the working directory. It is empty if there is none.
func sourceTree() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "e2e", "parts", "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}
