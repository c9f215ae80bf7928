package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
)

// V2 makes the calls of the API's second version: jobs of several workflows, each of one or more stages. A job that was created by one
// version is available in the other, too.
type V2 struct{ c *Client }

// V2 returns the calls of the second version, to the same server.
func (c *Client) V2() *V2 { return &V2{c} }

// WithPatience returns the same calls with other Options.Patience.
func (v *V2) WithPatience(patience time.Duration) *V2 { return v.c.WithPatience(patience).V2() }

// WithMaxDownload returns the same calls with other Options.MaxDownload.
func (v *V2) WithMaxDownload(bytes int64) *V2 { return v.c.WithMaxDownload(bytes).V2() }

// Server returns the server's URL.
func (v *V2) Server() string { return v.c.Server() }

// Workflow is a sequence of programs that a server offers.
type Workflow struct {
	Kind       string       `json:"workflow_kind"` // "bakta", "bakta_proteins", "bakta_baktfold" or "baktfold", for example
	ResultKind string       `json:"result_kind"`   // format of the results: "bakta", "bakta_proteins" or "baktfold"
	Uploads    []UploadKind `json:"uploads"`       // the files that it accepts
	Stages     []string     `json:"stages"`        // its stages, in the order in which they run
}

// UploadKind is a file that a workflow accepts.
type UploadKind struct {
	Kind     string `json:"upload_kind"` // "genome_fasta", for example
	Required bool   `json:"required"`    // the workflow needs it
}

// Made is a new job, and its upload links.
type Made struct {
	Job      Ref
	Workflow string
	Uploads  []UploadLink
}

// UploadLink is the link of a file. It is valid for some hours, for any client that has it.
type UploadLink struct {
	UploadKind
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"` // header fields to send with the file, if any
}

// StageLog is the state and the output of a stage.
type StageLog struct {
	Stage   string `json:"stage"`
	Status  string `json:"status"`  // one of the Stage… constants
	Content string `json:"content"` // what it has written so far, without white space at the end
}

// The states of a stage.
const (
	StagePending   = "pending"
	StageRunning   = "running"
	StageSucceeded = "succeeded"
	StageFailed    = "failed"
	StageError     = "error" // it could not be executed
	StageUnknown   = "unknown"
)

// wireRef is a job in bodies.
type wireRef struct {
	ID     string `json:"job_id"`
	Secret string `json:"secret"`
}

func (r Ref) queryV2() url.Values { return url.Values{"job_id": {r.ID}, "secret": {r.Secret}} }

// call makes one call, with retries. Request and response may be nil.
func (v *V2) call(ctx context.Context, method, path string, query url.Values, request, response any) error {
	return v.callUpTo(ctx, maxAnswer, method, path, query, request, response)
}

// callUpTo is call with a limit of the answer in bytes, a number of MiB.
func (v *V2) callUpTo(ctx context.Context, limit int64, method, path string, query url.Values, request, response any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	path = "/api/v2" + path
	answer, err := v.c.whole(ctx, method, path, query, body, limit)
	if err != nil || response == nil {
		return err
	}
	if err := json.Unmarshal(answer, response); err != nil {
		return fmt.Errorf("the answer of %s to %s is not one of Bakta-Web's API; check the server's address: %w", v.c.server, path, err)
	}
	return nil
}

// absent explains the answer 404 to a call that names no job.
func (v *V2) absent(err error) error {
	if CodeOf(err) == codes.NotFound {
		return fmt.Errorf("%s does not serve the second version of Bakta-Web's API: it is an older server, or another program", v.c.server)
	}
	return err
}

// Workflows returns the workflows that the server offers.
func (v *V2) Workflows(ctx context.Context) ([]Workflow, error) {
	var answer []Workflow
	if err := v.call(ctx, http.MethodGet, "/workflows", nil, nil, &answer); err != nil {
		return nil, fmt.Errorf("getting the workflows: %w", v.absent(err))
	}
	return answer, nil
}

// Init creates a job of a workflow. The name is any text of at most 1024 bytes. The server deletes a job that is never started after some
// time, so a call whose answer was lost does no harm.
func (v *V2) Init(ctx context.Context, workflow, name string) (Made, error) {
	return v.InitInBatch(ctx, workflow, name, "")
}

// InitInBatch is Init for a job of a batch, whose name the caller chooses: at most 64 letters of ASCII, digits, dots, underscores and
// dashes, the first one a letter or a digit. A server with a queue takes jobs by turns from the batches. An older server ignores it.
func (v *V2) InitInBatch(ctx context.Context, workflow, name, batch string) (Made, error) {
	request := map[string]string{"workflow_kind": workflow, "name": name}
	if batch != "" {
		request["batch"] = batch
	}
	var answer struct {
		Job      wireRef      `json:"job"`
		Workflow string       `json:"workflow_kind"`
		Uploads  []UploadLink `json:"uploads"`
	}
	if err := v.call(ctx, http.MethodPost, "/job/init", nil, request, &answer); err != nil {
		return Made{}, fmt.Errorf("creating a job: %w", v.absent(err))
	}
	if len(answer.Uploads) == 0 {
		return Made{}, fmt.Errorf("creating a job: the answer of %s contains no job; check the server's address", v.c.server)
	}
	if err := v.c.checkID(answer.Job.ID); err != nil {
		return Made{}, err
	}
	return Made{Job: Ref(answer.Job), Workflow: answer.Workflow, Uploads: answer.Uploads}, nil
}

// Upload sends a file to its link, as Client.Upload does.
func (v *V2) Upload(ctx context.Context, link UploadLink, content Content, progress func(sent int64)) error {
	headers := make(http.Header)
	for name, value := range link.Headers {
		headers.Set(name, value)
	}
	return v.c.upload(ctx, link.URL, headers, content, progress)
}

// Download downloads a result file, as Client.Download does.
func (v *V2) Download(ctx context.Context, link, path string, progress func(done, size int64)) (int64, error) {
	return v.c.Download(ctx, link, path, progress)
}

// Warning is something in an upload that the workflow can process, but probably not as intended.
type Warning struct {
	Code    string `json:"code"`        // its kind, a word for programs
	Kind    string `json:"upload_kind"` // of the upload
	Message string `json:"message"`     // for people
}

// Start starts a job whose files are uploaded, and returns the warnings about them. The call may be repeated; with another configuration
// it returns an *Error with codes.AlreadyExists. An older server has a call without warnings, which Start then uses.
func (v *V2) Start(ctx context.Context, job Ref, workflow string, config Config) ([]Warning, error) {
	warnings, _, err := v.StartNotifying(ctx, job, workflow, config, Notify{})
	return warnings, err
}

// Notify is what to notify when a job ends.
type Notify struct {
	Webhook string `json:"webhook,omitempty"` // https URL that signed messages are posted to
	Email   string `json:"email,omitempty"`   // address that messages are sent to
}

// NotifyOffer is which notifications a server offers.
type NotifyOffer struct {
	Webhook bool `json:"webhook"` // it posts messages to webhooks
	Email   bool `json:"email"`   // it sends mail
}

// NotifyOffer returns which notifications the server offers. An older server offers none.
func (v *V2) NotifyOffer(ctx context.Context) (NotifyOffer, error) {
	var answer struct {
		Notify NotifyOffer `json:"notify"`
	}
	err := v.call(ctx, http.MethodGet, "/options", nil, nil, &answer)
	var refusal *Error
	if errors.As(err, &refusal) && slices.Contains(noSuchCall, refusal.Status) {
		return NotifyOffer{}, nil
	}
	if err != nil {
		return NotifyOffer{}, fmt.Errorf("asking which notifications the server offers: %w", err)
	}
	return answer.Notify, nil
}

// StartNotifying is Start with notifications. It also returns the key that signs the messages to the webhook, as the libraries of Standard
// Webhooks take it; empty without a webhook. An older server, which ignores notifications, returns none.
func (v *V2) StartNotifying(ctx context.Context, job Ref, workflow string, config Config, n Notify) ([]Warning, string, error) {
	request := struct {
		Job      wireRef `json:"job"`
		Workflow string  `json:"workflow_kind"`
		Config   Config  `json:"config"`
		Notify   Notify  `json:"notify,omitzero"`
	}{wireRef(job), workflow, config, n}
	var answer struct {
		Warnings []Warning `json:"warnings"`
		Key      string    `json:"notify_key"`
	}
	err := v.call(ctx, http.MethodPost, "/job/submit", nil, request, &answer)
	var refusal *Error
	if n == (Notify{}) && errors.As(err, &refusal) && (refusal.Code == codes.Unimplemented || slices.Contains(noSuchCall, refusal.Status)) {
		err = v.call(ctx, http.MethodPost, "/job/start", nil, request, nil)
	}
	if err != nil {
		return nil, "", fmt.Errorf("starting the job: %w", err)
	}
	return answer.Warnings, answer.Key, nil
}

// noSuchCall are the statuses that a server returns for a call that it does not have; 404 may also mean that the job does not exist.
var noSuchCall = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}

// Status returns the state of jobs with their workflows, in the order of the arguments.
func (v *V2) Status(ctx context.Context, jobs ...Ref) ([]Status, error) {
	return statusOf(v.c.server, jobs, func(part []Ref, known map[string]Status) error {
		request := struct {
			Jobs    []wireRef `json:"jobs"`
			Details bool      `json:"details"`
		}{Details: true}
		for _, job := range part {
			request.Jobs = append(request.Jobs, wireRef(job))
		}
		var answer struct {
			Jobs []struct {
				ID         string    `json:"job_id"`
				Status     string    `json:"status"`
				Workflow   string    `json:"workflow_kind"`
				ResultKind string    `json:"result_kind"`
				Started    time.Time `json:"started"`
				Updated    time.Time `json:"updated"`
				Name       string    `json:"name"`
				wireDetails
			} `json:"jobs"`
			Failed []struct {
				ID     string `json:"job_id"`
				Status string `json:"status"`
			} `json:"failed_jobs"`
		}
		if err := v.call(ctx, http.MethodPost, "/job/list", nil, request, &answer); err != nil {
			return err
		}
		for _, j := range answer.Jobs {
			known[j.ID] = j.in(Status{ID: j.ID, State: State(strings.ToUpper(j.Status)), Name: j.Name, Started: j.Started, Updated: j.Updated,
				Workflow: j.Workflow, ResultKind: j.ResultKind})
		}
		for _, j := range answer.Failed {
			known[j.ID] = Status{ID: j.ID, State: State(strings.ToUpper(j.Status))}
		}
		return nil
	})
}

// Result returns the links of a job's result files, by the API's names of the files: "gff3". For a failed job it returns an *Error whose
// message is the reason, and for a job that has not ended an *Error, too, both with codes.FailedPrecondition. With partial, it returns
// the results of a failed job, too: the files of the stages before the failed one, which may be none, and the reason as Result.Failure.
func (v *V2) Result(ctx context.Context, job Ref, partial bool) (Result, error) {
	request := struct {
		wireRef
		Partial bool `json:"partial,omitempty"`
	}{wireRef(job), partial}
	var answer struct {
		Workflow string    `json:"workflow_kind"`
		Started  time.Time `json:"started"`
		Updated  time.Time `json:"updated"`
		Name     string    `json:"name"`
		Failure  string    `json:"failure"`
		Result   struct {
			Kind  string             `json:"result_kind"`
			Files map[string]*string `json:"files"`
		} `json:"result"`
	}
	if err := v.call(ctx, http.MethodPost, "/job/result", nil, request, &answer); err != nil {
		var e *Error
		if errors.As(err, &e) && e.Status == http.StatusBadRequest {
			e.Code = codes.FailedPrecondition
		}
		return Result{}, fmt.Errorf("getting the result: %w", err)
	}
	files := make(map[string]string)
	for name, link := range answer.Result.Files {
		if link != nil && strings.TrimSpace(*link) != "" {
			files[name] = *link
		}
	}
	return Result{Name: answer.Name, Started: answer.Started, Updated: answer.Updated, Files: files,
		Workflow: answer.Workflow, ResultKind: answer.Result.Kind, Failure: answer.Failure}, nil
}

// maxLogs bounds the logs of all stages, in bytes of JSON. A server returns little more than 8 MiB of each of two stages, and JSON takes up
// to six bytes for one.
const maxLogs = 128 << 20

// Logs returns what each stage of a job has written so far, in the order in which they run. An answer above 128 MiB, which no server of
// Bakta-Web gives, is an error.
func (v *V2) Logs(ctx context.Context, job Ref) ([]StageLog, error) {
	var answer struct {
		Stages []StageLog `json:"stages"`
	}
	if err := v.callUpTo(ctx, maxLogs, http.MethodGet, "/job/logs", job.queryV2(), nil, &answer); err != nil {
		return nil, fmt.Errorf("getting the logs: %w", err)
	}
	return answer.Stages, nil
}

// Delete deletes a job with all of its data. Deleting a job that does not exist succeeds; Status before shows whether it existed.
func (v *V2) Delete(ctx context.Context, job Ref) error {
	if err := v.call(ctx, http.MethodDelete, "/job/delete", job.queryV2(), nil, nil); err != nil {
		return fmt.Errorf("deleting the job: %w", err)
	}
	return nil
}

// Version returns the versions that the server has installed.
func (v *V2) Version(ctx context.Context) (Versions, error) {
	var answer struct {
		Backend    string `json:"backend_version"`
		Bakta      string `json:"bakta_version"`
		BaktaDB    string `json:"bakta_db_version"`
		Baktfold   string `json:"baktfold_version"`
		BaktfoldDB string `json:"baktfold_db_version"`
	}
	if err := v.call(ctx, http.MethodGet, "/version", nil, nil, &answer); err != nil {
		return Versions{}, fmt.Errorf("getting the version: %w", v.absent(err))
	}
	return Versions{
		Tool: answer.Bakta, DB: answer.BaktaDB, Backend: answer.Backend, Baktfold: answer.Baktfold, BaktfoldDB: answer.BaktfoldDB,
	}, nil
}
