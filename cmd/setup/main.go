// Command setup prepares a deployment. It creates the indexes of MongoDB, the bucket, and the bucket's CORS and lifecycle
// rules. It may be run again at any time.
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

// storeTimeout is how long setup waits for stores that do not answer: a new deployment starts them at the same time.
const storeTimeout = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := server.NewLogger(os.Stderr, slog.LevelInfo)
	if err := realMain(ctx, log, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		log.Error("setup failed", "error", err)
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
	if err := retry(ctx, log, "MongoDB", jobs.Setup); err != nil {
		return fmt.Errorf("setting up MongoDB: %w", err)
	}
	log.Info("MongoDB is set up", "database", d.Database.Name())
	err = retry(ctx, log, "S3 store", func(ctx context.Context) error {
		err := files.Setup(ctx)
		var cors *s3.CORSError
		if errors.As(err, &cors) {
			log.Warn("the CORS rules of the bucket could not be set; web pages may be unable to upload and download", "error", cors)
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("setting up the S3 store: %w", err)
	}
	log.Info("the S3 store is set up", "bucket", d.Objectstorage.S3.UserBucket)
	return nil
}

// refused reports whether a store answers that the request is wrong: the credentials, a permission, the region. Waiting would only
// hide the reason.
func refused(err error) bool {
	const unauthorized, authenticationFailed = 13, 18 // MongoDB's codes
	for _, code := range mongo.ErrorCodes(err) {
		if code == unauthorized || code == authenticationFailed {
			return true
		}
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) || answer.StatusCode < http.StatusBadRequest || answer.StatusCode >= http.StatusInternalServerError {
		return false
	}
	switch answer.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	case http.StatusConflict: // another setup at the same time, unless the bucket is another account's
		return answer.Code == minio.BucketAlreadyExists
	}
	return true
}

// retry calls do until it succeeds, the store refuses it, or storeTimeout is over.
func retry(ctx context.Context, log *slog.Logger, store string, do func(context.Context) error) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := do(ctx)
		if refused(err) {
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	},
		backoff.WithMaxElapsedTime(storeTimeout),
		backoff.WithNotify(func(err error, next time.Duration) {
			log.Warn("the store does not answer yet", "store", store, "error", err, "retry_in", next.String())
		}))
	return err
}
