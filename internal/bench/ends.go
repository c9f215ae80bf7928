package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// The calls about running and ended jobs.

func (s *site) updateCall(ctx context.Context, id string) error {
	_, err := s.updates.UpdateStatus(ctx, &pb.UpdateStatusRequest{JobID: id})
	return err
}

func (s *site) updateEndedStep(_ context.Context, batch int) (step, error) {
	var jobs, floors []identity
	return step{
		renew: func(context.Context) error {
			jobs, floors = s.some(succeeded, batch), s.some(succeeded, batch)
			return nil
		},
		call: func(ctx context.Context, k int) error { return s.updateCall(ctx, jobs[k].id) },
		floor: func(ctx context.Context, k int) error {
			if err := s.ping(ctx); err != nil {
				return err
			}
			return s.find(ctx, floors[k].id)
		},
	}, nil
}

func (s *site) updateRunningStep(ctx context.Context, batch int) (step, error) {
	jobs := s.reserve(batch)
	if err := s.put(ctx, jobs, running); err != nil {
		return step{}, err
	}
	return step{
		call: func(ctx context.Context, k int) error { return s.updateCall(ctx, jobs.jobs[k].id) },
		floor: func(ctx context.Context, k int) error {
			id := jobs.jobs[k].id
			if err := s.ping(ctx); err != nil {
				return err
			}
			if err := s.find(ctx, id); err != nil {
				return err
			}
			if err := s.miss(ctx, job.ManifestKey(id, 1)); err != nil {
				return err
			}
			now := time.Now()
			return s.update(ctx, id, bson.D{{Key: "updated", Value: now}, {Key: "due", Value: now.Add(recheck)}})
		},
		close: func(ctx context.Context) error { return s.remove(ctx, jobs) },
	}, nil
}

// outcome stores the objects of successful runs without their manifests, which it returns.
func (s *site) outcome(ctx context.Context, jobs []identity) ([]stage.Manifest, error) {
	var objects []object
	var manifests []stage.Manifest
	for _, j := range jobs {
		m := stage.Manifest{Version: stage.ManifestVersion, Job: j.id, Run: 1, Outcome: stage.Succeeded,
			Stages: []stage.Result{{Name: workflow.Bakta, Status: job.StageSucceeded, Started: time.Now().Add(-time.Minute), Ended: time.Now()}},
			Files:  resultFiles(j, ""),
			Logs:   []job.File{{Name: workflow.Bakta, Key: logKey(j), Size: int64(len(logText))}},
		}
		for _, f := range m.Files {
			objects = append(objects, object{f.Key, resultText})
		}
		objects = append(objects, object{m.Logs[0].Key, logText})
		manifests = append(manifests, m)
	}
	etags, err := s.upload(ctx, objects)
	if err != nil {
		return nil, err
	}
	for _, m := range manifests {
		for i := range m.Files {
			m.Files[i].ETag, etags = etags[0], etags[1:]
		}
		m.Logs[0].ETag, etags = etags[0], etags[1:]
	}
	return manifests, nil
}

func (s *site) updateEndsStep(ctx context.Context, batch int) (step, error) {
	calls, floors := s.reserve(batch), s.reserve(batch)
	manifests, err := s.outcome(ctx, append(calls.jobs, floors.jobs...))
	if err != nil {
		return step{}, err
	}
	var objects []object
	for _, m := range manifests {
		content, err := json.Marshal(m)
		if err != nil {
			return step{}, err
		}
		objects = append(objects, object{job.ManifestKey(m.Job, 1), string(content)})
	}
	if _, err := s.upload(ctx, objects); err != nil {
		return step{}, err
	}
	return step{
		renew: func(ctx context.Context) error {
			if err := s.put(ctx, calls, running); err != nil {
				return err
			}
			return s.put(ctx, floors, running)
		},
		call: func(ctx context.Context, k int) error { return s.updateCall(ctx, calls.jobs[k].id) },
		floor: func(ctx context.Context, k int) error {
			id := floors.jobs[k].id
			if err := s.ping(ctx); err != nil {
				return err
			}
			if err := s.find(ctx, id); err != nil {
				return err
			}
			if err := s.get(ctx, job.ManifestKey(id, 1), "", 0); err != nil {
				return err
			}
			if _, err := s.list(ctx, job.RunPrefix(id, 1)); err != nil {
				return err
			}
			now, m := time.Now(), manifests[batch+k]
			err := s.update(ctx, id, bson.D{{Key: "state", Value: succeeded}, {Key: "results", Value: m.Files}, {Key: "logs", Value: m.Logs},
				{Key: "updated", Value: now}, {Key: "due", Value: now}, {Key: "expires", Value: now}})
			if err != nil {
				return err
			}
			for _, class := range []string{"a class", "all ends"} {
				if err := s.addPast(ctx, class); err != nil {
					return err
				}
			}
			return s.update(ctx, id, bson.D{{Key: "due", Value: now.Add(keep)}})
		},
		close: func(ctx context.Context) error {
			if err := s.remove(ctx, calls); err != nil {
				return err
			}
			return s.remove(ctx, floors)
		},
	}, nil
}

func (s *site) deleteStep(_ context.Context, batch int) (step, error) {
	calls, floors := s.reserve(batch), s.reserve(batch)
	return step{
		renew: func(ctx context.Context) error {
			if err := s.put(ctx, calls, succeeded); err != nil {
				return err
			}
			if err := s.put(ctx, floors, succeeded); err != nil {
				return err
			}
			_, err := s.outcome(ctx, append(calls.jobs, floors.jobs...))
			return err
		},
		call: func(ctx context.Context, k int) error {
			_, err := s.api.Delete(ctx, auth(calls.jobs[k]))
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
			now := time.Now()
			err := s.update(ctx, id, bson.D{{Key: "state", Value: "deleting"}, {Key: "name", Value: ""}, {Key: "results", Value: nil},
				{Key: "logs", Value: nil}, {Key: "updated", Value: now}, {Key: "due", Value: now}})
			if err != nil {
				return err
			}
			if err := s.wipe(ctx, job.Prefix(id)); err != nil {
				return err
			}
			return s.update(ctx, id, bson.D{{Key: "due", Value: now.Add(linkTTL)}})
		},
		close: func(ctx context.Context) error {
			if err := s.remove(ctx, calls); err != nil {
				return err
			}
			return s.remove(ctx, floors)
		},
	}, nil
}

// due contains the fields of a job that a sweep reads.
type due struct {
	ID       string    `bson:"_id"`
	Workflow string    `bson:"workflow"`
	State    string    `bson:"state"`
	Created  time.Time `bson:"created"`
	Updated  time.Time `bson:"updated"`
	Expires  time.Time `bson:"expires"`
	Due      time.Time `bson:"due"`
	Run      int       `bson:"run"`
	Launched string    `bson:"launched"`
	Start    struct {
		Config string `bson:"config"`
		Inputs []struct {
			Kind string `bson:"kind"`
			Size int64  `bson:"size"`
			ETag string `bson:"etag"`
			Name string `bson:"name"`
		} `bson:"inputs"`
	} `bson:"start"`
	Stages []struct {
		Name   string `bson:"name"`
		Status string `bson:"status"`
	} `bson:"stages"`
}

func (s *site) due100Step(ctx context.Context, _ int) (step, error) { return s.dueStep(ctx, 100) }

func (s *site) due0Step(ctx context.Context, _ int) (step, error) { return s.dueStep(ctx, 0) }

// dueStep reads the jobs that are due. Its floor has no empty call: the sweep reads the jobs without a call of the API.
func (s *site) dueStep(ctx context.Context, count int) (step, error) {
	jobs := s.reserve(count)
	now := time.Now()
	var documents []any
	for _, n := range jobs.numbers {
		documents = append(documents, s.templates[succeeded].of(s.numbers, n, dates{created: now.Add(-keep), due: now.Add(-time.Minute)}))
	}
	if count > 0 {
		if _, err := s.jobs.InsertMany(ctx, documents); err != nil {
			return step{}, err
		}
	}
	return step{
		call: func(ctx context.Context, _ int) error {
			due, err := s.store.Due(ctx, now, 100)
			if err == nil && len(due) != count {
				err = fmt.Errorf("%d jobs are due, want %d", len(due), count)
			}
			return err
		},
		floor: func(ctx context.Context, _ int) error {
			return findMany[due](
				ctx,
				s,
				count,
				bson.D{{Key: "due", Value: bson.D{{Key: "$lte", Value: now}}}},
				options.Find().SetProjection(
					bson.D{{Key: "results", Value: 0}, {Key: "logs", Value: 0}},
				).SetSort(
					bson.D{{Key: "due", Value: 1}},
				).SetLimit(
					100,
				),
			)
		},
		close: func(ctx context.Context) error { return s.remove(ctx, jobs) },
	}, nil
}
