package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// instruments are all metrics. The comments have their names in Prometheus: it replaces dots by underscores, and appends the unit, and
// _total to counters.
type instruments struct {
	requests metric.Float64Histogram // http_request_duration_seconds{route,method,status}
	events   metric.Int64Counter     // events_total{event,outcome}

	created   metric.Int64Counter     // jobs_created_total{api_version,workflow_kind}
	submitted metric.Int64Counter     // jobs_submitted_total{api_version,workflow_kind}
	completed metric.Int64Counter     // jobs_completed_total{workflow_kind,status}
	failed    metric.Int64Counter     // jobs_failed_total{workflow_kind,code}
	removed   metric.Int64Counter     // jobs_removed_total{reason}
	launches  metric.Int64Counter     // job_launches_total{workflow_kind,run,result}
	active    metric.Int64Gauge       // jobs_active{workflow_kind,status}
	queued    metric.Float64Histogram // job_queue_seconds{workflow_kind}
	runtime   metric.Float64Histogram // job_runtime_seconds{workflow_kind}
	recorded  metric.Float64Histogram // job_outcome_delay_seconds{workflow_kind}

	refusals    metric.Int64Counter     // limit_refusals_total{limit}
	uncounted   metric.Int64Counter     // limit_uncounted_total
	deliveries  metric.Int64Counter     // deliveries_total{channel,event,outcome}
	delivery    metric.Float64Histogram // delivery_delay_seconds{channel}
	unattempted metric.Float64Gauge     // deliveries_unattempted_seconds

	sweeps    metric.Int64Counter     // sweeps_total{result}
	sweepTime metric.Float64Histogram // sweep_duration_seconds
	swept     metric.Int64Counter     // sweep_jobs_total{task,result}
}

// Bounds of histograms, in seconds.
var (
	requestBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120}
	delayBounds   = []float64{.1, .25, .5, 1, 1.5, 2, 3, 5, 10, 30, 60, 120, 300, 900}
	jobBounds     = []float64{1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400}
)

func newInstruments(m metric.Meter) (i instruments, err error) {
	counter := func(name, about string) metric.Int64Counter {
		c, e := m.Int64Counter(name, metric.WithDescription(about))
		err = errors.Join(err, e)
		return c
	}
	seconds := func(name, about string, bounds []float64) metric.Float64Histogram {
		h, e := m.Float64Histogram(name, metric.WithDescription(about), metric.WithUnit("s"), metric.WithExplicitBucketBoundaries(bounds...))
		err = errors.Join(err, e)
		return h
	}
	i = instruments{
		requests: seconds("http.request.duration", "Duration of requests: REST, gRPC and events.", requestBounds),
		events:   counter("events", "Events received, by outcome."),

		created:   counter("jobs.created", "Jobs created."),
		submitted: counter("jobs.submitted", "Jobs started."),
		completed: counter("jobs.completed", "Jobs that ended, each counted once."),
		failed:    counter("jobs.failed", "Jobs that failed, by the code of the failure."),
		removed:   counter("jobs.removed", "Jobs marked for removal."),
		launches:  counter("job.launches", "Attempts to launch a run."),
		queued:    seconds("job.queue", "Time from a job's start to the beginning of its first stage.", jobBounds),
		runtime:   seconds("job.runtime", "Time from the beginning of a job's first stage to the end of its last.", jobBounds),
		recorded:  seconds("job.outcome.delay", "Time from the end of a job's last stage to its outcome being recorded.", delayBounds),

		refusals:   counter("limit.refusals", "Calls that a limit of their caller refused."),
		uncounted:  counter("limit.uncounted", "Calls that passed the limits of their caller because they could not be counted."),
		deliveries: counter("deliveries", "Attempts to deliver a message about the end of a job, by what became of the delivery."),
		delivery:   seconds("delivery.delay", "Time from when a message was due to its delivery.", jobBounds),

		sweeps:    counter("sweeps", "Sweeps, by result."),
		sweepTime: seconds("sweep.duration", "Duration of sweeps.", requestBounds),
		swept:     counter("sweep.jobs", "Due jobs, by the task and result of the sweep."),
	}
	var e error
	i.active, e = m.Int64Gauge("jobs.active", metric.WithDescription("Jobs that wait or run, at the last sweep."))
	err = errors.Join(err, e)
	i.unattempted, e = m.Float64Gauge("deliveries.unattempted", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest message that is due and was not attempted, at the last sweep."))
	return i, errors.Join(err, e)
}

// The labels of metrics.
const (
	routeLabel    = attribute.Key("route")
	methodLabel   = attribute.Key("method")
	statusLabel   = attribute.Key("status")
	eventLabel    = attribute.Key("event")
	outcomeLabel  = attribute.Key("outcome")
	apiLabel      = attribute.Key("api_version")
	workflowLabel = attribute.Key("workflow_kind")
	codeLabel     = attribute.Key("code")
	reasonLabel   = attribute.Key("reason")
	runLabel      = attribute.Key("run")
	resultLabel   = attribute.Key("result")
	taskLabel     = attribute.Key("task")
	limitLabel    = attribute.Key("limit")
	channelLabel  = attribute.Key("channel")
)

func labels(pairs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(pairs...))
}

// Created counts a created job.
func (t *Telemetry) Created(ctx context.Context, workflow string) {
	t.created.Add(ctx, 1, labels(apiLabel.String(requestOf(ctx).api), workflowLabel.String(workflow)))
}

// Started counts a started job. Only the call whose compare-and-set started the job may call it.
func (t *Telemetry) Started(ctx context.Context, workflow string) {
	t.submitted.Add(ctx, 1, labels(apiLabel.String(requestOf(ctx).api), workflowLabel.String(workflow)))
}

// Launched counts an attempt to launch the job's run. err is its error.
func (t *Telemetry) Launched(ctx context.Context, j job.Job, err error) {
	t.launches.Add(ctx, 1, labels(workflowLabel.String(j.Workflow), runLabel.Int(j.Run), resultLabel.String(result(err))))
}

// Ended counts a job that ended. Only the call whose compare-and-set stored the outcome may call it.
func (t *Telemetry) Ended(ctx context.Context, j job.Job, end job.End) {
	workflow := workflowLabel.String(j.Workflow)
	status := "successful"
	if end.State != job.Succeeded {
		status = "error"
		code := job.Internal
		if end.Failure != nil {
			code = end.Failure.Code
		}
		t.failed.Add(ctx, 1, labels(workflow, codeLabel.String(string(code))))
	}
	t.completed.Add(ctx, 1, labels(workflow, statusLabel.String(status)))
	// The clock of the run may differ from that of this process, so a difference may be negative.
	since := func(h metric.Float64Histogram, from, to time.Time) {
		if !from.IsZero() && !to.IsZero() {
			h.Record(ctx, max(0, to.Sub(from).Seconds()), labels(workflow))
		}
	}
	since(t.queued, j.Started, end.Began)
	since(t.runtime, end.Began, end.Over)
	since(t.recorded, end.Over, end.At)
}

// Refused counts a call that a limit of its caller refused.
func (t *Telemetry) Refused(ctx context.Context, limit string) {
	t.refusals.Add(ctx, 1, labels(limitLabel.String(limit)))
}

// Uncounted counts a call that passed because it could not be counted.
func (t *Telemetry) Uncounted(ctx context.Context) { t.uncounted.Add(ctx, 1) }

// Removed counts a job that was marked for removal, by its owner or because it expired.
func (t *Telemetry) Removed(ctx context.Context, expired bool) {
	reason := "owner"
	if expired {
		reason = "expired"
	}
	t.removed.Add(ctx, 1, labels(reasonLabel.String(reason)))
}

// Looked counts a job that a sweep handled. err is the reason why it was postponed.
func (t *Telemetry) Looked(ctx context.Context, task string, err error) {
	t.swept.Add(ctx, 1, labels(taskLabel.String(task), resultLabel.String(result(err))))
}

// Swept counts a sweep that ended. busy means that another sweep was running, so this one did nothing. Swept also measures the number of
// active jobs: sweeps are frequent enough, and no caller waits for them.
func (t *Telemetry) Swept(ctx context.Context, took time.Duration, busy bool, err error) {
	how := result(err)
	if busy {
		how = "busy"
	}
	t.sweeps.Add(ctx, 1, labels(resultLabel.String(how)))
	if busy {
		return
	}
	t.sweepTime.Record(ctx, took.Seconds())
	if t.options.Active == nil || t.options.Metrics.Protocol == None {
		return
	}
	counts, err := t.options.Active(ctx)
	if err != nil {
		t.options.Log.WarnContext(ctx, "active jobs cannot be counted", "error", err)
		return
	}
	t.count(ctx, counts)
}

// Unattempted sets the gauge of the oldest delivery that was not attempted.
func (t *Telemetry) Unattempted(ctx context.Context, age time.Duration) {
	t.unattempted.Record(ctx, age.Seconds())
}

// Attempted counts an attempt at a delivery that is due since that time.
func (t *Telemetry) Attempted(ctx context.Context, d job.Delivery, age time.Duration) {
	channel := channelLabel.String(string(d.Channel))
	t.deliveries.Add(ctx, 1, labels(channel, eventLabel.String(string(d.Event)), outcomeLabel.String(string(d.State))))
	if d.State == job.Delivered {
		t.delivery.Record(ctx, max(0, age.Seconds()), labels(channel))
	}
}

// Count is a number of jobs of one kind in one state.
type Count struct {
	Workflow string
	State    job.State
	Launched bool // whether their run was launched
	Waits    bool // whether they wait for the turn of their callers
	Jobs     int
}

// The states of active jobs.
const (
	owed    = "pending" // the run is not launched yet
	turn    = "turn"    // it is not launched because the caller has its share of runs
	waiting = "init"    // launched, but not seen running
	running = "running"
)

// count sets the gauge of active jobs. It sets missing kinds to 0, because a gauge keeps its last value.
func (t *Telemetry) count(ctx context.Context, counts []Count) {
	type kind struct{ workflow, status string }
	now := make(map[kind]int)
	for _, w := range t.options.Workflows {
		for _, status := range []string{owed, turn, waiting, running} {
			now[kind{w, status}] = 0
		}
	}
	for _, c := range counts {
		status := running
		switch {
		case c.Waits:
			status = turn
		case !c.Launched:
			status = owed
		case c.State == job.Submitted:
			status = waiting
		}
		now[kind{c.Workflow, status}] += c.Jobs
	}
	for k, n := range now {
		t.active.Record(ctx, int64(n), labels(workflowLabel.String(k.workflow), statusLabel.String(k.status)))
	}
}

// result returns the label of an error: done, unavailable (another service is down, or a deadline was exceeded) or failed.
func result(err error) string {
	switch {
	case err == nil:
		return "done"
	case job.Is(err, job.Unavailable), errors.Is(err, context.DeadlineExceeded):
		return "unavailable"
	}
	return "failed"
}
