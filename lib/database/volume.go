// Package database downloads the reference database of an annotation program from an object storage into a volume, from which jobs
// read it. A reference database has many gigabytes, so a download continues after an interruption. Its files are verified. Jobs
// read either the complete old version or the complete new one. Old versions remain until an operator removes them, because
// jobs may still read them.
//
// The volume contains:
//
//	versions/<version>/   a complete version, which never changes
//	incoming/<version>/   a version that is being downloaded
//	<name>                a link to the version that new jobs read
//	.lock                 locked by the process that changes the volume
package database

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// ErrBusy is the error for a volume that another process is changing.
var ErrBusy = errors.New("another process is changing the volume")

const (
	versions = "versions"
	incoming = "incoming"
	lockFile = ".lock"
	// record is the file in a version's directory with the list of its objects.
	record = ".source.json"
)

// names of versions and links become file names.
var nameSyntax = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// Volume is a volume that this process may change. It is not safe for concurrent use.
type Volume struct {
	dir  string
	lock *os.File
}

// Open locks the volume that is mounted on a directory. If another process has locked it, the error is ErrBusy. The kernel
// releases the lock when the process ends, however it ends.
func Open(dir string) (*Volume, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the volume: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, fmt.Errorf("opening the volume %s: %w", dir, err)
	}
	v := &Volume{dir: dir, lock: lock}
	for _, name := range []string{versions, incoming} {
		if err := os.MkdirAll(v.path(name), 0o755); err != nil {
			return nil, errors.Join(fmt.Errorf("opening the volume: %w", err), v.Close())
		}
	}
	return v, nil
}

// Close releases the volume.
func (v *Volume) Close() error { return v.lock.Close() }

func (v *Volume) path(parts ...string) string {
	return filepath.Join(append([]string{v.dir}, parts...)...)
}

// Versions lists the complete versions, in order of their names.
func (v *Volume) Versions() ([]string, error) {
	entries, err := os.ReadDir(v.path(versions))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Current returns the version to which a link points, "" if the link does not exist.
func (v *Volume) Current(name string) (string, error) {
	target, err := os.Readlink(v.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case errors.Is(err, syscall.EINVAL):
		return "", nil // a directory, on a volume that was filled by hand
	case err != nil:
		return "", err
	}
	return filepath.Base(target), nil
}

// Switch atomically changes a link to a complete version. If a directory has the link's name, on a volume that was filled by
// hand, it becomes the version <name>-before.
func (v *Volume) Switch(name, version string) error {
	if err := valid(name, version); err != nil {
		return err
	}
	if name == versions || name == incoming {
		return fmt.Errorf("the name %s is reserved; use another one", name)
	}
	if _, err := os.Stat(v.path(versions, version)); err != nil {
		return fmt.Errorf("the version %s does not exist or is not complete: %w", version, err)
	}
	link := v.path(name)
	fresh := v.path("." + name + ".new")
	if there, err := os.Lstat(fresh); err == nil && there.IsDir() {
		// The process that exchanged it for the link was killed before it moved it.
		if err := v.keepDirectory(name, fresh); err != nil {
			return err
		}
	}
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Relative, because jobs mount the volume elsewhere.
	if err := os.Symlink(filepath.Join(versions, version), fresh); err != nil {
		return err
	}
	if there, err := os.Lstat(link); err == nil && there.IsDir() {
		return v.replaceDirectory(name, fresh)
	}
	if err := os.Rename(fresh, link); err != nil {
		return err
	}
	return syncDir(v.dir)
}

// replaceDirectory replaces a directory by a link; the directory becomes a version.
func (v *Volume) replaceDirectory(name, fresh string) error {
	if err := v.noneBefore(name, name); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, fresh, unix.AT_FDCWD, v.path(name), unix.RENAME_EXCHANGE)
	if err == nil {
		return v.keepDirectory(name, fresh)
	}
	// Not every file system can exchange two names. Then neither name exists for a moment, and a job that starts then fails.
	if err := os.Rename(v.path(name), v.path(versions, before(name))); err != nil {
		return err
	}
	return errors.Join(os.Rename(fresh, v.path(name)), syncDir(v.dir))
}

// keepDirectory makes a directory that was replaced by the link the version <name>-before.
func (v *Volume) keepDirectory(name, directory string) error {
	if err := v.noneBefore(name, filepath.Base(directory)); err != nil {
		return err
	}
	return errors.Join(os.Rename(directory, v.path(versions, before(name))), syncDir(v.dir))
}

// before is the version that the directory of that name becomes.
func before(name string) string { return name + "-before" }

// noneBefore returns an error if that version exists, so that the directory can't become it.
func (v *Volume) noneBefore(name, directory string) error {
	if _, err := os.Lstat(v.path(versions, before(name))); err == nil {
		return fmt.Errorf("%s is a directory, and there is a version %s already; move one of them out of the way", directory, before(name))
	}
	return nil
}

// Remove removes a version to which no link points, complete or not.
func (v *Volume) Remove(version string) error {
	if err := valid(version); err != nil {
		return err
	}
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if current, err := v.Current(e.Name()); err != nil || current == version {
			return errors.Join(fmt.Errorf("%s points to version %s; switch it to another version first", e.Name(), version), err)
		}
	}
	// Renamed first, so that an interrupted removal leaves no complete version.
	trash := v.path(incoming, ".removed-"+version)
	if err := os.RemoveAll(trash); err != nil {
		return err
	}
	if err := os.Rename(v.path(versions, version), trash); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(os.RemoveAll(trash), os.RemoveAll(v.path(incoming, version)), syncDir(v.dir))
}

func valid(names ...string) error {
	for _, n := range names {
		if !nameSyntax.MatchString(n) {
			return fmt.Errorf("%q is not a valid name: use letters, digits, dots, dashes and underscores, a letter or digit first", n)
		}
	}
	return nil
}

// readRecord returns the objects of a version's directory, nil if it has no record.
func readRecord(dir string) ([]job.File, error) {
	content, err := os.ReadFile(filepath.Join(dir, record))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []job.File
	if err := json.Unmarshal(content, &files); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(dir, record), err)
	}
	return files, nil
}

// writeRecord writes the record atomically.
func writeRecord(dir string, files []job.File) error {
	content, err := json.MarshalIndent(files, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, record)
	if err := renameio.WriteFile(path, content, 0o644, renameio.WithTempDir(dir)); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// sortFiles orders files by name, so that two lists of the same files are the same.
func sortFiles(files []job.File) {
	slices.SortFunc(files, func(a, b job.File) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
}
