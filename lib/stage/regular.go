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

// errIrregular is the error for something in a file's place that is not to be read.
var errIrregular = errors.New("not a regular file of a bearable size")

// errReplaced is the error for a file that was replaced while it was opened. A record may be, by the next one.
var errReplaced = fmt.Errorf("it was replaced while it was opened: %w", errIrregular)

// openRegular opens a file below the run's directory that the run's programs could have put there. Nothing
// but a regular file is opened, and no symbolic link is followed on the way: the process that uploads results
// has credentials and can read what the programs can't, and reading a FIFO or a device may never end.
func openRegular(dir Dir, path string) (f *os.File, info fs.FileInfo, err error) {
	for range 5 {
		if f, info, err = tryRegular(dir, path); !errors.Is(err, errReplaced) {
			break
		}
	}
	return f, info, err
}

// tryRegular is one try of openRegular.
func tryRegular(dir Dir, path string) (*os.File, fs.FileInfo, error) {
	root, err := os.OpenRoot(string(dir)) // nothing outside of it is reached, whatever happens between two steps
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	var last fs.FileInfo
	parts := strings.Split(filepath.ToSlash(filepath.Clean(path)), "/")
	for i := range parts {
		at := filepath.Join(parts[:i+1]...)
		if last, err = root.Lstat(at); err != nil {
			return nil, nil, err
		}
		if i < len(parts)-1 && !last.IsDir() {
			return nil, nil, fmt.Errorf("%s: %w", at, errIrregular)
		}
	}
	if !last.Mode().IsRegular() || last.Size() > maxFile {
		return nil, nil, fmt.Errorf("%s: %w", path, errIrregular)
	}
	f, err := root.OpenFile(filepath.Join(parts...), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !os.SameFile(info, last) {
		err = fmt.Errorf("%s: %w", path, errReplaced)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// readRegular reads such a file, which must not be larger than limit bytes.
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

// there returns nil if openRegular would open the file.
func there(dir Dir, path string) error {
	f, _, err := openRegular(dir, path)
	if err != nil {
		return err
	}
	return f.Close()
}

// OpenLog opens what a stage has printed so far. The error is fs.ErrNotExist when it has not begun.
func OpenLog(dir, stage string) (*os.File, error) {
	f, _, err := openRegular(Dir(dir), filepath.Join(logs, stage+".log"))
	return f, err
}
