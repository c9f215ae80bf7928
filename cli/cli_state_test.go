package cli

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// TestPlaceInTheQueue shows the place of a job that waits: without a terminal once, however often it changes.
func TestPlaceInTheQueue(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"INIT", "INIT", "RUNNING", "SUCCESSFUL"}
	f.queue = &client.Queue{Place: 3, Length: 9}
	u := clitest.NewUser(t, f.URL)
	got := u.Must("submit", "genome.fna", "--wait")
	if n := strings.Count(got.Err, "number 3 of 9 in the queue"); n != 1 {
		t.Errorf("the place is shown %d times:\n%s", n, got.Err)
	}
	f.mu.Lock()
	f.states = []string{"INIT"}
	f.mu.Unlock()
	if text := u.Must("status").Out; !strings.Contains(text, "number 3 of 9 in the queue") {
		t.Errorf("status: %s", text)
	}
	var j struct{ Queue client.Queue }
	if err := json.Unmarshal([]byte(u.Must("status", "--json").Out), &j); err != nil || j.Queue != *f.queue {
		t.Errorf("status in JSON: %+v, %v", j, err)
	}
}

// TestHindrance shows what prevents the start of a job, once, and lets it control no terminal.
func TestHindrance(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"INIT", "INIT", "INIT", "RUNNING", "SUCCESSFUL"}
	f.holds = "The queue is \x1b[2Jstopped."
	u := clitest.NewUser(t, f.URL)
	got := u.Must("submit", "genome.fna", "--wait")
	if strings.Count(got.Err, "stopped.") != 1 || strings.Contains(got.Err, "\x1b") {
		t.Errorf("while it waits:\n%q", got.Err)
	}
	f.mu.Lock()
	f.states = []string{"INIT"}
	f.mu.Unlock()
	if text := u.Must("status").Out; !strings.Contains(text, "held up") || strings.Contains(text, "\x1b") {
		t.Errorf("status: %q", text)
	}
	var j struct{ Hindrance string }
	if err := json.Unmarshal([]byte(u.Must("status", "--json").Out), &j); err != nil || j.Hindrance != f.holds {
		t.Errorf("status in JSON: %+v, %v", j, err)
	}
}

// TestPlacesOfManyInJSON: the JSON output of many samples has the place of a job that waits when it is known, and again when it has halved.
// Each change would be a line for each pair of jobs.
func TestPlacesOfManyInJSON(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.states = []string{"INIT", "INIT", "INIT", "INIT", "INIT", "INIT", "SUCCESSFUL"}
	f.queue = &client.Queue{Place: 7, Length: 9}
	f.moves = true
	u := newCollection(t, f.URL, "a.fna", "b.fna")
	got := u.Must("submit", "genomes", "--json", "--out", "out")
	places := make(map[string][]int)
	for line := range strings.Lines(got.Out) {
		var c struct {
			Name, State string
			Queue       *client.Queue
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if c.Queue != nil {
			places[c.Name] = append(places[c.Name], c.Queue.Place)
		}
	}
	if want := map[string][]int{"a": {6, 3, 1}, "b": {6, 3, 1}}; !reflect.DeepEqual(places, want) {
		t.Errorf("places %v, want %v\n%s", places, want, got.Out)
	}
}
