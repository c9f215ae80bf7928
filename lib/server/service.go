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

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/jsonform"
)

// API is one version of one service: its gRPC form, and its REST form if it has one. proto/v1/apiv1 and proto/v2/apiv2 have the
// APIs of Bakta-Web.
type API struct {
	Desc *grpc.ServiceDesc // as generated; its methods must not stream

	// Register registers the generated REST gateway with a mux. Nil: the API has no REST form.
	Register func(context.Context, *runtime.ServeMux, grpc.ClientConnInterface) error
	Prefix   string        // of all paths of the REST form: "/api/v1/"
	JSON     jsonform.Form // of requests and answers

	// ErrorBody returns the REST body of an error, in JSON. Nil: an object with code, message and details.
	ErrorBody func(*status.Status) []byte
	// MisfitStatus is the HTTP status of a request whose body is JSON but lacks a field, or has a field of the wrong type.
	// 0: 400, as for a body that is not JSON.
	MisfitStatus int
	// Texts replaces the messages of errors, by code, where clients compare the text.
	Texts map[job.Code]string
	// Open are the methods that need no token even if the server requires one: they are about no caller's jobs.
	Open []string
	// Job returns the id of the job that a request is about, for the log and the Observer; "" if it is about none, or several.
	// A client may write anything as an id: Job returns only what is safe to log.
	Job func(request any) string
}

// Serve registers an implementation of the named methods of an API. It must have all methods of the service (embed the generated
// Unimplemented… for those that it does not serve). Several implementations may share a service. Serve must be called before Run.
// An error is a mistake in the program: an unknown name, or a method that is served twice.
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

// unserved answers calls of a method that another function serves. The REST status is 501, not 404, because clients take a 404
// of a delete for success.
func unserved(service, name string) grpc.MethodHandler {
	full := fullMethod(service, name)
	return func(_ any, ctx context.Context, _ func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		return intercept(ctx, nil, &grpc.UnaryServerInfo{FullMethod: full}, func(context.Context, any) (any, error) {
			return nil, status.Errorf(codes.Unimplemented, "%s is not served here; the request was sent to the wrong function", name)
		})
	}
}

// register registers all APIs with the gRPC server, and their REST forms as paths.
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
