// Package sqlite stores the jobs of local mode in one SQLite database.
//
// A job is one row, and every write is one UPDATE whose WHERE clause names the states that may be left: a compare-and-set.
// An acknowledged write is on the disk (write-ahead log, synchronous=FULL). One connection writes, others read meanwhile.
// Each query uses an index; a test asks SQLite for its plans.
//
// One process at a time may have a database open as a Store: leases are kept in memory.
package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	sqlite "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
)

const (
	// timeout bounds each call. A write takes milliseconds, so this is for disks that hang, and for many writes at once.
	timeout = 30 * time.Second
	// idle is how long an unused connection for reading stays open. Each holds some megabytes of pages that it has read.
	idle = 10 * time.Second
	// busy bounds the wait for another process that has locked the database, such as the command sqlite3. Milliseconds.
	busy = "10000"
)

// pragmas are set on each connection. SQLite's defaults for the rest are right: it checkpoints the log after each thousand
// pages.
const pragmas = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;          -- a commit is on the disk before it is acknowledged
PRAGMA secure_delete = FAST;        -- overwrites what users deleted where that costs no further write
PRAGMA journal_size_limit = 4194304 -- a log that grew during a long read is cut to this many bytes
`

// Options say where the database is.
type Options struct {
	Dir string       // directory of the database, created if missing; no other process may have it open
	Log *slog.Logger // nil is slog.Default
}

// FileName is the name of the database's file in its directory. SQLite keeps two more files beside it while it is open.
const FileName = "jobs.sqlite"

var _ store.Jobs = (*Store)(nil)

// Store implements store.Jobs. It is safe for concurrent use.
type Store struct {
	path   string
	log    *slog.Logger
	writer *pool
	reader *pool
	leases leases
}

// pool is a set of connections with the statements that were prepared on them.
type pool struct {
	db *sql.DB

	mu       sync.Mutex
	prepared map[string]*sql.Stmt // by their text
}

// Open opens the database in a directory. It creates the database if there is none, and changes that of an earlier version
// to the present schema.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := createFile(dir); err != nil {
		return nil, fmt.Errorf("creating the job database in %s: %w", dir, err)
	}
	s := &Store{path: filepath.Join(dir, FileName), log: o.Log}
	err = s.connect(ctx, "unix")
	if is(err, noShare) || errors.Is(err, errNoLog) {
		// This VFS keeps the index of the log in the memory of this process. So no other process can read the database
		// while it is open.
		reason := err
		if err = s.connect(ctx, "unix-excl"); err == nil {
			o.Log.Info("the file system has no shared memory; other programs can't read the job database while this one runs",
				"file", s.path, "reason", reason)
		}
	}
	if err != nil {
		return nil, s.forOperator("opening the job database", err)
	}
	return s, nil
}

// createFile creates an empty database that only this user can read: it holds the hashes of secrets. The directory entries
// are on the disk when it returns. SQLite gives its other files the permissions of this one.
func createFile(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, FileName)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// connect opens the connections, and migrates the database. On an error nothing stays open.
func (s *Store) connect(ctx context.Context, vfs string) (err error) {
	// fdatasync writes all that is needed to read the data back. On ext4 it halves the time of a commit, because it does not
	// write the time of the change.
	if _, err := sqlite.Fdatasync(true); err != nil && !errors.Is(err, sqlite.ErrFdatasyncUnavailable) {
		return err
	}
	base, err := sqlite.NewConnector((&url.URL{
		Scheme: "file", OmitHost: true, Path: s.path,
		RawQuery: url.Values{"vfs": {vfs}, "_busy_timeout": {busy}, "_txlock": {"immediate"}, "_dqs": {"0"}}.Encode(),
	}).String())
	if err != nil {
		return err
	}
	readers := max(2, min(4, runtime.GOMAXPROCS(0)))
	s.writer, s.reader = newPool(base, 1), newPool(base, readers)
	s.writer.db.SetMaxIdleConns(1)
	s.reader.db.SetMaxIdleConns(readers)
	s.reader.db.SetConnMaxIdleTime(idle)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	return s.migrate(ctx)
}

func newPool(base driver.Connector, most int) *pool {
	p := &pool{db: sql.OpenDB(connector{base}), prepared: make(map[string]*sql.Stmt)}
	p.db.SetMaxOpenConns(most)
	return p
}

// connector sets the pragmas on each new connection, in the order in which they are written.
type connector struct{ driver.Connector }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, pragmas, nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Close closes the database. All acknowledged writes are in its one file then.
func (s *Store) Close() error {
	// The last connection moves the log into the database, so it must be the one that writes.
	return errors.Join(s.reader.close(), s.writer.close())
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, statement := range p.prepared {
		errs = append(errs, statement.Close())
	}
	clear(p.prepared)
	return errors.Join(append(errs, p.db.Close())...)
}

// prepare returns a statement that is ready on each connection of the pool that used it before.
func (p *pool) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	statement, ok := p.prepared[query]
	if !ok {
		var err error
		if statement, err = p.db.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		p.prepared[query] = statement
	}
	return statement, nil
}

// Setup does what Open has done already: it creates what is missing.
func (s *Store) Setup(ctx context.Context) error {
	if err := s.migrate(ctx); err != nil {
		return s.failed("setting up the job database", err)
	}
	return nil
}

// Ping reads the database.
func (s *Store) Ping(ctx context.Context) error {
	return s.read(ctx, "pinging the job database", "SELECT 1", func(*sql.Rows) error { return nil })
}

// read calls row for each row that a query returns.
func (s *Store) read(ctx context.Context, doing, query string, row func(*sql.Rows) error, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := s.reader.read(ctx, query, row, args)
	if err != nil {
		return s.failed(doing, err)
	}
	return nil
}

func (p *pool) read(ctx context.Context, query string, row func(*sql.Rows) error, args []any) error {
	statement, err := p.prepare(ctx, query)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// write executes a statement and returns the number of rows that it changed. It does not end with the caller's context,
// which would leave the outcome unknown for no reason.
func (s *Store) write(ctx context.Context, doing, query string, args ...any) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, s.failed(doing, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	statement, err := s.writer.prepare(ctx, query)
	if err != nil {
		return 0, s.failed(doing, err)
	}
	result, err := statement.ExecContext(ctx, args...)
	if err != nil {
		return 0, s.failed(doing, err)
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// Result codes of SQLite: of a database that is not intact, of a full disk, and of a file system without shared memory, which
// the log needs.
var (
	damaged = []int{sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
	full    = []int{sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE}
	noShare = []int{
		sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMLOCK, sqlite3.SQLITE_IOERR_SHMMAP, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_CANTOPEN,
	}
)

// is reports whether an error has one of these result codes. The lowest byte of a code is its kind.
func is(err error, codes []int) bool {
	e := (*sqlite.Error)(nil)
	return errors.As(err, &e) && (slices.Contains(codes, e.Code()) || slices.Contains(codes, e.Code()&0xff))
}

// failed returns the error of a call as one for its caller.
func (s *Store) failed(doing string, err error) error {
	because := fmt.Errorf("%s: %w", doing, err)
	switch {
	case is(err, full):
		return job.Errorf(job.Unavailable, "the server's disk is full: delete jobs that are no longer needed, or contact the operators").
			Because(because)
	case is(err, damaged):
		return job.Errorf(job.Unavailable, "the job database is damaged; contact the operators").
			Because(fmt.Errorf("%w; %s", because, s.repair()))
	}
	return job.Errorf(job.Unavailable, "the job database does not answer; try again later").Because(because)
}

// forOperator returns the error of what the operator waits for at the start.
func (s *Store) forOperator(doing string, err error) error {
	switch {
	case is(err, full):
		return fmt.Errorf("%s %s: the disk is full; free some space and start again: %w", doing, s.path, err)
	case is(err, damaged):
		return fmt.Errorf("%s %s: the file is damaged: %w; %s", doing, s.path, err, s.repair())
	}
	return fmt.Errorf("%s %s: %w", doing, s.path, err)
}

// repair says what to do with a database that is damaged.
func (s *Store) repair() string {
	return fmt.Sprintf("stop this program, restore the directory %s from a backup, or move it away to begin without jobs",
		filepath.Dir(s.path))
}
