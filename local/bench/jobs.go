package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	"github.com/ag-computational-bio/bakta-web-backend/local/standin"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// The targets.
const (
	maxOfBare    = 1.25                  // time of jobs, divided by that of the bare programs
	maxFirstLine = 50 * time.Millisecond // median time from the call that starts a job to the first line of its program
)

const (
	atATime = 2   // programs that run at the same time
	tiny    = 200 // jobs and bare programs
	rounds  = 4   // parts of them, which are measured in turns
)

// genome is a tiny genome with a gene in it.
const genome = ">contig_1\n" +
	"TTGACATTTTCCTAGGAGGTTAACAATGAAACGCATTAGCACCACCATTACCACCACCATCACCATTACCACAGGTAACGGTGCGGGCTGA\n" +
	"CGCGTACAGGAAACACAGAAAAAAGCCCGCACCTGACAGTGCGGGCTTTTTTTTTCGACCAAAGGTAACGAGGTAACAACCATGCGAGTGTTGAAG\n"

// worker runs tiny jobs on a backend, and the same programs without one.
type worker struct {
	*backend
	program string
	dir     string
	environ []string
	trace   string
}

// newWorker starts a backend whose programs take that time for each of their steps.
func newWorker(ctx context.Context, program, dir string, delay time.Duration) (*worker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	w := &worker{program: program, dir: dir, trace: filepath.Join(dir, "trace")}
	w.environ = []string{"BAKTA_STAND_IN_STEP_DELAY=" + delay.String(), "BAKTA_STAND_IN_TRACE=" + w.trace}
	if err := os.WriteFile(filepath.Join(dir, "genome.fna"), []byte(genome), 0o600); err != nil {
		return nil, err
	}
	var err error
	w.backend, err = startBackend(ctx, program, filepath.Join(dir, "data"), w.environ, "--jobs", fmt.Sprint(atATime))
	return w, err
}

// bare runs that many programs, two at a time, on a genome that is on the disk. Each leaves its results in a directory of its own.
func (w *worker) bare(ctx context.Context, round, count int) (time.Duration, error) {
	began := time.Now()
	err := parallel(ctx, count, func(ctx context.Context, n int) error {
		out := filepath.Join(w.dir, "bare", fmt.Sprint(round, "-", n))
		cmd := exec.CommandContext(ctx, w.program, "stand-in", "bakta", "--output", out, "--prefix", "result", "--force",
			filepath.Join(w.dir, "genome.fna"))
		cmd.Env = append(os.Environ(), w.environ...)
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", cmd, err, text)
		}
		return nil
	})
	return time.Since(began), err
}

// parallel calls do for each number below count, two at a time.
func parallel(ctx context.Context, count int, do func(ctx context.Context, n int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range atATime {
		group.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= count {
					return nil
				}
				if err := do(ctx, n); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

// submit creates a job, uploads its genome, and starts it. It returns when the call that starts it began.
func (w *worker) submit(ctx context.Context) (client.Ref, time.Time, error) {
	created, err := w.Init(ctx, "tiny", protov1.RepliconTableType_TSV)
	if err != nil {
		return client.Ref{}, time.Time{}, err
	}
	if err := w.Upload(ctx, created.Genome, client.BytesContent([]byte(genome)), nil); err != nil {
		return client.Ref{}, time.Time{}, err
	}
	started := time.Now()
	return created.Job, started, w.Start(ctx, created.Job, nil)
}

// jobs lets the backend run that many jobs, two at a time, from the creation of the first one until a list shows the last one as
// successful.
func (w *worker) jobs(ctx context.Context, count int) (time.Duration, error) {
	before, err := w.ended()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	refs := make([]client.Ref, count)
	err = parallel(ctx, count, func(ctx context.Context, n int) (err error) {
		refs[n], _, err = w.submit(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	// The trace shows cheaply that the programs have ended. The backend's work on the last ones goes on.
	err = until(ctx, 5*time.Millisecond, func() (bool, error) {
		ended, err := w.ended()
		return ended-before >= count, err
	})
	if err == nil {
		err = w.successful(ctx, refs)
	}
	return time.Since(began), err
}

// successful waits until the results of all jobs are available.
func (w *worker) successful(ctx context.Context, refs []client.Ref) error {
	return until(ctx, 5*time.Millisecond, func() (bool, error) {
		all, err := w.Status(ctx, refs...)
		done := true
		for _, s := range all {
			if s.State.Ended() && s.State != client.Successful {
				return false, fmt.Errorf("the job %s ended in the state %s", s.ID, s.State)
			}
			done = done && s.State == client.Successful
		}
		return done, err
	})
}

// ended returns the number of programs that have succeeded.
func (w *worker) ended() (int, error) {
	content, err := os.ReadFile(w.trace)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	return strings.Count(string(content), standin.Succeeded), err
}

// firstLine runs a job on an idle backend, and returns the time from the call that starts it to the first line of its program. The program
// itself records when it prints it.
func (w *worker) firstLine(ctx context.Context) (time.Duration, error) {
	ref, started, err := w.submit(ctx)
	if err != nil {
		return 0, err
	}
	if err := w.successful(ctx, []client.Ref{ref}); err != nil {
		return 0, err
	}
	events, err := standin.ReadTrace(w.trace)
	if err != nil {
		return 0, err
	}
	for _, e := range events {
		if e.Event == standin.Began && strings.Contains(e.Dir, ref.ID) {
			return e.At.Sub(started), nil
		}
	}
	return 0, fmt.Errorf("the trace does not contain the program of the job %s", ref.ID)
}

// until repeats a check, at most that often, until it reports true or an error.
func until(ctx context.Context, interval time.Duration, check func() (bool, error)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		done, err := check()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// besideBare measures jobs beside the programs that they run.
func (b *bench) besideBare(ctx context.Context) error {
	b.Line(
		"\nTiny jobs by the stand-in, %d at a time, beside its program alone, called the same number of times, %d at a time, in turns.",
		atATime,
		atATime,
	)
	b.Line(
		"Jobs: from the call that creates the first one, with all uploads, until a list shows the last one as successful. Programs: from the",
	)
	b.Line("start of the first process to the end of the last. Target: at most %.2f times, by the medians of %d parts.\n", maxOfBare, rounds)
	b.Line("step of the program\tnumber\tprograms\tjobs\tratio\ttarget\tCPU of the backend for a job\t")
	for _, row := range []struct {
		delay         time.Duration
		count, starts int
	}{
		{0, tiny, most(b, 40, 20)},
		{10 * time.Millisecond, tiny, 0},
		{standin.StepDelay, most(b, tiny/5, 0), 0},
	} {
		if row.count == 0 {
			continue
		}
		if err := b.besidePrograms(ctx, row.delay, row.count, row.starts); err != nil {
			return err
		}
	}
	if err := b.Print(); err != nil {
		return err
	}
	b.Line(
		"\nFrom the call that starts a job on an idle backend to the first line of its program, whose steps take no time: "+
			"%s ms at the median of %d,",
		measure.MS(b.firstLines.Median()),
		len(b.firstLines),
	)
	b.Line(
		"%s ms at the 90th percentile. Target: at most %d ms at the median: %s.",
		measure.MS(b.firstLines.At(0.9)),
		maxFirstLine.Milliseconds(),
		b.Verdict(b.firstLines.Median() <= maxFirstLine),
	)
	return b.Print()
}

// besidePrograms measures jobs whose programs take that time for each of their steps, and so many starts of single jobs.
func (b *bench) besidePrograms(ctx context.Context, delay time.Duration, count, starts int) (err error) {
	w, err := newWorker(ctx, b.program, filepath.Join(b.dir, "jobs-"+delay.String()), delay)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	if _, err := w.jobs(ctx, atATime); err != nil { // opens files and connections
		return err
	}
	var bare, jobs measure.Sample
	before, err := w.processorTime()
	if err != nil {
		return err
	}
	for round := range rounds {
		if _, err := measure.Turn(round,
			func() error {
				took, err := w.bare(ctx, round, count/rounds)
				bare = append(bare, took)
				return err
			},
			func() error {
				took, err := w.jobs(ctx, count/rounds)
				jobs = append(jobs, took)
				return err
			},
		); err != nil {
			return err
		}
	}
	after, err := w.processorTime()
	if err != nil {
		return err
	}
	factor := measure.Ratio(jobs.Median(), bare.Median())
	b.Line("%s\t%d\t%.2f s\t%.2f s\t%.2f\t%s\t%s ms\t", delay, count, total(bare).Seconds(), total(jobs).Seconds(), factor,
		b.Verdict(factor <= maxOfBare), measure.MS((after-before)/time.Duration(count)))
	for range starts {
		took, err := w.firstLine(ctx)
		if err != nil {
			return err
		}
		b.firstLines = append(b.firstLines, took)
	}
	return nil
}

func total(s measure.Sample) (sum time.Duration) {
	for _, d := range s {
		sum += d
	}
	return sum
}
