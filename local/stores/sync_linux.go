package stores

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFileSystem writes back the file system that has an open file.
func syncFileSystem(f *os.File) error {
	err := unix.Syncfs(int(f.Fd()))
	if errors.Is(err, unix.ENOSYS) { // some sandboxes have only the call that returns no errors
		unix.Sync()
		return nil
	}
	return err
}
