// Command cluster brings up a real Kubernetes with Knative on this machine, takes it down, and does things in it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var dir, parts string
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A Kubernetes with Knative on this machine, in namespaces of its own",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	source := sourceRoot()
	root.PersistentFlags().StringVar(&dir, "dir", os.Getenv("CLUSTER_DIR"),
		"where its programs, images and data are (CLUSTER_DIR; else .cache/cluster of the source tree)")
	root.PersistentFlags().StringVar(&parts, "parts", filepath.Join(source, partsDir), "source of the module that its programs are built from")
	open := func() (*cluster.Cluster, error) {
		if dir == "" {
			if source == "" {
				return nil, errors.New("not in the source tree: tell by --dir where the cluster's state is")
			}
			dir = filepath.Join(source, ".cache", "cluster")
		}
		return cluster.New(dir, parts, os.Stdout)
	}
	root.AddCommand(up(open), down(open), status(open), execute(open), load(open))
	return root
}

type opener func() (*cluster.Cluster, error)

func up(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up, as far as it isn't",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			return c.UpKubernetes(cmd.Context())
		},
	}
}

func down(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Take the cluster down; programs, images and logs are kept",
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

func status(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell what runs; fails if the cluster is down or has lost a part",
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

func load(open opener) *cobra.Command {
	var image cluster.Image
	cmd := &cobra.Command{
		Use:   "load IMAGE PROGRAM [FILE:TARGET...]",
		Short: "Make an image of a static program, and of more files, and load it into the cluster",
		Long: `Make an image of a static program, and of more files, and load it into the cluster.

The program lies at / in the image and is its entry point. IMAGE looks like dev.local/NAME:TAG, where TAG is not latest.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := open()
			if err != nil {
				return err
			}
			program := "/" + filepath.Base(args[1])
			image.Entrypoint = []string{program}
			image.Files = []cluster.File{{Source: args[1], Target: program}}
			for _, arg := range args[2:] {
				f, err := cluster.ParseFile(arg)
				if err != nil {
					return err
				}
				image.Files = append(image.Files, f)
			}
			return c.Load(cmd.Context(), args[0], image)
		},
	}
	cmd.Flags().StringVar(&image.User, "user", "", "user of the image (UID or UID:GID; default 65532:65532)")
	cmd.Flags().StringArrayVar(&image.Env, "env", nil, "KEY=VALUE set in the image's environment")
	return cmd
}

// partsDir is where the source of the cluster's programs lies in the source tree.
const partsDir = "e2e/parts"

// sourceRoot finds the source tree above the working directory. It is empty if there is none.
func sourceRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, partsDir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}
