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

// Ref names a job and proves that it is the caller's. Logging or printing a Ref does not show its secret.
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

// Created is a new job, and its upload links. A link is valid for some hours, for any client that has it.
type Created struct {
	Job          Ref
	Genome       string // link for the genome
	TrainingFile string // link for a Prodigal training file
	Replicons    string // link for a replicon table
}

// State is the state of a job, in the API's words.
type State string

// The states of a job, and the two reasons why the server reports none.
const (
	Init         State = "INIT"         // created, or started and waiting for a node
	Running      State = "RUNNING"      // a stage runs
	Successful   State = "SUCCESSFUL"   // the results are available
	Failed       State = "ERROR"        // the job failed; Result returns the reason
	NotFound     State = "NOT_FOUND"    // the job does not exist, or was deleted
	Unauthorized State = "UNAUTHORIZED" // the secret is not this job's
)

// Ended reports whether the state is final: only deleting or expiring the job changes it.
func (s State) Ended() bool { return s != Init && s != Running }

// Status is the state of a job and what belongs to it.
type Status struct {
	ID      string
	State   State
	Name    string
	Started time.Time // when it was started; before that, when it was created
	Updated time.Time // when its state last changed

	// Only the second version returns these.
	Workflow   string
	ResultKind string
	// Waiting is true if a job that is Init was started and waits for a node, false if it was not started. It is nil for every other
	// state, and if the server does not report it.
	Waiting *bool
	// These are missing where they do not apply, and where the server does not know or report them.
	Stage    string    // the stage that runs
	Progress *Progress // the step that the programs have reached
	Queue    *Queue    // the place of a job that waits
	Expected *Expected // when a job that waits or runs is expected to start and to end
	Failure  *Failure  // why the job failed
	// Hindrance is what prevents the start of a job that waits until the operators change it, for people.
	Hindrance string
}

// Result is the outcome of a job.
type Result struct {
	Name    string
	Started time.Time
	Updated time.Time
	Files   map[string]string // download links, by the API's names of the files: "GFF3". They are valid for six days

	// Only the second version returns these.
	Workflow   string
	ResultKind string
	Failure    string // why the job failed, if these are the partial results of a failed job
}

// Versions are the versions that a server has installed.
type Versions struct {
	Tool    string // Bakta
	DB      string // Bakta's reference database
	Backend string // the server

	// Only the second version returns these.
	Baktfold   string
	BaktfoldDB string // Baktfold's reference database
}

// Init creates a job. The name is any text of at most 1024 bytes. format is that of the replicon table, if there will be one. The server
// deletes a job that is never started after some time, so a call whose answer was lost does no harm.
func (c *Client) Init(ctx context.Context, name string, format protov1.RepliconTableType) (Created, error) {
	var answer protov1.InitJobResponse
	request := &protov1.InitJobRequest{Name: name, RepliconTableType: format}
	if err := c.call(ctx, http.MethodPost, "/api/v1/job/init", nil, request, &answer); err != nil {
		return Created{}, fmt.Errorf("creating a job: %w", err)
	}
	job := answer.GetJob()
	if answer.GetUploadLinkFasta() == "" {
		return Created{}, fmt.Errorf("creating a job: the answer of %s contains no job; check the server's address", c.server)
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

// checkID refuses an id of a new job that is not a UUID. Ids become part of file names and of commands that users copy, so a server must
// not be able to choose any other text.
func (c *Client) checkID(id string) error {
	if len(id) != len("123e4567-e89b-42d3-a456-426614174000") || uuid.Validate(id) != nil {
		return fmt.Errorf("creating a job: the id %.60q in the answer of %s is not a UUID; check the server's address", id, c.server)
	}
	return nil
}

// Start starts a job whose files are uploaded. The call may be repeated; with another configuration it returns an *Error with
// codes.AlreadyExists.
func (c *Client) Start(ctx context.Context, job Ref, config *protov1.JobConfig) error {
	request := &protov1.StartJobRequest{Job: job.auth(), Config: config}
	if err := c.call(ctx, http.MethodPost, "/api/v1/job/start", nil, request, nil); err != nil {
		return fmt.Errorf("starting the job: %w", err)
	}
	return nil
}

// listLength is the number of jobs in one call, well within a server's limit.
const listLength = 100

// Status returns the state of jobs, in the order of the arguments.
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

// statusOf gets the state of jobs, listLength of them in one call, and returns it in the order of the jobs.
func statusOf(server string, jobs []Ref, ask func(part []Ref, known map[string]Status) error) ([]Status, error) {
	known := make(map[string]Status, len(jobs))
	for part := range slices.Chunk(jobs, listLength) {
		if err := ask(part, known); err != nil {
			return nil, fmt.Errorf("getting the state: %w", err)
		}
	}
	all := make([]Status, 0, len(jobs))
	for _, job := range jobs {
		status, ok := known[job.ID]
		if !ok {
			return nil, fmt.Errorf("getting the state: the answer of %s does not contain job %s", server, job.ID)
		}
		all = append(all, status)
	}
	return all, nil
}

// stateOf returns a state of the first version, in which SUCCESSFUL and SUCCESSFULL are the same value.
func stateOf(s protov1.JobStatusEnum) State {
	if s == protov1.JobStatusEnum_SUCCESSFUL {
		return Successful
	}
	return State(s.String())
}

// Wait gets the state of a job, at once and then at every interval (2 s if zero), until the job has ended. seen, if not nil, is called
// with each state, and with each transient error: Wait continues while the server is down, for up to 15 minutes. The job does not
// depend on Wait.
func (c *Client) Wait(ctx context.Context, job Ref, interval time.Duration, seen func(Status, error)) (Status, error) {
	return wait(ctx, job, interval, c.Status, seen)
}

// wait gets the state of a job until it has ended.
func wait(ctx context.Context, job Ref, interval time.Duration, get func(context.Context, ...Ref) ([]Status, error),
	seen func(Status, error),
) (Status, error) {
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
		states, err := get(ctx, job)
		if err != nil && (!Transient(err) || time.Since(last) > absence) {
			return Status{}, err
		}
		var status Status
		if err == nil {
			last, status = time.Now(), states[0]
		}
		if seen != nil {
			seen(status, err)
		}
		if err == nil && status.State.Ended() {
			return status, nil
		}
	}
}

// absence is how long a server may be down while Wait waits. Upgrades take less.
const absence = 15 * time.Minute

// Result returns the links of a job's result files. For a failed job it returns an *Error whose message is the reason, and for a job
// that has not ended an *Error, too, both with codes.FailedPrecondition.
func (c *Client) Result(ctx context.Context, job Ref) (Result, error) {
	var answer protov1.JobResultResponse
	if err := c.call(ctx, http.MethodPost, "/api/v1/job/result", nil, job.auth(), &answer); err != nil {
		return Result{}, fmt.Errorf("getting the result: %w", err)
	}
	files := make(map[string]string)
	for name, link := range answer.GetResultFiles().GetFields() {
		if text := link.GetStringValue(); text != "" {
			files[name] = text
		}
	}
	return Result{Name: answer.GetName(), Started: answer.GetStarted().AsTime(), Updated: answer.GetUpdated().AsTime(), Files: files}, nil
}

// Logs returns what a job has written so far, without the first offset bytes. A call returns at most 16 MiB. An empty text means that
// there is nothing more yet.
func (c *Client) Logs(ctx context.Context, job Ref, offset int64) ([]byte, error) {
	query := job.query()
	query.Set("offset", strconv.FormatInt(offset, 10))
	var text []byte
	err := c.retry(ctx, 0, func() (bool, error) {
		var err error
		// What is cut off is returned by the next call.
		text, _, err = c.ask(ctx, http.MethodGet, "/api/v1/job/logs", query, nil, maxAnswer)
		return false, err
	})
	if err != nil {
		return nil, fmt.Errorf("getting the log: %w", err)
	}
	// Older servers ignore the offset and return the whole log, which begins with this line.
	if offset > 0 && strings.HasPrefix(string(text), "Bakta Command:") {
		text = text[min(offset, int64(len(text))):]
	}
	return text, nil
}

// Delete deletes a job with all of its data. If the job does not exist it returns an *Error with codes.NotFound: the job is deleted if
// this is the server that created it. A server without that path may answer the same; Status is unambiguous.
func (c *Client) Delete(ctx context.Context, job Ref) error {
	if err := c.call(ctx, http.MethodDelete, "/api/v1/job/delete", job.query(), nil, nil); err != nil {
		return fmt.Errorf("deleting the job: %w", err)
	}
	return nil
}

// Version returns the versions that the server has installed.
func (c *Client) Version(ctx context.Context) (Versions, error) {
	var answer protov1.VersionResponse
	if err := c.call(ctx, http.MethodGet, "/api/v1/version", nil, nil, &answer); err != nil {
		return Versions{}, fmt.Errorf("getting the version: %w", err)
	}
	return Versions{Tool: answer.GetToolVersion(), DB: answer.GetDbVersion(), Backend: answer.GetBackendVersion()}, nil
}
