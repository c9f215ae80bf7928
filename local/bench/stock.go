package main

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// keep is how long jobs are kept. The times of creation of the stored jobs are spread evenly over it.
const keep = 30 * 24 * time.Hour

// stock draws the stored jobs. They are derived from their numbers, so that they need not be kept.
type stock struct{ seed uint64 }

// ref returns the id and the secret of a job.
func (s stock) ref(number int) client.Ref {
	var b []byte
	r := rand.New(rand.NewPCG(s.seed, uint64(number)))
	for range 4 {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	id := uuid.UUID(b[:16])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return client.Ref{ID: id.String(), Secret: hex.EncodeToString(b[16:])}
}

// stateOf is the state of the stored job with that number: a batch of genomes of which some wait, some have failed and most are
// annotated. The number of jobs that run or that were never started does not depend on the number of stored jobs, as in use:
// it is limited.
func stateOf(number int) job.State {
	switch {
	case number < 1:
		return job.Created
	case number < 3:
		return job.Running
	case number%10 == 3:
		return job.Failed
	case number%3 == 1:
		return job.Submitted
	}
	return job.Succeeded
}

// job returns the stored job with that number of count ones.
func (s stock) job(number, count int) job.Job {
	age := time.Duration(float64(keep) * (1 - float64(number)/float64(count)))
	return newJob(s.ref(number), stateOf(number), time.Now().Add(-age))
}

// newJob returns a job in that state, as the backend stores it, that was created at that time. It is due after the benchmark.
func newJob(ref client.Ref, state job.State, created time.Time) job.Job {
	soon := created.Add(keep + time.Hour)
	j := job.Job{
		ID: ref.ID, SecretHash: job.HashSecret(ref.Secret), Name: "isolate " + ref.ID[:8], Workflow: workflow.Bakta, API: 2, State: state,
		Created: created, Updated: created, Due: soon, Expires: soon,
	}
	if state == job.Deleting {
		j.Name = ""
	}
	if state == job.Created || state == job.Deleting {
		return j
	}
	start := someStart()
	j.Start, j.Run, j.Started, j.RunName = &start, 1, created.Add(time.Second), job.ObjectName(ref.ID, 1)
	j.Stages = stages(job.StagePending)
	switch state {
	case job.Running:
		j.Stages = stages(job.StageRunning)
	case job.Succeeded, job.Failed:
		end := someEnd(j, state)
		j.Stages, j.Results, j.Logs, j.Failure = end.Stages, end.Results, end.Logs, end.Failure
	}
	return j
}

func stages(status job.StageStatus) []job.Stage {
	return []job.Stage{{Name: workflow.Bakta, Status: status}}
}

func someStart() job.Start {
	config, err := option.Encode(option.Config{Genus: "Escherichia", Species: "coli"}.Normalise())
	if err != nil {
		panic(err) // a constant
	}
	return job.Start{Config: config, Inputs: []job.Input{{Kind: upload.GenomeFASTA, Size: 4_700_000, ETag: etag, Name: "genome.fna"}}}
}

const etag = "0123456789abcdef0123456789abcdef"

// someEnd returns the outcome of the job's run, which owes nothing.
func someEnd(j job.Job, state job.State) job.End {
	soon := j.Created.Add(keep + time.Hour)
	prefix := job.RunPrefix(j.ID, 1) + "0123456789abcdefghijklmnop/"
	end := job.End{
		State: state, Stages: stages(job.StageSucceeded), At: j.Created.Add(10 * time.Minute), Due: soon, Expires: soon,
		Logs: []job.File{{Name: workflow.Bakta, Key: prefix + "logs/bakta.log", Size: 10_000, ETag: etag}},
	}
	if state == job.Failed {
		end.Stages = stages(job.StageFailed)
		end.Failure = &job.Failure{Code: job.BadInput, Message: "Bakta says: the genome file holds no valid sequence.", Stage: workflow.Bakta}
		return end
	}
	w, _ := workflow.Lookup(workflow.Bakta)
	for _, r := range w.Results {
		end.Results = append(end.Results, job.File{Name: r.Ending, Key: prefix + "results/result." + r.Ending, Size: 1 << 20, ETag: etag})
	}
	return end
}
