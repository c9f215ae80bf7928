package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/docker/go-units"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Source is the object storage of reference databases. Errors are job.Unavailable if it can't be reached. Any error while content
// is read counts as job.Unavailable.
type Source interface {
	// List returns all objects under a prefix. The Name of each is its key without the prefix.
	List(ctx context.Context, prefix string) ([]job.File, error)
	// OpenAt reads the part of an object that begins at offset. The object must have that ETag.
	OpenAt(ctx context.Context, key, etag string, offset int64) (io.ReadCloser, error)
}

const (
	parallel = 4 // files that are downloaded at the same time
	// sourceTimeout is how long a file is requested from a source that sends nothing, and stallTimeout how long one request is waited for.
	sourceTimeout = 10 * time.Minute
	stallTimeout  = 2 * time.Minute
	// tick is the interval of progress reports.
	tick = 10 * time.Second
	// reserve is the space that must remain free on the volume, in bytes.
	reserve = 64 << 20
)

// Fetch downloads a version, which is all objects under a prefix of the source, into the volume. It continues the download of an
// earlier call, and reports progress as text. If the version exists with the same objects, Fetch changes nothing. If it exists with
// other objects, Fetch returns an error, because jobs may be reading it.
func (v *Volume) Fetch(ctx context.Context, from Source, prefix, version string, report func(string)) error {
	if err := valid(version); err != nil {
		return err
	}
	files, err := list(ctx, from, prefix)
	if err != nil {
		return err
	}
	whole := v.path(versions, version)
	there, err := readRecord(whole)
	if err != nil {
		return err
	}
	if _, err := os.Stat(whole); err == nil {
		if !slices.Equal(there, files) {
			return fmt.Errorf("the version %s exists already, with other files; use another name, or remove that version", version)
		}
		report(fmt.Sprintf("version %s exists already", version))
		return nil
	}
	f := &fetch{from: from, dir: v.path(incoming, version), files: files, report: report, version: version}
	if err := f.begin(); err != nil {
		return fmt.Errorf("preparing version %s: %w", version, err)
	}
	if err := f.run(ctx); err != nil {
		return fmt.Errorf("fetching version %s: %w", version, err)
	}
	if err := os.Rename(f.dir, whole); err != nil {
		return err
	}
	report(fmt.Sprintf("version %s is whole: %d files, %s", version, len(files), size(f.total)))
	return syncDir(v.path(versions))
}

// list returns the objects of a version.
func list(ctx context.Context, from Source, prefix string) ([]job.File, error) {
	prefix = strings.Trim(prefix, "/")
	if prefix != "" {
		prefix += "/"
	}
	files, err := from.List(ctx, prefix)
	if err != nil {
		return nil, err
	}
	files = slices.DeleteFunc(files, func(f job.File) bool {
		return f.Name == "" || strings.HasSuffix(f.Name, "/") // some tools store such an object for a directory
	})
	if len(files) == 0 {
		return nil, fmt.Errorf("no object has the prefix %q", prefix)
	}
	for _, f := range files {
		if !filepath.IsLocal(f.Name) || filepath.Clean(f.Name) != f.Name || filepath.Base(f.Name) == record || f.ETag == "" {
			return nil, fmt.Errorf("%q is not a valid file of a reference database", f.Key)
		}
	}
	sortFiles(files)
	return files, nil
}

// fetch is the download of a version.
type fetch struct {
	from    Source
	dir     string
	version string
	files   []job.File
	sums    map[string]string // SHA-256 by name, for the files of which the source has it
	report  func(string)

	total int64
	left  int64        // bytes to download at the beginning
	got   atomic.Int64 // bytes downloaded since then
}

// begin prepares the directory for the objects of the version, and checks the free space.
func (f *fetch) begin() error {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	was, err := readRecord(f.dir)
	if err != nil {
		return err
	}
	// Parts of objects that were replaced since an earlier call are useless.
	for _, old := range was {
		if !slices.Contains(f.files, old) {
			for _, path := range []string{f.path(old), f.part(old)} {
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
	}
	if err := writeRecord(f.dir, f.files); err != nil {
		return err
	}
	for _, file := range f.files {
		f.total += file.Size
		have, err := f.have(file)
		if err != nil {
			return err
		}
		f.left += file.Size - have
	}
	var free unix.Statfs_t
	if err := unix.Statfs(f.dir, &free); err != nil {
		return err
	}
	if room := int64(free.Bavail) * free.Bsize; room < f.left+reserve { //nolint:gosec // no disk has 2⁶³ blocks
		return fmt.Errorf("the volume has %s free, %s are needed; remove versions that no job reads any more",
			size(room), size(f.left+reserve))
	}
	return nil
}

// path is the path of a file that is complete and verified; part is its path before that.
func (f *fetch) path(file job.File) string {
	return filepath.Join(f.dir, filepath.FromSlash(file.Name))
}
func (f *fetch) part(file job.File) string { return f.path(file) + ".part" }

// have returns how many bytes of a file are downloaded.
func (f *fetch) have(file job.File) (int64, error) {
	if _, err := os.Stat(f.path(file)); err == nil {
		return file.Size, nil
	}
	info, err := os.Stat(f.part(file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	}
	return min(info.Size(), file.Size), nil
}

// run downloads and verifies the missing files.
func (f *fetch) run(ctx context.Context) error {
	f.report(fmt.Sprintf("version %s: %d files, %s, of which %s are to be fetched", f.version, len(f.files), size(f.total), size(f.left)))
	var err error
	if f.sums, err = f.checksums(ctx); err != nil {
		return err
	}
	for _, file := range f.files { // before hours of downloads
		if _, _, err := f.checksum(file); err != nil {
			return fmt.Errorf("%s: %w", file.Name, err)
		}
	}
	stop := f.progress()
	defer stop()
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, file := range f.files {
		group.Go(func() error {
			if err := f.file(each, file); err != nil {
				return fmt.Errorf("%s: %w", file.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// progress reports the progress at each tick until it is stopped.
func (f *fetch) progress() (stop func()) {
	done := make(chan struct{})
	finished := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(finished)
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				got := f.got.Load()
				rate := float64(got) / time.Since(began).Seconds()
				have := f.total - f.left + got
				f.report(
					fmt.Sprintf("version %s: %s of %s (%d%%), %s/s", f.version, size(have), size(f.total), 100*have/max(f.total, 1), size(int64(rate))),
				)
			}
		}
	}()
	return func() { close(done); <-finished }
}

// file downloads the missing part of a file, verifies the file, and renames it.
func (f *fetch) file(ctx context.Context, file job.File) error {
	if _, err := os.Stat(f.path(file)); err == nil {
		return nil
	}
	part := f.part(file)
	if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
		return err
	}
	if err := f.retry(ctx, file); err != nil {
		return err
	}
	if err := f.verify(ctx, file); errors.Is(err, errWrong) {
		// The wrong part is unknown, so the next call downloads the complete file again.
		return errors.Join(err, os.Remove(part))
	} else if err != nil {
		return err // such as an interruption: the next call verifies it
	}
	return errors.Join(os.Chmod(part, 0o644), os.Rename(part, f.path(file)), syncDir(filepath.Dir(part)))
}

// retry downloads a file, with further attempts as long as they make progress.
func (f *fetch) retry(ctx context.Context, file job.File) error {
	for {
		before, err := f.have(file)
		if err != nil {
			return err
		}
		pause := backoff.NewExponentialBackOff()
		pause.MaxInterval = 30 * time.Second
		_, err = backoff.Retry(ctx, func() (struct{}, error) {
			err := f.append(ctx, file)
			if now, statErr := f.have(file); err != nil && statErr == nil && now > before {
				return struct{}{}, backoff.Permanent(fmt.Errorf("%w: %w", errFurther, err))
			}
			var local *fs.PathError
			if job.Is(err, job.NotFound) || job.Is(err, job.NotReady) || errors.As(err, &local) {
				err = backoff.Permanent(err)
			}
			return struct{}{}, err
		}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(sourceTimeout))
		if !errors.Is(err, errFurther) || ctx.Err() != nil {
			return err
		}
	}
}

// errFurther is the error of an attempt that made progress before it failed.
var errFurther = errors.New("cut off")

// append downloads the rest of a file.
func (f *fetch) append(ctx context.Context, file job.File) (err error) {
	to, err := os.OpenFile(f.part(file), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	offset, err := to.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if offset > file.Size {
		if err := to.Truncate(0); err != nil {
			return err
		}
		if offset, err = to.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	if offset < file.Size {
		// A connection that is kept alive and brings nothing would be waited for without end.
		ctx, cancel := context.WithCancelCause(ctx)
		stalled := time.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("the source sent nothing for %v", stallTimeout)) })
		defer func() {
			stalled.Stop()
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = errors.Join(err, cause)
			}
			cancel(nil)
		}()
		content, err := f.from.OpenAt(ctx, file.Key, file.ETag, offset)
		if err != nil {
			return err
		}
		defer content.Close()
		came := func(n int) {
			f.got.Add(int64(n))
			stalled.Reset(stallTimeout)
		}
		n, err := io.Copy(counting{to, came}, io.LimitReader(content, file.Size-offset))
		if err != nil {
			return err
		}
		if n < file.Size-offset {
			return fmt.Errorf("received %d bytes, expected %d: %w", n, file.Size-offset, io.ErrUnexpectedEOF)
		}
	}
	return to.Sync()
}

// counting reports how many bytes each write has written.
type counting struct {
	io.Writer
	wrote func(n int)
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.wrote(n)
	return n, err
}

func size(n int64) string { return units.BytesSize(float64(n)) }
