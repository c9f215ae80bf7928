// Command page serves the web page of a deployment. It has the files of the page and nothing else: no store, no credentials. From the
// configuration it learns where the object storage is, since the page may connect to that and to its own origin alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/web"
)

// version is set by the build, with -ldflags "-X main.version=…".
var version string

func main() {
	path, err := config.PathFrom("page", os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "page: %v\n", err)
		os.Exit(2)
	}
	server.Main(func(_ context.Context, log *slog.Logger) (*server.Server, error) { return build(path, os.Getenv, log) })
}

func build(path string, env func(string) string, log *slog.Logger) (*server.Server, error) {
	cfg, warnings, err := config.Load(path, env)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Warn("configuration", "file", path, "warning", w.String())
	}
	log.Info("serving the page", "version", version, "storage", cfg.Objectstorage.S3.LinkOrigins())
	s, err := server.New(server.Options{Log: log})
	if err != nil {
		return nil, err
	}
	return s, s.Handle("/", web.Handler(web.Options{Storage: cfg.Objectstorage.S3.LinkOrigins(), Elsewhere: s.NotFound()}))
}
