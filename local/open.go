package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/local/access"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/sqlite"
)

// openJobs opens the store of jobs: the MongoDB that the options name, or the database in the data directory. The returned
// function closes it.
func openJobs(ctx context.Context, o Options) (store.Jobs, func() error, error) {
	if o.MongoDB != "" {
		return openMongoDB(ctx, o)
	}
	jobs, err := sqlite.Open(ctx, sqlite.Options{Dir: filepath.Join(o.Data, "jobs"), Log: o.Log})
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(takeOver(ctx, o, jobs), removeOld(o)); err != nil {
		return nil, nil, errors.Join(err, jobs.Close())
	}
	return jobs, jobs.Close, nil
}

func openMongoDB(ctx context.Context, o Options) (store.Jobs, func() error, error) {
	jobs, err := mongo.New(mongo.Options{URI: o.MongoDB, Logger: o.Log})
	if err != nil {
		return nil, nil, fmt.Errorf("--mongodb: %w", err)
	}
	closeJobs := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return jobs.Close(ctx)
	}
	// Local mode has no setup command, so the indexes are created here.
	if err := jobs.Setup(ctx); err != nil {
		if ctx.Err() == nil {
			err = fmt.Errorf("--mongodb: the MongoDB can't be used: %s", reason(err))
		}
		return nil, nil, errors.Join(err, closeJobs())
	}
	return jobs, closeJobs, nil
}

// checkMongoDB returns an error for a URI without a database. The error does not show the URI: it may contain a password.
func (o Options) checkMongoDB() error {
	_, place, ok := strings.Cut(o.MongoDB, "://")
	place, _, _ = strings.Cut(place, "?")
	_, name, _ := strings.Cut(place[strings.LastIndex(place, "@")+1:], "/")
	if ok && name == "" {
		return errors.New("--mongodb: the URI has no database; add its name after the hosts, for example mongodb://HOST:27017/bakta-web")
	}
	return nil
}

// lastError matches the error of one server in the driver's description of all servers.
var lastError = regexp.MustCompile(`Last error: (.+?) \}`)

// reason returns the part of a MongoDB driver's error that a user can act on.
func reason(err error) string {
	if found := lastError.FindStringSubmatch(err.Error()); found != nil {
		return found[1]
	}
	return err.Error()
}

// openFiles opens the store of files: the bucket that the options name, or the embedded S3 store. Runs use the same store as ofRuns. The
// returned function closes it.
func openFiles(
	ctx context.Context, o Options, policy *access.Policy, disk *space.Disk,
) (files *s3.Store, ofRuns stage.Files, closeFiles func() error, err error) {
	if err := notePlace(o); err != nil {
		return nil, nil, nil, err
	}
	if o.S3.URL != "" {
		files, closeFiles, err = openBucket(ctx, o)
		return files, files, closeFiles, err
	}
	files, objects, err := openEmbedded(ctx, o, policy, disk)
	if err != nil {
		return nil, nil, nil, err
	}
	return files, syncedFiles{files, objects.Sync}, objects.Close, nil
}

// openEmbedded opens the embedded S3 store. The caller closes the objects. Browsers and scripts use it by links, on the
// host of the API or under the public name of this machine, with a port of its own.
//
// The signature of a link covers the port, and links are valid for days. So the store uses the port of the last start
// again, if it is free.
func openEmbedded(ctx context.Context, o Options, policy *access.Policy, disk *space.Disk) (*s3.Store, *stores.Objects, error) {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, nil, err
	}
	remembered := filepath.Join(o.Data, "objects.port")
	port, err := os.ReadFile(remembered)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(strings.TrimSpace(string(port))) == 0 {
		port, err = []byte("0"), nil
	}
	if err != nil {
		return nil, nil, err
	}
	options := stores.ObjectsOptions{
		Dir: filepath.Join(o.Data, "objects"), Listen: net.JoinHostPort(host, strings.TrimSpace(string(port))),
		Guard: policy.Guard, Room: disk.Take, Log: o.Log,
	}
	objects, err := stores.OpenObjects(options)
	if errors.Is(err, syscall.EADDRINUSE) {
		o.Log.Warn("another program uses the port of the S3 store; links from before this start no longer work",
			"port", strings.TrimSpace(string(port)))
		options.Listen = net.JoinHostPort(host, "0")
		objects, err = stores.OpenObjects(options)
	}
	if err != nil {
		return nil, nil, err
	}
	if _, now, err := net.SplitHostPort(objects.Address); err == nil && now != strings.TrimSpace(string(port)) {
		if err := os.WriteFile(remembered, []byte(now+"\n"), 0o600); err != nil {
			return nil, nil, errors.Join(err, objects.Close())
		}
	}
	files, err := s3.New(s3.Options{
		Endpoint: "http://localhost", Dial: objects.Dial, PublicEndpoint: "http://" + o.named(objects.Address),
		Region: stores.Region, Bucket: bucket, AccessKey: objects.AccessKey, SecretKey: objects.SecretKey,
	})
	if err != nil {
		return nil, nil, errors.Join(err, objects.Close())
	}
	if err := files.Setup(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("creating the bucket of the S3 store: %w", err), objects.Close())
	}
	return files, objects, nil
}
