// Package s3 stores the files of jobs in an S3 bucket.
//
// ETags are without quotes. Errors are job.NotFound for an object that does not exist, job.NotReady for one that was replaced,
// job.Exhausted if the store is full, and job.Unavailable for all other failures, including refused credentials and a missing
// bucket: the call may succeed later, or when the operator has repaired the cause.
//
// The credentials must have the permission to list the bucket. Otherwise a store answers 403, not 404, for a missing object.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

// Options configure the bucket and its store.
type Options struct {
	Endpoint       string // URL of the store for this process, without a path
	PublicEndpoint string // URL of the store for users; empty is Endpoint
	Region         string // empty is us-east-1
	Bucket         string
	BaseKey        string // prefix of all keys; may be empty
	AccessKey      string
	SecretKey      string
	VirtualHosted  bool     // the bucket is part of the host name, not of the path
	Origins        []string // sites whose scripts may use links, for Setup; empty is any

	// Dial, if not nil, opens the connections of calls, instead of a dialer for the endpoint's address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Around, if not nil, wraps the transport of calls.
	Around func(http.RoundTripper) http.RoundTripper
}

const (
	defaultRegion = "us-east-1"
	// tries is how often a request is sent before the store counts as unavailable. Callers that can wait longer retry.
	tries = 3
	// callTimeout bounds calls without content.
	callTimeout = 30 * time.Second
)

var _ store.Files = (*Store)(nil)

// Store implements store.Files in one bucket. It is safe for concurrent use.
type Store struct {
	options   Options
	base      string        // prefix of all keys: empty, or ends in a slash
	inside    *minio.Client // for calls
	links     *signer
	transport *http.Transport
	bucket    bucket
}

// New returns a store. It checks the options and makes no network call.
func New(o Options) (*Store, error) {
	if o.Region == "" {
		// Without a region, the first link would need a call to find that of the bucket.
		o.Region = defaultRegion
	}
	if o.PublicEndpoint == "" {
		o.PublicEndpoint = o.Endpoint
	}
	if o.Bucket == "" {
		return nil, errors.New("s3: the bucket is required")
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, errors.New("s3: the access key and the secret key are required")
	}
	s := &Store{options: o}
	if base := strings.Trim(o.BaseKey, "/"); base != "" {
		if _, err := clean(base); err != nil {
			return nil, fmt.Errorf("s3: base key: %w", err)
		}
		s.base = base + "/"
	}
	var err error
	if s.transport, err = minio.DefaultTransport(strings.HasPrefix(o.Endpoint, "https:")); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	s.transport.DialContext = o.Dial
	if o.Dial == nil {
		s.transport.DialContext = (&net.Dialer{Timeout: 5 * time.Second}).DialContext
	}
	if s.inside, err = s.client(o.Endpoint); err != nil {
		return nil, err
	}
	outside, err := s.client(o.PublicEndpoint)
	if err != nil {
		return nil, err
	}
	s.links, err = newSigner(outside, o)
	return s, err
}

func (s *Store) client(endpoint string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, errors.New("s3: an endpoint must be a URL without a path, such as https://s3.example.org or http://minio:9000")
	}
	lookup := minio.BucketLookupPath
	if s.options.VirtualHosted {
		lookup = minio.BucketLookupDNS
	}
	var transport http.RoundTripper = s.transport
	if s.options.Around != nil {
		transport = s.options.Around(transport)
	}
	c, err := minio.New(u.Host, &minio.Options{
		Creds:        credentials.NewStaticV4(s.options.AccessKey, s.options.SecretKey, ""),
		Secure:       u.Scheme == "https",
		Transport:    transport,
		Region:       s.options.Region,
		BucketLookup: lookup,
		MaxRetries:   tries,
	})
	if err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return c, nil
}

// Close ends idle connections.
func (s *Store) Close() { s.transport.CloseIdleConnections() }

// Stat returns the size and the ETag of an object.
func (s *Store) Stat(ctx context.Context, key string) (job.File, error) {
	object, err := s.object(key)
	if err != nil {
		return job.File{}, err
	}
	info, err := s.stat(ctx, object)
	if status(err) == http.StatusNotFound {
		// The answer to HEAD has no body, so it does not distinguish a missing object from a missing bucket. Some stores also
		// answer 404 for access keys that they don't know.
		content, file, err := s.get(ctx, key, minio.GetObjectOptions{})
		if err == nil {
			_ = content.Close() // it was stored in between
		}
		return file, err
	}
	if err != nil {
		return job.File{}, failed("reading the size of "+object, err)
	}
	return job.File{Key: key, Size: info.Size, ETag: etag(info.ETag)}, nil
}

func (s *Store) stat(ctx context.Context, object string) (minio.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.inside.StatObject(ctx, s.options.Bucket, object, minio.StatObjectOptions{})
}

// Open implements store.Files. Errors of the reader are job.Unavailable; it never ends early without an error.
func (s *Store) Open(ctx context.Context, key, tag string) (io.ReadCloser, job.File, error) {
	o := minio.GetObjectOptions{}
	if tag != "" {
		if err := o.SetMatchETag(tag); err != nil {
			return nil, job.File{}, job.Errorf(job.Invalid, "%q is not an ETag", tag).Because(err)
		}
	}
	return s.get(ctx, key, o)
}

// Get implements store.Files.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("s3: reading %s: the limit of %d bytes is not valid", key, limit)
	}
	o := minio.GetObjectOptions{}
	if err := o.SetRange(0, limit-1); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	content, _, err := s.get(ctx, key, o)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil // the range of an empty object is not satisfiable
	}
	if err != nil {
		return nil, err
	}
	defer content.Close()
	return io.ReadAll(content)
}

func (s *Store) get(ctx context.Context, key string, o minio.GetObjectOptions) (io.ReadCloser, job.File, error) {
	object, err := s.object(key)
	if err != nil {
		return nil, job.File{}, err
	}
	// The core's call sends the request now; the client's would delay every error until the first read.
	content, info, _, err := minio.Core{Client: s.inside}.GetObject(ctx, s.options.Bucket, object, o)
	if err != nil {
		return nil, job.File{}, failed("reading "+object, err)
	}
	return &body{ReadCloser: content, object: object},
		job.File{Key: key, Size: info.Size, ETag: etag(info.ETag)}, nil
}

// List implements store.Files.
func (s *Store) List(ctx context.Context, prefix string) ([]job.File, error) {
	var files []job.File
	for o, err := range s.objects(ctx, prefix, false) {
		if err != nil {
			return nil, failed("listing "+s.base+prefix, err)
		}
		key := strings.TrimPrefix(o.Key, s.base)
		files = append(files, job.File{
			Name: strings.TrimPrefix(key, prefix), Key: key, Size: o.Size, ETag: etag(o.ETag),
		})
	}
	return files, nil
}

// objects lists the objects under a prefix, or all versions of them, page by page.
func (s *Store) objects(ctx context.Context, prefix string, versions bool) iter.Seq2[minio.ObjectInfo, error] {
	return func(yield func(minio.ObjectInfo, error) bool) {
		list := s.inside.ListObjectsIter(ctx, s.options.Bucket, minio.ListObjectsOptions{
			Prefix: s.base + prefix, Recursive: true, WithVersions: versions,
		})
		for o := range list {
			if !yield(o, o.Err) || o.Err != nil {
				return
			}
		}
		// If the context ends, the list ends early without an error. It must not count as complete.
		if err := ctx.Err(); err != nil {
			yield(minio.ObjectInfo{}, err)
		}
	}
}

// object returns the name of the object of a key: with the base key.
func (s *Store) object(key string) (string, error) {
	key, err := clean(key)
	return s.base + key, err
}

// clean refuses keys that we never use, because a store that keeps objects as files might use another path.
func clean(key string) (string, error) {
	bad := func(part string) bool { return part == "" || part == "." || part == ".." }
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) || slices.ContainsFunc(strings.Split(key, "/"), bad) {
		return "", job.Errorf(job.Invalid, "%q is not a valid key of an object", key)
	}
	return key, nil
}

func etag(s string) string { return strings.Trim(s, `"`) }

// failed returns the error of a call with the code by which the caller can act on it.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.Code != "" {
		err = fmt.Errorf("%s: %w", answer.Code, err)
	}
	err = fmt.Errorf("%s: %w", doing, err)
	switch {
	case full(answer):
		return job.Errorf(job.Exhausted, "the object storage is full").Because(err)
	case answer.Code == minio.NoSuchKey:
		return job.Errorf(job.NotFound, "there is no such file").Because(err)
	case answer.StatusCode == http.StatusPreconditionFailed:
		return job.Errorf(job.NotReady, "the file was replaced by another one").Because(err)
	}
	return job.Errorf(job.Unavailable, "the object storage does not answer; try again later").Because(err)
}

// full reports whether a store refuses content because its disk or our quota is full: versitygw and others answer
// InsufficientStorage, MinIO XMinioStorageFull and XMinioAdminBucketQuotaExceeded, Ceph's RGW QuotaExceeded.
func full(answer minio.ErrorResponse) bool {
	return answer.StatusCode == http.StatusInsufficientStorage || answer.Code == "InsufficientStorage" ||
		strings.HasSuffix(answer.Code, "StorageFull") || strings.HasSuffix(answer.Code, "QuotaExceeded")
}

// status returns the HTTP status of the store's answer in an error, 0 if there is none.
func status(err error) int {
	var answer minio.ErrorResponse
	errors.As(err, &answer)
	return answer.StatusCode
}
