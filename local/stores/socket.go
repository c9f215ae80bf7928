package stores

import (
	"os"
	"path/filepath"
)

// maxSocketPath is how long a socket's path may be, in bytes, on the systems that we know.
const maxSocketPath = 100

// socket returns where a socket of this user alone can be: in a directory that is this user's, or, if its path would be
// too long, in a temporary one, which is then named, too. There is nothing at its place.
func socket(dir, name string) (path, tmp string, err error) {
	path = filepath.Join(dir, name)
	if len(path) > maxSocketPath {
		if tmp, err = os.MkdirTemp("", "bakta-web-*"); err != nil {
			return "", "", err
		}
		path = filepath.Join(tmp, name)
	}
	// One that was killed left its socket behind.
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return "", "", err
	}
	return path, tmp, nil
}
