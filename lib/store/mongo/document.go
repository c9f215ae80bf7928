package mongo

import (
	"bytes"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The names of fields that queries and updates use. A test compares them with document's tags, because a wrong name would
// silently match nothing.
const (
	fieldID         = "_id"
	fieldSecretHash = "secretHash"
	fieldName       = "name"
	fieldBatch      = "batch"
	fieldRerunOf    = "rerunOf"
	fieldOwner      = "owner"
	fieldWorkflow   = "workflow"
	fieldAPI        = "api"
	fieldState      = "state"
	fieldCreated    = "created"
	fieldStarted    = "started"
	fieldBegan      = "began"
	fieldUpdated    = "updated"
	fieldExpires    = "expires"
	fieldDue        = "due"
	fieldStart      = "start"
	fieldRun        = "run"
	fieldLaunched   = "launched"
	fieldStages     = "stages"
	fieldResults    = "results"
	fieldLogs       = "logs"
	fieldFailure    = "failure"
	fieldOwed       = "owed"
	fieldOwedID     = "owed.id"
	fieldBlocked    = "blocked"
	fieldConfig     = "start.config"
	fieldInputs     = "start.inputs"
	fieldCaller     = "start.caller"
	fieldWaits      = "start.waits"
	fieldDeliveries = "deliveries"
)

// document is a stored job. Fields of a later version are ignored, and every write keeps them, because it names the fields that
// it changes.
//
// Due and Expires are always there: the sweep would never find a job without them.
type document struct {
	ID         string    `bson:"_id"`
	SecretHash []byte    `bson:"secretHash"`
	Name       string    `bson:"name"`
	Batch      string    `bson:"batch,omitempty"`
	RerunOf    string    `bson:"rerunOf,omitempty"`
	Owner      string    `bson:"owner,omitempty"`
	Workflow   string    `bson:"workflow"`
	API        int       `bson:"api,omitempty"` // missing in documents from before the second version
	State      string    `bson:"state"`
	Created    time.Time `bson:"created"`
	Started    time.Time `bson:"started,omitempty"`
	Began      time.Time `bson:"began,omitempty"`
	Updated    time.Time `bson:"updated"`
	Expires    time.Time `bson:"expires"`
	Due        time.Time `bson:"due"`
	Start      *start    `bson:"start,omitempty"`
	Run        int       `bson:"run"`
	Launched   string    `bson:"launched,omitempty"`
	Stages     []stage   `bson:"stages,omitempty"`
	Results    []file    `bson:"results,omitempty"`
	Logs       []file    `bson:"logs,omitempty"`
	Failure    *failure  `bson:"failure,omitempty"`
	Owed       []effect  `bson:"owed,omitempty"`

	Deliveries []delivery `bson:"deliveries,omitempty"`
	Blocked    *blocked   `bson:"blocked,omitempty"`
}

type blocked struct {
	Run   int       `bson:"run"`
	By    string    `bson:"by,omitempty"`
	Stage string    `bson:"stage,omitempty"`
	Since time.Time `bson:"since"`
}

type start struct {
	Config string  `bson:"config"` // JSON as text, so that operators can read it
	Inputs []input `bson:"inputs,omitempty"`
	Trace  string  `bson:"trace,omitempty"`

	Warnings []warning `bson:"warnings,omitempty"`

	Notify *notify `bson:"notify,omitempty"`
	Caller string  `bson:"caller,omitempty"`
	Waits  bool    `bson:"waits,omitempty"`
}

type notify struct {
	Webhook string `bson:"webhook,omitempty"`
	Email   string `bson:"email,omitempty"`
	Key     []byte `bson:"key,omitempty"`
}

type warning struct {
	Code    string `bson:"code"`
	Upload  string `bson:"upload"`
	Message string `bson:"message"`
}

type input struct {
	Kind string `bson:"kind"`
	Size int64  `bson:"size"`
	ETag string `bson:"etag"`
	Name string `bson:"name"`
}

type file struct {
	Name string `bson:"name"`
	Key  string `bson:"key"`
	Size int64  `bson:"size"`
	ETag string `bson:"etag"`
}

type stage struct {
	Name   string `bson:"name"`
	Status string `bson:"status"`
}

type failure struct {
	Code    string `bson:"code"`
	Message string `bson:"message"`
	Stage   string `bson:"stage,omitempty"`
}

// effect is an effect that an ended job owes. Earlier versions remove effects by their whole value, so a field can't be added
// while processes of such a version may serve beside this one.
type effect struct {
	ID   string `bson:"id"`
	Kind string `bson:"kind"`
	Run  int    `bson:"run"`
}

type delivery struct {
	ID       string    `bson:"id"`
	Event    string    `bson:"event"`
	Channel  string    `bson:"channel"`
	State    string    `bson:"state"`
	Owed     time.Time `bson:"owed"`
	Next     time.Time `bson:"next"`
	Attempts int       `bson:"attempts"`
	Last     time.Time `bson:"last,omitempty"`
	Error    string    `bson:"error,omitempty"`
}

func newDocument(j job.Job) document {
	d := document{
		ID: j.ID, SecretHash: j.SecretHash, Name: j.Name, Batch: j.Batch, RerunOf: j.RerunOf, Owner: j.Owner,
		Workflow: j.Workflow, API: j.API, State: string(j.State),
		Created: j.Created, Started: j.Started, Began: j.Began, Updated: j.Updated, Expires: j.Expires, Due: j.Due,
		Run: j.Run, Launched: j.RunName,
		Stages: newStages(j.Stages), Results: newFiles(j.Results), Logs: newFiles(j.Logs),
		Failure: newFailure(j.Failure), Owed: newEffects(j.Owed), Deliveries: newDeliveries(j.Deliveries),
	}
	if j.Blocked != (job.Blocked{}) {
		d.Blocked = newBlocked(j.Blocked)
	}
	if j.Start != nil {
		s := newStart(*j.Start)
		d.Start = &s
	}
	return d
}

func newBlocked(b job.Blocked) *blocked {
	return &blocked{Run: b.Run, By: string(b.By), Stage: b.Stage, Since: b.Since}
}

func newStart(s job.Start) start {
	d := start{Config: string(s.Config), Trace: s.Trace, Caller: s.Caller, Waits: s.Waits}
	for _, in := range s.Inputs {
		d.Inputs = append(d.Inputs, input(in))
	}
	for _, w := range s.Warnings {
		d.Warnings = append(d.Warnings, warning(w))
	}
	if s.Notify != nil {
		n := notify(*s.Notify)
		d.Notify = &n
	}
	return d
}

func newStages(stages []job.Stage) []stage {
	d := make([]stage, 0, len(stages))
	for _, s := range stages {
		d = append(d, stage{Name: s.Name, Status: string(s.Status)})
	}
	return d
}

func newFiles(files []job.File) []file {
	d := make([]file, 0, len(files))
	for _, f := range files {
		d = append(d, file(f))
	}
	return d
}

func newEffects(effects []job.Effect) []effect {
	d := make([]effect, 0, len(effects))
	for _, e := range effects {
		d = append(d, effect{ID: e.ID, Kind: string(e.Kind), Run: e.Run})
	}
	return d
}

func newDeliveries(deliveries []job.Delivery) []delivery {
	d := make([]delivery, 0, len(deliveries))
	for _, v := range deliveries {
		d = append(d, newDelivery(v))
	}
	return d
}

func newDelivery(v job.Delivery) delivery {
	return delivery{
		ID: v.ID, Event: string(v.Event), Channel: string(v.Channel), State: string(v.State), Owed: v.Owed, Next: v.Next,
		Attempts: v.Attempts, Last: v.Last, Error: v.Error,
	}
}

func newFailure(f *job.Failure) *failure {
	if f == nil {
		return nil
	}
	return &failure{Code: string(f.Code), Message: f.Message, Stage: f.Stage}
}

// job returns the job of a document. Missing fields are zero.
func (d document) job() job.Job {
	j := job.Job{
		ID: d.ID, SecretHash: d.SecretHash, Name: d.Name, Batch: d.Batch, RerunOf: d.RerunOf, Owner: d.Owner,
		Workflow: d.Workflow, API: d.API, State: job.State(d.State),
		Created: d.Created, Started: d.Started, Began: d.Began, Updated: d.Updated, Expires: d.Expires, Due: d.Due,
		Run: d.Run, RunName: d.Launched,
	}
	if d.Start != nil {
		j.Start = &job.Start{Config: []byte(d.Start.Config), Trace: d.Start.Trace, Caller: d.Start.Caller, Waits: d.Start.Waits}
		for _, in := range d.Start.Inputs {
			j.Start.Inputs = append(j.Start.Inputs, job.Input(in))
		}
		for _, w := range d.Start.Warnings {
			j.Start.Warnings = append(j.Start.Warnings, job.Warning(w))
		}
		if d.Start.Notify != nil {
			n := job.Notify(*d.Start.Notify)
			j.Start.Notify = &n
		}
	}
	if b := d.Blocked; b != nil {
		j.Blocked = job.Blocked{Run: b.Run, By: job.FailureCode(b.By), Stage: b.Stage, Since: b.Since}
	}
	for _, s := range d.Stages {
		j.Stages = append(j.Stages, job.Stage{Name: s.Name, Status: job.StageStatus(s.Status)})
	}
	for _, f := range d.Results {
		j.Results = append(j.Results, job.File(f))
	}
	for _, f := range d.Logs {
		j.Logs = append(j.Logs, job.File(f))
	}
	for _, e := range d.Owed {
		j.Owed = append(j.Owed, job.Effect{ID: e.ID, Kind: job.EffectKind(e.Kind), Run: e.Run})
	}
	for _, v := range d.Deliveries {
		j.Deliveries = append(j.Deliveries, job.Delivery{
			ID: v.ID, Event: job.Event(v.Event), Channel: job.Channel(v.Channel), State: job.DeliveryState(v.State), Owed: v.Owed,
			Next: v.Next, Attempts: v.Attempts, Last: v.Last, Error: v.Error,
		})
	}
	if f := d.Failure; f != nil {
		j.Failure = &job.Failure{Code: job.FailureCode(f.Code), Message: f.Message, Stage: f.Stage}
	}
	return j
}

// registry returns the encoding of Go values as BSON. It replaces invalid bytes of text that is not UTF-8 by U+FFFD: BSON does
// not allow them, and servers handle them differently.
func registry() *bson.Registry {
	r := bson.NewRegistry()
	r.RegisterKindEncoder(reflect.String, bson.ValueEncoderFunc(
		func(_ bson.EncodeContext, w bson.ValueWriter, v reflect.Value) error {
			return w.WriteString(strings.ToValidUTF8(v.String(), "\uFFFD"))
		}))
	return r
}

// marshal encodes a document as the client does.
func (s *Store) marshal(document any) (bson.Raw, error) {
	var b bytes.Buffer
	encoder := bson.NewEncoder(bson.NewDocumentWriter(&b))
	encoder.SetRegistry(s.registry)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
