package process

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// queue holds the runs that wait and decides which one is next. Runs with the same key, such as the jobs of a batch, form a
// line. The lines take turns, and within a line the run that was started first is first.
//
// Each line has the number of the turn in which its first run begins, its second one begins in the turn after that, and so on.
// A line that is new enters the turn that the queue has reached. So its first run waits for at most one run of each other line,
// however many those have. Within a turn, the run that was started first is first.
//
// Runs that have begun before, and were interrupted, precede all others: they have had their turn.
//
// The order depends only on the runs and on turns, which is stored. The zero queue is empty and ready to use.
type queue struct {
	turn   int64 // of the run that was taken last
	lines  map[string]*line
	resume []*run // those that have begun before, in the order of their starts
	length int    // of all of them
}

// line are the runs of one key.
type line struct {
	turn      int64  // of its first run
	runs      []*run // that wait, in the order of their starts
	executing int    // how many runs of it were taken and have not ended
}

// turns is the part of a queue that does not follow from its runs.
type turns struct {
	Turn  int64            `json:"turn"`
	Lines map[string]int64 `json:"lines,omitempty"` // the turns of the lines that are ahead of Turn
}

// turns returns what has to be stored for restore.
func (q *queue) turns() turns {
	t := turns{Turn: q.turn}
	for key, l := range q.lines {
		if l.turn > q.turn {
			if t.Lines == nil {
				t.Lines = make(map[string]int64)
			}
			t.Lines[key] = l.turn
		}
	}
	return t
}

// restore fills an empty queue with the runs of a queue before it, and what that stored.
func (q *queue) restore(t turns, runs []*run) {
	q.turn = t.Turn
	for key, turn := range t.Lines {
		q.line(key).turn = turn
	}
	slices.SortFunc(runs, inOrder) // each is added behind the others
	for _, x := range runs {
		q.add(x)
	}
	maps.DeleteFunc(q.lines, func(_ string, l *line) bool { return l.over() })
}

// over reports whether the line can be forgotten. While a run of it executes, the line keeps its turn: a user who sends the
// next job in time would otherwise always have the first turn.
func (l *line) over() bool { return len(l.runs) == 0 && l.executing == 0 }

// line returns the line of a key.
func (q *queue) line(key string) *line {
	l := q.lines[key]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[string]*line)
		}
		l = &line{turn: q.turn}
		q.lines[key] = l
	}
	return l
}

// add puts a run into the queue.
func (q *queue) add(x *run) {
	q.length++
	if x.resumes() {
		q.resume = insert(q.resume, x)
		return
	}
	l := q.line(x.key())
	if len(l.runs) == 0 {
		l.turn = max(l.turn, q.turn)
	}
	l.runs = insert(l.runs, x)
}

// next returns the run that take would take, or nil if none waits.
func (q *queue) next() *run {
	if len(q.resume) > 0 {
		return q.resume[0]
	}
	if l := q.first(); l != nil {
		return l.runs[0]
	}
	return nil
}

// first returns the line whose turn it is, or nil.
func (q *queue) first() *line {
	var first *line
	for _, l := range q.lines {
		if len(l.runs) > 0 && (first == nil || cmp.Or(cmp.Compare(l.turn, first.turn), inOrder(l.runs[0], first.runs[0])) < 0) {
			first = l
		}
	}
	return first
}

// take takes the next run out of the queue, or nil if none waits. The caller calls end when the run has ended.
func (q *queue) take() *run {
	if len(q.resume) > 0 {
		x := q.resume[0]
		q.resume[0] = nil
		q.resume, q.length = q.resume[1:], q.length-1
		q.line(x.key()).executing++
		return x
	}
	l := q.first()
	if l == nil {
		return nil
	}
	x := l.runs[0]
	q.turn = l.turn
	l.turn++
	l.executing++
	l.runs[0] = nil
	l.runs, q.length = l.runs[1:], q.length-1
	return x
}

// end notes that a run which was taken has ended.
func (q *queue) end(x *run) {
	l := q.line(x.key())
	l.executing--
	if l.over() {
		delete(q.lines, x.key())
	}
}

// remove takes a run out of the queue that does not begin. It reports whether the run waited.
func (q *queue) remove(x *run) bool {
	from := &q.resume
	l := q.lines[x.key()]
	if !x.resumes() {
		if l == nil {
			return false
		}
		from = &l.runs
	}
	at, found := slices.BinarySearchFunc(*from, x, inOrder)
	if !found {
		return false
	}
	*from = slices.Delete(*from, at, at+1)
	q.length--
	if l != nil && l.over() {
		delete(q.lines, x.key())
	}
	return true
}

// place returns the place of a run from 1, or 0 if it does not wait. Its cost grows with the number of lines, not of runs.
func (q *queue) place(x *run) int {
	if x.resumes() {
		if at, found := slices.BinarySearchFunc(q.resume, x, inOrder); found {
			return at + 1
		}
		return 0
	}
	own := q.lines[x.key()]
	if own == nil {
		return 0
	}
	at, found := slices.BinarySearchFunc(own.runs, x, inOrder)
	if !found {
		return 0
	}
	before, turn := len(q.resume)+at, own.turn+int64(at)
	for _, l := range q.lines {
		if l == own || len(l.runs) == 0 {
			continue
		}
		// Those that begin in an earlier turn, and perhaps the one that begins in the same turn.
		earlier := int(min(max(turn-l.turn, 0), int64(len(l.runs))))
		before += earlier
		if turn >= l.turn && earlier < len(l.runs) && inOrder(l.runs[earlier], x) < 0 {
			before++
		}
	}
	return before + 1
}

// inOrder compares two runs by the starts of their jobs.
func inOrder(a, b *run) int {
	return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(a.Job, b.Job), cmp.Compare(a.Run, b.Run))
}

// insert puts a run into a slice in order.
func insert(runs []*run, x *run) []*run {
	at, _ := slices.BinarySearchFunc(runs, x, inOrder)
	return slices.Insert(runs, at, x)
}
