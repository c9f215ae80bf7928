// Package apiv1 is how the first version of the API is served: the spellings that its clients use, and where a request names
// its job. The rest follows from the proto files.
package apiv1

import (
	"context"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/jsonform"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// API returns the service that users call.
func API() server.API {
	return server.API{
		Desc: &protov1.BaktaJobs_ServiceDesc,
		Register: func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return protov1.RegisterBaktaJobsHandlerClient(ctx, mux, protov1.NewBaktaJobsClient(conn))
		},
		Prefix: "/api/v1/",
		JSON: jsonform.Form{Aliases: []jsonform.Alias{
			{Name: "jobId", Field: "jobID"},
			{Name: "prodigalTrainingFile", Field: "hasProdigal", Presence: true},
		}},
		Open: []string{"Version"},
		Job:  jobOf,
	}
}

// Updates returns the service that the containers of jobs call. It has no REST form.
func Updates() server.API {
	return server.API{Desc: &protov1.BaktaStatusUpdate_ServiceDesc, Open: []string{"UpdateStatus"}, Job: jobOf}
}

// jobOf returns the id of the job that a request is about.
func jobOf(request any) string {
	var written string
	switch r := request.(type) {
	case interface{ GetJobID() string }:
		written = r.GetJobID()
	case interface{ GetJob() *protov1.JobAuth }:
		written = r.GetJob().GetJobID()
	}
	id, err := job.ParseID(written)
	if err != nil {
		return "" // it could be anything, a secret for example
	}
	return id
}
