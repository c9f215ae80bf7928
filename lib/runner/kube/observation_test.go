package kube

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// capture is a run as a real cluster had it at a moment: its Job and all pods with its labels. What observe
// does not read is left out.
type capture struct {
	Now  time.Time    `json:"now"`
	Job  *batchv1.Job `json:"job"`
	Pods []corev1.Pod `json:"pods"`
}

func captured(t *testing.T, name string) capture {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "observed", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var c capture
	if err := json.Unmarshal(content, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func stages(status ...job.StageStatus) []job.Stage {
	var s []job.Stage
	for i, status := range status {
		s = append(s, job.Stage{Name: []string{"first_stage", "second_stage"}[i], Status: status})
	}
	return s
}

const contactOperators = "This is not a fault of your data; please contact the operators."

// observations says what is to be made of every capture. A test on a real cluster brings each of these
// situations about, and waits until this is what is observed.
var observations = map[string]job.Observation{
	"pod not allowed": {Phase: job.Waiting, Blocked: true, Waiting: "its pod is not created yet"},
	"unschedulable": {Phase: job.Waiting, Blocked: true,
		Waiting: "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector"},
	"claim missing": {Phase: job.Waiting, Blocked: true, Waiting: `0/1 nodes are available: persistentvolumeclaim "none" not found`},
	"image missing": {
		Phase:   job.Waiting,
		Blocked: true,
		Waiting: "the image 127.0.0.1:1/none:1 can't be pulled",
		Failure: &job.Failure{
			Code:    job.BadImage,
			Stage:   "first_stage",
			Message: "The image 127.0.0.1:1/none:1, which the job needs, can't be pulled. " + contactOperators,
		},
	},
	"image name invalid": {
		Phase:   job.Waiting,
		Blocked: true,
		Waiting: "the image No Image can't be pulled (InvalidImageName)",
		Failure: &job.Failure{
			Code:    job.BadImage,
			Stage:   "first_stage",
			Message: "The image No Image, which the job needs, can't be pulled (InvalidImageName). " + contactOperators,
		},
	},
	"secret missing": {
		Phase:   job.Waiting,
		Blocked: true,
		Waiting: "its container can't be created (CreateContainerConfigError)",
		Failure: &job.Failure{
			Code:    job.Unschedulable,
			Message: "The container of the job could not be created (CreateContainerConfigError). " + contactOperators,
		},
	},
	"suspended":                  {Phase: job.Waiting, Blocked: true, Waiting: `it waits in the queue "annotation"`},
	"stage-in runs":              {Phase: job.Waiting, Waiting: "its files are downloaded"},
	"first stage runs":           {Phase: job.Active, Stages: stages(job.StageRunning, job.StagePending)},
	"second stage runs":          {Phase: job.Active, Stages: stages(job.StageSucceeded, job.StageRunning)},
	"stage-out runs":             {Phase: job.Active, Stages: stages(job.StageSucceeded, job.StageRunning)},
	"completed":                  {Phase: job.Ended, Stages: stages(job.StageSucceeded, job.StageRunning)},
	"refused":                    {Phase: job.Ended, Stages: stages(job.StageSucceeded, job.StageRunning)},
	"stage took too long":        {Phase: job.Ended, Stages: stages(job.StageSucceeded, job.StageRunning)},
	"pod deleted, tried again":   {Phase: job.Waiting, Blocked: true, Waiting: "it was interrupted and is retried"},
	"pod deleted once too often": {Phase: job.Ended, Interrupted: true},
	"out of memory":              {Phase: job.Ended, Stages: stages(job.StageFailed, job.StagePending), Failure: outOfMemory64},
	"killed with its stager":     {Phase: job.Ended, Interrupted: true, Stages: stages(job.StageFailed, job.StagePending)},
	"deadline while a stage ran": {
		Phase:  job.Ended,
		Stages: stages(job.StageRunning, job.StagePending),
		Failure: &job.Failure{
			Code:    job.OutOfTime,
			Message: "The job waited and ran longer than it may (20s), and was ended. " + large + " take longer; please contact the operators.",
		},
	},
	"evicted, runs again": {Phase: job.Active, Stages: stages(job.StageRunning, job.StagePending)},
	"disk full": {Phase: job.Ended, Stages: stages(job.StageFailed, job.StagePending),
		Failure: outOfDisk5},
	"disk full, tried again":          {Phase: job.Ended, Stages: stages(job.StageFailed, job.StagePending), Failure: outOfDisk5},
	"node gone":                       {Phase: job.Ended, Interrupted: true, Stages: stages(job.StageRunning, job.StagePending)},
	"deleted while it runs":           {Phase: job.Active, Stages: stages(job.StageRunning, job.StagePending)},
	"deleted with its pods":           {Phase: job.Ended, Interrupted: true},
	"deleted while it ran to its end": {Phase: job.Ended, Stages: stages(job.StageSucceeded, job.StageRunning)},
}

var outOfMemory64 = &job.Failure{
	Code:  job.OutOfMemory,
	Stage: "first_stage",
	Message: "The job needed more memory than it may use (64Mi), in the stage first_stage. " +
		large + " need more; please contact the operators.",
}

var outOfDisk5 = &job.Failure{
	Code:  job.OutOfDisk,
	Stage: "first_stage",
	Message: "The job needed more disk space than it may use (5Mi), in the stage first_stage. " +
		large + " need more; please contact the operators.",
}

func sinceIgnored() cmp.Option {
	return cmpopts.IgnoreFields(job.Observation{}, "Since", "Began")
}

func TestObserve(t *testing.T) {
	files, err := os.ReadDir(filepath.Join("testdata", "observed"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".json"))
	}
	for name := range observations {
		if !slices.Contains(names, name) {
			t.Errorf("%s was never captured", name)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			want, ok := observations[name]
			if !ok {
				t.Fatal("no observation is expected for this capture")
			}
			c := captured(t, name)
			got := observe(c.Job, c.Pods, c.Now)
			if diff := cmp.Diff(want, got, sinceIgnored(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// Whatever it is, it began before it was seen, and not before there was a Job.
			running := slices.ContainsFunc(got.Stages, func(s job.Stage) bool { return s.Status == job.StageRunning })
			if got.Phase == job.Active && running &&
				(got.Began.IsZero() || got.Began.After(got.Since)) || got.Phase == job.Waiting && len(got.Stages) == 0 && !got.Began.IsZero() {
				t.Errorf("began %v; in this phase since %v", got.Began, got.Since)
			}
			if got.Failure != nil && got.Phase == job.Waiting {
				if !got.Since.IsZero() {
					t.Errorf("since %v; Kubernetes does not say when it failed first", got.Since)
				}
			} else if got.Since.Before(c.Job.CreationTimestamp.Time) || got.Since.After(c.Now.Add(time.Minute)) {
				t.Errorf("since %v; the Job is of %v, seen at %v", got.Since, c.Job.CreationTimestamp, c.Now)
			}
			// A pod of another Job of the same labels changes nothing.
			foreign := corev1.Pod{}
			foreign.CreationTimestamp.Time = c.Now.Add(time.Hour)
			foreign.Status.Phase = corev1.PodFailed
			if again := observe(c.Job, append([]corev1.Pod{foreign}, c.Pods...), c.Now); !cmp.Equal(got, again) {
				t.Errorf("with a foreign pod: %s", cmp.Diff(got, again))
			}
			slices.Reverse(c.Pods)
			if again := observe(c.Job, c.Pods, c.Now); !cmp.Equal(got, again) {
				t.Errorf("with the pods in another order: %s", cmp.Diff(got, again))
			}
		})
	}
}

func TestObserveNothing(t *testing.T) {
	if got := observe(nil, nil, time.Now()); got.Phase != job.Absent {
		t.Errorf("%+v", got)
	}
}

// TestObserveWithoutThePod: the condition of a Job that failed says which container decided that, after its pod is gone, too.
func TestObserveWithoutThePod(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]job.Observation{
		"out of memory":          {Phase: job.Ended, Failure: outOfMemory64},
		"refused":                {Phase: job.Ended}, // the manifest has the reason
		"killed with its stager": {Phase: job.Ended, Interrupted: true},
		"node gone":              {Phase: job.Ended, Interrupted: true},
	} {
		c := captured(t, name)
		c.Job.Spec.Template.Spec = c.Pods[0].Spec // which captures leave out
		if name == "node gone" {
			c.Job.Status.Conditions = []batchv1.JobCondition{{
				Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: batchv1.JobReasonPodFailurePolicy, Message: "in other words",
			}}
		}
		if diff := cmp.Diff(want, observe(c.Job, nil, c.Now), sinceIgnored(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestSinceWithoutAPod: a run without a pod looks the same before its first pod and after one that ran for days and was deleted. So the
// times of its Job say since when only while that makes no difference.
func TestSinceWithoutAPod(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	condition := func(status corev1.ConditionStatus, age time.Duration) []batchv1.JobCondition {
		return []batchv1.JobCondition{{Type: batchv1.JobSuspended, Status: status, LastTransitionTime: metav1.NewTime(at.Add(-age))}}
	}
	const day = 24 * time.Hour
	for name, row := range map[string]struct {
		age       time.Duration // of the Job
		started   time.Duration // ago; 0: not
		suspended bool
		condition []batchv1.JobCondition
		failed    time.Duration // since its only pod has failed; 0: there is none
		want      time.Duration // ago; 0: not known
	}{
		"just created":                 {age: time.Second, want: time.Second},
		"old":                          {age: day, started: day},
		"just resumed":                 {age: day, started: time.Second, want: time.Second},
		"waits in a queue":             {age: day, suspended: true, condition: condition(corev1.ConditionTrue, day), want: day},
		"just suspended, not marked":   {age: day, suspended: true},
		"suspended again, not marked":  {age: day, suspended: true, condition: condition(corev1.ConditionFalse, time.Hour)},
		"resumed, not started":         {age: day, condition: condition(corev1.ConditionFalse, time.Second), want: time.Second},
		"its pod has just failed":      {age: day, started: day, failed: time.Second, want: time.Second},
		"its pod has failed long ago":  {age: day, started: day, failed: time.Hour},
		"its pod failed, just resumed": {age: day, started: time.Second, failed: time.Hour, want: time.Second},
	} {
		run := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{UID: "1", CreationTimestamp: metav1.NewTime(at.Add(-row.age))}}
		run.Spec.Suspend, run.Status.Conditions = &row.suspended, row.condition
		if row.started > 0 {
			run.Status.StartTime = &metav1.Time{Time: at.Add(-row.started)}
		}
		var pods []corev1.Pod
		if row.failed > 0 {
			pods = []corev1.Pod{{
				ObjectMeta: metav1.ObjectMeta{
					CreationTimestamp: metav1.NewTime(at.Add(-row.failed)),
					OwnerReferences:   []metav1.OwnerReference{{Kind: "Job", UID: "1", Controller: new(true)}},
				},
				Status: corev1.PodStatus{Phase: corev1.PodFailed},
			}}
		}
		got := observe(run, pods, at)
		var want time.Time
		if row.want > 0 {
			want = at.Add(-row.want)
		}
		if got.Phase != job.Waiting || !got.Blocked || !got.Since.Equal(want) {
			t.Errorf("%s: %+v; want it to wait since %v", name, got, want)
		}
	}
}
