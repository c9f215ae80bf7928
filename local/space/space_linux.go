package space

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// diskSpace returns the bytes of a directory's disk that are free for this user, and the size of the disk in bytes.
func diskSpace(dir string) (free, total int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, fmt.Errorf("reading the free disk space of %s: %w", dir, err)
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), nil //nolint:gosec // no disk has 2⁶³ blocks
}

// fill extends the file of the reserve to a size in bytes, and allocates its blocks. The caller holds the lock.
func (d *Disk) fill(size int64) error {
	f, err := os.OpenFile(d.path(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, size)
	if errors.Is(err, unix.EOPNOTSUPP) { // a file system that allocates blocks only for writes
		var at int64
		at, err = f.Seek(0, io.SeekEnd)
		for zeros := make([]byte, 1<<20); at < size && err == nil; at += int64(len(zeros)) {
			_, err = f.Write(zeros[:min(size-at, int64(len(zeros)))])
		}
	}
	return errors.Join(err, f.Close())
}
