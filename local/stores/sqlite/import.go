package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// importJob keeps the one that was updated last: the other one is an earlier state of the same job.
var importJob = "INSERT INTO jobs (" + strings.Join(all, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(all)-1) + ") " +
	"ON CONFLICT (id) DO UPDATE SET (" + strings.Join(all, ", ") + ") = (excluded." + strings.Join(all, ", excluded.") + ") " +
	"WHERE excluded.updated > jobs.updated"

// Import stores the jobs of another store, whatever their state, all or none of them: each is read back and compared before
// the commit. Repeating it changes nothing. Of a job that is stored already, the one that was updated last stays. It calls
// source twice, which passes the same jobs to visit each time. It returns how many there are.
func (s *Store) Import(ctx context.Context, source func(visit func(job.Job) error) error) (n int, err error) {
	const doing = "importing jobs into"
	tx, err := s.writer.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, s.forOperator(doing, err)
	}
	defer tx.Rollback() // after a commit it does nothing

	// pass calls source with a statement, and collects the ids.
	pass := func(query string, visit func(statement *sql.Stmt, j job.Job) error) (map[string]bool, error) {
		statement, err := tx.PrepareContext(ctx, query)
		if err != nil {
			return nil, s.forOperator(doing, err)
		}
		defer statement.Close()
		ids := make(map[string]bool)
		return ids, source(func(j job.Job) error {
			ids[j.ID] = true
			if err := visit(statement, j); err != nil {
				return fmt.Errorf("job %s: %w", j.ID, s.forOperator(doing, err))
			}
			return nil
		})
	}
	stored, err := pass(importJob, func(insert *sql.Stmt, j job.Job) error {
		_, err := insert.ExecContext(ctx, values(j)...)
		return err
	})
	if err != nil {
		return 0, err
	}
	checked, err := pass(getJob, func(get *sql.Stmt, j job.Job) error {
		is, err := one(ctx, get, clean(j.ID))
		if err == nil && is.Updated.UnixMilli() <= j.Updated.UnixMilli() && !reflect.DeepEqual(values(is), values(j)) {
			err = fmt.Errorf("it was read as %+v and stored as %+v", j, is)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if len(checked) != len(stored) {
		return 0, fmt.Errorf("%d jobs were read at first, and then %d", len(stored), len(checked))
	}
	if err := tx.Commit(); err != nil {
		return 0, s.forOperator(doing, err)
	}
	return len(stored), nil
}

func one(ctx context.Context, get *sql.Stmt, id string) (j job.Job, err error) {
	rows, err := get.QueryContext(ctx, id)
	if err != nil {
		return j, err
	}
	defer rows.Close()
	if !rows.Next() {
		return j, fmt.Errorf("it is missing: %w", rows.Err())
	}
	return j, scan(rows, &j, all)
}
