// Package s3 keeps the files of jobs in an S3 bucket.
//
// Keys that callers name and get are relative to the configured base key, which no other package knows. ETags come
// and go without quotes. Errors are job.NotFound for an object that isn't there, job.NotReady for one that is not
// the one that was asked for any more, job.Exhausted for content for which the store has no room, and job.Unavailable
// for whatever keeps the store from answering, refused credentials and a missing bucket among it: later, or once the
// operator has seen to it, it may work.
//
// A store answers 403 in place of 404 to credentials that may not list the bucket; ours must be allowed to.
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
)

// Options says where the bucket is.
type Options struct {
	Endpoint       string // URL by which this process reaches the store, without a path
	PublicEndpoint string // URL by which users reach it; empty is Endpoint
	Region         string // empty is us-east-1
	Bucket         string
	BaseKey        string // prefix of all keys; may be empty
	AccessKey      string
	SecretKey      string
	VirtualHosted  bool     // the bucket is named in front of the host, in place of in the path
	Origins        []string // sites whose scripts may use links, for Setup; empty is any

	// Dial, if not nil, makes the connections of calls, in place of a dialer for the endpoint's address.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Around, if not nil, returns what goes around the transport of calls.
	Around func(http.RoundTripper) http.RoundTripper
}

const (
	defaultRegion = "us-east-1"
	// tries is how often a request is sent before the store is called unavailable. Those that know what they
	// wait for, wait longer on their own.
	tries = 3
	// callTimeout bounds calls that carry no content.
	callTimeout = 30 * time.Second
)

// Store is the bucket. It is safe for concurrent use.
type Store struct {
	options   Options
	base      string        // what keys are prefixed with: empty, or ends in a slash
	inside    *minio.Client // for calls
	outside   *minio.Client // for links
	transport *http.Transport
}

// New returns a store. It checks the options and makes no network call.
func New(o Options) (*Store, error) {
	if o.Region == "" {
		// Without one, the first link would ask the store where the bucket is.
		o.Region = defaultRegion
	}
	if o.PublicEndpoint == "" {
		o.PublicEndpoint = o.Endpoint
	}
	if o.Bucket == "" {
		return nil, errors.New("s3: no bucket is named")
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, errors.New("s3: the access key or the secret key is missing")
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
	if s.outside, err = s.client(o.PublicEndpoint); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Store) client(endpoint string) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, errors.New("s3: an endpoint has to be a URL without a path, as in https://s3.example.org or http://minio:9000")
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

// Ping asks the store whether the bucket is there.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	there, err := s.inside.BucketExists(ctx, s.options.Bucket)
	if err == nil && !there {
		err = errors.New("it does not exist")
	}
	return failed("asking for bucket "+s.options.Bucket, err)
}

// Stat returns size and ETag of an object.
func (s *Store) Stat(ctx context.Context, key string) (job.File, error) {
	object, err := s.object(key)
	if err != nil {
		return job.File{}, err
	}
	info, err := s.stat(ctx, object)
	if status(err) == http.StatusNotFound {
		// An answer to HEAD has no body to tell a missing object from a missing bucket, and some stores answer
		// so to keys that they don't know.
		content, file, err := s.get(ctx, key, minio.GetObjectOptions{})
		if err == nil {
			_ = content.Close() // it came in between
		}
		return file, err
	}
	if err != nil {
		return job.File{}, failed("looking at "+object, err)
	}
	return job.File{Key: key, Size: info.Size, ETag: etag(info.ETag)}, nil
}

func (s *Store) stat(ctx context.Context, object string) (minio.ObjectInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return s.inside.StatObject(ctx, s.options.Bucket, object, minio.StatObjectOptions{})
}

// Open reads an object, if it has the ETag named. If it was replaced since, the error is job.NotReady. An empty
// ETag stands for any. Errors of the reader are job.Unavailable; it never ends early without one.
func (s *Store) Open(ctx context.Context, key, tag string) (io.ReadCloser, job.File, error) {
	o := minio.GetObjectOptions{}
	if tag != "" {
		if err := o.SetMatchETag(tag); err != nil {
			return nil, job.File{}, job.Errorf(job.Invalid, "%q is not an ETag", tag).Because(err)
		}
	}
	return s.get(ctx, key, o)
}

// Get returns an object's content, at most limit bytes of it.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	if limit <= 0 {
		return nil, fmt.Errorf("s3: getting at most %d bytes of %s", limit, key)
	}
	o := minio.GetObjectOptions{}
	if err := o.SetRange(0, limit-1); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	content, _, err := s.get(ctx, key, o)
	if status(err) == http.StatusRequestedRangeNotSatisfiable {
		return nil, nil // an empty object has no first byte
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
	// The core's call sends the request now; the client's would put off every error to the first read.
	content, info, _, err := minio.Core{Client: s.inside}.GetObject(ctx, s.options.Bucket, object, o)
	if err != nil {
		return nil, job.File{}, failed("reading "+object, err)
	}
	return &body{ReadCloser: content, object: object},
		job.File{Key: key, Size: info.Size, ETag: etag(info.ETag)}, nil
}

// List returns all objects under a prefix. The Name of each is its key without the prefix.
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
		// A list that was cut short by its caller's going away must not pass for a whole one.
		if err := ctx.Err(); err != nil {
			yield(minio.ObjectInfo{}, err)
		}
	}
}

// object returns the name of the object that a key stands for.
func (s *Store) object(key string) (string, error) {
	key, err := clean(key)
	return s.base + key, err
}

// clean refuses what can be no key of ours, and could mean another place to a store that keeps files.
func clean(key string) (string, error) {
	bad := func(part string) bool { return part == "" || part == "." || part == ".." }
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) || slices.ContainsFunc(strings.Split(key, "/"), bad) {
		return "", job.Errorf(job.Invalid, "%q is not a valid key of an object", key)
	}
	return key, nil
}

func etag(s string) string { return strings.Trim(s, `"`) }

// failed sorts the errors of a call by what their caller can do about them.
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
		return job.Errorf(job.Exhausted, "the file storage has no room left").Because(err)
	case answer.Code == minio.NoSuchKey:
		return job.Errorf(job.NotFound, "there is no such file").Because(err)
	case answer.StatusCode == http.StatusPreconditionFailed:
		return job.Errorf(job.NotReady, "the file was replaced by another one").Because(err)
	}
	return job.Errorf(job.Unavailable, "the file storage does not answer; try again later").Because(err)
}

// full reports whether a store refuses content because it, or what it grants us, is full: versitygw and others answer
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
