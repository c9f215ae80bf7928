package main

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
)

// The targets.
const (
	maxOfFloor = 1.5                   // a call's median divided by its floor's
	maxGrowth  = 1.2                   // a call's 99th percentile with many stored jobs divided by that with few
	maxLimits  = 1.25                  // a call's median with all limits of callers divided by that without
	maxReady   = 50 * time.Millisecond // median time from the start of a program until it is ready
)

// report prints the measurements.
type report struct{ *measure.Report }

// calls prints each call against its floor.
func (r report) calls(sites []*site, all []measured) error {
	r.Line("\nEach call against its floor: the raw operations of the stores that it needs, and an empty call (not for the sweep).")
	r.Line("Target: at most %.1f times, at the median. Times in ms.\n", maxOfFloor)
	r.Line("call\tfloor\tjobs\ttimes\tp50\tfloor p50\tratio\tp99\tfloor p99\tratio\ttarget\t")
	for _, m := range all {
		name, needs := m.name, m.needs
		for i, s := range sites {
			call, floor := m.call[i], m.floor[i]
			half := measure.Ratio(call.At(0.5), floor.At(0.5))
			r.Line("%s\t%s\t%s\t%d\t%s\t%s\t%.2f\t%s\t%s\t%.2f\t%s\t", name, needs, s.label, len(call),
				measure.MS(call.At(0.5)), measure.MS(floor.At(0.5)), half, measure.MS(call.At(0.99)), measure.MS(floor.At(0.99)),
				measure.Ratio(call.At(0.99), floor.At(0.99)),
				r.Verdict(half <= maxOfFloor))
			name, needs = "", ""
		}
	}
	return r.Print()
}

// growth prints the calls' times with many stored jobs against those with few.
func (r report) growth(few, many *site, all []measured) error {
	r.Line("\nWith %s stored jobs against %s, side by side. Target: p99 at most %.1f times.", many.label, few.label, maxGrowth)
	r.Line("In brackets: the 95 %% confidence interval of the ratio. The floor's growth is MongoDB's own; Version, which uses")
	r.Line("no store, shows how steady the machine is.\n")
	r.Line("call\tp50\tp99\tbetween\tfloor p50\tfloor p99\tbetween\ttarget\t")
	for _, m := range all {
		call, floor := m.call, m.floor
		low, high := measure.Spread(call[1], call[0], 0.99)
		lowFloor, highFloor := measure.Spread(floor[1], floor[0], 0.99)
		p99 := measure.Ratio(call[1].At(0.99), call[0].At(0.99))
		r.Line("%s\t%.2f\t%.2f\t(%.2f-%.2f)\t%.2f\t%.2f\t(%.2f-%.2f)\t%s\t", m.name,
			measure.Ratio(call[1].At(0.5), call[0].At(0.5)), p99, low, high,
			measure.Ratio(floor[1].At(0.5), floor[0].At(0.5)), measure.Ratio(floor[1].At(0.99), floor[0].At(0.99)), lowFloor, highFloor,
			r.Likely(p99, low, maxGrowth))
	}
	return r.Print()
}

// limits prints the calls' times with all limits of callers against those without.
func (r report) limits(all []measured) error {
	r.Line("\nWith all limits of callers against none, side by side. Target: at most %.2f times, at the median. Times in ms.\n", maxLimits)
	r.Line("call\ttimes\tp50\twithout\tratio\tp99\twithout\tratio\ttarget\t")
	for _, m := range all {
		without, with := m.call[0], m.call[1]
		half := measure.Ratio(with.At(0.5), without.At(0.5))
		r.Line("%s\t%d\t%s\t%s\t%.2f\t%s\t%s\t%.2f\t%s\t", m.name, len(with), measure.MS(with.At(0.5)), measure.MS(without.At(0.5)), half,
			measure.MS(with.At(0.99)), measure.MS(without.At(0.99)), measure.Ratio(with.At(0.99), without.At(0.99)), r.Verdict(half <= maxLimits))
	}
	return r.Print()
}

// starts prints the times until programs are ready.
func (r report) starts(hello measure.Sample, all []started) error {
	r.Line(
		"\nA function's program, from its start to its first answer on /healthz. Target: at most %d ms at the median. Times in ms.",
		maxReady.Milliseconds(),
	)
	r.Line("The floor is a program that serves one line of text on the same kind of port.\n")
	r.Line("program\ttimes\tp50\tp99\tfloor p50\tratio\tmore\ttarget\t")
	for _, s := range all {
		half := s.took.At(0.5)
		r.Line(
			"%s\t%d\t%s\t%s\t%s\t%.2f\t%s\t%s\t",
			s.name,
			len(s.took),
			measure.MS(half),
			measure.MS(s.took.At(0.99)),
			measure.MS(hello.At(0.5)),
			measure.Ratio(half, hello.At(0.5)),
			measure.MS(half-hello.At(0.5)),
			r.Verdict(half <= maxReady),
		)
	}
	return r.Print()
}

// loads prints the calls of several callers against the bare operations.
func (r report) loads(all []loaded) error {
	r.Line("\nCalls by gRPC of several callers at once against bare operations of MongoDB by the same driver, both as many, in turns.")
	r.Line(
		"The ratio is the median of all rounds. Times in ms, of all calls of a round divided by their number; in brackets the processor time",
	)
	r.Line("of caller, server and MongoDB together, and its ratio. Bound: the ratio of a call that costs an empty call and an operation.\n")
	r.Line("call\tfloor\tjobs\tcallers\tlimits\trounds\tcall\tfloor\tempty call\tbound\tratio\tat least\ttarget\t")
	for _, l := range all {
		r.Line("%s\t%s\t%s\t%d\t%s\t%d\t%s (%s)\t%s (%s)\t%s (%s)\t%.2f\t%.2f (%.2f)\t%.1f\t%s\t", l.name, l.floor, l.stored,
			l.callers, l.limits, len(l.took), measure.MS(l.each(l.took)), measure.MS(l.perCall(l.used)), measure.MS(l.each(l.floors)),
			measure.MS(l.perCall(l.usedFloors)), measure.MS(l.each(l.empties)), measure.MS(l.perCall(l.usedEmptyCalls)), l.bound(), l.ratio(),
			l.usedRatio(), l.target, r.Verdict(l.ratio() >= l.target))
	}
	return r.Print()
}

// loadsText returns the same in Markdown, with what was measured, and how busy the machine was.
func loadsText(all []loaded, mongodb string, busy []float64) string {
	var settings []string
	flag.Visit(func(f *flag.Flag) {
		if f.Name != "report" {
			settings = append(settings, fmt.Sprintf("-%s %s", f.Name, f.Value))
		}
	})
	var b strings.Builder
	fmt.Fprintf(&b, `# Calls by gRPC of several callers

Written by `+"`make bench BENCH=\"%s\"`"+` on %s, with %s and MongoDB %s (one member, journaled majority writes).
Callers, server and MongoDB share %d cores with what else runs on the machine. Its load averages were between %.0f and %.0f.

Calls, bare operations of MongoDB by the same driver, and empty calls, all as many, are measured in turns, %d rounds each. The ratio is
the median of all rounds. Times are in ms: those of a round divided by the number of its calls, at the median. In brackets: the
processor time of callers, server and MongoDB together, and its ratio. On a busy machine this is the steadier figure.

An empty call is all that gRPC costs: the client, HTTP/2, and a server that does nothing. The bound is the ratio of a call that costs
as much as an empty call and an operation. Calls of several callers can exceed it, because they share operations.

With limits, the callers have all limits of callers, none of which is reached; each caller makes %d calls and continues with another
address.

| call | floor | stored jobs | callers | limits of callers | call | operation | empty call | bound | ratio | target |
|---|---|---|---|---|---|---|---|---|---|---|
`, strings.Join(settings, " "), time.Now().UTC().Format(time.DateOnly), runtime.Version(), mongodb, runtime.NumCPU(),
		slices.Min(busy), slices.Max(busy), len(all[0].took), callsOfCaller)
	for _, l := range all {
		verdict := "reached"
		if l.ratio() < l.target {
			verdict = "missed"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d | %s | %s (%s) | %s (%s) | %s (%s) | %.2f | %.2f (%.2f) | %.1f (%s) |\n",
			strings.TrimSuffix(l.name, severally), l.floor, l.stored, l.callers, l.limits,
			measure.MS(l.each(l.took)), measure.MS(l.perCall(l.used)), measure.MS(l.each(l.floors)), measure.MS(l.perCall(l.usedFloors)),
			measure.MS(l.each(l.empties)), measure.MS(l.perCall(l.usedEmptyCalls)), l.bound(), l.ratio(), l.usedRatio(), l.target, verdict)
	}
	return b.String()
}
