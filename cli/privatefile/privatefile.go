// Package privatefile replaces files that only their owner may read.
package privatefile

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write replaces a file, or creates it, so that only its owner can read it, whatever the permissions of the former one are. A reader, and a
// process that is killed, see the whole file or the former one. A link is replaced, not followed.
func Write(path string, content []byte) error {
	// renameio.WriteFile would keep the permissions of the former file.
	file, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer file.Cleanup() // after the replacement it does nothing
	if _, err := file.Write(content); err != nil {
		return err
	}
	return file.CloseAtomicallyReplace()
}
