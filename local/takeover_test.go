package local

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ag-computational-bio/bakta-web-backend/internal/testdisk"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/ferretdb"
	"github.com/ag-computational-bio/bakta-web-backend/local/stores/sqlite"
)

// earlierData puts the database of an earlier version into a data directory, with a job in each state and so many copies of
// them, and returns the jobs.
func earlierData(t *testing.T, data string, copies int) map[string]job.Job {
	t.Helper()
	if out, err := exec.Command("tar", "-C", data, "-xzf", "stores/ferretdb/testdata/documents.tar.gz").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if copies > 0 {
		db, err := sql.Open("sqlite", filepath.Join(data, documents, "bakta.sqlite"))
		if err != nil {
			t.Fatal(err)
		}
		var table string
		if err := db.QueryRow("SELECT table_name FROM _ferretdb_collections WHERE name = 'annotationJobs'").Scan(&table); err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec(fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT INTO %s SELECT replace(_ferretdb_sjson, _ferretdb_sjson ->> '_id', printf('%%08d', i) || substr(_ferretdb_sjson ->> '_id', 9))
			FROM %s, n`, copies, table, table))
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	jobs := readEarlier(t, filepath.Join(data, documents))
	if len(jobs) != len(job.States())*(copies+1) {
		t.Fatalf("%d jobs", len(jobs))
	}
	return jobs
}

func readEarlier(t *testing.T, dir string) map[string]job.Job {
	t.Helper()
	jobs := make(map[string]job.Job)
	if err := ferretdb.Jobs(t.Context(), dir, func(j job.Job) error {
		jobs[j.ID] = j
		return nil
	}, func(id string, err error) { t.Error(id, err) }); err != nil {
		t.Fatal(err)
	}
	return jobs
}

// opened opens the store of jobs of a data directory, as a start does, and returns the notices.
func opened(t *testing.T, data string) (notices []string, err error) {
	t.Helper()
	o := Options{
		Data: data, Retention: 30 * 24 * time.Hour, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Notice: func(line string) { notices = append(notices, line) },
	}
	_, closeJobs, err := openJobs(t.Context(), o)
	if err != nil {
		return notices, err
	}
	return notices, closeJobs()
}

// holds compares the jobs of a data directory with those wanted.
func holds(t *testing.T, data string, want map[string]job.Job) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(data, "jobs")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, j := range want {
		got, err := s.Get(t.Context(), id)
		if diff := cmp.Diff(j, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%v %s", err, diff)
		}
	}
	if due, err := s.Due(t.Context(), time.Now().AddDate(100, 0, 0), len(want)+10); len(due) != len(want) || err != nil {
		t.Errorf("%d jobs are stored, %v, want %d", len(due), err, len(want))
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// TestTakeOver takes the jobs of an earlier version over, once.
func TestTakeOver(t *testing.T) {
	data := t.TempDir()
	jobs := earlierData(t, data, 0)
	notices, err := opened(t, data)
	if err != nil || len(notices) != 1 || !strings.HasPrefix(notices[0], fmt.Sprintf("took over %d jobs", len(jobs))) ||
		!strings.Contains(notices[0], filepath.Join(data, setAside)) {
		t.Errorf("%q, %v", notices, err)
	}
	holds(t, data, jobs)
	if exists(t, filepath.Join(data, documents)) {
		t.Error("the earlier database is still in its place")
	}
	if kept := readEarlier(t, filepath.Join(data, setAside)); !cmp.Equal(kept, jobs) {
		t.Error("the earlier database was changed")
	}
	if notices, err := opened(t, data); err != nil || len(notices) > 0 {
		t.Errorf("the second start: %q, %v", notices, err)
	}
	holds(t, data, jobs)

	// After the retention, the earlier database is deleted.
	long := time.Now().AddDate(0, 0, -31)
	if err := os.Chtimes(filepath.Join(data, setAside, asideNote), long, long); err != nil {
		t.Fatal(err)
	}
	if _, err := opened(t, data); err != nil || exists(t, filepath.Join(data, setAside)) {
		t.Errorf("%v, or the earlier database is kept for longer than its jobs", err)
	}
	holds(t, data, jobs)
}

// TestTakeOverRepeated: a process was killed between the commit of the import and the end of the takeover.
func TestTakeOverRepeated(t *testing.T) {
	for name, left := range map[string]func(t *testing.T, data string){
		"before the note": func(*testing.T, string) {},
		"in the note": func(t *testing.T, data string) {
			if err := os.WriteFile(filepath.Join(data, documents, ".README.txt123"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		data := t.TempDir()
		jobs := earlierData(t, data, 0)
		s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(data, "jobs")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Import(t.Context(), func(visit func(job.Job) error) error {
			return ferretdb.Jobs(t.Context(), filepath.Join(data, documents), visit, func(string, error) {})
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		left(t, data)
		if notices, err := opened(t, data); err != nil || len(notices) != 1 {
			t.Errorf("%s: %q, %v", name, notices, err)
		}
		holds(t, data, jobs)
	}
}

// TestBackAndForth: a user went back to the earlier version, without moving the new database away, and upgrades again.
func TestBackAndForth(t *testing.T) {
	data := t.TempDir()
	jobs := earlierData(t, data, 0)
	if _, err := opened(t, data); err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Dir: filepath.Join(data, "jobs")})
	if err != nil {
		t.Fatal(err)
	}
	added := job.Job{ID: "added", State: job.Created}
	at := time.Now().UTC().Truncate(time.Millisecond)
	if err := s.Insert(t.Context(), added); err != nil {
		t.Fatal(err)
	}
	for id, j := range jobs {
		if j.State == job.Created {
			if ok, err := s.Submit(t.Context(), id, job.Start{Config: []byte("{}")}, nil, at, at, at); !ok || err != nil {
				t.Fatal(ok, err)
			}
			j.State, j.Start, j.Run, j.Started, j.Updated, j.Due, j.Expires = job.Submitted, &job.Start{Config: []byte("{}")}, 1, at, at, at, at
			jobs[id] = j
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	jobs["added"] = added
	for range 2 {
		if err := os.Rename(filepath.Join(data, setAside), filepath.Join(data, documents)); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(data, setAside), 0o700); err != nil { // an older one is kept
			t.Fatal(err)
		}
		if notices, err := opened(t, data); err != nil || len(notices) != 1 || !strings.Contains(notices[0], setAside+"-2") {
			t.Errorf("%q, %v", notices, err)
		}
		holds(t, data, jobs)
		if err := os.Remove(filepath.Join(data, setAside)); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(data, setAside+"-2"), filepath.Join(data, setAside)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTakeOverOfDamage names the file and what to do, and changes nothing.
func TestTakeOverOfDamage(t *testing.T) {
	data := t.TempDir()
	earlierData(t, data, 50)
	file := filepath.Join(data, documents, "bakta.sqlite")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(content) / 2; i < len(content); i++ {
		content[i] = 0xff
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	notices, err := opened(t, data)
	for _, part := range []string{file, "unchanged", "restore the directory " + filepath.Dir(file)} {
		if err == nil || !strings.Contains(err.Error(), part) || len(notices) > 0 {
			t.Errorf("%q, %v, want something about %s", notices, err, part)
		}
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, content) {
		t.Error("the earlier database was changed", err)
	}
	holds(t, data, nil)
}

// TestTakeOverKilled kills processes that take over, at random moments. Until the earlier database has been renamed, it has
// all jobs; after that, the new one has.
func TestTakeOverKilled(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	takeOvers, cut := 0, 0
	const least = 100 * time.Millisecond
	most := 2 * time.Second
	for range 3 {
		data := t.TempDir()
		jobs := earlierData(t, data, 60)
		for done := false; !done; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.Int64N(int64(most))))
			started := time.Now()
			process := exec.CommandContext(ctx, self)
			process.Env = append(os.Environ(), takeOverOnly+"="+data)
			out, err := process.CombinedOutput()
			cancel()
			if err == nil {
				most = max(2*time.Since(started), least)
				takeOvers++
			} else if ctx.Err() == nil {
				t.Fatalf("%v: %s", err, out)
			} else {
				// A process that only has to finish what another one did takes a moment, and then the time for the next directory is
				// too short. So it grows until that is done, however slow the machine is.
				most += most / 4
				cut++
			}
			switch {
			case exists(t, filepath.Join(data, documents)):
				if got := readEarlier(t, filepath.Join(data, documents)); !cmp.Equal(got, jobs) {
					t.Fatal("the earlier database was changed")
				}
			default:
				holds(t, data, jobs)
				done = true
			}
		}
	}
	t.Logf("%d takeovers, %d were killed", takeOvers, cut)
	if cut == 0 {
		t.Error("no takeover was killed")
	}
}

// takeOverOnly is the variable with the data directory of a process that only takes over.
const takeOverOnly = "LOCAL_TEST_TAKE_OVER"

func init() {
	data := os.Getenv(takeOverOnly)
	if data == "" {
		return
	}
	_, closeJobs, err := openJobs(
		context.Background(),
		Options{Data: data, Retention: time.Hour, Log: slog.Default(), Notice: func(string) {}},
	)
	if err == nil {
		err = closeJobs()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestTakeOverOnFullDisk says that the disk is full, loses nothing, and succeeds when there is space.
func TestTakeOverOnFullDisk(t *testing.T) {
	if !testdisk.Alone(t) {
		return
	}
	disk := testdisk.Mount(t, "16m")
	jobs := earlierData(t, disk, 200)
	filler := testdisk.Fill(t, disk)
	for _, free := range []int64{0, 128 << 10, 1 << 20} {
		info, err := os.Stat(filler)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filler, info.Size()-free); err != nil {
			t.Fatal(err)
		}
		notices, err := opened(t, disk)
		if err == nil || !strings.Contains(err.Error(), "disk is full") && !strings.Contains(err.Error(), "no space left") || len(notices) > 0 {
			t.Errorf("with %d bytes: %q, %v, want that the disk is full", free, notices, err)
		}
		if got := readEarlier(t, filepath.Join(disk, documents)); !cmp.Equal(got, jobs) {
			t.Error("the earlier database was changed")
		}
		testdisk.Fill(t, disk)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if notices, err := opened(t, disk); err != nil || len(notices) != 1 {
		t.Errorf("with space: %q, %v", notices, err)
	}
	holds(t, disk, jobs)
}
