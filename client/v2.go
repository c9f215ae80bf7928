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

// V2 makes the calls of the API's second version: jobs of several workflows, each of one or more stages. A job
// that one version made is there for the other, too.
type V2 struct{ c *Client }

// V2 returns the second version's calls to the same server.
func (c *Client) V2() *V2 { return &V2{c} }

// WithPatience returns the same calls with another patience.
func (v *V2) WithPatience(patience time.Duration) *V2 { return v.c.WithPatience(patience).V2() }

// WithMaxDownload returns the same calls with another limit of a download.
func (v *V2) WithMaxDownload(bytes int64) *V2 { return v.c.WithMaxDownload(bytes).V2() }

// Server returns the server's URL.
func (v *V2) Server() string { return v.c.Server() }

// Workflow is what a server can do with uploads.
type Workflow struct {
	Kind       string       `json:"workflow_kind"` // "bakta", "bakta_proteins", "bakta_baktfold" or "baktfold", for example
	ResultKind string       `json:"result_kind"`   // what the results look like: "bakta", "bakta_proteins" or "baktfold"
	Uploads    []UploadKind `json:"uploads"`       // the files that it takes
	Stages     []string     `json:"stages"`        // its stages, in the order in which they run
}

// UploadKind is a file that a workflow takes.
type UploadKind struct {
	Kind     string `json:"upload_kind"` // "genome_fasta", for example
	Required bool   `json:"required"`    // it can't do without
}

// Made is a new job, and where its files go.
type Made struct {
	Job      Ref
	Workflow string
	Uploads  []UploadLink
}

// UploadLink is where a file goes. Whoever has a link may use it, for some hours.
type UploadLink struct {
	UploadKind
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"` // to send with the file, if any
}

// Config is how a workflow is run. A field at its zero value leaves the option at its default. Only workflows
// that begin with Bakta have options.
type Config struct {
	// Whether the upload of that kind is used; what is promised has to be uploaded.
	UseProdigalTrainingFile bool `json:"use_prodigal_training_file,omitempty"`
	UseReplicons            bool `json:"use_replicons,omitempty"`
	UseRegions              bool `json:"use_regions,omitempty"`
	UseTrustedProteins      bool `json:"use_trusted_proteins,omitempty"`
	UseHMMs                 bool `json:"use_hmms,omitempty"`

	TranslationTable  int    `json:"translation_table,omitempty"` // 4, 11 or 25
	CompleteGenome    bool   `json:"complete_genome,omitempty"`   // all sequences are complete replicons
	KeepContigHeaders bool   `json:"keep_contig_headers,omitempty"`
	MinContigLength   int64  `json:"min_contig_length,omitempty"` // base pairs
	DermType          string `json:"derm_type,omitempty"`         // "unknown", "monoderm" or "diderm"
	Genus             string `json:"genus,omitempty"`
	Species           string `json:"species,omitempty"`
	Strain            string `json:"strain,omitempty"`
	Plasmid           string `json:"plasmid,omitempty"`
	Locus             string `json:"locus,omitempty"`               // prefix of the sequences' ids
	LocusTag          string `json:"locus_tag,omitempty"`           // prefix of the features' locus tags
	LocusTagIncrement int    `json:"locus_tag_increment,omitempty"` // 1, 5 or 10
	Compliant         bool   `json:"compliant,omitempty"`
	Meta              bool   `json:"meta,omitempty"`

	// Steps that are left out.
	SkipTRNA        bool `json:"skip_trna,omitempty"`
	SkipTMRNA       bool `json:"skip_tmrna,omitempty"`
	SkipRRNA        bool `json:"skip_rrna,omitempty"`
	SkipNCRNA       bool `json:"skip_ncrna,omitempty"`
	SkipNCRNARegion bool `json:"skip_ncrna_region,omitempty"`
	SkipCRISPR      bool `json:"skip_crispr,omitempty"`
	SkipCDS         bool `json:"skip_cds,omitempty"`
	SkipPseudo      bool `json:"skip_pseudo,omitempty"`
	SkipSORF        bool `json:"skip_sorf,omitempty"`
	SkipGap         bool `json:"skip_gap,omitempty"`
	SkipOri         bool `json:"skip_ori,omitempty"`
	SkipFilter      bool `json:"skip_filter,omitempty"`
	SkipPlot        bool `json:"skip_plot,omitempty"`
}

// StageLog is how a stage of a job does.
type StageLog struct {
	Stage   string `json:"stage"`
	Status  string `json:"status"`  // one of the Stage… constants
	Content string `json:"content"` // what it has written so far, without white space at the end
}

// How a stage does.
const (
	StagePending   = "pending"
	StageRunning   = "running"
	StageSucceeded = "succeeded"
	StageFailed    = "failed"
	StageError     = "error" // it could not be run
	StageUnknown   = "unknown"
)

// wireRef is how a job stands in bodies.
type wireRef struct {
	ID     string `json:"job_id"`
	Secret string `json:"secret"`
}

func (r Ref) queryV2() url.Values { return url.Values{"job_id": {r.ID}, "secret": {r.Secret}} }

// call makes one call, again and again if need be. Request and response may be nil.
func (v *V2) call(ctx context.Context, method, path string, query url.Values, request, response any) error {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
	}
	path = "/api/v2" + path
	var answer []byte
	err := v.c.retry(ctx, 0, func() (bool, error) {
		var err error
		answer, err = v.c.ask(ctx, method, path, query, body)
		return false, err
	})
	if err != nil || response == nil {
		return err
	}
	if err := json.Unmarshal(answer, response); err != nil {
		return fmt.Errorf("%s answers %s with something else than Bakta-Web's API would: is it such a server? (%w)", v.c.server, path, err)
	}
	return nil
}

// absent says of a call that names no job what it means that there is nothing at its path.
func (v *V2) absent(err error) error {
	if CodeOf(err) == codes.NotFound {
		return fmt.Errorf("%s does not speak the second version of Bakta-Web's API: it is an older server, or none", v.c.server)
	}
	return err
}

// Workflows lists what the server can do.
func (v *V2) Workflows(ctx context.Context) ([]Workflow, error) {
	var answer []Workflow
	if err := v.call(ctx, http.MethodGet, "/workflows", nil, nil, &answer); err != nil {
		return nil, fmt.Errorf("asking for the workflows: %w", v.absent(err))
	}
	return answer, nil
}

// Init makes a job of a workflow. The name is for people and may be any text of at most 1024 bytes. A job that is
// never started is removed by the server in time, so that a call whose answer was lost does no harm.
func (v *V2) Init(ctx context.Context, workflow, name string) (Made, error) {
	request := map[string]string{"workflow_kind": workflow, "name": name}
	var answer struct {
		Job      wireRef      `json:"job"`
		Workflow string       `json:"workflow_kind"`
		Uploads  []UploadLink `json:"uploads"`
	}
	if err := v.call(ctx, http.MethodPost, "/job/init", nil, request, &answer); err != nil {
		return Made{}, fmt.Errorf("making a job: %w", v.absent(err))
	}
	if len(answer.Uploads) == 0 {
		return Made{}, fmt.Errorf("making a job: %s answers without a job: is it a Bakta-Web server?", v.c.server)
	}
	if err := v.c.checkID(answer.Job.ID); err != nil {
		return Made{}, err
	}
	return Made{Job: Ref(answer.Job), Workflow: answer.Workflow, Uploads: answer.Uploads}, nil
}

// Upload sends a file to where it goes, as Client.Upload does.
func (v *V2) Upload(ctx context.Context, link UploadLink, content Content, progress func(sent int64)) error {
	headers := make(http.Header)
	for name, value := range link.Headers {
		headers.Set(name, value)
	}
	return v.c.upload(ctx, link.URL, headers, content, progress)
}

// Download fetches a result file, as Client.Download does.
func (v *V2) Download(ctx context.Context, link, path string, progress func(done, size int64)) (int64, error) {
	return v.c.Download(ctx, link, path, progress)
}

// Warning is something about an upload that the workflow can work with, but probably not as it is meant.
type Warning struct {
	Code    string `json:"code"`        // a word that says of what kind it is
	Kind    string `json:"upload_kind"` // of the upload
	Message string `json:"message"`     // for people
}

// Start starts a job of that workflow whose files are uploaded, and returns what to know before it has run. The same
// start may be made again; one with another configuration is an *Error with codes.AlreadyExists. A server that gives no
// warnings, which is an older one, is asked in the older way.
func (v *V2) Start(ctx context.Context, job Ref, workflow string, config Config) ([]Warning, error) {
	request := struct {
		Job      wireRef `json:"job"`
		Workflow string  `json:"workflow_kind"`
		Config   Config  `json:"config"`
	}{wireRef(job), workflow, config}
	var answer struct {
		Warnings []Warning `json:"warnings"`
	}
	err := v.call(ctx, http.MethodPost, "/job/submit", nil, request, &answer)
	var refusal *Error
	if errors.As(err, &refusal) && (refusal.Code == codes.Unimplemented || slices.Contains(noSuchCall, refusal.Status)) {
		err = v.call(ctx, http.MethodPost, "/job/start", nil, request, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("starting the job: %w", err)
	}
	return answer.Warnings, nil
}

// noSuchCall are the statuses with which a server answers a call that it does not have. It may lack the job, too.
var noSuchCall = []int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented}

// Status tells how jobs do, in the order in which they are named, with their workflows.
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
				Waiting    *bool     `json:"waiting"`
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
			known[j.ID] = Status{ID: j.ID, State: State(strings.ToUpper(j.Status)), Name: j.Name, Started: j.Started, Updated: j.Updated,
				Workflow: j.Workflow, ResultKind: j.ResultKind, Waiting: j.Waiting}
		}
		for _, j := range answer.Failed {
			known[j.ID] = Status{ID: j.ID, State: State(strings.ToUpper(j.Status))}
		}
		return nil
	})
}

// Wait looks at a job until it has ended, as Client.Wait does.
func (v *V2) Wait(ctx context.Context, job Ref, interval time.Duration, seen func(Status, error)) (Status, error) {
	return wait(ctx, job, interval, v.Status, seen)
}

// Result answers the links of a job's result files, by the API's names of the files: "gff3". For a job that failed
// it is an *Error whose message is the reason, and for one that goes on an *Error, too, both with
// codes.FailedPrecondition. With partial, what a failed job has is answered, too: the files of the stages before
// the one that failed, which may be none, and the reason as the Result's Failure.
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
		return Result{}, fmt.Errorf("asking for the result: %w", err)
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

// Logs returns what each stage of a job has written so far, in the order in which they run.
func (v *V2) Logs(ctx context.Context, job Ref) ([]StageLog, error) {
	var answer struct {
		Stages []StageLog `json:"stages"`
	}
	if err := v.call(ctx, http.MethodGet, "/job/logs", job.queryV2(), nil, &answer); err != nil {
		return nil, fmt.Errorf("asking for the logs: %w", err)
	}
	return answer.Stages, nil
}

// Delete removes a job with all of its data. That there is no such job is no error; what Status tells of it before
// shows whether there was.
func (v *V2) Delete(ctx context.Context, job Ref) error {
	if err := v.call(ctx, http.MethodDelete, "/job/delete", job.queryV2(), nil, nil); err != nil {
		return fmt.Errorf("deleting the job: %w", err)
	}
	return nil
}

// Version tells what the server runs.
func (v *V2) Version(ctx context.Context) (Versions, error) {
	var answer struct {
		Backend    string `json:"backend_version"`
		Bakta      string `json:"bakta_version"`
		BaktaDB    string `json:"bakta_db_version"`
		Baktfold   string `json:"baktfold_version"`
		BaktfoldDB string `json:"baktfold_db_version"`
	}
	if err := v.call(ctx, http.MethodGet, "/version", nil, nil, &answer); err != nil {
		return Versions{}, fmt.Errorf("asking for the version: %w", v.absent(err))
	}
	return Versions{Tool: answer.Bakta, DB: answer.BaktaDB, Backend: answer.Backend, Baktfold: answer.Baktfold, BaktfoldDB: answer.BaktfoldDB}, nil
}
