package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// The raw operations of floors. They read all content to its end.

// ping is the empty call.
func (w *world) ping(ctx context.Context) error {
	_, err := w.empty.Version(ctx, &pb.Empty{})
	return err
}

func byID(id string) bson.D { return bson.D{{Key: "_id", Value: id}} }

// find reads a document, and does not decode it.
func (s *site) find(ctx context.Context, id string) error {
	_, err := s.jobs.FindOne(ctx, byID(id)).Raw()
	return err
}

// findMany reads documents, and decodes the fields of T from each.
func findMany[T any](ctx context.Context, s *site, want int, filter bson.D, o *options.FindOptionsBuilder) error {
	cursor, err := s.jobs.Find(ctx, filter, o)
	if err != nil {
		return err
	}
	defer cursor.Close(ctx)
	found := make([]T, 0, want)
	for cursor.Next(ctx) {
		var d T
		if err := bson.Unmarshal(cursor.Current, &d); err != nil {
			return err
		}
		found = append(found, d)
	}
	if err := cursor.Err(); err != nil {
		return err
	}
	if len(found) != want {
		return fmt.Errorf("found %d documents, want %d", len(found), want)
	}
	return nil
}

// past is the collection of past runs.
func (s *site) past() *mongo.Collection { return s.jobs.Database().Collection("annotationPastRuns") }

// findPast reads the past runs of classes, and decodes them.
func (s *site) findPast(ctx context.Context, classes ...string) error {
	cursor, err := s.past().Find(ctx, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: classes}}}})
	if err != nil {
		return err
	}
	var found []struct {
		Runs []struct {
			Took int64     `bson:"took"`
			At   time.Time `bson:"at"`
		} `bson:"runs"`
	}
	return cursor.All(ctx, &found)
}

// addPast adds a past run to a class.
func (s *site) addPast(ctx context.Context, class string) error {
	run := bson.D{{Key: "took", Value: int64(400_000)}, {Key: "at", Value: time.Now()}}
	_, err := s.past().UpdateOne(ctx, byID(class),
		bson.D{{Key: "$push", Value: bson.D{{Key: "runs", Value: bson.D{{Key: "$each", Value: bson.A{run}}, {Key: "$slice", Value: -50}}}}}},
		options.UpdateOne().SetUpsert(true))
	return err
}

func (s *site) update(ctx context.Context, id string, set bson.D) error {
	r, err := s.jobs.UpdateOne(ctx, byID(id), bson.D{{Key: "$set", Value: set}})
	if err == nil && r.MatchedCount != 1 {
		err = errors.New("no document to update")
	}
	return err
}

// get reads an object, or its first bytes, if it has that ETag.
func (w *world) get(ctx context.Context, key, etag string, limit int64) error {
	var o minio.GetObjectOptions
	if etag != "" {
		if err := o.SetMatchETag(etag); err != nil {
			return err
		}
	}
	if limit > 0 {
		if err := o.SetRange(0, limit-1); err != nil {
			return err
		}
	}
	content, _, _, err := w.bucket.GetObject(ctx, w.raw.Bucket, key, o)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(io.Discard, content)
	return err
}

// miss requests an object that does not exist.
func (w *world) miss(ctx context.Context, key string) error {
	err := w.get(ctx, key, "", 0)
	if err == nil {
		return fmt.Errorf("%s exists", key)
	}
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return nil
	}
	return err
}

func (w *world) list(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for o := range w.bucket.Client.ListObjectsIter(ctx, w.raw.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if o.Err != nil {
			return nil, o.Err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

// wipe deletes all objects below a prefix, and lists incomplete uploads.
func (w *world) wipe(ctx context.Context, prefix string) error {
	keys, err := w.list(ctx, prefix)
	if err != nil {
		return err
	}
	objects := func(yield func(minio.ObjectInfo) bool) {
		for _, key := range keys {
			if !yield(minio.ObjectInfo{Key: key}) {
				return
			}
		}
	}
	results, err := w.bucket.RemoveObjectsWithIter(ctx, w.raw.Bucket, objects, minio.RemoveObjectsOptions{})
	if err != nil {
		return err
	}
	for r := range results {
		if r.Err != nil {
			return r.Err
		}
	}
	_, err = w.bucket.ListMultipartUploads(ctx, w.raw.Bucket, prefix, "", "", "", 1000)
	return err
}

func (w *world) signPut(ctx context.Context, key string) error {
	_, err := w.bucket.PresignedPutObject(ctx, w.raw.Bucket, key, linkTTL)
	return err
}

func (w *world) signGet(ctx context.Context, key string) error {
	as := url.Values{"response-content-disposition": {`attachment; filename="a genome.gff3"`}}
	_, err := w.bucket.PresignedGetObject(ctx, w.raw.Bucket, key, linkTTL, as)
	return err
}

// object is content that the measured operations read or delete.
type object struct{ key, content string }

// upload stores objects, some at a time, and returns the ETags.
func (w *world) upload(ctx context.Context, objects []object) ([]string, error) {
	etags := make([]string, len(objects))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, o := range objects {
		group.Go(func() error {
			info, err := w.bucket.Client.PutObject(ctx, w.raw.Bucket, o.key, strings.NewReader(o.content), int64(len(o.content)),
				minio.PutObjectOptions{DisableContentSha256: o.content == ""})
			etags[i] = strings.Trim(info.ETag, `"`)
			return err
		})
	}
	return etags, group.Wait()
}

// genome returns a FASTA file of one megabyte: smaller than most, but more than a start reads of it.
func genome() string {
	var b strings.Builder
	b.WriteString(">contig_1\n")
	line := strings.Repeat("ACGTTGCA", 10) + "\n"
	for b.Len() < 1<<20 {
		b.WriteString(line)
	}
	return b.String()
}
