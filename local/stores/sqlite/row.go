package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The columns of a job, in groups by who reads them.
var (
	listed = []string{"id", "secret_hash", "name", "owner", "workflow", "state", "created", "started", "updated"}
	swept  = append(listed[:len(listed):len(listed)],
		"batch", "api", "began", "expires", "due", "run", "run_name", "stages", "failure", "owed", "start", "deliveries", "rerun_of", "blocked")
	states = append(listed[:len(listed):len(listed)], "batch", "began", "expires", "run", "run_name", "stages", "failure", "start",
		"deliveries", "rerun_of")
	all = append(swept[:len(swept):len(swept)], "results", "logs")
)

// field returns the scanner that reads a column into a job.
func field(j *job.Job, column string) any {
	switch column {
	case "id":
		return &j.ID
	case "secret_hash":
		return &j.SecretHash
	case "name":
		return &j.Name
	case "batch":
		return &j.Batch
	case "rerun_of":
		return &j.RerunOf
	case "owner":
		return &j.Owner
	case "workflow":
		return &j.Workflow
	case "api":
		return &j.API
	case "state":
		return &j.State
	case "created":
		return (*instant)(&j.Created)
	case "started":
		return (*instant)(&j.Started)
	case "began":
		return (*instant)(&j.Began)
	case "updated":
		return (*instant)(&j.Updated)
	case "expires":
		return (*instant)(&j.Expires)
	case "due":
		return (*instant)(&j.Due)
	case "run":
		return &j.Run
	case "run_name":
		return &j.RunName
	case "start":
		return nested[*start](func(s *start) { j.Start = s.job() })
	case "stages":
		return nested[[]stage](func(s []stage) { j.Stages = stagesOf(s) })
	case "results":
		return nested[[]file](func(f []file) { j.Results = filesOf(f) })
	case "logs":
		return nested[[]file](func(f []file) { j.Logs = filesOf(f) })
	case "failure":
		return nested[*failure](func(f *failure) { j.Failure = f.job() })
	case "owed":
		return nested[[]effect](func(e []effect) { j.Owed = effectsOf(e) })
	case "blocked":
		return nested[*blocked](func(b *blocked) { j.Blocked = b.job() })
	case "deliveries":
		return nested[[]delivery](func(d []delivery) { j.Deliveries = deliveriesOf(d) })
	}
	panic("sqlite: no column " + column)
}

// value returns what a column stores of a job.
func value(j job.Job, column string) any {
	switch column {
	case "id":
		return clean(j.ID)
	case "secret_hash":
		if len(j.SecretHash) == 0 {
			return nil
		}
		return j.SecretHash
	case "name":
		return clean(j.Name)
	case "batch":
		return clean(j.Batch)
	case "rerun_of":
		return clean(j.RerunOf)
	case "owner":
		return clean(j.Owner)
	case "workflow":
		return clean(j.Workflow)
	case "api":
		return j.API
	case "state":
		return string(j.State)
	case "created":
		return j.Created.UnixMilli()
	case "started":
		return j.Started.UnixMilli()
	case "began":
		return j.Began.UnixMilli()
	case "updated":
		return j.Updated.UnixMilli()
	case "expires":
		return j.Expires.UnixMilli()
	case "due":
		return j.Due.UnixMilli()
	case "run":
		return j.Run
	case "run_name":
		return clean(j.RunName)
	case "start":
		return encodeStart(j.Start)
	case "stages":
		return encodeStages(j.Stages)
	case "results":
		return encodeFiles(j.Results)
	case "logs":
		return encodeFiles(j.Logs)
	case "failure":
		return encodeFailure(j.Failure)
	case "owed":
		return encodeEffects(j.Owed)
	case "blocked":
		return encodeBlocked(j.Blocked)
	case "deliveries":
		return encodeList(j.Deliveries, newDelivery)
	}
	panic("sqlite: no column " + column)
}

// values returns what all columns store of a job.
func values(j job.Job) []any {
	list := make([]any, 0, len(all))
	for _, column := range all {
		list = append(list, value(j, column))
	}
	return list
}

// instant scans a column of milliseconds.
type instant time.Time

// Scan implements sql.Scanner.
func (i *instant) Scan(src any) error {
	ms, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T", src)
	}
	*i = instant(time.UnixMilli(ms).UTC())
	return nil
}

// nested scans a column of JSON, and passes on what is in it. For NULL it passes on nothing.
type nested[T any] func(T)

// Scan implements sql.Scanner.
func (n nested[T]) Scan(src any) error {
	if src == nil {
		return nil
	}
	content, ok := src.(string)
	if !ok {
		return fmt.Errorf("a nested value is stored as %T", src)
	}
	var v T
	if err := json.Unmarshal([]byte(content), &v); err != nil {
		return err
	}
	n(v)
	return nil
}

// clean replaces invalid bytes of text that is not UTF-8 by U+FFFD.
func clean(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// text is text in a nested value.
type text string

// MarshalText implements encoding.TextMarshaler.
func (t text) MarshalText() ([]byte, error) { return []byte(clean(string(t))), nil }

// The nested values as they are stored. Fields of a later version are ignored.
type (
	start struct {
		Config   text      `json:"config"` // JSON as text: equal bytes mean the same start
		Inputs   []input   `json:"inputs,omitempty"`
		Trace    text      `json:"trace,omitempty"`
		Warnings []warning `json:"warnings,omitempty"`
		Notify   *notify   `json:"notify,omitempty"`
		Caller   text      `json:"caller,omitempty"`
		Waits    bool      `json:"waits,omitempty"`
	}
	notify struct {
		Webhook text   `json:"webhook,omitempty"`
		Email   text   `json:"email,omitempty"`
		Key     []byte `json:"key,omitempty"`
	}
	input struct {
		Kind text  `json:"kind"`
		Size int64 `json:"size"`
		ETag text  `json:"etag"`
		Name text  `json:"name"`
	}
	warning struct {
		Code    text `json:"code"`
		Upload  text `json:"upload"`
		Message text `json:"message"`
	}
	stage struct {
		Name   text `json:"name"`
		Status text `json:"status"`
	}
	file struct {
		Name text  `json:"name"`
		Key  text  `json:"key"`
		Size int64 `json:"size"`
		ETag text  `json:"etag"`
	}
	failure struct {
		Code    text `json:"code"`
		Message text `json:"message"`
		Stage   text `json:"stage,omitempty"`
	}
	blocked struct {
		Run   int   `json:"run"`
		By    text  `json:"by,omitempty"`
		Stage text  `json:"stage,omitempty"`
		Since int64 `json:"since"`
	}
	effect struct {
		ID   text `json:"id"`
		Kind text `json:"kind"`
		Run  int  `json:"run"`
	}
	delivery struct {
		ID       text  `json:"id"`
		Event    text  `json:"event"`
		Channel  text  `json:"channel"`
		State    text  `json:"state"`
		Owed     int64 `json:"owed"`
		Next     int64 `json:"next"`
		Attempts int   `json:"attempts"`
		Last     int64 `json:"last"`
		Error    text  `json:"error,omitempty"`
	}
)

// encode returns JSON for a column. Values of the types above can always be encoded.
func encode(v any) string {
	content, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(content)
}

// encodeList returns the JSON of a list, or NULL if it is empty.
func encodeList[From, To any](list []From, convert func(From) To) any {
	if len(list) == 0 {
		return nil
	}
	converted := make([]To, 0, len(list))
	for _, v := range list {
		converted = append(converted, convert(v))
	}
	return encode(converted)
}

func encodeStart(s *job.Start) any {
	if s == nil {
		return nil
	}
	d := start{Config: text(s.Config), Trace: text(s.Trace), Caller: text(s.Caller), Waits: s.Waits}
	for _, in := range s.Inputs {
		d.Inputs = append(d.Inputs, input{Kind: text(in.Kind), Size: in.Size, ETag: text(in.ETag), Name: text(in.Name)})
	}
	for _, w := range s.Warnings {
		d.Warnings = append(d.Warnings, warning{Code: text(w.Code), Upload: text(w.Upload), Message: text(w.Message)})
	}
	if n := s.Notify; n != nil {
		d.Notify = &notify{Webhook: text(n.Webhook), Email: text(n.Email), Key: n.Key}
	}
	return encode(d)
}

func (s *start) job() *job.Start {
	if s == nil {
		return nil
	}
	j := &job.Start{Config: []byte(s.Config), Trace: string(s.Trace), Caller: string(s.Caller), Waits: s.Waits}
	for _, in := range s.Inputs {
		j.Inputs = append(j.Inputs, job.Input{Kind: string(in.Kind), Size: in.Size, ETag: string(in.ETag), Name: string(in.Name)})
	}
	for _, w := range s.Warnings {
		j.Warnings = append(j.Warnings, job.Warning{Code: string(w.Code), Upload: string(w.Upload), Message: string(w.Message)})
	}
	if n := s.Notify; n != nil {
		j.Notify = &job.Notify{Webhook: string(n.Webhook), Email: string(n.Email), Key: n.Key}
	}
	return j
}

func encodeStages(stages []job.Stage) any {
	return encodeList(stages, func(s job.Stage) stage { return stage{Name: text(s.Name), Status: text(s.Status)} })
}

func stagesOf(stages []stage) (list []job.Stage) {
	for _, s := range stages {
		list = append(list, job.Stage{Name: string(s.Name), Status: job.StageStatus(s.Status)})
	}
	return list
}

func encodeFiles(files []job.File) any {
	return encodeList(files, func(f job.File) file {
		return file{Name: text(f.Name), Key: text(f.Key), Size: f.Size, ETag: text(f.ETag)}
	})
}

func filesOf(files []file) (list []job.File) {
	for _, f := range files {
		list = append(list, job.File{Name: string(f.Name), Key: string(f.Key), Size: f.Size, ETag: string(f.ETag)})
	}
	return list
}

func encodeEffects(effects []job.Effect) any {
	return encodeList(effects, func(e job.Effect) effect { return effect{ID: text(e.ID), Kind: text(e.Kind), Run: e.Run} })
}

func effectsOf(effects []effect) (list []job.Effect) {
	for _, e := range effects {
		list = append(list, job.Effect{ID: string(e.ID), Kind: job.EffectKind(e.Kind), Run: e.Run})
	}
	return list
}

func newDelivery(d job.Delivery) delivery {
	return delivery{
		ID: text(d.ID), Event: text(d.Event), Channel: text(d.Channel), State: text(d.State), Owed: d.Owed.UnixMilli(),
		Next: d.Next.UnixMilli(), Attempts: d.Attempts, Last: d.Last.UnixMilli(), Error: text(d.Error),
	}
}

func deliveriesOf(deliveries []delivery) (list []job.Delivery) {
	at := func(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
	for _, d := range deliveries {
		list = append(list, job.Delivery{
			ID: string(d.ID), Event: job.Event(d.Event), Channel: job.Channel(d.Channel), State: job.DeliveryState(d.State),
			Owed: at(d.Owed), Next: at(d.Next), Attempts: d.Attempts, Last: at(d.Last), Error: string(d.Error),
		})
	}
	return list
}

// encodeBlocked returns NULL for a run that is not blocked.
func encodeBlocked(b job.Blocked) any {
	if b == (job.Blocked{}) {
		return nil
	}
	return encode(blocked{Run: b.Run, By: text(b.By), Stage: text(b.Stage), Since: b.Since.UnixMilli()})
}

func (b *blocked) job() job.Blocked {
	return job.Blocked{Run: b.Run, By: job.FailureCode(b.By), Stage: string(b.Stage), Since: time.UnixMilli(b.Since).UTC()}
}

func encodeFailure(f *job.Failure) any {
	if f == nil {
		return nil
	}
	return encode(failure{Code: text(f.Code), Message: text(f.Message), Stage: text(f.Stage)})
}

func (f *failure) job() *job.Failure {
	if f == nil {
		return nil
	}
	return &job.Failure{Code: job.FailureCode(f.Code), Message: string(f.Message), Stage: string(f.Stage)}
}
