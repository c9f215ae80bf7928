package process

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// named returns a run of a batch whose job was started at that time.
func named(name, batch string, order int64) *run {
	return &run{record: record{Job: name, Run: 1, Batch: batch, Phase: waiting, Order: order}}
}

// drain takes all runs, and ends each before the next one. It checks their places before each.
func drain(t interface{ Errorf(string, ...any) }, q *queue) []string {
	var order []string
	var left []*run
	for _, l := range q.lines {
		left = append(left, l.runs...)
	}
	left = append(left, q.resume...)
	for i := 1; ; i++ {
		places := make(map[*run]int)
		for _, x := range left {
			places[x] = q.place(x)
		}
		next := q.next()
		x := q.take()
		if x != next {
			t.Errorf("next: %v, taken: %v", next, x)
		}
		if x == nil {
			break
		}
		if places[x] != 1 {
			t.Errorf("%s is taken from place %d", x.Job, places[x])
		}
		left = slices.DeleteFunc(left, func(other *run) bool { return other == x })
		for _, other := range left {
			if got := q.place(other); got != places[other]-1 {
				t.Errorf("%s was in place %d, and is in %d after %s was taken", other.Job, places[other], got, x.Job)
			}
		}
		q.end(x)
		order = append(order, x.Job)
	}
	if q.length != 0 || len(q.lines) != 0 || q.place(named("x", "", 0)) != 0 {
		t.Errorf("an empty queue: %+v", q)
	}
	return order
}

func TestTurns(t *testing.T) {
	t.Parallel()
	fill := func(q *queue, text string) { // "a1" is the first run of batch a, "1" one without a batch
		for i, name := range strings.Fields(text) {
			q.add(named(name, strings.TrimRight(name, "0123456789"), int64(q.length+i)))
		}
	}
	for _, tt := range []struct{ name, runs, want string }{
		{"without batches", "1 2 3", "1 2 3"},
		{"one batch", "a1 a2 a3", "a1 a2 a3"},
		{"a batch, then others", "a1 a2 a3 1 2", "a1 1 a2 2 a3"},
		{"three batches", "a1 a2 a3 b1 b2 c1", "a1 b1 c1 a2 b2 a3"},
		{"mixed", "a1 b1 a2 1 b2 2 a3", "a1 b1 1 a2 b2 2 a3"},
	} {
		var q queue
		fill(&q, tt.runs)
		if got := strings.Join(drain(t, &q), " "); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}

	// Jobs that are launched out of order keep the order of their starts.
	var q queue
	for _, order := range []int64{3, 1, 2} {
		q.add(named(fmt.Sprint(order), "", order))
	}
	if got := drain(t, &q); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("out of order: %s", got)
	}

	// A single genome after a batch of a thousand is next but for what runs.
	q = queue{}
	for i := range 1000 {
		q.add(named(fmt.Sprint("a", i), "a", int64(i)))
	}
	running := []*run{q.take(), q.take()}
	single := named("single", "", 1000)
	if q.add(single); q.place(single) != 1 {
		t.Errorf("the single genome is in place %d", q.place(single))
	}
	q.end(running[0])
	if x := q.take(); x != single {
		t.Errorf("taken: %s", x.Job)
	}
	// While it runs, the next one waits for one of the batch.
	second := named("second", "", 1001)
	if q.add(second); q.place(second) != 2 {
		t.Errorf("the second genome is in place %d", q.place(second))
	}
	// What was interrupted precedes all.
	again := named("a0", "a", 0)
	again.Run = 2
	if q.add(again); q.place(again) != 1 || q.place(second) != 3 || q.take() != again {
		t.Errorf("places: %d of the interrupted one, %d of the second genome", q.place(again), q.place(second))
	}
	if !q.remove(second) || q.remove(second) || q.place(second) != 0 {
		t.Error("a run is removed once")
	}
}

// TestTurnsAreFair checks, for any sequence of launches, ends, removals and restarts, that while a run waits, no other
// batch begins more runs than its own, but for one or two, and that a restart changes nothing.
func TestTurnsAreFair(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var waits, executes []*run
		passed := make(map[*run]map[string]int) // for each that waits, how many of each line began since
		bound := make(map[*run]int)
		now, jobs := int64(0), 1
		// Whenever fewer execute than may, the next one begins, as in a runner.
		dispatch := func() {
			for len(executes) < jobs && q.length > 0 {
				x := q.take()
				waits = slices.DeleteFunc(waits, func(other *run) bool { return other == x })
				executes = append(executes, x)
				for _, other := range waits {
					passed[other][x.Batch]++
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"launch": func(t *rapid.T) {
				now++
				x := named(fmt.Sprint("j", now), rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "batch"), now)
				bound[x] = 2 // the line had its turn, another one has this turn, and precedes it in the next one
				if q.lines[x.Batch] == nil {
					bound[x] = 1
				}
				q.add(x)
				waits = append(waits, x)
				passed[x] = make(map[string]int)
			},
			"end": func(t *rapid.T) {
				if len(executes) > 0 {
					at := rapid.IntRange(0, len(executes)-1).Draw(t, "which")
					q.end(executes[at])
					executes = slices.Delete(executes, at, at+1)
				}
			},
			"remove": func(t *rapid.T) {
				if len(waits) > 0 {
					at := rapid.IntRange(0, len(waits)-1).Draw(t, "which")
					q.remove(waits[at])
					waits = slices.Delete(waits, at, at+1)
				}
			},
			"restart": func(t *rapid.T) {
				var restored queue
				restored.restore(q.turns(), slices.Clone(waits))
				for _, x := range executes { // they run again, as the runner of a closed process does it
					restored.line(x.key()).turn = max(restored.line(x.key()).turn, q.lines[x.key()].turn)
					restored.line(x.key()).executing++
				}
				q = restored
			},
			"change the number of jobs": func(t *rapid.T) { jobs = rapid.IntRange(1, 4).Draw(t, "jobs") },
			"": func(t *rapid.T) {
				dispatch()
				if q.length != len(waits) {
					t.Errorf("the length is %d, want %d", q.length, len(waits))
				}
				seen := make([]bool, len(waits)+1)
				for _, x := range waits {
					place := q.place(x)
					if place < 1 || place > len(waits) || seen[place] {
						t.Fatalf("%s is in place %d of %d", x.Job, place, len(waits))
					}
					seen[place] = true
					for batch, n := range passed[x] {
						if own := passed[x][x.Batch]; batch != x.Batch && n > own+bound[x] {
							t.Errorf("%d runs of %q began before one that waits, and %d of its own batch", n, batch, own)
						}
					}
				}
			},
		})
		drain(t, func() *queue {
			for _, x := range executes {
				q.end(x)
			}
			return &q
		}())
	})
}

// TestTurnsAfterARestart closes a runner between the turns of its batches, and opens another one on its directory.
func TestTurnsAfterARestart(t *testing.T) {
	t.Parallel()
	f := set(t, nil)
	dir := t.TempDir()
	var jobs []job.Job
	for i, batch := range []string{"a", "a", "a", "b", "b", "", "c", ""} {
		name := fmt.Sprint(batch, i)
		j := script(fmt.Sprintf("echo %s >> %s/began; while [ ! -e %[2]s/%[1]s ]; do sleep 0.01; done; %s", name, dir, fine))
		j.Batch, j.Started = batch, time.Unix(int64(i), 0)
		jobs = append(jobs, j)
		f.launch(j)
	}
	// In this order, whatever is stopped between two of them. The one that runs then has begun twice.
	for i, name := range []string{"a0", "b3", "5", "c6", "a1", "b4", "7", "a2"} {
		at := slices.IndexFunc(jobs, func(j job.Job) bool { return strings.Contains(string(j.Start.Config), "echo "+name+" ") })
		f.await(jobs[at], job.Active)
		if i%2 == 1 {
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			f.open()
			f.await(jobs[at], job.Active)
		}
		for _, j := range jobs {
			if j.ID != jobs[at].ID && f.observe(j).Phase == job.Active {
				t.Errorf("another run than %s is active", name)
			}
		}
		touch(t, dir+"/"+name)
		f.await(jobs[at], job.Ended)
	}
}

func TestPlaceIsCheap(t *testing.T) {
	t.Parallel()
	var q queue
	var runs []*run
	for i := range 10_000 {
		x := named(fmt.Sprint(i), fmt.Sprint(i%7), int64(i))
		runs = append(runs, x)
		q.add(x)
	}
	took := testing.Benchmark(func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			q.place(runs[i%len(runs)])
		}
	})
	if per := took.NsPerOp(); per > 100_000 {
		t.Errorf("the place of one of %d runs takes %d ns", len(runs), per)
	}
}
