package local_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// bucketOf creates a bucket of a real S3 store, and returns the arguments and the environment of a backend that uses it.
func bucketOf(t *testing.T) (b teststores.S3, args, env []string) {
	t.Helper()
	b = teststores.Bucket(t)
	c, err := b.Client()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.MakeBucket(t.Context(), b.Bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return b, []string{"--s3", b.Endpoint + "/" + b.Bucket + "/genomes"}, s3Keys(b)
}

func s3Keys(b teststores.S3) []string {
	return []string{"AWS_ACCESS_KEY_ID=" + b.AccessKey, "AWS_SECRET_ACCESS_KEY=" + b.SecretKey, "AWS_REGION=" + b.Region}
}

// TestS3Jobs annotates a small genome and one that makes results in several parts, with the files in a bucket of a real S3 store, and
// deletes the jobs: no object remains.
func TestS3Jobs(t *testing.T) {
	t.Parallel()
	b, args, env := bucketOf(t)
	data := t.TempDir()
	s, err := tryBackend(t, data, append(env, "BAKTA_STAND_IN_STEP_DELAY=0ms"), append(args, "--bakta", "stand-in", "--jobs", "2")...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := b.Client()
	if err != nil {
		t.Fatal(err)
	}
	objects := func(prefix string) (names []string, multipart bool) {
		for o := range c.ListObjects(ctx, b.Bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			names = append(names, o.Key)
			multipart = multipart || strings.Contains(o.ETag, "-")
		}
		return names, multipart
	}
	const threshold = 16 << 20 // larger results are stored in parts
	for name, row := range map[string]struct {
		genome    string
		multipart bool
	}{
		"small": {genome, false},
		"large": {">c1\n" + strings.Repeat("ACGTTGCAAC", threshold/10+1) + "\n", true},
	} {
		ref, _, err := submit(ctx, s.client(), "", row.genome)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if is, err := s.client().Wait(ctx, ref, 50*time.Millisecond, nil); err != nil || is.State != client.Successful {
			t.Fatalf("%s: %+v, %v\n%s", name, is, err, s.errors.String())
		}
		stored, multipart := objects("genomes/jobs/" + ref.ID + "/")
		if len(stored) < 10 || multipart != row.multipart {
			t.Errorf("%s: %d objects, in parts: %v, want %v", name, len(stored), multipart, row.multipart)
		}
		result, err := s.client().Result(ctx, ref)
		if err != nil {
			t.Fatal(err)
		}
		for key, link := range result.Files {
			if !strings.HasPrefix(link, b.Endpoint+"/"+b.Bucket+"/genomes/") {
				t.Fatalf("%s: a link leads to %s", name, link)
			}
			path := filepath.Join(t.TempDir(), "result")
			if _, err := s.client().Download(ctx, link, path, nil); err != nil {
				t.Errorf("%s: %s: %v", name, key, err)
			}
			content, err := os.ReadFile(path)
			if err != nil || key == "FNA" && bytes.Count(content, []byte("A")) < strings.Count(row.genome, "A") {
				t.Errorf("%s: %s has %d bytes: %v", name, key, len(content), err)
			}
		}
		if err := s.client().Delete(ctx, ref); err != nil {
			t.Error(err)
		}
		wait(t, "the objects are removed", func() bool {
			left, _ := objects("genomes/jobs/" + ref.ID + "/")
			return len(left) == 0
		})
	}
	if left, _ := objects(""); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := os.Stat(filepath.Join(data, "objects")); err == nil {
		t.Error("the embedded store was made")
	}

	// The bucket is removed while the backend runs: it must not be made again by an upload, and calls must say what is wrong.
	s.stop()
	if s, err = tryBackend(t, data, env, append(args, "--bakta", "stand-in")...); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveBucket(ctx, b.Bucket); err != nil {
		t.Fatal(err)
	}
	_, err = s.client().Init(ctx, "a", protov1.RepliconTableType_TSV)
	if refusal, ok := errors.AsType[*client.Error](err); !ok || refusal.Status != http.StatusServiceUnavailable ||
		!strings.Contains(err.Error(), "the object storage is not set up") {
		t.Errorf("after the bucket was removed, a job is made: %v", err)
	}
	if there, err := c.BucketExists(ctx, b.Bucket); err != nil || there {
		t.Errorf("the bucket was made again: %v, %v", there, err)
	}
}

// TestS3RefusedStarts: a backend whose bucket can't be used ends at once, with an error that says what to do.
func TestS3RefusedStarts(t *testing.T) {
	t.Parallel()
	b, args, env := bucketOf(t)
	place := b.Endpoint + "/" + b.Bucket
	other := b
	other.AccessKey = "unknown"
	wrong := b
	wrong.SecretKey = "hidden"
	for _, row := range []struct {
		name string
		url  string
		env  []string
		says string
	}{
		{"no bucket", b.Endpoint, env, "write the URL of a bucket"},
		{"empty", "", env, "--s3 is empty"},
		{"an AWS URL", "s3://" + b.Bucket, env, "write the URL of a bucket"},
		{"keys in the URL", "http://key:hidden@127.0.0.1:1/bucket", env, "AWS_ACCESS_KEY_ID"},
		{"a query", place + "?versioning", env, "write the URL of a bucket"},
		{"no keys", place, []string{"AWS_ACCESS_KEY_ID="}, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"},
		{"keys that expire", place, append(s3Keys(b), "AWS_SESSION_TOKEN=hidden"), "AWS_SESSION_TOKEN is set"},
		{"a missing bucket", place + "-x", env, "the bucket " + b.Bucket + "-x does not exist at " + b.Endpoint + "; create it"},
		{"an unknown key", place, s3Keys(other), "does not let these keys use the bucket " + b.Bucket + ": "},
		{"a wrong secret", place, s3Keys(wrong), "does not let these keys use the bucket " + b.Bucket + ": SignatureDoesNotMatch"},
		{"no store", "http://127.0.0.1:1/bucket", env,
			"the S3 store at http://127.0.0.1:1 can't be used: dial tcp 127.0.0.1:1: connect: connection refused"},
	} {
		_, err := tryBackend(t, t.TempDir(), row.env, "--bakta", "stand-in", "--s3", row.url)
		if err == nil {
			t.Errorf("%s: it serves", row.name)
		} else if text := err.Error(); !strings.Contains(text, row.says) || strings.Contains(text, "hidden") {
			t.Errorf("%s: it says %s", row.name, text)
		}
	}

	t.Run("another place", func(t *testing.T) {
		data := t.TempDir()
		for i, start := range []struct {
			args  []string
			warns bool
		}{{nil, false}, {args, true}, {args, false}, {nil, true}, {nil, false}} {
			s, err := tryBackend(t, data, env, append([]string{"--bakta", "stand-in"}, start.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			s.stop()
			if warned := strings.Contains(s.errors.String(), "are in another place and are not used"); warned != start.warns {
				t.Errorf("start %d: it warns: %v, want %v:\n%s", i, warned, start.warns, s.errors.String())
			}
		}
	})
}
