package status

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// JobState returns one job in full, and may wait for a change of it.
func (v V2) JobState(ctx context.Context, r *pb.JobStateRequest) (*pb.JobStateResponse, error) {
	if r.GetWait() < 0 {
		return nil, job.Errorf(job.Invalid, "wait: the number of seconds must not be negative")
	}
	wait := time.Duration(min(r.GetWait(), int64(MaxWait/time.Second))) * time.Second
	shown, err := v.f.State(ctx, Ref{ID: r.GetJobId(), Secret: r.GetSecret()}, wait, r.GetAfter(),
		func(w View) string { return versionOf(stateV2(w)) })
	if err != nil {
		return nil, err
	}
	answer := stateV2(shown)
	if answer.GetResultKind() == pb.ResultKind_RESULT_KIND_UNSPECIFIED {
		// Clients can't read an answer with an unknown kind.
		return nil, job.Errorf(job.NotFound, "the job's workflow %q is not known to this version of the backend", shown.Job.Workflow)
	}
	answer.Version = versionOf(answer)
	answer.JobId = r.GetJobId()
	return answer, nil
}

// stateV2 is a job in full in the words of the second version, without a version.
func stateV2(v View) *pb.JobStateResponse {
	j := v.Job
	w, _ := workflow.Lookup(j.Workflow)
	answer := &pb.JobStateResponse{
		JobId: j.ID, Name: j.Name, Batch: j.Batch, WorkflowKind: pb.Value[pb.WorkflowKind](j.Workflow),
		ResultKind: pb.Value[pb.ResultKind](w.ResultKind),
		Status:     statusV2(j.State), Created: timeV2(j.Created), Started: timeV2(j.Started), Updated: timeV2(j.Updated),
		Expires: timeV2(j.Expires), Run: int32(j.Run), //nolint:gosec // at most job.MaxRuns
		Began: timeV2(j.Began), Progress: progressV2(v), Queue: queueV2(v), Expected: expectedV2(v), Failure: failureV2(j),
		Config: configV2(j), Hindrance: hindranceV2(v),
	}
	if answer.GetStatus() == pb.JobStatus_JOB_STATUS_INIT {
		answer.Waiting = proto.Bool(j.State == job.Submitted)
	}
	if j.State.Ended() {
		answer.Ended = timeV2(j.Updated)
	}
	if j.RerunOf != "" {
		answer.RerunOf = proto.String(j.RerunOf)
	}
	answer.Stage = stageV2(v)
	for _, s := range j.Stages {
		answer.Stages = append(answer.Stages, &pb.StageState{Stage: s.Name, Status: stageStatusV2(s.Status)})
	}
	answer.Notifications = notificationsV2(j)
	return answer
}

// notificationsV2 are the messages that the owner of a job asked for.
func notificationsV2(j job.Job) (list []*pb.Notification) {
	for _, d := range j.Deliveries {
		if d.Channel == job.ChannelCommand {
			continue // it is the operators'
		}
		n := &pb.Notification{
			Id: job.MessageID(j.ID, d.Event), Event: pb.Value[pb.NotificationEvent](string(d.Event)),
			Channel: pb.Value[pb.NotificationChannel](string(d.Channel)), Status: pb.Value[pb.NotificationStatus](string(d.State)),
			Attempts: int32(d.Attempts), LastAttempt: timeV2(d.Last), //nolint:gosec // some dozens
		}
		if d.State == job.DeliveryPending {
			n.NextAttempt = timeV2(d.Next)
		}
		if d.Error != "" {
			n.Error = proto.String(d.Error)
		}
		list = append(list, n)
	}
	return list
}

// versionOf stands for what an answer shows. It does not cover what changes although nothing happens to the job.
func versionOf(answer *pb.JobStateResponse) string {
	shown := proto.CloneOf(answer)
	shown.JobId, shown.Version, shown.Updated, shown.Expires, shown.Expected = "", "", nil, nil, nil
	if shown.GetQueue() != nil {
		shown.Queue.Length = 0
	}
	// Only texts, numbers and times: marshalling can't fail.
	encoded, _ := proto.MarshalOptions{Deterministic: true}.Marshal(shown)
	sum := sha256.Sum256(encoded)
	return base64.RawURLEncoding.EncodeToString(sum[:9])
}

// timeV2 returns a time, or nil for none.
func timeV2(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// stageV2 is the stage that runs, if there is one.
func stageV2(v View) *string {
	if v.Stage == "" {
		return nil
	}
	return proto.String(v.Stage)
}

func queueV2(v View) *pb.Queue {
	if v.Place == 0 {
		return nil
	}
	return &pb.Queue{Place: int32(v.Place), Length: int32(v.Length)} //nolint:gosec // a runner does not hold so many
}

func hindranceV2(v View) *string {
	if v.Hindrance == "" {
		return nil
	}
	return proto.String(v.Hindrance)
}

func expectedV2(v View) *pb.Expected {
	e := v.Expected
	if e == nil {
		return nil
	}
	return &pb.Expected{Start: timeV2(e.Start), End: timeV2(e.End), LatestEnd: timeV2(e.LatestEnd), Runs: int32(e.Runs)} //nolint:gosec // few
}

func progressV2(v View) *pb.Progress {
	if v.Step == nil {
		return nil
	}
	return &pb.Progress{Step: int32(v.Step.Number), Steps: int32(v.Step.Of), Text: v.Step.Name} //nolint:gosec // some dozens
}

func failureV2(j job.Job) *pb.Failure {
	if j.State != job.Failed {
		return nil
	}
	failure := &pb.Failure{Code: string(job.Internal), Message: reason(j)}
	if f := j.Failure; f != nil {
		failure.Code = string(f.Code)
		if f.Stage != "" {
			failure.Stage = proto.String(f.Stage)
		}
	}
	return failure
}

// detail adds the details of a list to a row.
func detail(row *pb.Job, v View) {
	if row.GetStatus() == pb.JobStatus_JOB_STATUS_INIT {
		row.Waiting = proto.Bool(v.Job.State == job.Submitted)
	}
	row.Stage, row.Progress, row.Queue, row.Expected, row.Failure = stageV2(v), progressV2(v), queueV2(v), expectedV2(v), failureV2(v.Job)
	row.Hindrance = hindranceV2(v)
}
