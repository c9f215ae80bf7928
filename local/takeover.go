package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/ferretdb"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/sqlite"
)

const (
	documents = "documents"     // below the data directory: the jobs of an earlier version
	setAside  = "documents.old" // the same after they were taken over
	// asideNote is a file in the directory that was set aside. Its time is that of the takeover.
	asideNote = "README.txt"
)

const noteText = `These are the jobs as an earlier version of bakta-web stored them. They were taken
over into the directory "jobs" beside this one, and nothing reads them any more.
A start after the retention (--keep) of these jobs deletes this directory; you may
delete it at any time.

To go back to the earlier version: stop bakta-web, move the directory "jobs" away,
rename this directory to "documents", and start the earlier version. It knows the
jobs as they were at the takeover.
`

// takeOver imports the jobs that an earlier version left in the data directory, and then sets its database aside. A process
// that is killed at any moment leaves the earlier database in its place until the import is committed, and the next start
// repeats what is missing: jobs are served only after the earlier database was set aside.
func takeOver(ctx context.Context, o Options, jobs *sqlite.Store) error {
	earlier := filepath.Join(o.Data, documents)
	found, err := ferretdb.In(earlier)
	if err != nil || !found {
		return err
	}
	unreadable := make(map[string]error)
	n, err := jobs.Import(ctx, func(visit func(job.Job) error) error {
		return ferretdb.Jobs(ctx, earlier, visit, func(id string, err error) { unreadable[id] = err })
	})
	if err != nil {
		return fmt.Errorf("taking over the jobs of an earlier version, which are unchanged in %s: %w", earlier, err)
	}
	for id, err := range unreadable {
		o.Log.Error("a job of an earlier version can't be read, so it is not taken over", "job", id, "directory", earlier, "error", err)
	}
	aside, err := setDocumentsAside(o.Data)
	if err != nil {
		return fmt.Errorf("the jobs of an earlier version were taken over, but their directory can't be renamed: %w; "+
			"make %s writable for this user and start again", err, o.Data)
	}
	o.Notice(fmt.Sprintf("took over %d jobs of an earlier version; its files are kept in %s", n, aside))
	return nil
}

// setDocumentsAside renames the directory of an earlier version, and returns its new path. The name is on the disk when it
// returns.
func setDocumentsAside(data string) (string, error) {
	earlier := filepath.Join(data, documents)
	// On a full disk the note is missing, and so the directory stays until the user deletes it.
	_ = renameio.WriteFile(filepath.Join(earlier, asideNote), []byte(noteText), 0o600, renameio.WithTempDir(earlier))
	aside := filepath.Join(data, setAside)
	for i := 2; ; i++ { // a user has gone back to an earlier version, and then upgraded again
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
		aside = filepath.Join(data, fmt.Sprint(setAside, "-", i))
	}
	if err := os.Rename(earlier, aside); err != nil {
		return "", err
	}
	directory, err := os.Open(data)
	if err != nil {
		return "", err
	}
	return aside, errors.Join(directory.Sync(), directory.Close())
}

// removeOld deletes what was set aside for longer than jobs are kept: it names jobs that their users, or their retention, have
// deleted since.
func removeOld(o Options) error {
	entries, err := os.ReadDir(o.Data)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), setAside) {
			continue
		}
		aside := filepath.Join(o.Data, entry.Name())
		note, err := os.Stat(filepath.Join(aside, asideNote))
		if err != nil || time.Since(note.ModTime()) < o.Retention {
			continue
		}
		if err := os.RemoveAll(aside); err != nil {
			o.Log.Warn("the files of an earlier version can't be deleted", "directory", aside, "error", err)
			continue
		}
		o.Log.Info("deleted the files of an earlier version", "directory", aside)
	}
	return nil
}
