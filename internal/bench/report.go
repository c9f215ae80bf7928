package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// The targets.
const (
	mostOfFloor = 1.5                   // a call's median against its floor's
	mostGrowth  = 1.2                   // a call's 99th percentile with many stored jobs against that with few
	mostReady   = 50 * time.Millisecond // from a program's start to its being ready, at the median
)

// report prints what was measured, and counts what was not reached.
type report struct {
	table   *tabwriter.Writer
	missed  int
	unclear int
}

func newReport(out io.Writer) *report {
	return &report{table: tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
}

func (r *report) line(format string, args ...any) { fmt.Fprintf(r.table, format+"\n", args...) }

// verdict says whether a target was reached.
func (r *report) verdict(reached bool) string {
	if reached {
		return "reached"
	}
	r.missed++
	return "MISSED"
}

// likely is verdict where chance may have it one way or the other: missed is only what surely is.
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
	r.line("Target: at most %.1f times, at the median. Times in ms.\n", mostOfFloor)
	r.line("call\tfloor\tjobs\ttimes\tp50\tfloor p50\tratio\tp99\tfloor p99\tratio\ttarget\t")
	for _, m := range all {
		name, needs := m.name, m.needs
		for i, s := range sites {
			call, floor := m.call[i], m.floor[i]
			half := ratio(call.at(0.5), floor.at(0.5))
			r.line("%s\t%s\t%s\t%d\t%s\t%s\t%.2f\t%s\t%s\t%.2f\t%s\t", name, needs, s.label, len(call),
				ms(call.at(0.5)), ms(floor.at(0.5)), half, ms(call.at(0.99)), ms(floor.at(0.99)), ratio(call.at(0.99), floor.at(0.99)),
				r.verdict(half <= mostOfFloor))
			name, needs = "", ""
		}
	}
	return r.table.Flush()
}

// growth prints what many stored jobs cost against few.
func (r *report) growth(few, many *site, all []measured) error {
	r.line("\nWith %s stored jobs against %s, side by side. Target: p99 at most %.1f times.", many.label, few.label, mostGrowth)
	r.line("In brackets: where the ratio lies with 95 %% confidence. The floor's growth is the database's own; Version, which asks")
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
			r.likely(p99, low, mostGrowth))
	}
	return r.table.Flush()
}

// starts prints how soon programs are ready.
func (r *report) starts(hello sample, all []started) error {
	r.line(
		"\nA function's program, from its start to its first answer on /healthz. Target: at most %d ms at the median. Times in ms.",
		mostReady.Milliseconds(),
	)
	r.line("The floor is a program that serves one line of text on the same kind of port.\n")
	r.line("program\ttimes\tp50\tp99\tfloor p50\tratio\tmore\ttarget\t")
	for _, s := range all {
		half := s.took.at(0.5)
		r.line("%s\t%d\t%s\t%s\t%s\t%.2f\t%s\t%s\t", s.name, len(s.took), ms(half), ms(s.took.at(0.99)), ms(hello.at(0.5)),
			ratio(half, hello.at(0.5)), ms(half-hello.at(0.5)), r.verdict(half <= mostReady))
	}
	return r.table.Flush()
}
