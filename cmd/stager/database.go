package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/database"
	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
	"github.com/ag-computational-bio/bakta-web-backend/lib/s3"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
)

const databaseUsage = `usage: stager db --dir VOLUME --version VERSION [--prefix PREFIX --s3-…] [--name LINK]
       stager db --dir VOLUME --remove VERSION
       stager db --dir VOLUME

Brings the version of a database that lies under a prefix of a bucket into a volume, and has the link lead to it
once it is whole and verified. It goes on where it was cut off before. Without --prefix the link is made to lead
to a version that is there. --remove removes a version that no link leads to. With --dir alone it lists what is
there. It does nothing while another process changes the volume.
`

// changeDatabase is the command "stager db". It returns the exit code.
func changeDatabase(ctx context.Context, args []string) int {
	log := function.NewLogger(os.Stderr, slog.LevelInfo)
	err := runDatabase(ctx, args, log)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return stager.Done
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "stager db: %v\n", err)
		return stager.Usage
	case err != nil:
		log.Error("the database is not what it should be", "error", err)
		return stager.NoVerdict
	}
	return stager.Done
}

var errUsage = errors.New("wrong usage, see stager db --help")

func runDatabase(ctx context.Context, args []string, log *slog.Logger) (err error) {
	flags := flag.NewFlagSet("stager db", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), databaseUsage)
		flags.PrintDefaults()
	}
	dir := flags.String("dir", "", "`DIRECTORY` on which the volume is mounted")
	version := flags.String("version", "", "`NAME` of the version")
	prefix := flags.String("prefix", "", "`PREFIX` of its files in the bucket")
	name := flags.String("name", "db", "`NAME` of the link by which jobs find the current version")
	remove := flags.String("remove", "", "`VERSION` to remove")
	o := s3.Options{AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	flags.StringVar(&o.Endpoint, "s3-endpoint", "", "`URL` of the object storage")
	flags.StringVar(&o.Region, "s3-region", "", "`REGION` of the bucket")
	flags.StringVar(&o.Bucket, "s3-bucket", "", "`BUCKET` of databases")
	flags.BoolVar(&o.VirtualHosted, "s3-virtual-hosted", false, "name the bucket in front of the host, in place of in the path")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if *dir == "" || flags.NArg() > 0 || *prefix != "" && *version == "" || *remove != "" && *version != "" {
		return errUsage
	}
	volume, err := database.Open(*dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, volume.Close()) }()
	switch {
	case *remove != "":
		if err := volume.Remove(*remove); err != nil {
			return err
		}
		log.Info("removed", "version", *remove)
	case *version != "":
		if *prefix != "" {
			store, err := s3.New(o)
			if err != nil {
				return fmt.Errorf("%w: %w", errUsage, err)
			}
			defer store.Close()
			if err := volume.Fetch(ctx, store, *prefix, *version, func(text string) { log.Info(text) }); err != nil {
				return err
			}
		}
		if err := volume.Switch(*name, *version); err != nil {
			return err
		}
	}
	all, err := volume.Versions()
	if err != nil {
		return err
	}
	current, err := volume.Current(*name)
	if err != nil {
		return err
	}
	log.Info("the volume", "versions", strings.Join(all, ", "), "link", *name, "current", current)
	return nil
}
