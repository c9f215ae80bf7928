package main

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/ag-computational-bio/bakta-web-backend/functions/expire"
	"github.com/ag-computational-bio/bakta-web-backend/functions/jobupdate"
	"github.com/ag-computational-bio/bakta-web-backend/functions/status"
	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// deployed is a function in a deployment.
type deployed struct {
	name     string
	register func(*server.Server) error // registers what callers reach
	inside   bool                       // reachable only inside the cluster
	any      bool                       // gets the calls that every function can answer
}

// all are the functions. What sources of events call (RegisterEvents, RegisterSweep) concerns no other caller, so it is
// not registered here. Registering calls nothing, so the functions need nothing.
func all() []deployed {
	return []deployed{
		{name: "submit", register: new(submit.Function).Register},
		{name: "status", register: new(status.Function).Register, any: true},
		{name: "expire", register: new(expire.Function).Register},
		{name: "jobupdate", register: new(jobupdate.Function).Register, inside: true},
	}
}

// everywhere returns the paths that every server serves and that clients use in development.
func everywhere() []string {
	return []string{"/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"}
}

func (d deployed) served() ([]string, error) {
	srv, err := server.New(server.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return nil, err
	}
	if err := d.register(srv); err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	paths, err := srv.Served()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.name, err)
	}
	if d.any {
		paths = append(paths, everywhere()...)
	}
	return paths, nil
}

// route is the paths of one function. A path that ends in a slash stands for all below it.
type route struct {
	function string
	paths    []string
}

// public returns the routes from outside. All HTTP methods of a path lead to one function, so the function that answers a call also answers
// the browser's preflight before it (OPTIONS).
func public(functions []deployed) ([]route, error) {
	var routes []route
	leads := make(map[string]string)
	for _, f := range functions {
		if f.inside {
			continue
		}
		paths, err := f.served()
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			if other := leads[path]; other != "" {
				return nil, fmt.Errorf("%s is served by %s and by %s; a path can lead to only one function", path, other, f.name)
			}
			leads[path] = f.name
		}
		routes = append(routes, route{f.name, paths})
	}
	return routes, nil
}

// complete returns an error unless a function serves each method of each service below proto/.
func complete(root string, functions []deployed) error {
	var served []string
	for _, f := range functions {
		paths, err := f.served()
		if err != nil {
			return err
		}
		served = append(served, paths...)
	}
	files, err := filepath.Glob(filepath.Join(root, "proto", "*", "*.proto"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there is no proto file below %s", filepath.Join(root, "proto"))
	}
	var missing []string
	for _, path := range files {
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		file, err := protoregistry.GlobalFiles.FindFileByPath(filepath.ToSlash(name))
		if err != nil {
			return fmt.Errorf("no function uses the package of %s: %w", name, err)
		}
		for i := range file.Services().Len() {
			missing = append(missing, unserved(file.Services().Get(i), served)...)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("no function serves %s", strings.Join(missing, ", "))
	}
	return nil
}

func unserved(service protoreflect.ServiceDescriptor, served []string) []string {
	var missing []string
	for i := range service.Methods().Len() {
		m := service.Methods().Get(i)
		path := fmt.Sprintf("/%s/%s", service.FullName(), m.Name())
		if !slices.Contains(served, path) {
			missing = append(missing, path)
		}
	}
	return missing
}
