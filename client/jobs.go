package client

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// Ref names a job and proves that it is the caller's. Its secret shows in no log.
type Ref struct {
	ID     string // a UUID
	Secret string
}

// String returns the job's id.
func (r Ref) String() string { return r.ID }

// GoString returns the job's id.
func (r Ref) GoString() string { return "client.Ref(" + r.ID + ")" }

// LogValue returns the job's id.
func (r Ref) LogValue() slog.Value { return slog.StringValue(r.ID) }

func (r Ref) auth() *protov1.JobAuth { return &protov1.JobAuth{JobID: r.ID, Secret: r.Secret} }

func (r Ref) query() url.Values { return url.Values{"jobID": {r.ID}, "secret": {r.Secret}} }

// Created is a new job, and the links that its files are uploaded to. Whoever has a link may use it, for some
// hours.
type Created struct {
	Job          Ref
	Genome       string // link for the genome
	TrainingFile string // link for a Prodigal training file
	Replicons    string // link for a table of replicons
}

// State is where a job is in its life, in the API's words.
type State string

// The states of a job, and the two ways in which there is nothing to tell about one.
const (
	Init         State = "INIT"       // made, or started and waiting for a machine
	Running      State = "RUNNING"    // Bakta runs
	Successful   State = "SUCCESSFUL" // the results are there
	Failed       State = "ERROR"      // it failed; Result tells the reason
	NotFound     State = "NOT_FOUND"  // there is no such job, or no more
	Unauthorized State = "UNAUTHORIZED"
)

// Ended reports whether the state will not change any more by itself.
func (s State) Ended() bool { return s != Init && s != Running }

// Status is how a job does.
type Status struct {
	ID      string
	State   State
	Name    string
	Started time.Time // when it was started; when it was made, before that
	Updated time.Time // when its state last changed

	// What the second version tells, too.
	Workflow   string
	ResultKind string
	// Waiting says of a job that is Init whether it was started and waits for a machine, or was made and not started.
	// It is nil for every other job, and if the server is too old to say.
	Waiting *bool
}

// Result is the outcome of a job.
type Result struct {
	Name    string
	Started time.Time
	Updated time.Time
	Files   map[string]string // download links, by the API's names of the files: "GFF3". They live for six days

	// What the second version tells, too.
	Workflow   string
	ResultKind string
	Failure    string // why the job failed, if these are the partial results of one that did
}

// Versions says what a server runs.
type Versions struct {
	Tool    string // Bakta
	DB      string // its database
	Backend string // the server

	// What the second version tells, too.
	Baktfold   string
	BaktfoldDB string // its database
}

// Init makes a job. The name is for people and may be any text of at most 1024 bytes; format is the one of a
// table of replicons, if there will be one. A job that is never started is removed by the server in time, so
// that a call whose answer was lost does no harm.
func (c *Client) Init(ctx context.Context, name string, format protov1.RepliconTableType) (Created, error) {
	var answer protov1.InitJobResponse
	request := &protov1.InitJobRequest{Name: name, RepliconTableType: format}
	if err := c.call(ctx, http.MethodPost, "/api/v1/job/init", nil, request, &answer); err != nil {
		return Created{}, fmt.Errorf("making a job: %w", err)
	}
	job := answer.GetJob()
	if answer.GetUploadLinkFasta() == "" {
		return Created{}, fmt.Errorf("making a job: %s answers without a job: is it a Bakta-Web server?", c.server)
	}
	if err := c.checkID(job.GetJobID()); err != nil {
		return Created{}, err
	}
	return Created{
		Job:          Ref{ID: job.GetJobID(), Secret: job.GetSecret()},
		Genome:       answer.GetUploadLinkFasta(),
		TrainingFile: answer.GetUploadLinkProdigal(),
		Replicons:    answer.GetUploadLinkReplicons(),
	}, nil
}

// checkID refuses what a server calls the id of a new job if it is not a UUID. Ids go into file names and into commands
// that people copy, so any other text from a server must not become one.
func (c *Client) checkID(id string) error {
	if len(id) != len("123e4567-e89b-42d3-a456-426614174000") || uuid.Validate(id) != nil {
		return fmt.Errorf("making a job: %s answers %.60q as the id of a job, which is not a UUID: is it a Bakta-Web server?", c.server, id)
	}
	return nil
}

// Start starts a job whose files are uploaded. The same start may be made again; one with another configuration
// is an *Error with codes.AlreadyExists.
func (c *Client) Start(ctx context.Context, job Ref, config *protov1.JobConfig) error {
	request := &protov1.StartJobRequest{Job: job.auth(), Config: config}
	if err := c.call(ctx, http.MethodPost, "/api/v1/job/start", nil, request, nil); err != nil {
		return fmt.Errorf("starting the job: %w", err)
	}
	return nil
}

// listLength is how many jobs are asked for at once, well within a server's limit.
const listLength = 100

// Status tells how jobs do, in the order in which they are named.
func (c *Client) Status(ctx context.Context, jobs ...Ref) ([]Status, error) {
	return statusOf(c.server, jobs, func(part []Ref, known map[string]Status) error {
		var request protov1.JobStatusRequestList
		for _, job := range part {
			request.Jobs = append(request.Jobs, job.auth())
		}
		var answer protov1.JobStatusReponseList
		if err := c.call(ctx, http.MethodPost, "/api/v1/job/list", nil, &request, &answer); err != nil {
			return err
		}
		for _, j := range answer.GetJobs() {
			known[j.GetJobID()] = Status{ID: j.GetJobID(), State: stateOf(j.GetJobStatus()), Name: j.GetName(),
				Started: j.GetStarted().AsTime(), Updated: j.GetUpdated().AsTime()}
		}
		for _, j := range answer.GetFailedJobs() {
			known[j.GetJobID()] = Status{ID: j.GetJobID(), State: State(j.GetJobStatus().String())}
		}
		return nil
	})
}

// statusOf asks for the state of jobs in parts that a server takes, and puts what is known of each in order.
func statusOf(server string, jobs []Ref, ask func(part []Ref, known map[string]Status) error) ([]Status, error) {
	known := make(map[string]Status, len(jobs))
	for part := range slices.Chunk(jobs, listLength) {
		if err := ask(part, known); err != nil {
			return nil, fmt.Errorf("asking for the state: %w", err)
		}
	}
	all := make([]Status, 0, len(jobs))
	for _, job := range jobs {
		status, told := known[job.ID]
		if !told {
			return nil, fmt.Errorf("asking for the state: %s says nothing about job %s", server, job.ID)
		}
		all = append(all, status)
	}
	return all, nil
}

// stateOf spells out that SUCCESSFUL and SUCCESSFULL are one.
func stateOf(s protov1.JobStatusEnum) State {
	if s == protov1.JobStatusEnum_SUCCESSFUL {
		return Successful
	}
	return State(s.String())
}

// Wait looks at a job, at once and then at every interval (2 s if zero), until it has ended. seen, if given, is
// told each look, also one that failed and is made again: a server may be away for a quarter of an hour. The
// job goes on whether somebody waits for it or not.
func (c *Client) Wait(ctx context.Context, job Ref, interval time.Duration, seen func(Status, error)) (Status, error) {
	return wait(ctx, job, interval, c.Status, seen)
}

// wait asks for the state of a job until it has ended.
func wait(ctx context.Context, job Ref, interval time.Duration, ask func(context.Context, ...Ref) ([]Status, error), seen func(Status, error)) (Status, error) {
	if interval <= 0 {
		interval = 2 * time.Second
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for last := time.Now(); ; timer.Reset(interval) {
		select {
		case <-ctx.Done():
			return Status{}, context.Cause(ctx)
		case <-timer.C:
		}
		looks, err := ask(ctx, job)
		if err != nil && (!Transient(err) || time.Since(last) > absence) {
			return Status{}, err
		}
		var status Status
		if err == nil {
			last, status = time.Now(), looks[0]
		}
		if seen != nil {
			seen(status, err)
		}
		if err == nil && status.State.Ended() {
			return status, nil
		}
	}
}

// absence is how long a server may be away while somebody waits for a job: upgrades take less.
const absence = 15 * time.Minute

// Result answers the links of a job's result files. For a job that failed it is an *Error whose message is the
// reason, and for one that goes on an *Error, too, both with codes.FailedPrecondition.
func (c *Client) Result(ctx context.Context, job Ref) (Result, error) {
	var answer protov1.JobResultResponse
	if err := c.call(ctx, http.MethodPost, "/api/v1/job/result", nil, job.auth(), &answer); err != nil {
		return Result{}, fmt.Errorf("asking for the result: %w", err)
	}
	files := make(map[string]string)
	for name, link := range answer.GetResultFiles().GetFields() {
		if text := link.GetStringValue(); text != "" {
			files[name] = text
		}
	}
	return Result{Name: answer.GetName(), Started: answer.GetStarted().AsTime(), Updated: answer.GetUpdated().AsTime(), Files: files}, nil
}

// Logs returns what a job has written so far, without the first offset bytes of it. A call returns at most
// 16 MiB; an empty text means that there is nothing more yet.
func (c *Client) Logs(ctx context.Context, job Ref, offset int64) ([]byte, error) {
	query := job.query()
	query.Set("offset", strconv.FormatInt(offset, 10))
	var text []byte
	err := c.retry(ctx, 0, func() (bool, error) {
		var err error
		text, err = c.ask(ctx, http.MethodGet, "/api/v1/job/logs", query, nil)
		return false, err
	})
	if err != nil {
		return nil, fmt.Errorf("asking for the log: %w", err)
	}
	// Older servers know no offset and answer all of the log, which they begin with this line.
	if offset > 0 && strings.HasPrefix(string(text), "Bakta Command:") {
		text = text[min(offset, int64(len(text))):]
	}
	return text, nil
}

// Delete removes a job with all of its data. When the server has no such job it is an *Error with codes.NotFound:
// the job is gone if that is the server which made it. One that has nothing at all at that path may answer the
// same; what Status tells of the job can't be mistaken.
func (c *Client) Delete(ctx context.Context, job Ref) error {
	if err := c.call(ctx, http.MethodDelete, "/api/v1/job/delete", job.query(), nil, nil); err != nil {
		return fmt.Errorf("deleting the job: %w", err)
	}
	return nil
}

// Version tells what the server runs.
func (c *Client) Version(ctx context.Context) (Versions, error) {
	var answer protov1.VersionResponse
	if err := c.call(ctx, http.MethodGet, "/api/v1/version", nil, nil, &answer); err != nil {
		return Versions{}, fmt.Errorf("asking for the version: %w", err)
	}
	return Versions{Tool: answer.GetToolVersion(), DB: answer.GetDbVersion(), Backend: answer.GetBackendVersion()}, nil
}
