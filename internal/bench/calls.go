package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	pb2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// figure is a measurement of a call of the API, or of the sweep's call of the store.
type figure struct {
	name    string
	needs   string // operations of its floor, in addition to an empty call
	batches int    // number of batches; each has batch measurements
	batch   int
	open    func(s *site, ctx context.Context, batch int) (step, error)
}

// step is a call and its floor on one site.
type step struct {
	renew func(context.Context) error      // creates what a batch uses up; not measured; may be nil
	call  func(context.Context, int) error // the k-th of a batch
	floor func(context.Context, int) error
	close func(context.Context) error // deletes what the step has created; may be nil
}

func figures() []figure {
	return []figure{
		{"Version", "nothing", 100, 50, (*site).versionStep},
		{"InitJob", "insert, 3 links", 60, 25, (*site).initStep},
		{"StartJob, a genome alone", "find, GET, 2 updates", 50, 20, (*site).startGenomeStep},
		{"StartJob, as the web UI does", "find, 3 GETs, 2 updates", 40, 20, (*site).startThreeStep},
		{"JobsStatus of 1 job", "find", 100, 50, (*site).listOneStep},
		{"JobsStatus of 100 jobs", "find, 100 decoded", 80, 25, (*site).listManyStep},
		{"JobState of a job that runs", "find, past runs decoded", 100, 50, (*site).stateStep},
		{"JobResult", "find, 14 links", 60, 50, (*site).resultStep},
		{"Logs of an ended job", "find, GET", 60, 50, (*site).logsStep},
		{"UpdateStatus, ended before", "find", 100, 50, (*site).updateEndedStep},
		{"UpdateStatus, still running", "find, GET, update", 60, 25, (*site).updateRunningStep},
		{"UpdateStatus, ended now", "find, GET, list, 4 updates", 25, 20, (*site).updateEndsStep},
		{"Delete", "find, 2 updates, 2 lists, delete", 15, 20, (*site).deleteStep},
		{"the sweep's query, 100 due", "find, 100 decoded", 80, 25, (*site).due100Step},
		{"the sweep's query, none due", "find", 60, 50, (*site).due0Step},
	}
}

// limited reports whether the limits of callers hold for the call: for those of users.
func (f figure) limited() bool {
	return !strings.HasPrefix(f.name, "UpdateStatus") && !strings.HasPrefix(f.name, "the sweep")
}

func auth(j identity) *pb.JobAuth { return &pb.JobAuth{JobID: j.id, Secret: j.secret} }

// some returns stored jobs in that state, drawn evenly from all. A call and its floor get different jobs: otherwise the
// second of them reads from MongoDB's cache.
func (s *site) some(state string, count int) []identity {
	var jobs []identity
	for len(jobs) < count {
		if n := rand.IntN(s.count); stateOf(n) == state {
			jobs = append(jobs, s.numbers.job(n))
		}
	}
	return jobs
}

func (s *site) versionStep(context.Context, int) (step, error) {
	return step{
		call: func(ctx context.Context, _ int) error {
			_, err := s.api.Version(ctx, &pb.Empty{})
			return err
		},
		floor: func(ctx context.Context, _ int) error { return s.ping(ctx) },
	}, nil
}

func (s *site) initStep(_ context.Context, batch int) (step, error) {
	var made []string
	var floors fresh
	return step{
		renew: func(context.Context) error {
			floors = s.reserve(batch)
			for _, j := range floors.jobs {
				made = append(made, j.id)
			}
			return nil
		},
		call: func(ctx context.Context, _ int) error {
			r, err := s.api.InitJob(ctx, &pb.InitJobRequest{Name: "a genome of an isolate"})
			made = append(made, r.GetJob().GetJobID())
			return err
		},
		floor: func(ctx context.Context, k int) error {
			if err := s.ping(ctx); err != nil {
				return err
			}
			for _, kind := range []string{upload.GenomeFASTA, upload.ProdigalTrainingFile, upload.RepliconsTable} {
				if err := s.signPut(ctx, job.UploadKey(floors.jobs[k].id, kind)); err != nil {
					return err
				}
			}
			_, err := s.jobs.InsertOne(ctx, s.document(floors, k, created))
			return err
		},
		close: func(ctx context.Context) error { return s.removeIDs(ctx, made) },
	}, nil
}

func (s *site) startGenomeStep(ctx context.Context, batch int) (step, error) {
	no := false
	config := &pb.JobConfig{Genus: "Escherichia", HasReplicons: &no, HasProdigal: &no}
	return s.startStep(ctx, batch, config, map[string]string{upload.GenomeFASTA: genome()})
}

// startThreeStep starts as the web UI does: it uploads empty files instead of none, and announces a replicon table.
func (s *site) startThreeStep(ctx context.Context, batch int) (step, error) {
	yes := true
	config := &pb.JobConfig{Genus: "Escherichia", HasReplicons: &yes}
	uploads := map[string]string{upload.GenomeFASTA: genome(), upload.ProdigalTrainingFile: "", upload.RepliconsTable: ""}
	return s.startStep(ctx, batch, config, uploads)
}

func (s *site) startStep(ctx context.Context, batch int, config *pb.JobConfig, uploads map[string]string) (step, error) {
	calls, floors := s.reserve(batch), s.reserve(batch)
	var objects []object
	for _, j := range append(calls.jobs, floors.jobs...) {
		for kind, content := range uploads {
			objects = append(objects, object{job.UploadKey(j.id, kind), content})
		}
	}
	if _, err := s.upload(ctx, objects); err != nil {
		return step{}, err
	}
	encoded, err := option.Encode(option.Config{Genus: "Escherichia"}.Normalise())
	if err != nil {
		return step{}, err
	}
	return step{
		renew: func(ctx context.Context) error {
			if err := s.put(ctx, calls, created); err != nil {
				return err
			}
			return s.put(ctx, floors, created)
		},
		call: func(ctx context.Context, k int) error {
			_, err := s.api.StartJob(ctx, &pb.StartJobRequest{Job: auth(calls.jobs[k]), Config: config})
			return err
		},
		floor: func(ctx context.Context, k int) error {
			id := floors.jobs[k].id
			if err := s.ping(ctx); err != nil {
				return err
			}
			if err := s.find(ctx, id); err != nil {
				return err
			}
			for kind := range uploads {
				// An empty object does not support a range.
				var limit int64
				if uploads[kind] != "" {
					limit = 64 << 10
				}
				if err := s.get(ctx, job.UploadKey(id, kind), "", limit); err != nil {
					return err
				}
			}
			now := time.Now()
			err := s.update(ctx, id, bson.D{
				{Key: "state", Value: submitted},
				{Key: "start", Value: bson.D{{Key: "config", Value: string(encoded)}}},
				{Key: "run", Value: 1},
				{Key: "started", Value: now},
				{Key: "updated", Value: now},
				{Key: "due", Value: now},
				{Key: "expires", Value: now},
			})
			if err != nil {
				return err
			}
			return s.update(ctx, id, bson.D{{Key: "launched", Value: job.ObjectName(id, 1)}, {Key: "due", Value: now.Add(recheck)}})
		},
		close: func(ctx context.Context) error {
			if err := s.remove(ctx, calls); err != nil {
				return err
			}
			return s.remove(ctx, floors)
		},
	}, nil
}

func (s *site) listOneStep(ctx context.Context, batch int) (step, error) { return s.listStep(batch, 1) }

func (s *site) listManyStep(ctx context.Context, batch int) (step, error) {
	return s.listStep(batch, 100)
}

func (s *site) listStep(batch, length int) (step, error) {
	l := listing{site: s, batch: batch, length: length}
	return step{renew: l.draw, call: l.call, floor: func(ctx context.Context, k int) error {
		if err := s.ping(ctx); err != nil {
			return err
		}
		return l.query(ctx, k)
	}}, nil
}

// stateStep asks for a job that runs, with all past runs that are kept of its class and of one of its neighbours.
func (s *site) stateStep(ctx context.Context, batch int) (step, error) {
	class := workflow.Class{Workflow: workflow.Bakta, Format: ".fna", Size: 23} // of the stock's genomes
	near := class.Near()
	for range job.MaxPastRuns {
		if err := errors.Join(s.addPast(ctx, class.String()), s.addPast(ctx, near[0].String())); err != nil {
			return step{}, err
		}
	}
	calls, floors := s.reserve(batch), s.reserve(batch)
	return step{
		renew: func(ctx context.Context) error {
			return errors.Join(s.put(ctx, calls, running), s.put(ctx, floors, running))
		},
		call: func(ctx context.Context, k int) error {
			j := calls.jobs[k]
			r, err := s.api2.JobState(ctx, &pb2.JobStateRequest{JobId: j.id, Secret: j.secret})
			if err == nil && r.GetStatus() != pb2.JobStatus_JOB_STATUS_RUNNING {
				err = fmt.Errorf("the job is %s", r.GetStatus())
			}
			return err
		},
		floor: func(ctx context.Context, k int) error {
			if err := s.ping(ctx); err != nil {
				return err
			}
			if err := s.find(ctx, floors.jobs[k].id); err != nil {
				return err
			}
			return s.findPast(ctx, class.String(), near[0].String(), near[1].String())
		},
		close: func(ctx context.Context) error {
			return errors.Join(s.remove(ctx, calls), s.remove(ctx, floors), s.past().Drop(ctx))
		},
	}, nil
}

// listed contains the fields of a job that a list returns, and the hash of its secret.
type listed struct {
	ID         string    `bson:"_id"`
	SecretHash []byte    `bson:"secretHash"`
	Name       string    `bson:"name"`
	State      string    `bson:"state"`
	Created    time.Time `bson:"created"`
	Started    time.Time `bson:"started"`
	Updated    time.Time `bson:"updated"`
}

// distinct returns the first count jobs without duplicates.
func distinct(jobs []identity, count int) []identity {
	seen := make(map[string]bool)
	var out []identity
	for _, j := range jobs {
		if !seen[j.id] && len(out) < count {
			seen[j.id] = true
			out = append(out, j)
		}
	}
	return out
}

func (s *site) resultStep(_ context.Context, batch int) (step, error) {
	var jobs, floors []identity
	return step{
		renew: func(context.Context) error {
			jobs, floors = s.some(succeeded, batch), s.some(succeeded, batch)
			return nil
		},
		call: func(ctx context.Context, k int) error {
			_, err := s.api.JobResult(ctx, auth(jobs[k]))
			return err
		},
		floor: func(ctx context.Context, k int) error {
			if err := s.ping(ctx); err != nil {
				return err
			}
			if err := s.find(ctx, floors[k].id); err != nil {
				return err
			}
			for _, f := range resultFiles(floors[k], "") {
				if err := s.signGet(ctx, f.Key); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

func (s *site) logsStep(ctx context.Context, batch int) (step, error) {
	jobs := s.some(succeeded, batch)
	var logs []object
	for _, j := range jobs {
		logs = append(logs, object{logKey(j), logText})
	}
	etags, err := s.upload(ctx, logs)
	if err != nil {
		return step{}, err
	}
	for k, j := range jobs {
		if err := s.update(ctx, j.id, bson.D{{Key: "logs.0.etag", Value: etags[k]}}); err != nil {
			return step{}, err
		}
	}
	return step{
		call: func(ctx context.Context, k int) error {
			r, err := s.api.Logs(ctx, &pb.LogsRequest{JobID: jobs[k].id, Secret: jobs[k].secret})
			if err == nil && len(r.GetData()) < len(logText) {
				err = fmt.Errorf("the log has %d bytes, want %d", len(r.GetData()), len(logText))
			}
			return err
		},
		floor: func(ctx context.Context, k int) error {
			if err := s.ping(ctx); err != nil {
				return err
			}
			if err := s.find(ctx, jobs[k].id); err != nil {
				return err
			}
			return s.get(ctx, logs[k].key, etags[k], 0)
		},
	}, nil
}
