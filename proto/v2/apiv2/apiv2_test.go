package apiv2_test

import (
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// The id of a request's job is logged. Any other text in its place may be a secret, and is not.
func TestJob(t *testing.T) {
	t.Parallel()
	const id = "0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d"
	for _, row := range []struct {
		request any
		want    string
	}{
		{&protov2.JobResultRequest{JobId: id}, id},
		{&protov2.DeleteRequest{JobId: strings.ToUpper(id)}, id},
		{&protov2.LogsRequest{JobId: "FmZUzJ6Y0example0example0KZw2Qr8"}, ""},
		{&protov2.StartJobRequest{Job: &protov2.JobRef{JobId: id}}, id},
		{&protov2.StartJobRequest{}, ""},
		{&protov2.JobsStatusRequest{Jobs: []*protov2.JobRef{{JobId: id}}}, ""},
		{&protov2.VersionRequest{}, ""},
	} {
		if got := apiv2.API().Job(row.request); got != row.want {
			t.Errorf("%T is about the job %q, not %q", row.request, got, row.want)
		}
	}
}

// Errors are JSON strings, and a body that does not fit has a status of its own.
func TestErrors(t *testing.T) {
	t.Parallel()
	api := apiv2.API()
	if got := string(api.ErrorBody(status.New(codes.NotFound, `"<é>" & \`))); got != `"\"<é>\" & \\"` {
		t.Errorf("an error is written as %s", got)
	}
	if api.MisfitStatus != http.StatusUnprocessableEntity {
		t.Errorf("a misfit is %d", api.MisfitStatus)
	}
}
