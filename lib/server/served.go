package server

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Served returns the sorted paths of everything that was registered: those of gRPC methods ("/package.Service/Method"), of their REST form,
// and those of Handle, Events and Docs, where a path that ends in a slash stands for everything below it. It omits what every server has,
// such as /healthz.
//
// It is for routers in front of servers, which need to send no other path.
func (s *Server) Served() ([]string, error) {
	if s.registered {
		return nil, errors.New("Served must be called before the server runs")
	}
	var paths []string
	for path := range s.paths {
		if path != healthPath {
			paths = append(paths, path)
		}
	}
	for service, api := range s.apis {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			return nil, err
		}
		methods := found.(protoreflect.ServiceDescriptor).Methods() // otherwise Serve would have failed
		for i := range methods.Len() {
			m := methods.Get(i)
			full := fullMethod(service, string(m.Name()))
			if !s.served[full] {
				continue
			}
			paths = append(paths, full)
			rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			if rule == nil || api.Register == nil {
				continue
			}
			for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
				_, path := route(binding)
				if path == "" {
					return nil, fmt.Errorf("%s has an HTTP mapping of an unknown kind", m.FullName())
				}
				paths = append(paths, path)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}
