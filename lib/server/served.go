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

// Served lists the paths of all that was registered, in order: of methods as gRPC calls them ("/package.Service/Method"),
// of their REST form, and those given to Handle, Events and Docs, where one with a slash at its end stands for all below
// it. What every server has, such as its health, is not among them.
//
// It is for who sends requests to servers: a path that isn't listed should never come.
func (s *Server) Served() ([]string, error) {
	if s.registered {
		return nil, errors.New("a server tells what was registered before it serves")
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
		methods := found.(protoreflect.ServiceDescriptor).Methods() // else it couldn't have been served
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
