package stage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// errIrregular is the error for a path that must not be read.
var errIrregular = errors.New("not a regular file, or a part of its path is not a directory")

// errReplaced is the error for a file that was replaced while it was opened. The next record may replace a record.
var errReplaced = fmt.Errorf("it was replaced while it was opened: %w", errIrregular)

// openRegular opens a file below the run's directory, where the run's programs may have replaced anything. It opens only a
// regular file, and follows no symbolic links: the process that uploads results has credentials and can read files that the
// programs can't, and reading a FIFO or a device may never end.
func openRegular(dir Dir, path string) (f *os.File, info fs.FileInfo, err error) {
	for range 5 {
		if f, info, err = tryRegular(dir, path); !errors.Is(err, errReplaced) {
			break
		}
	}
	return f, info, err
}

// tryRegular is one try of openRegular.
func tryRegular(d Dir, path string) (*os.File, fs.FileInfo, error) {
	path = filepath.Clean(path)
	var below []string
	if dir := filepath.Dir(path); dir != "." {
		below = strings.Split(filepath.ToSlash(dir), "/")
	}
	at, err := d.open(below...)
	if err != nil {
		return nil, nil, err
	}
	defer at.Close()
	name := filepath.Base(path)
	was, err := at.Lstat(name)
	if err != nil {
		return nil, nil, err
	}
	if !was.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: %w", path, errIrregular)
	}
	f, err := at.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, was) {
		err = fmt.Errorf("%s: %w", path, errReplaced)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readRegular reads a file as openRegular opens it, of at most limit bytes.
func readRegular(dir Dir, path string, limit int64) ([]byte, error) {
	f, info, err := openRegular(dir, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are allowed: %w", path, info.Size(), limit, errIrregular)
	}
	return io.ReadAll(io.LimitReader(f, limit))
}

// sizeOf returns the size of a file that openRegular opens, in bytes.
func sizeOf(dir Dir, path string) (int64, error) {
	f, info, err := openRegular(dir, path)
	if err != nil {
		return 0, err
	}
	return info.Size(), f.Close()
}

// OpenLog opens the output of a stage so far. The error is fs.ErrNotExist if the stage has not begun, or if its log was
// replaced by something that is not a regular file.
func OpenLog(dir, stage string) (*os.File, error) {
	f, _, err := openRegular(Dir(dir), filepath.Join(states, stage, logFile))
	if errors.Is(err, errIrregular) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return f, err
}
