package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testdisk"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/storetest"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/sqlite"
)

func open(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := try(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func try(t *testing.T, dir string) (*sqlite.Store, error) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() }) // a second time, if the test has closed it
	}
	return s, err
}

// TestStore runs the suite, and then asks SQLite how it executes each statement of it: none reads more rows than it needs.
func TestStore(t *testing.T) {
	statements := make(map[string]bool)
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Jobs {
			s := open(t, t.TempDir())
			t.Cleanup(func() {
				for _, text := range s.Statements() {
					statements[text] = true
				}
			})
			return s
		})
	})
	if len(statements) < 15 {
		t.Errorf("the suite executed %d statements, want at least 15", len(statements))
	}
	s := open(t, t.TempDir())
	for text := range statements {
		for _, step := range plan(t, s, text) {
			switch {
			case strings.HasPrefix(step, "SEARCH jobs USING "), strings.HasPrefix(step, "SEARCH past_runs USING "),
				step == "SCAN jobs USING COVERING INDEX jobs_waiting", // it has only the jobs that wait
				strings.HasPrefix(step, "SCAN CONSTANT ROW"),
				strings.HasPrefix(step, "SCAN json_each VIRTUAL TABLE"), strings.HasPrefix(step, "SCAN owes VIRTUAL TABLE"),
				strings.HasPrefix(step, "SCAN (subquery"), strings.HasPrefix(step, "CO-ROUTINE"),
				strings.Contains(step, "SUBQUERY"), strings.HasPrefix(step, "CREATE BLOOM FILTER"):
			default:
				t.Errorf("%s: %s", text, step)
			}
		}
	}
	if steps := plan(t, s, "SELECT id FROM jobs WHERE run_name = ?"); len(steps) != 1 || steps[0] != "SCAN jobs" {
		t.Errorf("a query without an index is executed as %q", steps)
	}
}

// plan returns the steps by which SQLite executes a statement.
func plan(t *testing.T, s *sqlite.Store, statement string) (steps []string) {
	t.Helper()
	rows, err := s.Writer().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+statement, make([]any, parameters(statement))...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}

// parameters returns the number of parameters of a statement.
func parameters(statement string) int {
	for n := 9; n > 0; n-- {
		if strings.Contains(statement, fmt.Sprintf("?%d", n)) {
			return n
		}
	}
	return strings.Count(statement, "?")
}

func sample(state job.State) job.Job {
	now := time.Now()
	return job.Job{
		ID: uuid.NewString(), SecretHash: job.HashSecret("secret"), Name: "a", Workflow: "bakta", State: state,
		Created: now, Updated: now, Due: now.Add(time.Hour), Expires: now.Add(time.Hour),
	}
}

// TestJobsStay closes a store and opens it again.
func TestJobsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "jobs")
	s := open(t, dir)
	j := sample(job.Created)
	if err := s.Insert(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", sqlite.FileName, sqlite.FileName + "-wal", sqlite.FileName + "-shm"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v, %v", filepath.Join(dir, name), info, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("after the end there are %v, %v, want one file", left, err)
	}
	if got, err := open(t, dir).Get(t.Context(), j.ID); err != nil || got.Name != j.Name {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestDirectoriesOfAnyName opens stores in directories that users may have.
func TestDirectoriesOfAnyName(t *testing.T) {
	for _, name := range []string{
		"with space", "Bäckerhefe 酵母", "a&b=c", "quote's \"double\"", "(brackets)", "Upper.Case", "what?", "#1", "50%", "a%41b", "a;b", "+",
		strings.Repeat("long/", 50) + "name",
	} {
		dir := filepath.Join(t.TempDir(), filepath.FromSlash(name))
		if err := open(t, dir).Insert(t.Context(), sample(job.Created)); err != nil {
			t.Errorf("%q: insert: %v", name, err)
		}
		if info, err := os.Stat(filepath.Join(dir, sqlite.FileName+"-wal")); err != nil || info.Size() == 0 {
			t.Errorf("%q: the data are elsewhere: %v", name, err)
		}
	}
}

// TestNoSharedMemory opens a database whose file for the shared memory can't be created, as on some file systems.
func TestNoSharedMemory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("missing", filepath.Join(dir, sqlite.FileName+"-shm")); err != nil { // SQLite follows no link there
		t.Fatal(err)
	}
	storetest.Run(t, func(t *testing.T) store.Jobs {
		path := filepath.Join(dir, sqlite.FileName)
		if err := errors.Join(os.RemoveAll(path), os.RemoveAll(path+"-wal")); err != nil {
			t.Fatal(err)
		}
		return open(t, dir)
	})
}

// TestRefusedFiles opens files that are not a database of this version.
func TestRefusedFiles(t *testing.T) {
	for _, row := range []struct {
		name string
		make func(t *testing.T, dir string)
		says []string
	}{
		{"a newer version's", func(t *testing.T, dir string) {
			execute(t, dir, "PRAGMA user_version = 1000")
		}, []string{"a newer version of this program wrote it", "1000"}},
		{"another program's", func(t *testing.T, dir string) {
			execute(t, dir, "PRAGMA application_id = 7")
		}, []string{"another program", "move it away"}},
		{"text", func(t *testing.T, dir string) {
			write(t, dir, bytes.Repeat([]byte("not a database "), 1000))
		}, []string{"is damaged", "restore the directory", "backup"}},
		{"damaged in its schema", func(t *testing.T, dir string) {
			execute(t, dir, "SELECT 1")
			content := read(t, dir)
			copy(content[100:], make([]byte, 3996))
			write(t, dir, content)
		}, []string{"is damaged", "restore the directory", "backup"}},
		{"cut", func(t *testing.T, dir string) {
			execute(t, dir, "SELECT 1")
			write(t, dir, read(t, dir)[:4096+100])
		}, []string{"is damaged", "restore the directory", "backup"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			row.make(t, dir)
			before := read(t, dir)
			_, err := try(t, dir)
			for _, part := range append(row.says, filepath.Join(dir, sqlite.FileName)) {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("open: %v, want something about %q", err, part)
				}
			}
			if !bytes.Equal(read(t, dir), before) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestDamagedWhileOpen damages the pages of jobs. Callers get an error that does not deny the job.
func TestDamagedWhileOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	j := sample(job.Created)
	j.Name = strings.Repeat("x", 1<<20)
	if err := s.Insert(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	content := read(t, dir)
	for i := 3 * 4096; i < len(content); i++ {
		content[i] = 0xff
	}
	write(t, dir, content)
	s = open(t, dir)
	_, err := s.Get(t.Context(), j.ID)
	if !job.Is(err, job.Unavailable) || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), dir) {
		t.Errorf("get: %v, want that the database is damaged", err)
	}
}

func execute(t *testing.T, dir, statement string) {
	t.Helper()
	s := open(t, dir)
	if _, err := s.Writer().ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, dir string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, sqlite.FileName), content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestCallers: a caller who went away before a write changes nothing, and reads of others continue during a write.
func TestCallers(t *testing.T) {
	s := open(t, t.TempDir())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	j := sample(job.Created)
	if err := s.Insert(gone, j); !job.Is(err, job.Unavailable) {
		t.Errorf("insert: %v, want unavailable", err)
	}
	if _, err := s.Get(gone, j.ID); !job.Is(err, job.Unavailable) {
		t.Errorf("get: %v, want unavailable", err)
	}
	if _, err := s.Get(t.Context(), j.ID); !job.Is(err, job.NotFound) {
		t.Errorf("the next get: %v, want not found", err)
	}
	tx, err := s.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "UPDATE jobs SET name = 'b'"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), j.ID); !job.Is(err, job.NotFound) {
		t.Errorf("get during a write: %v, want not found", err)
	}
}

// TestUnreadable leaves out of lists what a program or an operator has stored wrongly.
func TestUnreadable(t *testing.T) {
	s := open(t, t.TempDir())
	var ids []string
	for range 3 {
		j := sample(job.Created)
		if err := s.Insert(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, j.ID)
	}
	if _, err := s.Writer().ExecContext(t.Context(), "UPDATE jobs SET stages = '{' WHERE id = ?", ids[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), ids[1]); err == nil || job.Is(err, job.NotFound) {
		t.Errorf("get: %v, want an error that does not deny the job", err)
	}
	due, err := s.Due(t.Context(), time.Now().Add(2*time.Hour), 10)
	if len(due) != 2 || err != nil || slices.ContainsFunc(due, func(j job.Job) bool { return j.ID == ids[1] }) {
		t.Errorf("due: %d jobs, %v, want the 2 that can be read", len(due), err)
	}
}

// TestFullDisk fills the disk of a store to the last byte. Writes fail and say why, nothing is lost, and it goes on when
// there is space again.
func TestFullDisk(t *testing.T) {
	if !testdisk.Alone(t) {
		return
	}
	disk := testdisk.Mount(t, "8m")
	dir := filepath.Join(disk, "jobs")
	s := open(t, dir)
	var stored []job.Job
	insert := func() error {
		j := sample(job.Created)
		j.Name = strings.Repeat("n", 1000)
		err := s.Insert(t.Context(), j)
		if err == nil {
			stored = append(stored, j)
		}
		return err
	}
	for range 100 {
		if err := insert(); err != nil {
			t.Fatal(err)
		}
	}
	filler := testdisk.Fill(t, disk)
	var err error
	for i := 0; err == nil && i < 10_000; i++ { // the log is written from its beginning while it has room
		err = insert()
	}
	if !job.Is(err, job.Unavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("insert: %v, want that the disk is full", err)
	}
	check := func() {
		t.Helper()
		for _, j := range stored {
			if got, err := s.Get(t.Context(), j.ID); err != nil || got.Name != j.Name {
				t.Errorf("%s: %v", j.ID, err)
			}
		}
		if n, err := s.Unstarted(t.Context(), time.Now().Add(2*time.Hour), 1<<20); n != len(stored) || err != nil {
			t.Errorf("%d jobs, %v, want the %d that were acknowledged", n, err, len(stored))
		}
	}
	check()
	_ = s.Close() // it can't move the log into the database
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	check()
	if err := insert(); err != nil {
		t.Error(err)
	}
	check()
}
