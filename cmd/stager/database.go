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

Copies a version of a reference database from a prefix of a bucket to a volume, verifies it, and then points the
link at it. It resumes an interrupted copy. Without --prefix it points the link at a version that is in the volume.
With --configfile it uses the bucket Objectstorage.S3.DBBucket and the store of that configuration; flags take
precedence. --remove deletes a version that no link points at. With --dir alone it lists the versions in the volume.
It fails without a change while another process changes the volume.
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
		log.Error("changing the database failed", "error", err)
		return stager.NoVerdict
	}
	return stager.Done
}

var errUsage = errors.New("invalid arguments; see stager db --help")

func runDatabase(ctx context.Context, args []string, log *slog.Logger) (err error) {
	flags := flag.NewFlagSet("stager db", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), databaseUsage)
		flags.PrintDefaults()
	}
	dir := flags.String("dir", "", "mount `DIRECTORY` of the volume")
	version := flags.String("version", "", "`NAME` of the version")
	prefix := flags.String("prefix", "", "`PREFIX` of its files in the bucket")
	name := flags.String("name", "db", "`NAME` of the link to the version that jobs use")
	remove := flags.String("remove", "", "`VERSION` to delete")
	var file string
	flags.StringVar(&file, "configfile", "", "configuration `FILE` of the functions")
	flags.StringVar(&file, "c", "", "short for --configfile")
	o := s3.Options{AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), SecretKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	flags.StringVar(&o.Endpoint, "s3-endpoint", "", "`URL` of the S3 store")
	flags.StringVar(&o.Region, "s3-region", "", "`REGION` of the bucket")
	flags.StringVar(&o.Bucket, "s3-bucket", "", "`BUCKET` of reference databases")
	flags.BoolVar(&o.VirtualHosted, "s3-virtual-hosted", false, "put the bucket's name in the host name instead of the path")
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
		log.Info("deleted a version", "version", *remove)
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
	log.Info("versions in the volume", "versions", strings.Join(all, ", "), "link", *name, "current", current)
	return nil
}

// configured sets the options that no flag sets from a configuration file.
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
		return fmt.Errorf("%s has no bucket of reference databases; set Objectstorage.S3.DBBucket in it, or use --s3-bucket", file)
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
