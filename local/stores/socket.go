package stores

import (
	"os"
	"path/filepath"
)

// maxSocketPath is the maximum length of a socket's path in bytes: 108 on Linux, 104 on BSD systems, with a margin.
const maxSocketPath = 100

// socket returns the path for a socket that only this user can access: in dir, which belongs to this user, or, if that
// path is too long, in a temporary directory, which is then also returned. No file exists at the path.
func socket(dir, name string) (path, tmp string, err error) {
	path = filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		if tmp, err = os.MkdirTemp("", "bakta-web-*"); err != nil {
			return "", "", err
		}
		path = filepath.Join(tmp, name)
	}
	// A killed process leaves its socket behind.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return "", "", err
	}
	return path, tmp, nil
}
