// Package ferretdb reads the jobs of a data directory that an earlier version wrote. That version stored them in an embedded
// FerretDB 1.24: a SQLite database with a table for each collection, in which a document is JSON.
package ferretdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// In reports whether a directory holds a database of an earlier version.
func In(dir string) (bool, error) {
	info, err := os.Stat(file(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.Mode().IsRegular(), err
}

func file(dir string) string { return filepath.Join(dir, "bakta.sqlite") }

// Jobs reads all jobs of the database in a directory, in any state. It calls visit for each, and unreadable for each document
// that is not a job, with its id as far as it is known. It ends at the first error of visit. It changes no job; SQLite may move
// what a killed process left in its log into the database.
func Jobs(ctx context.Context, dir string, visit func(job.Job) error, unreadable func(id string, err error)) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", (&url.URL{
		Scheme: "file", OmitHost: true, Path: file(dir),
		// This VFS needs no file for shared memory, for which a full disk has no space.
		RawQuery: url.Values{"mode": {"rw"}, "vfs": {"unix-excl"}, "_busy_timeout": {"10000"}, "_query_only": {"1"}}.Encode(),
	}).String())
	if err != nil {
		return err
	}
	defer db.Close()
	var visited error
	err = read(ctx, db, func(j job.Job) error {
		visited = visit(j)
		return visited
	}, unreadable)
	if err != nil && visited == nil {
		return fmt.Errorf("reading the jobs that an earlier version stored in %s: %w; "+
			"restore the directory %s from a backup, or move it away to begin without these jobs", file(dir), err, dir)
	}
	return err
}

func read(ctx context.Context, db *sql.DB, visit func(job.Job) error, unreadable func(string, error)) error {
	var tables, table string
	err := db.QueryRowContext(ctx, "SELECT name FROM sqlite_schema WHERE name = '_ferretdb_collections'").Scan(&tables)
	if err == nil {
		err = db.QueryRowContext(ctx, "SELECT table_name FROM _ferretdb_collections WHERE name = 'annotationJobs'").Scan(&table)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil // the earlier version was killed before it had created the collection
	}
	if err != nil {
		return err
	}
	// FerretDB makes the names of tables of letters, digits and underscores.
	rows, err := db.QueryContext(ctx, `SELECT _ferretdb_sjson FROM "`+table+`"`) //nolint:gosec // see above
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var content []byte
		if err := rows.Scan(&content); err != nil {
			return err
		}
		var d document
		if err := json.Unmarshal(content, &d); err != nil || d.ID == "" {
			unreadable(d.ID, errors.Join(err, errors.New("the document is not a job")))
			continue
		}
		if err := visit(d.job()); err != nil {
			return err
		}
	}
	return rows.Err()
}

// document is a job as FerretDB stores it: times are milliseconds since 1970, binary data is base64. Each field beyond the
// first ones may be missing: jobs that were not started lack them, and so do documents of the first versions.
type document struct {
	ID         string  `json:"_id"`
	SecretHash []byte  `json:"secretHash"`
	Name       string  `json:"name"`
	Batch      string  `json:"batch"`
	Workflow   string  `json:"workflow"`
	API        int     `json:"api"`
	State      string  `json:"state"`
	Created    instant `json:"created"`
	Started    instant `json:"started"`
	Updated    instant `json:"updated"`
	Expires    instant `json:"expires"`
	Due        instant `json:"due"`
	Start      *struct {
		Config   string      `json:"config"`
		Inputs   []job.Input `json:"inputs"`
		Trace    string      `json:"trace"`
		Warnings []struct {
			Code    string `json:"code"`
			Upload  string `json:"upload"`
			Message string `json:"message"`
		} `json:"warnings"`
	} `json:"start"`
	Run      int          `json:"run"`
	Launched string       `json:"launched"`
	Stages   []job.Stage  `json:"stages"`
	Results  []job.File   `json:"results"`
	Logs     []job.File   `json:"logs"`
	Failure  *job.Failure `json:"failure"`
	Owed     []struct {
		ID   string `json:"id"`
		Kind string `json:"kind"`
		Run  int    `json:"run"`
	} `json:"owed"`
}

// instant is a time; one that is missing is zero.
type instant struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (i *instant) UnmarshalJSON(content []byte) error {
	var ms *int64
	if err := json.Unmarshal(content, &ms); err != nil || ms == nil {
		return err
	}
	i.Time = time.UnixMilli(*ms).UTC()
	return nil
}

func (d document) job() job.Job {
	j := job.Job{
		ID: d.ID, SecretHash: d.SecretHash, Name: d.Name, Batch: d.Batch, Workflow: d.Workflow, API: d.API, State: job.State(d.State),
		Created: d.Created.Time, Started: d.Started.Time, Updated: d.Updated.Time, Expires: d.Expires.Time, Due: d.Due.Time,
		Run: d.Run, RunName: d.Launched, Stages: d.Stages, Results: d.Results, Logs: d.Logs, Failure: d.Failure,
	}
	if d.Start != nil {
		j.Start = &job.Start{Config: []byte(d.Start.Config), Inputs: d.Start.Inputs, Trace: d.Start.Trace}
		for _, w := range d.Start.Warnings {
			j.Start.Warnings = append(j.Start.Warnings, job.Warning(w))
		}
	}
	for _, e := range d.Owed {
		j.Owed = append(j.Owed, job.Effect{ID: e.ID, Kind: job.EffectKind(e.Kind), Run: e.Run})
	}
	return j
}
