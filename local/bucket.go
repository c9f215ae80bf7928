package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// Bucket is a bucket of an S3 store for the files of jobs. Its zero value is the embedded store.
type Bucket struct {
	URL          string // https://HOST/BUCKET, or https://HOST/BUCKET/PREFIX with a prefix of all keys. Links begin with it
	Region       string // empty is us-east-1
	AccessKey    string
	SecretKey    string
	SessionToken string // of keys that expire, which are refused: links live for days
}

// options returns the options of the store. Errors do not show keys.
func (b Bucket) options() (s3.Options, error) {
	u, err := url.Parse(b.URL)
	if err != nil || u.User != nil {
		return s3.Options{}, errors.New("--s3: this is not the URL of a bucket without keys; write one such as https://s3.example.org/BUCKET, " +
			"and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the keys")
	}
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || name == "" || u.RawQuery != "" || u.Fragment != "" {
		return s3.Options{}, fmt.Errorf("--s3 is %q; write the URL of a bucket, such as https://s3.example.org/BUCKET", b.URL)
	}
	switch {
	case b.AccessKey == "" || b.SecretKey == "":
		return s3.Options{}, errors.New("--s3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to the keys of the S3 store")
	case b.SessionToken != "":
		return s3.Options{}, errors.New("--s3: AWS_SESSION_TOKEN is set, so the keys expire, but links live for days; " +
			"use keys that do not expire, and unset it")
	}
	return s3.Options{
		Endpoint: u.Scheme + "://" + u.Host, Region: b.Region, Bucket: name, BaseKey: prefix, AccessKey: b.AccessKey, SecretKey: b.SecretKey,
	}, nil
}

// checkS3 returns an error for a bucket that can't be one.
func (o Options) checkS3() error {
	if o.S3.URL == "" {
		return nil
	}
	_, err := o.S3.options()
	return err
}

// openBucket opens the bucket that the options name. It does not create it, so that a wrong name is noticed. Other local backends may
// use the same bucket: the keys of each job contain the id of the job.
func openBucket(ctx context.Context, o Options) (*s3.Store, func() error, error) {
	options, err := o.S3.options()
	if err != nil {
		return nil, nil, err
	}
	files, err := s3.New(options)
	if err != nil {
		return nil, nil, fmt.Errorf("--s3: %w", err)
	}
	closeFiles := func() error { files.Close(); return nil }
	err = files.Ping(ctx)
	if err == nil {
		err = files.Setup(ctx)
	}
	// Web pages can't use links without the rules. Everything else works.
	if cors, ok := errors.AsType[*s3.CORSError](err); ok {
		o.Log.Warn("--s3: the CORS rules of the bucket could not be set; web pages may be unable to upload and download", "error", cors)
		err = nil
	}
	if err != nil {
		if ctx.Err() == nil {
			err = unusable(options, err)
		}
		return nil, nil, errors.Join(err, closeFiles())
	}
	if u, err := url.Parse(options.Endpoint); err == nil && o.Public != "" && loopback(u.Hostname()) {
		o.Log.Warn("--s3: links lead to this machine's loopback address, which other machines can't reach", "url", options.Endpoint)
	}
	return files, closeFiles, nil
}

// unusable returns an error that says why the bucket can't be used.
func unusable(o s3.Options, err error) error {
	var answer minio.ErrorResponse
	var network *url.Error
	switch {
	case errors.As(err, &answer) && answer.Code == minio.NoSuchBucket:
		return fmt.Errorf("--s3: the bucket %s does not exist at %s; create it, or correct its name", o.Bucket, o.Endpoint)
	case errors.As(err, &answer) && answer.Code != "":
		return fmt.Errorf("--s3: the S3 store at %s does not let these keys use the bucket %s: %s: %s", o.Endpoint, o.Bucket, answer.Code,
			answer.Message)
	case errors.As(err, &network):
		err = network.Err
	case errors.Unwrap(err) != nil:
		err = errors.Unwrap(err)
	}
	return fmt.Errorf("--s3: the S3 store at %s can't be used: %w", o.Endpoint, err)
}

// loopback reports whether a host is this machine's own, for itself only.
func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// embedded is the place of files in the embedded store.
const embedded = "the data directory"

// notePlace remembers where the files of jobs are, and warns if it was another place before: the files do not move.
func notePlace(o Options) error {
	file := filepath.Join(o.Data, "objects.place")
	before, err := os.ReadFile(file)
	was, is := strings.TrimSpace(string(before)), embedded
	if o.S3.URL != "" {
		is = strings.TrimRight(o.S3.URL, "/")
	}
	if errors.Is(err, fs.ErrNotExist) {
		was, err = embedded, nil
		if _, statErr := os.Stat(filepath.Join(o.Data, "objects")); statErr != nil {
			was = is // a new data directory
		}
		if is == embedded {
			return nil
		}
	}
	if err != nil {
		return err
	}
	if was != is {
		o.Log.Warn("the files of earlier jobs are in another place and are not used: their results can't be downloaded, and deleting "+
			"a job leaves its files there", "before", was, "now", is)
	}
	return renameio.WriteFile(file, []byte(is+"\n"), 0o600, renameio.WithTempDir(o.Data))
}
