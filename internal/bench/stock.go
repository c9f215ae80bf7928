package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"golang.org/x/sync/errgroup"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/mongo"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// collection is where the store keeps jobs.
const collection = "annotationJobs"

const (
	dirLength  = 26 // of the directory below a run's prefix, in characters
	etagLength = 32
)

// identity identifies a job. It is derived from the job's number in its database, so that a million of them need not be
// stored in memory.
type identity struct {
	id     string
	secret string
	dir    string // below the prefix of its run
}

// numbers draws the jobs of one database.
type numbers struct{ seed uint64 }

func (c numbers) source(number int) *rand.Rand { return rand.New(rand.NewPCG(c.seed, uint64(number))) }

func (c numbers) job(number int) identity { return draw(c.source(number)) }

func draw(r *rand.Rand) identity {
	id := uuid.UUID(random(r, 16))
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return identity{
		id:     id.String(),
		secret: hex.EncodeToString(random(r, 16)),
		dir:    hex.EncodeToString(random(r, dirLength/2)),
	}
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:n]
}

// template is a document that the store wrote, and the offsets of the values that differ between jobs. These values have a
// fixed length, so they are overwritten in a copy.
type template struct {
	document []byte
	ids      []int
	dirs     []int
	etags    []int
	hash     int
	times    map[string]int
}

// The states in which templates are made.
const (
	created   = "created"
	submitted = "submitted"
	running   = "running"
	succeeded = "succeeded"
	failed    = "failed"
)

var etagMark = strings.Repeat("e", etagLength)

// newTemplates lets the store write a job in each state, and reads and deletes the documents.
func newTemplates(ctx context.Context, store *mongo.Store, jobs *driver.Collection) (map[string]template, error) {
	templates := make(map[string]template)
	for _, state := range []string{created, submitted, running, succeeded, failed} {
		p := numbers{seed: 1 << 63}.job(len(templates))
		if err := write(ctx, store, p, state); err != nil {
			return nil, err
		}
		filter := bson.D{{Key: "_id", Value: p.id}}
		raw, err := jobs.FindOne(ctx, filter).Raw()
		if err != nil {
			return nil, fmt.Errorf("reading the template of a job that is %s: %w", state, err)
		}
		if _, err := jobs.DeleteOne(ctx, filter); err != nil {
			return nil, err
		}
		t := template{document: bytes.Clone(raw), times: make(map[string]int)}
		t.ids, t.dirs, t.etags = all(raw, p.id), all(raw, p.dir), all(raw, etagMark)
		t.hash = bytes.Index(raw, job.HashSecret(p.secret))
		for _, field := range []string{"created", "started", "updated", "expires", "due"} {
			if at := bytes.Index(raw, []byte("\x09"+field+"\x00")); at >= 0 {
				t.times[field] = at + len(field) + 2
			}
		}
		if len(t.ids) == 0 || t.hash < 0 || len(t.times) < 4 {
			return nil, fmt.Errorf("a document does not have the expected form: %s", raw)
		}
		templates[state] = t
	}
	return templates, nil
}

// write stores a job and takes it to a state.
func write(ctx context.Context, store *mongo.Store, p identity, state string) error {
	at := time.UnixMilli(1_700_000_000_000)
	err := store.Insert(ctx, job.Job{ID: p.id, SecretHash: job.HashSecret(p.secret), Name: "a genome of an isolate", Workflow: workflow.Bakta,
		State: job.Created, Created: at, Updated: at, Expires: at, Due: at})
	if err != nil || state == created {
		return err
	}
	config, err := option.Encode(option.Config{Genus: "Escherichia", Species: "coli"}.Normalise())
	if err != nil {
		return err
	}
	stages := func(status job.StageStatus) []job.Stage { return []job.Stage{{Name: workflow.Bakta, Status: status}} }
	start := job.Start{Config: config, Inputs: []job.Input{{Kind: upload.GenomeFASTA, Size: 4_700_000, ETag: etagMark, Name: "genome.fna"}}}
	_, err = store.Submit(ctx, p.id, start, stages(job.StagePending), at, at, at)
	if err == nil {
		_, err = store.Launched(ctx, p.id, 1, job.ObjectName(p.id, 1), at)
	}
	if err == nil && state != submitted {
		_, err = store.Running(ctx, p.id, 1, stages(job.StageRunning), at, at, at)
	}
	if err != nil || state == submitted || state == running {
		return err
	}
	end := job.End{State: job.Succeeded, Stages: stages(job.StageSucceeded), At: at, Due: at, Expires: at,
		Logs: []job.File{{Name: workflow.Bakta, Key: logKey(p), Size: int64(len(logText)), ETag: etagMark}}}
	if state == failed {
		end.State, end.Stages = job.Failed, stages(job.StageFailed)
		end.Failure = &job.Failure{Code: job.BadInput, Message: "Bakta says: the genome file holds no valid sequence.", Stage: workflow.Bakta}
	} else {
		end.Results = resultFiles(p, etagMark)
	}
	_, err = store.Finish(ctx, p.id, 1, end)
	return err
}

// logText is the log of every job, about as long as Bakta's.
var logText = strings.Repeat("14:37:21.000 - INFO - predicted one more feature of the genome\n", 160)

func logKey(p identity) string { return job.RunPrefix(p.id, 1) + p.dir + "/logs/bakta.log" }

// resultFiles returns all result files that a job may have, each with that ETag.
func resultFiles(p identity, etag string) []job.File {
	w, _ := workflow.Lookup(workflow.Bakta)
	var files []job.File
	for _, r := range w.Results {
		key := job.RunPrefix(p.id, 1) + p.dir + "/results/result." + r.Ending
		files = append(files, job.File{Name: r.Ending, Key: key, Size: int64(len(resultText)), ETag: etag})
	}
	return files
}

// resultText is the content of every result file. Its length does not matter: no call reads it.
const resultText = "a result\n"

func all(document []byte, mark string) []int {
	var found []int
	for at := 0; ; at += len(mark) {
		next := bytes.Index(document[at:], []byte(mark))
		if next < 0 {
			return found
		}
		at += next
		found = append(found, at)
	}
}

// dates are the times of a job.
type dates struct{ created, due time.Time }

// of returns the document of that job, with unique ETags of its files.
func (t template) of(c numbers, number int, d dates) bson.Raw {
	r := c.source(number)
	p := draw(r)
	b := bytes.Clone(t.document)
	for _, at := range t.ids {
		copy(b[at:], p.id)
	}
	for _, at := range t.dirs {
		copy(b[at:], p.dir)
	}
	for _, at := range t.etags {
		hex.Encode(b[at:], random(r, etagLength/2))
	}
	copy(b[t.hash:], job.HashSecret(p.secret))
	for field, at := range t.times {
		when := d.created
		if field == "due" || field == "expires" {
			when = d.due
		}
		binary.LittleEndian.PutUint64(b[at:], uint64(when.UnixMilli()))
	}
	return b
}

// stateOf is the state of a stored job: most have succeeded, some failed, some were never started.
func stateOf(number int) string {
	switch number % 20 {
	case 3:
		return created
	case 7:
		return failed
	}
	return succeeded
}

// keep is how long jobs are kept. The times of creation of the stored jobs are spread evenly over it.
const keep = 30 * 24 * time.Hour

// fill stores that many jobs.
func fill(ctx context.Context, jobs *driver.Collection, templates map[string]template, c numbers, count int, stored func(n int)) error {
	const batch = 1000
	// One acknowledgement is enough: after a loss the jobs can be stored again.
	fast := jobs.Clone(options.Collection().SetWriteConcern(writeconcern.W1()))
	now := time.Now()
	group, filling := errgroup.WithContext(ctx)
	group.SetLimit(3)
	for first := 0; first < count; first += batch {
		group.Go(func() error {
			documents := make([]any, 0, batch)
			for n := first; n < min(first+batch, count); n++ {
				age := time.Duration(float64(keep) * (1 - float64(n)/float64(count)))
				d := dates{created: now.Add(-age), due: now.Add(keep - age + time.Hour)}
				documents = append(documents, templates[stateOf(n)].of(c, n, d))
			}
			_, err := fast.InsertMany(filling, documents, options.InsertMany().SetOrdered(false).SetBypassDocumentValidation(true))
			if err == nil {
				stored(len(documents))
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	// Reads return what a majority has. A majority write, which changes nothing here, waits until that includes all jobs.
	_, err := jobs.DeleteOne(ctx, byID(""))
	return err
}
