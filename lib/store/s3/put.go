package s3

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const (
	// partSize is the size of the parts of large objects, in bytes. One part is held in memory.
	partSize = 16 << 20
	// unknownPartSize is the same for content of unknown size, where every call allocates the memory of a part at once. It is the
	// smallest that stores accept, and limits content to 50 GB. Only logs are such content, and far smaller.
	unknownPartSize = 5 << 20
	// abortTime bounds the removal of an upload's parts, even if the caller's context has ended.
	abortTime = 10 * time.Second
)

// Put implements store.Files. Content that is shorter or longer than its size stores no object. Errors of the content's reader
// are wrapped.
//
// The content is sent without framing. Over plain HTTP, the client by default signs each chunk, and stores then record the name
// of that framing, "aws-chunked", as the object's encoding, so that some clients can't read the object. Instead, Put sends
// and signs the content's checksums.
func (s *Store) Put(ctx context.Context, key string, content io.Reader, size int64) (job.File, error) {
	object, err := s.object(key)
	if err != nil {
		return job.File{}, err
	}
	if err := s.needBucket(ctx); err != nil {
		return job.File{}, err
	}
	unreadable := func(err error) (job.File, error) {
		return job.File{}, fmt.Errorf("reading the content of %s: %w", object, err)
	}
	if size < 0 {
		if content, size, err = measure(content); err != nil {
			return unreadable(err)
		}
	}
	from, reader, err := newSource(content, size)
	if err != nil {
		return unreadable(err)
	}
	var tag string
	switch {
	case size < 0:
		size, tag, err = s.putParts(ctx, object, from, unknownPartSize)
	case size > partSize:
		size, tag, err = s.putParts(ctx, object, from, partSize)
	default:
		tag, err = s.putWhole(ctx, object, reader, size)
	}
	if from.err != nil {
		return unreadable(from.err)
	}
	if err != nil {
		return job.File{}, failed("storing "+object, err)
	}
	return job.File{Key: key, Size: size, ETag: tag}, nil
}

// PutFile stores a file of this machine.
func (s *Store) PutFile(ctx context.Context, key, path string) (job.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return job.File{}, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return job.File{}, err
	}
	return s.Put(ctx, key, f, stat.Size())
}

// putWhole stores an object by one request and returns its ETag.
func (s *Store) putWhole(ctx context.Context, object string, content io.Reader, size int64) (string, error) {
	core, o := minio.Core{Client: s.inside}, minio.PutObjectOptions{DisableContentSha256: true}
	seeker, again := content.(io.Seeker)
	if !again {
		// Its checksums are known only after the request, so they are compared with the stored object.
		sums := s.newChecksums()
		info, err := core.PutObject(ctx, s.options.Bucket, object, io.TeeReader(content, sums), size, "", "", o)
		want := contents{parts: []part{sums.part(size)}}
		if tag := etag(info.ETag); err != nil || tag == want.etag() {
			return tag, err
		}
		return s.confirm(ctx, object, want)
	}
	sums := s.newChecksums()
	if _, err := io.Copy(sums, content); err != nil {
		return "", err
	}
	if _, err := seeker.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	info, err := core.PutObject(ctx, s.options.Bucket, object, content, size, sums.contentMD5(), sums.contentSHA256(), o)
	if tag := etag(info.ETag); err != nil || tag != "" {
		return tag, err
	}
	return s.confirm(ctx, object, contents{parts: []part{sums.part(size)}})
}

// putParts stores an object in parts of that size, and returns the object's size and ETag. If it fails, it removes the parts.
// Those that it can't remove are removed with the job, see RemovePrefix, or by the bucket's rule, see Setup.
func (s *Store) putParts(ctx context.Context, object string, from *source, size int) (_ int64, _ string, err error) {
	core := minio.Core{Client: s.inside}
	upload, err := core.NewMultipartUpload(ctx, s.options.Bucket, object, minio.PutObjectOptions{})
	if err != nil {
		return 0, "", err
	}
	defer func() {
		if err != nil {
			// The context of the upload may have ended.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
			defer cancel()
			_ = core.AbortMultipartUpload(ctx, s.options.Bucket, object, upload)
		}
	}()
	want := contents{multipart: true}
	var parts []minio.CompletePart
	buffer := make([]byte, size)
	for more := true; more; {
		n, readErr := io.ReadFull(from, buffer)
		if from.err != nil {
			return 0, "", from.err
		}
		if n == 0 {
			break // the part before was full and the last one
		}
		more = readErr == nil
		sums := s.newChecksums()
		_, _ = sums.Write(buffer[:n]) // has no error
		stored, err := core.PutObjectPart(ctx, s.options.Bucket, object, upload, len(parts)+1, bytes.NewReader(buffer[:n]), int64(n),
			minio.PutObjectPartOptions{Md5Base64: sums.contentMD5(), Sha256Hex: sums.contentSHA256(), DisableContentSha256: true})
		if err != nil {
			return 0, "", err
		}
		parts = append(parts, minio.CompletePart{PartNumber: len(parts) + 1, ETag: stored.ETag})
		want.parts = append(want.parts, sums.part(int64(n)))
	}
	info, err := core.CompleteMultipartUpload(ctx, s.options.Bucket, object, upload, parts, minio.PutObjectOptions{})
	if tag := etag(info.ETag); err == nil && tag != "" {
		return want.size(), tag, nil
	}
	// Ceph's RGW answers without an ETag: 16.2 always, 18.2 to a repeated request, which the client sends if the answer to the
	// first was lost. Other stores then answer that the upload does not exist. The object may exist all the same.
	tag, confirmErr := s.confirm(ctx, object, want)
	if confirmErr != nil {
		return 0, "", errors.Join(err, confirmErr)
	}
	return want.size(), tag, nil
}

// confirm returns the ETag of an object that was probably stored, if its content is as expected.
func (s *Store) confirm(ctx context.Context, object string, want contents) (string, error) {
	info, err := s.stat(ctx, object)
	if err != nil {
		// The caller has just stored the object, so "not found" would mislead: only the store's message is kept.
		return "", fmt.Errorf("the store returned no ETag, and the stored object can't be checked: %v", err) //nolint:errorlint // see above
	}
	tag := etag(info.ETag)
	switch {
	case tag != "" && info.Size == want.size() && tag == want.etag():
		return tag, nil
	case tag == "" || info.Size != want.size():
		return "", fmt.Errorf("the store has %d bytes with the ETag %q, but was given %d bytes", info.Size, tag, want.size())
	}
	// An ETag is not always made of MD5s, for example of an encrypted object. So the content is read and compared.
	content, info, _, err := minio.Core{Client: s.inside}.GetObject(ctx, s.options.Bucket, object, minio.GetObjectOptions{})
	if err != nil {
		return "", fmt.Errorf("the store returned no ETag, and the stored object can't be read: %v", err) //nolint:errorlint // as above
	}
	defer content.Close()
	if tag = etag(info.ETag); tag == "" || info.Size != want.size() {
		return "", errors.New("the object was replaced immediately after it was stored")
	}
	for _, p := range want.parts {
		sum := md5.New()
		if _, err := io.CopyN(sum, content, p.size); err != nil {
			return "", fmt.Errorf("the stored object can't be read: %v", err) //nolint:errorlint // as above
		}
		if [md5.Size]byte(sum.Sum(nil)) != p.sum {
			return "", errors.New("the stored content differs from the content that was sent")
		}
	}
	return tag, nil
}

// checksums are those of one request's content.
type checksums struct {
	io.Writer
	md5, sha256 hash.Hash // sha256 is nil where TLS protects the content
}

func (s *Store) newChecksums() *checksums {
	c := &checksums{md5: md5.New()}
	c.Writer = c.md5
	if s.inside.EndpointURL().Scheme != "https" {
		c.sha256 = sha256.New()
		c.Writer = io.MultiWriter(c.md5, c.sha256)
	}
	return c
}

// contentMD5 returns the checksum by which the store checks that the content is complete.
func (c *checksums) contentMD5() string { return base64.StdEncoding.EncodeToString(c.md5.Sum(nil)) }

// contentSHA256 returns the checksum with which the request's signature covers the content; empty if that is not needed.
func (c *checksums) contentSHA256() string {
	if c.sha256 == nil {
		return ""
	}
	return hex.EncodeToString(c.sha256.Sum(nil))
}

func (c *checksums) part(size int64) part {
	return part{size: size, sum: [md5.Size]byte(c.md5.Sum(nil))}
}

// contents is the expected content of an object.
type contents struct {
	parts     []part
	multipart bool
}

// part is the content of one request.
type part struct {
	size int64 // bytes
	sum  [md5.Size]byte
}

func (c contents) size() int64 {
	var n int64
	for _, p := range c.parts {
		n += p.size
	}
	return n
}

// etag returns the ETag that most stores use: the MD5 of the content, or of the MD5s of its parts.
func (c contents) etag() string {
	if !c.multipart {
		return hex.EncodeToString(c.parts[0].sum[:])
	}
	sum := md5.New()
	for _, p := range c.parts {
		sum.Write(p.sum[:])
	}
	return fmt.Sprintf("%x-%d", sum.Sum(nil), len(c.parts))
}
