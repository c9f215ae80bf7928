package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// application marks the database as one of this program, for file(1) and for migrate: "Bakt".
const application = 0x42616b74

// migrations are the steps from an empty database to the present schema. A database at version n has had the first n of
// them. Never change a step that was released: append one.
//
// Times are milliseconds since 1970. Nested values are JSON, or NULL. The large columns are last, so that reading the others
// does not touch their pages.
var migrations = []string{
	`
CREATE TABLE jobs (
	id          TEXT    NOT NULL PRIMARY KEY,
	secret_hash BLOB,
	name        TEXT    NOT NULL,
	batch       TEXT    NOT NULL,
	workflow    TEXT    NOT NULL,
	api         INTEGER NOT NULL,
	state       TEXT    NOT NULL,
	created     INTEGER NOT NULL,
	started     INTEGER NOT NULL,
	began       INTEGER NOT NULL,
	updated     INTEGER NOT NULL,
	expires     INTEGER NOT NULL,
	due         INTEGER NOT NULL,
	run         INTEGER NOT NULL,
	run_name    TEXT    NOT NULL,
	stages      TEXT,
	failure     TEXT,
	owed        TEXT,
	start       TEXT,
	results     TEXT,
	logs        TEXT
) STRICT;
-- The sweep reads the jobs that are due, the oldest first.
CREATE INDEX jobs_due ON jobs (due);
-- Jobs that were not started are counted, and their life is shortened.
CREATE INDEX jobs_unstarted ON jobs (due) WHERE state = 'created';
-- Jobs that wait are listed by their age.
CREATE INDEX jobs_waiting ON jobs (started) WHERE state = 'submitted';
-- A list shows these columns of many jobs. Without this index, each of them costs the search in two trees, and a page for a row that is
-- mostly results.
CREATE INDEX jobs_listed ON jobs (id, secret_hash, name, workflow, state, created, started, updated);
-- What past runs took: a few classes, each with its last runs.
CREATE TABLE past_runs (class TEXT NOT NULL PRIMARY KEY, runs TEXT NOT NULL) STRICT;
`,
	`
-- Messages about the end of the job.
ALTER TABLE jobs ADD COLUMN deliveries TEXT;
`,
	`
-- The job that this one runs again.
ALTER TABLE jobs ADD COLUMN rerun_of TEXT NOT NULL DEFAULT '';
`,
	`
ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT '';
-- A list shows whether the caller is the owner.
DROP INDEX jobs_listed;
CREATE INDEX jobs_listed ON jobs (id, secret_hash, name, owner, workflow, state, created, started, updated);
-- The jobs of an owner are listed by their age.
CREATE INDEX jobs_owned ON jobs (owner, created, id, state, workflow, name) WHERE owner <> '';
`,
	`
-- Since when a run is seen to be blocked.
ALTER TABLE jobs ADD COLUMN blocked TEXT;
`,
}

// errNoLog is the error of a database that can't have a write-ahead log.
var errNoLog = errors.New("the file system does not allow a write-ahead log")

// migrate changes the database to the present schema, in one transaction.
func (s *Store) migrate(ctx context.Context) error {
	var mode string
	if err := s.writer.db.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("%w: its journal is %q", errNoLog, mode)
	}
	tx, err := s.writer.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := migrateIn(ctx, tx, migrations); err != nil {
		return err
	}
	return tx.Commit()
}

func migrateIn(ctx context.Context, tx *sql.Tx, steps []string) error {
	var owner, version, tables int
	row := tx.QueryRowContext(ctx, `SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema)
		FROM pragma_application_id, pragma_user_version`)
	if err := row.Scan(&owner, &version, &tables); err != nil {
		return err
	}
	switch {
	case owner != application && tables > 0:
		return errors.New("the file is a database of another program; move it away")
	case version > len(steps):
		return fmt.Errorf("a newer version of this program wrote it (schema %d, this version knows %d); install that version again, "+
			"or restore the directory from a backup of this version", version, len(steps))
	case version == len(steps):
		return nil
	}
	for _, step := range steps[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", application, len(steps)))
	return err
}
