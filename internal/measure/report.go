package measure

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Report prints measurements as tables, and counts the missed targets.
type Report struct {
	Missed  int // targets
	Unclear int // targets inside the confidence interval of what was measured

	table *tabwriter.Writer
}

// NewReport returns a report that is printed to out.
func NewReport(out io.Writer) *Report {
	return &Report{table: tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
}

// Line adds a line. Tabs separate its columns, and the last column ends with a tab, too.
func (r *Report) Line(format string, args ...any) { fmt.Fprintf(r.table, format+"\n", args...) }

// Print prints the lines since the last call.
func (r *Report) Print() error { return r.table.Flush() }

// Verdict returns whether a target was reached, as text.
func (r *Report) Verdict(reached bool) string {
	if reached {
		return "reached"
	}
	r.Missed++
	return "MISSED"
}

// Likely is Verdict for a value with a confidence interval: a target is missed only if the whole interval is above it.
func (r *Report) Likely(measured, low, target float64) string {
	if measured > target && low <= target {
		r.Unclear++
		return "unclear"
	}
	return r.Verdict(measured <= target)
}
