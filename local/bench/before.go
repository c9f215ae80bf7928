package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// The targets: how many times as fast as the earlier build.
const (
	minWrite = 50.0 // a write of the store
	minList  = 20.0 // a list of a hundred jobs
)

// stored is the number of stored jobs of both builds.
const stored = 10_000

// earlierStore returns the store of a running backend of the earlier build: its embedded MongoDB, which listens on a socket in its data
// directory.
func earlierStore(b *backend) (*mongo.Store, error) {
	socket := filepath.Join(b.data, "documents", "mongodb.sock")
	return mongo.New(mongo.Options{
		URI: "mongodb://" + url.PathEscape(socket) + "/", Database: "bakta", MaxPoolSize: 1, Timeout: time.Minute,
	})
}

// earlier starts the earlier build on a data directory with jobs. The jobs are stored by the protocol of MongoDB: by the API it would
// take hours, since the earlier build reads all jobs for each start.
func (b *bench) earlier(ctx context.Context) (backend *backend, s *site, err error) {
	if backend, err = startBackend(ctx, b.before, filepath.Join(b.dir, "before"), nil); err != nil {
		return nil, nil, err
	}
	jobs, err := earlierStore(backend)
	if err == nil {
		s, err = b.fill(ctx, jobs, "earlier build")
	}
	if err != nil {
		return nil, nil, errors.Join(err, backend.stop())
	}
	s.stays = true
	return backend, s, nil
}

// present returns the data directory of this build with jobs, and its store, which the caller closes before it starts a backend there.
func (b *bench) present(ctx context.Context) (data string, s *site, closeStore func() error, err error) {
	data = filepath.Join(b.dir, "now")
	jobs, closeStore, err := openStore(ctx, filepath.Join(data, "jobs"))
	if err != nil {
		return "", nil, nil, err
	}
	if s, err = b.fill(ctx, jobs, "this build"); err != nil {
		return "", nil, nil, errors.Join(err, closeStore())
	}
	return data, s, closeStore, nil
}

// fill stores the jobs once.
func (b *bench) fill(ctx context.Context, jobs store.Jobs, label string) (*site, error) {
	if b.filled[label] {
		return siteOf(jobs, label, stored), nil
	}
	s, err := newSite(ctx, jobs, label, stored)
	if err == nil {
		b.filled[label] = true
	}
	return s, err
}

// beside measures this build beside the earlier one.
func (b *bench) beside(ctx context.Context) (err error) {
	if b.before == "" {
		b.Line("\nThere is no earlier build to compare with. Build one, for example of the commit 74beefe, and name it:")
		b.Line("  git worktree add ../earlier 74beefe && make -C ../earlier bin/bakta-web")
		b.Line("  make bench-local BEFORE=../earlier/bin/bakta-web")
		return b.Print()
	}
	before, old, err := b.earlier(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, before.stop()) }()
	data, present, closeStore, err := b.present(ctx)
	if err != nil {
		return err
	}
	if err = errors.Join(b.besideStores(ctx, old, present), closeStore()); err != nil {
		return err
	}
	now, err := startBackend(ctx, b.program, data, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, now.stop()) }()
	return b.besideCalls(ctx, &pair{before: before, now: now, stock: old.stock, count: stored})
}

// besideEarlier are the operations of the store that are measured beside the earlier build. It takes seconds for most of them, and some
// of the others would make jobs due, which its sweep would then handle.
var besideEarlier = []string{"Get", "GetMany", "Insert", "Submit", "Running", "Finish", "Delete"}

// besideStores measures the operations of both builds' stores, in turns.
func (b *bench) besideStores(ctx context.Context, earlier, now *site) error {
	times := most(b, 2, 1)
	b.Line(
		"\nOperations of the store beside the earlier build's, each with %s jobs, in turns. Medians of %d, in ms.",
		measure.Grouped(stored),
		times,
	)
	b.Line(
		"Target: each write of a stored job at least %.0f times as fast. (Insert has none: the earlier build does not read other jobs for it.)\n",
		minWrite,
	)
	b.Line("operation\tearlier\tnow\ttimes as fast\ttarget\t")
	for _, o := range operations() {
		if !slices.Contains(besideEarlier, o.method) {
			continue
		}
		m, err := inTurns(ctx, o, []*site{earlier, now}, 0, times)
		if err != nil {
			return err
		}
		factor := measure.Ratio(m.took[0].Median(), m.took[1].Median())
		verdict := "-"
		if o.writes && o.state != "" {
			verdict = b.Verdict(factor >= minWrite)
		}
		b.Line("%s\t%s\t%s\t%.0f\t%s\t", o.name(), measure.MS(m.took[0].Median()), measure.MS(m.took[1].Median()), factor, verdict)
	}
	return b.Print()
}

// pair are two backends with the same stored jobs.
type pair struct {
	before, now *backend
	stock       stock
	count       int
}

// call is a call of the API.
type call struct {
	name   string
	target float64 // times as fast as the earlier build; 0: none
	writes bool    // it changes a job that is made for it
	do     func(ctx context.Context, b *backend, p *pair, made client.Ref) error
}

func calls() []call {
	return []call{
		{"status of a job", 0, false, func(ctx context.Context, b *backend, p *pair, _ client.Ref) error { return p.list(ctx, b, 1) }},
		{"list of 100 jobs", minList, false, func(ctx context.Context, b *backend, p *pair, _ client.Ref) error { return p.list(ctx, b, 100) }},
		{"create a job", 0, false, func(ctx context.Context, b *backend, _ *pair, _ client.Ref) error {
			_, err := create(ctx, b)
			return err
		}},
		{"delete a job", minWrite, true, func(ctx context.Context, b *backend, _ *pair, made client.Ref) error { return b.Delete(ctx, made) }},
	}
}

func create(ctx context.Context, b *backend) (client.Ref, error) {
	created, err := b.Init(ctx, "isolate", protov1.RepliconTableType_TSV)
	return created.Job, err
}

// list lists jobs that have succeeded, drawn evenly.
func (p *pair) list(ctx context.Context, b *backend, length int) error {
	var jobs []client.Ref
	for len(jobs) < length {
		n := rand.IntN(p.count)
		if ref := p.stock.ref(n); stateOf(n) == job.Succeeded && !slices.Contains(jobs, ref) {
			jobs = append(jobs, ref)
		}
	}
	all, err := b.Status(ctx, jobs...)
	if err == nil && slices.ContainsFunc(all, func(s client.Status) bool { return s.State != client.Successful }) {
		err = errors.New("a list shows a job in a state that it does not have")
	}
	return err
}

// called is what a call took on one of the backends.
type called struct {
	took       measure.Sample
	used       time.Duration // processor time of the backend, of all calls
	unanswered int           // calls that ended with an error because the backend did not answer in time
}

// add makes the call once.
func (c call) add(ctx context.Context, b *backend, p *pair, to *called) (err error) {
	var made client.Ref
	if c.writes {
		if made, err = create(ctx, b); err != nil {
			return err
		}
	}
	before, err := b.processorTime()
	if err != nil {
		return err
	}
	began := time.Now()
	err = c.do(ctx, b, p, made)
	to.took = append(to.took, time.Since(began))
	if err != nil && b == p.before && client.Transient(err) {
		to.unanswered, err = to.unanswered+1, nil
	}
	after, err2 := b.processorTime()
	to.used += after - before
	return errors.Join(err, err2)
}

// besideCalls measures calls of the API of both builds, in turns.
func (b *bench) besideCalls(ctx context.Context, p *pair) error {
	times := most(b, 7, 2)
	b.Line("\nCalls of the API beside the earlier build, each with %s stored jobs, in turns. Medians of %d, in ms; and the processor time of",
		measure.Grouped(p.count), times)
	b.Line(
		"the backend for a call, on average, with that of its sweeps meanwhile. Calls that the earlier build did not answer count with the time",
	)
	b.Line("until it gave up.\n")
	b.Line("call\tearlier\tnow\ttimes as fast\ttarget\tunanswered\tearlier, CPU\tnow, CPU\tratio\t")
	for _, c := range calls() {
		var earlier, now called
		for k := range times {
			for i := range 2 {
				var err error
				if (i+k)%2 == 0 { // each is the first equally often
					err = c.add(ctx, p.before, p, &earlier)
				} else {
					err = c.add(ctx, p.now, p, &now)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", c.name, err)
				}
			}
		}
		factor, verdict := measure.Ratio(earlier.took.Median(), now.took.Median()), "-"
		if c.target > 0 {
			verdict = b.Verdict(factor >= c.target)
		}
		b.Line(
			"%s\t%s\t%s\t%.0f\t%s\t%d\t%s\t%s\t%.0f\t",
			c.name,
			measure.MS(earlier.took.Median()),
			measure.MS(now.took.Median()),
			factor,
			verdict,
			earlier.unanswered,
			measure.MS(earlier.used/time.Duration(times)),
			measure.MS(now.used/time.Duration(times)),
			measure.Ratio(earlier.used, now.used),
		)
	}
	return b.Print()
}
