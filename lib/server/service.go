package server

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// API is one version of one service: its gRPC form, and its REST form if it has one.
type API struct {
	Desc *grpc.ServiceDesc // as generated; its methods may not stream

	// Register puts the generated REST gateway on a mux. Nil: there is no REST form.
	Register func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error
	Prefix   string // what all of the REST form's paths begin with: "/api/v1/"
	JSON     JSON   // how its JSON is read and written
	// TextErrors says that its REST errors are JSON strings, and that a body that is JSON and does not fit is 422;
	// else they are objects with code, message and details, and it is 400.
	TextErrors bool
	// Texts holds what callers are told in place of an error's message, where clients know a text by heart.
	Texts map[job.Code]string
	// Job returns the id of the job that a request is about, for the log; "" if it is about none, or several.
	Job func(request any) string
}

// V1 is the API's first version.
func V1() API {
	return API{
		Desc: &protov1.BaktaJobs_ServiceDesc,
		Register: func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return protov1.RegisterBaktaJobsHandlerClient(ctx, mux, protov1.NewBaktaJobsClient(conn))
		},
		Prefix: "/api/v1/",
		JSON: JSON{Aliases: []Alias{
			{Name: "jobId", Field: "jobID"},
			{Name: "prodigalTrainingFile", Field: "hasProdigal", Presence: true},
		}},
		Job: func(request any) string {
			switch r := request.(type) {
			case interface{ GetJobID() string }:
				return r.GetJobID()
			case interface{ GetJob() *protov1.JobAuth }:
				return r.GetJob().GetJobID()
			}
			return ""
		},
	}
}

// V2 is the API's second version.
func V2() API {
	return API{
		Desc: &protov2.BaktaJobs_ServiceDesc,
		Register: func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return protov2.RegisterBaktaJobsHandlerClient(ctx, mux, protov2.NewBaktaJobsClient(conn))
		},
		Prefix: "/api/v2/",
		JSON: JSON{
			Words: protov2.WordOf,
			Bodies: map[protoreflect.FullName]string{
				(*protov2.StartJobResponse)(nil).ProtoReflect().Descriptor().FullName(): "null",
				(*protov2.DeleteResponse)(nil).ProtoReflect().Descriptor().FullName():   "",
			},
		},
		TextErrors: true,
		Texts: map[job.Code]string{
			job.NotFound:    "Job not found",
			job.WrongSecret: "Unauthorized",
		},
		Job: func(request any) string {
			switch r := request.(type) {
			case interface{ GetJobId() string }:
				return r.GetJobId()
			case interface{ GetJob() *protov2.JobRef }:
				return r.GetJob().GetJobId()
			}
			return ""
		},
	}
}

// V1Updates is the service of the first version that job containers call. It has no REST form.
func V1Updates() API {
	return API{Desc: &protov1.BaktaStatusUpdate_ServiceDesc, Job: V1().Job}
}

// Serve has the named methods of an API answered by impl, which must have all methods of the service (embed
// the generated Unimplemented… for those that it doesn't serve). Several implementations may share a service.
// It must be called before Run. An error is a mistake in the program: an unknown name, a method served twice.
func (s *Server) Serve(api API, impl any, names ...string) error {
	if api.Desc == nil || len(api.Desc.Streams) > 0 {
		return errors.New("an API needs a service without streams")
	}
	service := api.Desc.ServiceName
	if want := reflect.TypeOf(api.Desc.HandlerType).Elem(); impl == nil || !reflect.TypeOf(impl).Implements(want) {
		return fmt.Errorf("%T does not implement %s", impl, service)
	}
	if s.apis[service] == nil {
		s.apis[service] = &api
		for _, m := range api.Desc.Methods {
			s.methods[fullMethod(service, m.MethodName)] = unserved(service, m.MethodName)
		}
	}
	for _, name := range names {
		i := slices.IndexFunc(api.Desc.Methods, func(m grpc.MethodDesc) bool { return m.MethodName == name })
		if i < 0 {
			return fmt.Errorf("%s has no method %s", service, name)
		}
		full := fullMethod(service, name)
		if s.served[full] {
			return fmt.Errorf("%s is served twice", full)
		}
		s.served[full] = true
		s.methods[full] = serving(impl, api.Desc.Methods[i].Handler)
	}
	return nil
}

func fullMethod(service, name string) string { return "/" + service + "/" + name }

// serving binds a generated handler to its implementation.
func serving(impl any, handle grpc.MethodHandler) grpc.MethodHandler {
	return func(_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		return handle(impl, ctx, decode, intercept)
	}
}

// unserved answers for a method that another function serves. The REST form of it is 501 and not 404: clients
// take a 404 of a delete for done.
func unserved(service, name string) grpc.MethodHandler {
	full := fullMethod(service, name)
	return func(_ any, ctx context.Context, _ func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		return intercept(ctx, nil, &grpc.UnaryServerInfo{FullMethod: full}, func(context.Context, any) (any, error) {
			return nil, status.Errorf(codes.Unimplemented, "%s is not served here; the request was sent to the wrong function", name)
		})
	}
}

// register puts all APIs on the gRPC server and their REST forms on the routes.
func (s *Server) register() error {
	for service, api := range s.apis {
		desc := grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Metadata: api.Desc.Metadata}
		for _, m := range api.Desc.Methods {
			desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: m.MethodName, Handler: s.methods[fullMethod(service, m.MethodName)]})
		}
		s.grpc.RegisterService(&desc, nil)
		if api.Register == nil {
			continue
		}
		gateway, err := newGateway(s, *api)
		if err != nil {
			return fmt.Errorf("setting up the REST form of %s: %w", service, err)
		}
		if err := s.Handle(api.Prefix, s.cors.Handler(gateway)); err != nil {
			return err
		}
	}
	return nil
}
