package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/database"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

const databaseUsage = `usage: stager db --dir VOLUME --version VERSION [--prefix PREFIX --configfile FILE --s3-…] [--name LINK]
       stager db --dir VOLUME --remove VERSION
       stager db --dir VOLUME

Brings the version of a database that lies under a prefix of a bucket into a volume, and has the link lead to it
once it is whole and verified. It goes on where it was cut off before. Without --prefix the link is made to lead
to a version that is there. The bucket is Objectstorage.S3.DBBucket of the configuration file, if one is named, and
is reached as that says, as far as no flag says otherwise. --remove removes a version that no link leads to. With --dir alone it lists what is
there. It does nothing while another process changes the volume.
`

// changeDatabase is the command "stager db". It returns the exit code.
func changeDatabase(ctx context.Context, args []string) int {
	log := server.NewLogger(os.Stderr, slog.LevelInfo)
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
	var file string
	flags.StringVar(&file, "configfile", "", "configuration `FILE` of the functions")
	flags.StringVar(&file, "c", "", "short for --configfile")
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
	if file != "" && *prefix != "" {
		if err := configured(flags, file, &o, log); err != nil {
			return err
		}
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

// configured takes from a configuration file what the flags leave out.
func configured(flags *flag.FlagSet, file string, o *s3.Options, log *slog.Logger) error {
	cfg, warnings, err := config.Load(file, os.Getenv)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn("configuration", "file", file, "warning", w.String())
	}
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	c := cfg.Objectstorage.S3
	if !given["s3-bucket"] && c.DBBucket == "" {
		return fmt.Errorf("%s names no bucket of databases: write Objectstorage.S3.DBBucket, or give --s3-bucket", file)
	}
	for _, missing := range []struct {
		flag string
		take func()
	}{
		{"s3-endpoint", func() { o.Endpoint = c.Endpoint }},
		{"s3-region", func() { o.Region = c.Region }},
		{"s3-bucket", func() { o.Bucket = c.DBBucket }},
		{"s3-virtual-hosted", func() { o.VirtualHosted = !c.PathStyle }},
	} {
		if !given[missing.flag] {
			missing.take()
		}
	}
	o.AccessKey, o.SecretKey = c.AccessKey.Reveal(), c.SecretKey.Reveal()
	return nil
}
