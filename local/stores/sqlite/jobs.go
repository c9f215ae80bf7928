package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// in returns the condition that a job is in one of these states.
func in(states ...job.State) string {
	return "state IN ('" + strings.Join(texts(states), "', '") + "')"
}

func texts(states []job.State) (list []string) {
	for _, s := range states {
		list = append(list, string(s))
	}
	return list
}

var insertJob = "INSERT INTO jobs (" + strings.Join(all, ", ") + ") VALUES (?" + strings.Repeat(", ?", len(all)-1) + ") " +
	"ON CONFLICT (id) DO NOTHING"

// Insert implements store.Jobs.
func (s *Store) Insert(ctx context.Context, j job.Job) error {
	n, err := s.write(ctx, "storing job "+j.ID, insertJob, values(j)...)
	if err != nil || n == 1 {
		return err
	}
	stored, err := s.Get(ctx, j.ID)
	switch {
	case err == nil && bytes.Equal(stored.SecretHash, j.SecretHash):
		return nil
	case err == nil || job.Is(err, job.NotFound):
		return job.Errorf(job.AlreadyExists, "there is a job with this id already")
	}
	return err
}

var getJob = "SELECT " + strings.Join(all, ", ") + " FROM jobs WHERE id = ?"

// Get implements store.Jobs.
func (s *Store) Get(ctx context.Context, id string) (job.Job, error) {
	var j job.Job
	found := false
	err := s.read(ctx, "reading job "+id, getJob, func(rows *sql.Rows) error {
		found = true
		return scan(rows, &j, all)
	}, id)
	if err != nil {
		return job.Job{}, err
	}
	if !found {
		return job.Job{}, job.Errorf(job.NotFound, "there is no such job; it may have been deleted or have expired")
	}
	return j, nil
}

func scan(rows *sql.Rows, j *job.Job, columns []string) error {
	fields := make([]any, 0, len(columns))
	for _, column := range columns {
		fields = append(fields, field(j, column))
	}
	return rows.Scan(fields...)
}

// find reads jobs. It leaves out, and logs, a job that can't be decoded, so that the others are available.
func (s *Store) find(ctx context.Context, doing string, columns []string, query string, args ...any) ([]job.Job, error) {
	var jobs []job.Job
	err := s.read(ctx, doing, query, func(rows *sql.Rows) error {
		var j job.Job
		if err := scan(rows, &j, columns); err != nil {
			s.log.ErrorContext(ctx, "a stored job can't be read", "job", j.ID, "error", err)
			return nil
		}
		jobs = append(jobs, j)
		return nil
	}, args...)
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

// Without the name of the index, SQLite would search that of the key and then the row.
var listJobs = "SELECT " + strings.Join(listed, ", ") + " FROM jobs INDEXED BY jobs_listed WHERE id IN (SELECT value FROM json_each(?))"

// GetMany implements store.Jobs.
func (s *Store) GetMany(ctx context.Context, ids []string) ([]job.Job, error) {
	return s.getMany(ctx, "reading a list of jobs", ids, listed, listJobs)
}

var stateJobs = "SELECT " + strings.Join(states, ", ") + " FROM jobs WHERE id IN (SELECT value FROM json_each(?))"

// GetStates implements store.Jobs.
func (s *Store) GetStates(ctx context.Context, ids []string) ([]job.Job, error) {
	return s.getMany(ctx, "reading the states of jobs", ids, states, stateJobs)
}

func (s *Store) getMany(ctx context.Context, doing string, ids, columns []string, query string) ([]job.Job, error) {
	asked := make([]string, 0, len(ids))
	for _, id := range ids {
		// A text of SQLite's JSON ends at NUL, so it would match another id.
		if !strings.ContainsRune(id, 0) {
			asked = append(asked, id)
		}
	}
	if len(asked) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(asked)
	if err != nil {
		return nil, err
	}
	return s.find(ctx, doing, columns, query, string(list))
}

// Each condition that is not asked for has an argument of NULL. The second one lets SQLite use the index, which has jobs with an
// owner only.
// A prefix is compared as bytes: length() would end at a NUL.
var ownedJobs = "SELECT " + strings.Join(listed, ", ") + ` FROM jobs INDEXED BY jobs_owned
	WHERE owner = ?1 AND owner <> '' AND (created, id) < (?2, ?3) AND state IN (SELECT value FROM json_each(?4))
	AND (?5 IS NULL OR workflow = ?5) AND (?6 IS NULL OR name >= ?6 AND name < ?7)
	ORDER BY created DESC, id DESC LIMIT ?8`

// Owned implements store.Jobs.
func (s *Store) Owned(ctx context.Context, which job.Owned, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil // for SQLite, a negative number means all
	}
	created, id := int64(math.MaxInt64), ""
	if which.After.ID != "" {
		created, id = which.After.Created.UnixMilli(), which.After.ID
	}
	states, err := json.Marshal(texts(which.Listed()))
	if err != nil {
		return nil, err
	}
	var workflow, first, end any
	if which.Workflow != "" {
		workflow = which.Workflow
	}
	if which.Prefix != "" {
		first, end = which.Prefix, beyond(which.Prefix)
	}
	return s.find(
		ctx,
		"reading the jobs of an owner",
		listed,
		ownedJobs,
		which.Owner,
		created,
		id,
		string(states),
		workflow,
		first,
		end,
		limit,
	)
}

// beyond returns the first text behind all those that begin with a prefix, which is UTF-8 and not empty. SQLite compares bytes, and none of
// UTF-8 is the last one. The result may not be UTF-8.
func beyond(prefix string) string {
	return prefix[:len(prefix)-1] + string([]byte{prefix[len(prefix)-1] + 1})
}

var dueJobs = "SELECT " + strings.Join(swept, ", ") + " FROM jobs WHERE due <= ? ORDER BY due LIMIT ?"

// Due leaves out results and logs, which are most of a job.
func (s *Store) Due(ctx context.Context, now time.Time, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil // for SQLite, a negative number means all
	}
	return s.find(ctx, "reading the jobs that are due", swept, dueJobs, now.UnixMilli(), limit)
}

// Unstarted implements store.Jobs. The cost depends on the count.
func (s *Store) Unstarted(ctx context.Context, by time.Time, limit int) (int, error) {
	if limit <= 0 {
		return 0, nil
	}
	n := 0
	err := s.read(ctx, "counting jobs that were not started",
		"SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 'created' AND due <= ? LIMIT ?)",
		func(rows *sql.Rows) error { return rows.Scan(&n) }, by.UnixMilli(), limit)
	return n, err
}

// Waiting implements store.Jobs. It reads only an index.
func (s *Store) Waiting(ctx context.Context, limit int) ([]time.Time, error) {
	if limit <= 0 {
		return nil, nil
	}
	var times []time.Time
	err := s.read(ctx, "reading the jobs that wait", "SELECT started FROM jobs WHERE state = 'submitted' ORDER BY started LIMIT ?",
		func(rows *sql.Rows) error {
			var at time.Time
			err := rows.Scan((*instant)(&at))
			times = append(times, at)
			return err
		}, limit)
	return times, err
}

// update is the compare-and-set: it changes the job if the conditions hold, and reports whether it did.
func (s *Store) update(ctx context.Context, doing, id, query string, args ...any) (bool, error) {
	n, err := s.write(ctx, doing+" job "+id, query, args...)
	return n == 1, err
}

var submitJob = `UPDATE jobs SET state = 'submitted', start = ?, run = 1, stages = ?, started = ?, updated = ?, due = ?, expires = ?
	WHERE id = ? AND ` + in(job.Before(job.Submitted)...)

// Submit implements store.Jobs.
func (s *Store) Submit(ctx context.Context, id string, start job.Start, stages []job.Stage, at, due, expires time.Time) (bool, error) {
	return s.update(ctx, "submitting", id, submitJob,
		encodeStart(&start), encodeStages(stages), at.UnixMilli(), at.UnixMilli(), due.UnixMilli(), expires.UnixMilli(), id)
}

var launchedJob = "UPDATE jobs SET run_name = ?, due = ? WHERE id = ? AND run = ? AND " + in(job.Submitted, job.Running)

// Launched accepts a running job, too: the run may have been observed before its launch is recorded.
func (s *Store) Launched(ctx context.Context, id string, run int, object string, due time.Time) (bool, error) {
	return s.update(ctx, "recording the launch of", id, launchedJob, clean(object), due.UnixMilli(), id, run)
}

// The clock of the process that submitted the job may be ahead, so the time of the update is the later one.
var runningJob = `UPDATE jobs SET state = 'running', stages = ?1, due = ?2, updated = max(updated, ?3), began = coalesce(?6, began)
	WHERE id = ?4 AND run = ?5 AND (` + in(job.Before(job.Running)...) + " OR state = 'running' AND updated <= ?3)"

// Running implements store.Jobs.
func (s *Store) Running(ctx context.Context, id string, run int, stages []job.Stage, began, at, due time.Time) (bool, error) {
	return s.update(ctx, "recording the progress of", id, runningJob, encodeStages(stages), due.UnixMilli(), at.UnixMilli(), id, run,
		known(began))
}

// known returns a time as it is stored, or NULL for none.
func known(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

// finishJob is the same for both outcomes, which may follow the same states. Stages that are NULL stay as they are.
var finishJob = `UPDATE jobs SET state = ?, results = ?, logs = ?, failure = ?, owed = ?, deliveries = ?,
	stages = coalesce(?, stages), began = coalesce(?, began), blocked = NULL, updated = ?, due = ?, expires = ?
	WHERE id = ? AND run = ? AND ` + in(job.Before(job.Succeeded)...)

// Finish implements store.Jobs.
func (s *Store) Finish(ctx context.Context, id string, run int, end job.End) (bool, error) {
	if !end.State.Ended() {
		return false, fmt.Errorf("sqlite: job %s can't end as %q", id, end.State)
	}
	return s.update(ctx, "recording the end of", id, finishJob,
		string(end.State), encodeFiles(end.Results), encodeFiles(end.Logs), encodeFailure(end.Failure), encodeEffects(end.Owed),
		encodeList(end.Deliveries, newDelivery), encodeStages(end.Stages), known(end.Began), end.At.UnixMilli(), end.Due.UnixMilli(),
		end.Expires.UnixMilli(), id, run)
}

var blockedJob = "UPDATE jobs SET blocked = ? WHERE id = ? AND run = ? AND " + in(job.Submitted, job.Running)

// SetBlocked implements store.Jobs.
func (s *Store) SetBlocked(ctx context.Context, id string, b job.Blocked) (bool, error) {
	var value any
	if !b.Since.IsZero() {
		value = encodeBlocked(b)
	}
	return s.update(ctx, "recording what blocks", id, blockedJob, value, id, b.Run)
}

var relaunchJob = `UPDATE jobs SET run = run + 1, run_name = '', stages = NULL, blocked = NULL, began = ?,
	updated = max(updated, ?), due = ?
	WHERE id = ? AND run = ? AND ` +
	in(job.Submitted, job.Running)

// Relaunch keeps the state, so that a job that was running never seems to wait again.
func (s *Store) Relaunch(ctx context.Context, id string, run int, at, due time.Time) (bool, error) {
	return s.update(ctx, "relaunching", id, relaunchJob, time.Time{}.UnixMilli(), at.UnixMilli(), due.UnixMilli(), id, run)
}

// doneJob keeps the order of the effects that stay.
var doneJob = `UPDATE jobs SET due = ?1, owed = (
		SELECT CASE WHEN count(*) > 0 THEN json_group_array(json(owes.value)) END FROM json_each(jobs.owed) AS owes
		WHERE owes.value ->> 'id' NOT IN (SELECT value FROM json_each(?2)))
	WHERE id = ?3 AND ` + in(job.Succeeded, job.Failed) + ` AND EXISTS (
		SELECT 1 FROM json_each(jobs.owed) AS owes WHERE owes.value ->> 'id' IN (SELECT value FROM json_each(?2)))`

// Done implements store.Jobs.
func (s *Store) Done(ctx context.Context, id string, effects []job.Effect, due time.Time) (bool, error) {
	ids := make([]text, 0, len(effects))
	for _, e := range effects {
		ids = append(ids, text(e.ID))
	}
	return s.update(ctx, "recording what was done for", id, doneJob, due.UnixMilli(), encode(ids), id)
}

// setDelivery keeps the order of the deliveries.
var setDelivery = `UPDATE jobs SET due = min(due, coalesce(?1, due)), deliveries = (
		SELECT json_group_array(json(CASE WHEN owes.value ->> 'id' = ?2 THEN ?3 ELSE owes.value END)) FROM json_each(jobs.deliveries) AS owes)
	WHERE id = ?4 AND ` + in(job.Succeeded, job.Failed) + ` AND EXISTS (
		SELECT 1 FROM json_each(jobs.deliveries) AS owes
		WHERE owes.value ->> 'id' = ?2 AND owes.value ->> 'state' = 'pending' AND owes.value ->> 'next' = ?5)`

// SetDelivery implements store.Jobs.
func (s *Store) SetDelivery(ctx context.Context, id string, was time.Time, d job.Delivery) (bool, error) {
	var due any
	if d.State == job.DeliveryPending {
		due = d.Next.UnixMilli()
	}
	return s.update(ctx, "recording a delivery of", id, setDelivery, due, clean(d.ID), encode(newDelivery(d)), id, was.UnixMilli())
}

const postponeJob = "UPDATE jobs SET due = ? WHERE id = ? AND due = ?"

// Postpone implements store.Jobs.
func (s *Store) Postpone(ctx context.Context, id string, was, due time.Time) error {
	_, err := s.update(ctx, "postponing", id, postponeJob, due.UnixMilli(), id, was.UnixMilli())
	return err
}

const emptyJob = `UPDATE jobs SET state = 'deleting', name = '', batch = '', rerun_of = '', owner = '', updated = ?1, due = ?1,
	start = NULL, stages = NULL, results = NULL, logs = NULL, failure = NULL, owed = NULL, deliveries = NULL, blocked = NULL
	WHERE id = ?2 AND `

var (
	deleteJob = emptyJob + in(job.Before(job.Deleting)...)
	expireJob = emptyJob + in(job.Created, job.Succeeded, job.Failed) + " AND expires <= ?1"
)

// Delete implements store.Jobs.
func (s *Store) Delete(ctx context.Context, id string, at time.Time) (bool, error) {
	return s.update(ctx, "deleting", id, deleteJob, at.UnixMilli(), id)
}

// Expire implements store.Jobs.
func (s *Store) Expire(ctx context.Context, id string, now time.Time) (bool, error) {
	return s.update(ctx, "expiring", id, expireJob, now.UnixMilli(), id)
}

// ExpireUnstarted implements store.Jobs.
func (s *Store) ExpireUnstarted(ctx context.Context, made, by time.Time) (int, error) {
	return s.write(ctx, "shortening jobs that were not started",
		"UPDATE jobs SET due = ?1, expires = ?1 WHERE state = 'created' AND due > ?1 AND created < ?2", by.UnixMilli(), made.UnixMilli())
}

// Remove implements store.Jobs.
func (s *Store) Remove(ctx context.Context, id string) error {
	_, err := s.write(ctx, "removing job "+id, "DELETE FROM jobs WHERE id = ? AND state = 'deleting'", id)
	return err
}
