package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/internal/measure"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// Calls by several callers at once, against the operation of MongoDB alone that a call cannot do without.

// load is a call that is measured with several callers at once. Its floor is the bare operation, without an empty call.
type load struct {
	name   string
	floor  string
	target float64 // the least number of calls in a time, divided by that of bare operations
	open   func(s *site, batch int) step
}

// severally ends the names of loads.
const severally = " by several callers"

func loads() []load {
	return []load{
		{"InitJob" + severally, "an insert", 0.8, (*site).bareInit},
		{"JobsStatus of 1 job" + severally, "a read by id", 0.7, func(s *site, batch int) step { return s.bareList(batch, 1) }},
		{
			"JobsStatus of 100 jobs" + severally,
			"a query for 100, decoded",
			0.7,
			func(s *site, batch int) step { return s.bareList(batch, 100) },
		},
	}
}

// callers are the numbers of callers.
var callers = []int{1, 8, 32}

// roundCalls is how many calls, or operations, all callers make in a round. Lists are long, so there are fewer of them.
func (l load) roundCalls(callers int) int {
	n := max(100, 8*callers)
	if strings.Contains(l.name, "100") {
		n = max(40, 2*callers)
	}
	return n
}

// nothing is an empty call.
func (s *site) nothing(ctx context.Context, _ int) error {
	_, err := s.empty.Version(ctx, &pb.Empty{})
	return err
}

func (s *site) bareInit(batch int) step {
	var floors fresh
	var documents []bson.Raw
	var mu sync.Mutex
	var made []string
	return step{
		renew: func(context.Context) error {
			floors, documents = s.reserve(batch), nil
			for k, j := range floors.jobs {
				documents = append(documents, s.document(floors, k, created))
				made = append(made, j.id)
			}
			return nil
		},
		call: func(ctx context.Context, _ int) error {
			r, err := s.api.InitJob(ctx, &pb.InitJobRequest{Name: "a genome of an isolate"})
			mu.Lock()
			defer mu.Unlock()
			made = append(made, r.GetJob().GetJobID())
			return err
		},
		floor: func(ctx context.Context, k int) error {
			_, err := s.jobs.InsertOne(ctx, documents[k])
			return err
		},
		close: func(ctx context.Context) error { return s.removeIDs(ctx, made) },
	}
}

func (s *site) bareList(batch, length int) step {
	l := listing{site: s, batch: batch, length: length}
	floor := l.query
	if length == 1 {
		floor = func(ctx context.Context, k int) error { return s.find(ctx, l.floors[k][0].id) }
	}
	return step{renew: l.draw, call: l.call, floor: floor}
}

// listing draws jobs for lists of a length. A call and its floor get different jobs.
type listing struct {
	*site
	batch, length  int
	called, floors [][]identity
}

func (l *listing) draw(context.Context) error {
	l.called, l.floors = nil, nil
	for range l.batch {
		l.called = append(l.called, distinct(l.some(succeeded, 2*l.length), l.length))
		l.floors = append(l.floors, distinct(l.some(succeeded, 2*l.length), l.length))
	}
	return nil
}

func (l *listing) call(ctx context.Context, k int) error {
	request := &pb.JobStatusRequestList{}
	for _, j := range l.called[k] {
		request.Jobs = append(request.Jobs, auth(j))
	}
	r, err := l.api.JobsStatus(ctx, request)
	if err == nil && len(r.GetJobs()) != l.length {
		err = fmt.Errorf("listed %d jobs, want %d", len(r.GetJobs()), l.length)
	}
	return err
}

// query is one query for the jobs of a list, decoded.
func (l *listing) query(ctx context.Context, k int) error {
	var ids []string
	for _, j := range l.floors[k] {
		ids = append(ids, j.id)
	}
	shown := bson.D{{Key: "secretHash", Value: 1}, {Key: "name", Value: 1}, {Key: "state", Value: 1},
		{Key: "created", Value: 1}, {Key: "started", Value: 1}, {Key: "updated", Value: 1}}
	return findMany[listed](ctx, l.site, l.length, bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(shown).SetBatchSize(int32(l.length+1)))
}

// loaded are the rounds of a load with a number of callers.
type loaded struct {
	load
	stored, limits string // the site
	callers        int
	calls          int // in a round

	took, floors, empties            measure.Sample // of the calls, the operations and empty calls
	used, usedFloors, usedEmptyCalls measure.Sample // processor time of this process and of MongoDB
}

// ratio is the median of the rounds' ratios: how many calls are made in the time of one operation.
func (l loaded) ratio() float64 {
	ratios := make(measure.Sample, 0, len(l.took))
	for i := range l.took {
		ratios = append(ratios, time.Duration(1e6*measure.Ratio(l.floors[i], l.took[i])))
	}
	return float64(ratios.Median()) / 1e6
}

// bound is the ratio of calls that cost no more than an empty call and an operation of their own. Calls that share an operation may exceed
// it.
func (l loaded) bound() float64 {
	return measure.Ratio(l.floors.Median(), l.floors.Median()+l.empties.Median())
}

// usedRatio is the processor time of all operations, divided by that of all calls.
func (l loaded) usedRatio() float64 { return measure.Ratio(sum(l.usedFloors), sum(l.used)) }

func sum(s measure.Sample) (all time.Duration) {
	for _, d := range s {
		all += d
	}
	return all
}

// perCall returns the processor time of one call, or operation.
func (l loaded) perCall(used measure.Sample) time.Duration {
	return sum(used) / time.Duration(l.calls*len(used))
}

// processorTime is the processor time that this process and MongoDB have used.
func (w *world) processorTime(ctx context.Context) (time.Duration, error) {
	var mine syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &mine); err != nil {
		return 0, err
	}
	var theirs struct {
		Extra struct {
			User   int64 `bson:"user_time_us"`
			System int64 `bson:"system_time_us"`
		} `bson:"extra_info"`
	}
	if err := w.client.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&theirs); err != nil {
		return 0, err
	}
	return time.Duration(mine.Utime.Nano()+mine.Stime.Nano()) + time.Duration(theirs.Extra.User+theirs.Extra.System)*time.Microsecond, nil
}

// each returns the median time of one call, or operation, of all that are made at once.
func (l loaded) each(s measure.Sample) time.Duration { return s.Median() / time.Duration(l.calls) }

// underLoad measures a load on sites with that many callers, calls and floors in turns.
func underLoad(ctx context.Context, l load, sites []*site, callers, rounds int) ([]loaded, error) {
	all := make([]loaded, len(sites))
	steps := make([]step, len(sites))
	for i, s := range sites {
		all[i] = loaded{load: l, stored: s.label, limits: s.limits, callers: callers, calls: l.roundCalls(callers)}
		steps[i] = l.open(s, all[i].calls)
	}
	for round := range warmUp + rounds {
		var turns []func() error
		used := make(measure.Sample, 3*len(steps))
		for i, s := range steps {
			if err := s.renew(ctx); err != nil {
				return nil, err
			}
			for k, do := range []func(context.Context, int) error{s.call, s.floor, sites[i].nothing} {
				turns = append(turns, func() error {
					before, err := sites[i].processorTime(ctx)
					if err != nil {
						return err
					}
					if err := together(ctx, callers, all[i].calls, do); err != nil {
						return err
					}
					after, err := sites[i].processorTime(ctx)
					used[3*i+k] = after - before
					return err
				})
			}
		}
		took, err := measure.Turn(round, turns...)
		if err != nil {
			return nil, fmt.Errorf("%s by %d callers: %w", l.name, callers, err)
		}
		for i := range steps {
			if round >= warmUp {
				l := &all[i]
				l.took, l.floors, l.empties = append(l.took, took[3*i]), append(l.floors, took[3*i+1]), append(l.empties, took[3*i+2])
				l.used, l.usedFloors = append(l.used, used[3*i]), append(l.usedFloors, used[3*i+1])
				l.usedEmptyCalls = append(l.usedEmptyCalls, used[3*i+2])
			}
		}
	}
	var errs []error
	for _, s := range steps {
		if s.close != nil {
			errs = append(errs, s.close(ctx))
		}
	}
	return all, errors.Join(errs...)
}

// together has that many callers make calls, each the next one as soon as its last one is answered.
func together(ctx context.Context, callers, calls int, do func(context.Context, int) error) error {
	errs := make([]error, callers)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			ctx := asCaller(ctx, c)
			for k := c; k < calls && errs[c] == nil; k += callers {
				errs[c] = do(ctx, k)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// loadAverage is that of the machine, of the last minute.
func loadAverage() (load float64, err error) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(text), &load)
	}
	return load, err
}

// measureLoads measures all loads on sites with few and many jobs, without and with the limits of callers, and writes a report to the file.
func measureLoads(ctx context.Context, r report, few, many int, times float64, only, file string) (err error) {
	var chosen []load
	for _, l := range loads() {
		if strings.Contains(strings.ToLower(l.name), strings.ToLower(only)) {
			chosen = append(chosen, l)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	w, err := open(ctx)
	if err != nil {
		return err
	}
	var all []loaded
	var busy []float64
	defer func() { err = errors.Join(err, w.close(ctx)) }()
	for _, count := range []int{few, many} {
		s, err := w.stocked(ctx, count)
		if err != nil {
			return err
		}
		l, err := s.limited()
		if err != nil {
			return err
		}
		for _, load := range chosen {
			for _, n := range callers {
				began := time.Now()
				found, err := underLoad(ctx, load, []*site{s, l}, n, max(5, int(40*times)))
				if err != nil {
					return err
				}
				average, err := loadAverage()
				if err != nil {
					return err
				}
				busy = append(busy, average)
				measure.Say("%s: %d, %s jobs: measured in %s", load.name, n, s.label, time.Since(began).Round(100*time.Millisecond))
				all = append(all, found...)
			}
		}
	}
	if err := r.loads(all); err != nil || file == "" {
		return err
	}
	var server struct{ Version string }
	if err := w.client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&server); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(loadsText(all, server.Version, busy)), 0o644)
}
