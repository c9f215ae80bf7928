package apiv1_test

import (
	"strings"
	"testing"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// The id of a request's job is logged. Any other text in its place may be a secret, and is not.
func TestJob(t *testing.T) {
	t.Parallel()
	const id = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"
	for _, row := range []struct {
		request any
		want    string
	}{
		{&protov1.JobAuth{JobID: id}, id},
		{&protov1.JobAuth{JobID: strings.ToUpper(id)}, id},
		{&protov1.JobAuth{JobID: "FmZUzJ6Y0example0example0KZw2Qr8"}, ""},
		{&protov1.JobAuth{}, ""},
		{&protov1.LogsRequest{JobID: id}, id},
		{&protov1.StartJobRequest{Job: &protov1.JobAuth{JobID: id}}, id},
		{&protov1.StartJobRequest{}, ""},
		{&protov1.JobStatusRequestList{Jobs: []*protov1.JobAuth{{JobID: id}}}, ""},
		{&protov1.InitJobRequest{Name: id}, ""},
		{&protov1.Empty{}, ""},
	} {
		if got := apiv1.API().Job(row.request); got != row.want {
			t.Errorf("%T is about the job %q, not %q", row.request, got, row.want)
		}
	}
	if got := apiv1.Updates().Job(&protov1.UpdateStatusRequest{JobID: id}); got != id {
		t.Errorf("an update is about the job %q", got)
	}
}
