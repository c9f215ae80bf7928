package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// The targets.
const (
	maxOfFloor = 1.5                   // a call's median divided by its floor's
	maxGrowth  = 1.2                   // a call's 99th percentile with many stored jobs divided by that with few
	maxReady   = 50 * time.Millisecond // median time from the start of a program until it is ready
)

// report prints the measurements, and counts the missed targets.
type report struct {
	table   *tabwriter.Writer
	missed  int
	unclear int
}

func newReport(out io.Writer) *report {
	return &report{table: tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
}

func (r *report) line(format string, args ...any) { fmt.Fprintf(r.table, format+"\n", args...) }

// verdict returns whether a target was reached, as text.
func (r *report) verdict(reached bool) string {
	if reached {
		return "reached"
	}
	r.missed++
	return "MISSED"
}

// likely is verdict for a value with a confidence interval: a target is missed only if the whole interval is above it.
func (r *report) likely(measured, low, target float64) string {
	if measured > target && low <= target {
		r.unclear++
		return "unclear"
	}
	return r.verdict(measured <= target)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

// calls prints each call against its floor.
func (r *report) calls(sites []*site, all []measured) error {
	r.line("\nEach call against its floor: the raw operations of the stores that it needs, and an empty call (not for the sweep).")
	r.line("Target: at most %.1f times, at the median. Times in ms.\n", maxOfFloor)
	r.line("call\tfloor\tjobs\ttimes\tp50\tfloor p50\tratio\tp99\tfloor p99\tratio\ttarget\t")
	for _, m := range all {
		name, needs := m.name, m.needs
		for i, s := range sites {
			call, floor := m.call[i], m.floor[i]
			half := ratio(call.at(0.5), floor.at(0.5))
			r.line("%s\t%s\t%s\t%d\t%s\t%s\t%.2f\t%s\t%s\t%.2f\t%s\t", name, needs, s.label, len(call),
				ms(call.at(0.5)), ms(floor.at(0.5)), half, ms(call.at(0.99)), ms(floor.at(0.99)), ratio(call.at(0.99), floor.at(0.99)),
				r.verdict(half <= maxOfFloor))
			name, needs = "", ""
		}
	}
	return r.table.Flush()
}

// growth prints the calls' times with many stored jobs against those with few.
func (r *report) growth(few, many *site, all []measured) error {
	r.line("\nWith %s stored jobs against %s, side by side. Target: p99 at most %.1f times.", many.label, few.label, maxGrowth)
	r.line("In brackets: the 95 %% confidence interval of the ratio. The floor's growth is MongoDB's own; Version, which uses")
	r.line("no store, shows how steady the machine is.\n")
	r.line("call\tp50\tp99\tbetween\tfloor p50\tfloor p99\tbetween\ttarget\t")
	for _, m := range all {
		call, floor := m.call, m.floor
		low, high := spread(call[1], call[0], 0.99)
		lowFloor, highFloor := spread(floor[1], floor[0], 0.99)
		p99 := ratio(call[1].at(0.99), call[0].at(0.99))
		r.line("%s\t%.2f\t%.2f\t(%.2f-%.2f)\t%.2f\t%.2f\t(%.2f-%.2f)\t%s\t", m.name,
			ratio(call[1].at(0.5), call[0].at(0.5)), p99, low, high,
			ratio(floor[1].at(0.5), floor[0].at(0.5)), ratio(floor[1].at(0.99), floor[0].at(0.99)), lowFloor, highFloor,
			r.likely(p99, low, maxGrowth))
	}
	return r.table.Flush()
}

// starts prints the times until programs are ready.
func (r *report) starts(hello sample, all []started) error {
	r.line(
		"\nA function's program, from its start to its first answer on /healthz. Target: at most %d ms at the median. Times in ms.",
		maxReady.Milliseconds(),
	)
	r.line("The floor is a program that serves one line of text on the same kind of port.\n")
	r.line("program\ttimes\tp50\tp99\tfloor p50\tratio\tmore\ttarget\t")
	for _, s := range all {
		half := s.took.at(0.5)
		r.line("%s\t%d\t%s\t%s\t%s\t%.2f\t%s\t%s\t", s.name, len(s.took), ms(half), ms(s.took.at(0.99)), ms(hello.at(0.5)),
			ratio(half, hello.at(0.5)), ms(half-hello.at(0.5)), r.verdict(half <= maxReady))
	}
	return r.table.Flush()
}
