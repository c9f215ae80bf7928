// Command setup is the step of a deployment that makes what functions expect to be there: the indexes of the
// database, the bucket, and the bucket's rules for web pages. It may be run again at any time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// patience is how long stores that do not answer are waited for: a new deployment starts them at the same time.
const patience = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := server.NewLogger(os.Stderr, slog.LevelInfo)
	if err := realMain(ctx, log, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Error("the deployment is not set up", "error", err)
		os.Exit(1)
	}
}

func realMain(ctx context.Context, log *slog.Logger, args []string) error {
	path, err := config.PathFrom("setup", args, os.Stderr)
	if err != nil {
		return err
	}
	d, err := deployment.Open(path, os.Getenv, log, config.Mongo, config.S3Store)
	if err != nil {
		return err
	}
	jobs, err := d.Jobs()
	if err != nil {
		return err
	}
	defer jobs.Close(context.WithoutCancel(ctx))
	files, err := d.Files()
	if err != nil {
		return err
	}
	defer files.Close()
	if err := retry(ctx, log, "database", jobs.Setup); err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	log.Info("the database is set up", "database", d.Database.Name())
	err = retry(ctx, log, "object storage", func(ctx context.Context) error {
		err := files.Setup(ctx)
		var cors *s3.CORSError
		if errors.As(err, &cors) {
			log.Warn("web pages may not reach the bucket", "reason", cors)
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the object storage: %w", err)
	}
	log.Info("the object storage is set up", "bucket", d.Objectstorage.S3.UserBucket)
	return nil
}

// refused reports whether a store is there and does not take who asks, or lets it do what is to be done: waiting for it
// would only hide why.
func refused(err error) bool {
	const unauthorized, authenticationFailed = 13, 18 // MongoDB's codes
	for _, code := range mongo.ErrorCodes(err) {
		if code == unauthorized || code == authenticationFailed {
			return true
		}
	}
	var answer minio.ErrorResponse
	return errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden)
}

// retry does something until it is done, refused, or patience is over.
func retry(ctx context.Context, log *slog.Logger, what string, do func(context.Context) error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := do(ctx)
		if refused(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	},
		backoff.WithMaxElapsedTime(patience),
		backoff.WithNotify(func(err error, next time.Duration) {
			log.Warn("not yet", "what", what, "error", err, "next", next.String())
		}))
	return err
}
