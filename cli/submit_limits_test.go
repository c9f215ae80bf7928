package cli

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
)

// limit refuses starts as a limit of starts does.
type limit struct {
	mu      sync.Mutex
	call    string
	left    int    // refusals that are left
	seconds string // Retry-After
	then    func() // called with each refusal, if not nil
}

func (l *limit) refuse(call string, w http.ResponseWriter, _ *http.Request) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if call != l.call || l.left == 0 {
		return false
	}
	l.left--
	if l.then != nil {
		l.then()
	}
	w.Header().Set("Retry-After", l.seconds)
	w.WriteHeader(http.StatusTooManyRequests)
	fmt.Fprint(w, `"the limit starts-per-hour is reached: at most 2 jobs may be started in an hour"`)
	return true
}

// lift ends the refusals.
func (l *limit) lift() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = 0
}

// number returns how many calls of that name there were.
func (f *fake) number(call string) (n int) {
	for _, one := range f.seen() {
		if one == call {
			n++
		}
	}
	return n
}

// TestSubmitManyAtALimit: a job whose start a limit refuses is kept, and started when the server says so. Meanwhile nothing is uploaded.
func TestSubmitManyAtALimit(t *testing.T) {
	for _, out := range []string{"out", ""} {
		t.Run("--out "+out, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			l := &limit{call: "job/submit", left: 3, seconds: "1"}
			f.intercept(l.refuse)
			u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna")
			u.Env = append(u.Env, impatient+"=1")
			args := []string{"submit", "genomes", "--uploads", "1", "--wait"}
			if out != "" {
				args = append(args, "--out", out)
			}
			got := u.Must(args...)
			if !strings.Contains(got.Err, "3 samples: 3 done, 0 failed\n") || !strings.Contains(got.Err,
				"a: the limit starts-per-hour is reached: at most 2 jobs may be started in an hour; waiting until ") ||
				strings.Contains(got.Err, "new job") {
				t.Errorf("%s", got.Err)
			}
			if n := f.number("put genome_fasta"); n != 3 || f.allMade() != 3 {
				t.Errorf("%d uploads, %d jobs", n, f.allMade())
			}
			calls := slices.DeleteFunc(f.seen(), func(call string) bool { return call == "job/result" || call == "get" })
			want := []string{"workflows", "job/init", "put genome_fasta", "job/submit", "job/submit", "job/submit", "job/submit", "job/init"}
			if !slices.Equal(calls[:len(want)], want) {
				t.Errorf("the calls are %v", calls)
			}
		})
	}
}

// TestSubmitManyExpiredAtALimit: a job that expires while it waits for a limit is made again once, after the wait.
func TestSubmitManyExpiredAtALimit(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	l := &limit{call: "job/submit", left: 1, seconds: "1", then: func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		clear(f.jobs)
	}}
	f.intercept(l.refuse)
	u := newCollection(t, f.URL, "a.fna")
	u.Env = append(u.Env, impatient+"=1")
	got := u.Must("submit", "genomes", "--out", "out")
	if f.allMade() != 2 || !strings.Contains(got.Err, "has expired before it could be started, so it gets a new job") ||
		!strings.Contains(got.Err, "1 sample: 1 done, 0 failed\n") {
		t.Errorf("%d jobs\n%s", f.allMade(), got.Err)
	}
}

// TestSubmitManyStoppedAtALimit: what ended while it waited for a limit is started by the next call, without another upload. What an
// earlier call has started is fetched meanwhile.
func TestSubmitManyStoppedAtALimit(t *testing.T) {
	for _, out := range []string{"out", ""} {
		for _, signal := range []os.Signal{os.Interrupt, os.Kill} {
			t.Run(fmt.Sprint("--out ", out, " ", signal), func(t *testing.T) {
				t.Parallel()
				f := newFake(t)
				u := newCollection(t, f.URL, "a.fna", "b.fna", "c.fna")
				args := []string{"submit", "genomes", "--uploads", "1", "--wait"}
				if out != "" {
					args = append(args, "--out", out)
				}
				l := &limit{call: "job/submit", left: -1, seconds: "3600"}
				f.intercept(l.refuse)
				for i := range 2 {
					cmd := u.Command(args...)
					var shows clitest.Screen
					cmd.Stderr = &shows
					if err := cmd.Start(); err != nil {
						t.Fatal(err)
					}
					shows.Await(t, ": the limit starts-per-hour is reached")
					cmd.Process.Signal(signal)
					cmd.Wait()
					// The second call meets the job of the first. Until it knows that, it may send another sample.
					if n := f.number("put genome_fasta"); n > i+1 || f.count() != n {
						t.Errorf("%d uploads, %d jobs\n%s", n, f.count(), &shows)
					}
				}
				l.lift()
				got := u.Must(args...)
				if n := f.number("put genome_fasta"); n != 3 || f.allMade() != 3 || !strings.Contains(got.Err, "3 samples: 3 done, 0 failed") {
					t.Errorf("%d uploads, %d jobs\n%s", n, f.allMade(), got.Err)
				}
			})
		}
	}
}

// TestSubmitManyKnownAtALimit: while a limit holds up one sample, the results of those that an earlier call has started are fetched.
func TestSubmitManyKnownAtALimit(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	u := newCollection(t, f.URL, "b.fna")
	u.Must("submit", "genomes", "--out", "out")
	if err := os.RemoveAll(u.Dir + "/out/b"); err != nil {
		t.Fatal(err)
	}
	u.Write("genomes/a.fna", clitest.Genome(7, 200))
	l := &limit{call: "job/submit", left: -1, seconds: "3600"}
	f.intercept(l.refuse)
	cmd := u.Command("submit", "genomes", "--out", "out", "--uploads", "1")
	var shows clitest.Screen
	cmd.Stderr = &shows
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "a: the limit starts-per-hour is reached")
	shows.Await(t, "b: done")
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
}

// TestSubmitManyRerunAtALimit: a job that failed is run again when the limit allows that, by the same request.
func TestSubmitManyRerunAtALimit(t *testing.T) {
	t.Parallel()
	f := newReruns(t)
	f.states, f.reason = []string{"ERROR"}, "no genes found"
	u := newCollection(t, f.URL, "a.fna")
	u.Env = append(u.Env, impatient+"=1")
	if got := u.Run("submit", "genomes", "--out", "out"); got.Code != exitSomeFailed {
		t.Fatalf("%+v", got)
	}
	before := f.sent()
	l := &limit{call: "job/rerun", left: 2, seconds: "1", then: func() { // nothing was made
		ids, _ := f.requests()
		f.fake.mu.Lock()
		defer f.fake.mu.Unlock()
		delete(f.jobs, ids[len(ids)-1])
	}}
	f.mu.Lock()
	f.answer = func(w http.ResponseWriter, _ int) bool { return l.refuse("job/rerun", w, nil) }
	f.mu.Unlock()
	got := u.Run("submit", "genomes", "--out", "out", "--retry-failed")
	ids, _ := f.requests()
	if f.sent() != before || !strings.Contains(got.Err, "a: the limit starts-per-hour is reached") || len(ids) != 3 || ids[0] != ids[2] {
		t.Errorf("%d files were sent; the new jobs are %q\n%s", f.sent()-before, ids, got.Err)
	}
}

// TestSubmitManyAtTwoLimits: jobs that wait for a limit of starts may fill the limit of jobs that were not started. That fails no sample.
func TestSubmitManyAtTwoLimits(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	starts, inits := &limit{call: "job/submit", left: 1, seconds: "5"}, &limit{call: "job/init", left: 1, seconds: "1"}
	waits := make(chan struct{})
	made := make(chan struct{}, 1)
	f.intercept(func(call string, w http.ResponseWriter, r *http.Request) bool {
		if call == "job/init" {
			select {
			case made <- struct{}{}: // the first one
				return false
			case <-waits:
			}
		}
		return starts.refuse(call, w, r) || inits.refuse(call, w, r)
	})
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	u.Env = append(u.Env, impatient+"=1")
	cmd := u.Command("submit", "genomes", "--out", "out", "--uploads", "2", "--json")
	var shows, answers clitest.Screen
	cmd.Stderr, cmd.Stdout = &shows, &answers
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shows.Await(t, "waiting until ")
	close(waits)
	if err := cmd.Wait(); err != nil || f.allMade() != 2 || !strings.Contains(shows.String(), "2 samples: 2 done, 0 failed\n") {
		t.Errorf("%v, %d jobs\n%s", err, f.allMade(), &shows)
	}
	reasons := 0
	for line := range strings.Lines(answers.String()) {
		if strings.Contains(line, `"reason":`) {
			reasons++
			if !strings.Contains(line, `"state":"waiting"`) || !strings.Contains(line, `"reason":"the limit starts-per-hour is reached`) {
				t.Errorf("%s", line)
			}
		}
	}
	if reasons < 2 {
		t.Errorf("no reason for the waits in\n%s", &answers)
	}
}

// TestSubmitAtALimit: a start that a limit refuses was not made, and its job is removed.
func TestSubmitAtALimit(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	l := &limit{call: "job/submit", left: -1, seconds: "3600"}
	f.intercept(l.refuse)
	u := clitest.NewUser(t, f.URL)
	got := u.Run("submit", "genome.fna")
	if got.Code != exitFailed || !strings.HasSuffix(got.Err, "The job was not started; repeat the command in 1 h 0 min.\n"+
		"bakta-web: starting the job: the limit starts-per-hour is reached: at most 2 jobs may be started in an hour\n") {
		t.Errorf("%+v", got)
	}
	if f.count() != 0 || u.Must("list").Out != "" {
		t.Errorf("%d jobs\n%s", f.count(), u.Must("list").Out)
	}
}

// TestRerunAtALimit: the same command repeats the same request when the limit allows it.
func TestRerunAtALimit(t *testing.T) {
	t.Parallel()
	f := newReruns(t)
	u := clitest.NewUser(t, f.URL)
	u.Must("submit", "genome.fna")
	l := &limit{call: "job/rerun", left: 1, seconds: "3600"}
	f.mu.Lock()
	f.answer = func(w http.ResponseWriter, _ int) bool { return l.refuse("job/rerun", w, nil) }
	f.mu.Unlock()
	got := u.Run("rerun", firstID)
	if got.Code != exitFailed || !strings.HasPrefix(got.Err, "The job was not made; repeat the command in 1 h 0 min.\n"+
		"bakta-web: running the job again: the limit starts-per-hour is reached") {
		t.Errorf("%+v", got)
	}
	u.Must("rerun", firstID)
	if ids, _ := f.requests(); len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("the new jobs are %q", ids)
	}
}
