package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The programs of a run may have replaced anything below its directory: a directory by a link to one outside, a file by a
// FIFO. So each path is opened from the run's directory downwards, one directory after the other, and none of them may be a
// link. What is open stays open, so a later replacement has no effect.

// open opens the run's directory, or one below it.
func (d Dir) open(below ...string) (*os.Root, error) {
	at, err := os.OpenRoot(filepath.Dir(string(d)))
	if err != nil {
		return nil, err
	}
	for _, name := range append([]string{filepath.Base(string(d))}, below...) {
		next, err := enter(at, name)
		at.Close()
		if err != nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// enter opens a directory in another.
func enter(at *os.Root, name string) (*os.Root, error) {
	was, err := at.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !was.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errIrregular}
	}
	next, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	is, err := next.Stat(".")
	if err == nil && !os.SameFile(was, is) {
		err = fmt.Errorf("%s: %w", name, errReplaced)
	}
	if err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// renew creates a directory in another and opens it. Whatever had its name is removed, with its content.
func renew(at *os.Root, name string) (*os.Root, error) {
	if err := remove(at, name); err != nil {
		// A directory on which a volume is mounted stays.
		if next, err := emptied(at, name); err == nil {
			return next, nil
		}
		return nil, err
	}
	return made(at, name)
}

// made opens a directory in another, and creates it if it is missing. All users may write to it, because the containers of the
// stages may run as different users. On a machine with other users, the parent of the run's directory is closed to them.
func made(at *os.Root, name string) (*os.Root, error) {
	err := at.Mkdir(name, 0o777)
	if err == nil {
		err = at.Chmod(name, 0o777) // the umask may have removed bits
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return enter(at, name)
}

// emptied opens a directory in another and removes its content.
func emptied(at *os.Root, name string) (*os.Root, error) {
	dir, err := enter(at, name)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(dir.FS(), ".")
	for _, e := range entries {
		err = errors.Join(err, remove(dir, e.Name()))
	}
	if err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// remove removes a tree that programs have written, even if they have removed the permissions of directories. It succeeds when
// there is none.
func remove(at *os.Root, name string) error {
	err := at.RemoveAll(name)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	unlock(at, name)
	return at.RemoveAll(name)
}

// unlock gives this user the permissions to remove a tree, as far as possible.
func unlock(at *os.Root, name string) {
	if info, err := at.Lstat(name); err != nil || !info.IsDir() {
		return
	}
	at.Chmod(name, 0o700)
	dir, err := enter(at, name)
	if err != nil {
		return
	}
	defer dir.Close()
	entries, _ := fs.ReadDir(dir.FS(), ".")
	for _, e := range entries {
		unlock(dir, e.Name())
	}
}

// Remove removes a tree that programs have written to. It succeeds when there is none.
func Remove(path string) error {
	at, err := os.OpenRoot(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer at.Close()
	return remove(at, filepath.Base(path))
}

// MakeRoom removes the files of a run that are not needed after its stages: inputs and temporary files.
func MakeRoom(dir string) error {
	at, err := Dir(dir).open()
	if err != nil {
		return err
	}
	defer at.Close()
	return errors.Join(remove(at, temps), remove(at, inputs))
}
