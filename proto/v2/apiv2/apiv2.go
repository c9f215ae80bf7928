// Package apiv2 is how the second version of the API is served: its words, the bodies and texts that its clients expect, and
// where a request names its job. The rest follows from the proto files.
package apiv2

import (
	"context"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/jsonform"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// API returns the service that users call. Its REST errors are JSON strings.
func API() server.API {
	return server.API{
		Desc: &protov2.BaktaJobs_ServiceDesc,
		Register: func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return protov2.RegisterBaktaJobsHandlerClient(ctx, mux, protov2.NewBaktaJobsClient(conn))
		},
		Prefix: "/api/v2/",
		JSON: jsonform.Form{
			Words: protov2.WordOf,
			Bodies: map[protoreflect.FullName]string{
				(*protov2.StartJobResponse)(nil).ProtoReflect().Descriptor().FullName(): "null",
				(*protov2.DeleteResponse)(nil).ProtoReflect().Descriptor().FullName():   "",
			},
		},
		ErrorBody:    func(st *status.Status) []byte { return jsonform.Text(st.Message()) },
		MisfitStatus: http.StatusUnprocessableEntity,
		Texts: map[job.Code]string{
			job.NotFound:    "Job not found",
			job.WrongSecret: "Unauthorized",
		},
		Open: []string{"Access", "Workflows", "Options", "Version"},
		Job:  jobOf,
	}
}

// jobOf returns the id of the job that a request is about.
func jobOf(request any) string {
	var written string
	switch r := request.(type) {
	case interface{ GetJobId() string }:
		written = r.GetJobId()
	case interface{ GetJob() *protov2.JobRef }:
		written = r.GetJob().GetJobId()
	}
	id, err := job.ParseID(written)
	if err != nil {
		return "" // it could be anything, a secret for example
	}
	return id
}
