package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bufbuild/protocompile/linker"
	"github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2/options"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// token is the name of the scheme by which callers are identified.
const token = "token"

// openAPI31 is the ending of an OpenAPI 3.1 document's name.
const openAPI31 = "openapi-3.1.json"

// openAPI describes the REST form of a directory's service as an OpenAPI 3.1 document. Unlike the Swagger 2 document
// beside it, it contains the accepted forms of requests: null, "", and strings instead of numbers, see Form in
// lib/server/jsonform. Names, comments and routes are from the proto files, the rest from facts.
func openAPI(dir string, compiled linker.Files) ([]byte, error) {
	facts, ok := factsOf(dir)
	if !ok {
		return nil, fmt.Errorf("%s has no facts", dir)
	}
	for _, file := range compiled {
		head := extensionOf[*options.Swagger](file.Options(), options.E_Openapiv2Swagger)
		if head == nil || file.Services().Len() != 1 {
			continue
		}
		w := &writer{facts: facts, schemas: make(map[string]object), used: make(map[string]bool)}
		document := w.document(file.Services().Get(0), head)
		for name := range facts.fields {
			if !w.used[name] {
				return nil, fmt.Errorf("the facts contain %s, which %s does not have", name, dir)
			}
		}
		if w.err != nil {
			return nil, w.err
		}
		out, err := json.MarshalIndent(document, "", "  ")
		return append(out, '\n'), err
	}
	return nil, fmt.Errorf("%s has no service with a REST form", dir)
}

// object is a JSON object whose members stay in order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members. The encoder of what it returns escapes <, > and & once more, which JSON allows.
func (o object) MarshalJSON() ([]byte, error) {
	out := []byte("{")
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendQuote(out, m.name) // names are plain ASCII
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		out = append(append(out, ':'), value...)
	}
	return append(out, '}'), nil
}

// with returns the object with another member, unless its value is empty.
func (o object) with(name string, value any) object {
	if value == nil || value == "" {
		return o
	}
	return append(slices.Clip(o), member{name, value})
}

// writer writes one document.
type writer struct {
	facts   facts
	schemas map[string]object // components, by name
	used    map[string]bool   // facts about fields
	err     error             // the first one
}

func (w *writer) document(service protoreflect.ServiceDescriptor, head *options.Swagger) object {
	paths := make(map[string]object)
	var order []string
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		rule := extensionOf[*annotations.HttpRule](method.Options(), annotations.E_Http)
		if rule == nil {
			continue
		}
		for n, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			verb, path := route(binding)
			if verb == "" {
				w.fail("%s has an HTTP mapping of an unknown kind", method.FullName())
			}
			if paths[path] == nil {
				order = append(order, path)
			}
			paths[path] = paths[path].with(verb, w.operation(method, binding, n))
		}
	}
	var all object
	for _, path := range order {
		all = all.with(path, paths[path])
	}
	info := head.GetInfo()
	return object{
		{"openapi", "3.1.0"},
		{"x-generated", "by make generate from the proto file beside it; not to be edited"},
		{"info", object{
			{"title", info.GetTitle()},
			{"version", info.GetVersion()},
			{"description", info.GetDescription()},
			{"contact", object{{"name", info.GetContact().GetName()}, {"url", info.GetContact().GetUrl()}}},
		}},
		{"servers", []object{{{"url", "/"}}}},
		{"security", []object{{}, {{token, []string{}}}}}, // jobs have secrets, which are parameters; a token is optional
		{"tags", []object{{{"name", string(service.Name())}, {"description", comment(service)}}}},
		{"paths", all},
		{"components", object{{"schemas", w.components()}, {"responses", w.errors()}, {"securitySchemes", object{
			{token, object{{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"},
				{"description", "A token of the server's issuer, see *Access* above. Optional, unless the server requires one."}}},
		}}}},
		{"externalDocs", object{{"description", head.GetExternalDocs().GetDescription()}, {"url", head.GetExternalDocs().GetUrl()}}},
	}
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// extensionOf returns an option of an element of a proto file. The compiler creates options with types of its own; this
// function decodes them as the Go types that this program links.
func extensionOf[T any](options proto.Message, extension protoreflect.ExtensionType) T {
	var none T
	raw, err := proto.Marshal(options)
	if err != nil {
		return none
	}
	read := options.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(raw, read); err != nil || !proto.HasExtension(read, extension) {
		return none
	}
	return proto.GetExtension(read, extension).(T)
}

// route returns the method and the path of a mapping.
func route(rule *annotations.HttpRule) (verb, path string) {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "get", p.Get
	case *annotations.HttpRule_Post:
		return "post", p.Post
	case *annotations.HttpRule_Delete:
		return "delete", p.Delete
	}
	return "", ""
}

// operation describes a method under one of its paths, the n-th.
func (w *writer) operation(method protoreflect.MethodDescriptor, rule *annotations.HttpRule, n int) object {
	id := operationID(method)
	if n > 0 {
		id += strconv.Itoa(n + 1)
	}
	summary, description, _ := strings.Cut(comment(method), "\n\n")
	o := object{{"operationId", id}, {"tags", []string{string(method.Parent().Name())}}, {"summary", summary}}.with("description", description)
	if rule.GetBody() != "" {
		o = o.with("requestBody", w.body(method.Input()))
	} else if fields := method.Input().Fields(); fields.Len() > 0 {
		var parameters []object
		for i := range fields.Len() {
			parameters = append(parameters, w.parameter(fields.Get(i)))
		}
		o = o.with("parameters", parameters)
	}
	responses := object{{"200", w.success(method, rule)}}
	for _, e := range failures() {
		if e.of(w.facts, method, rule.GetBody() != "") {
			responses = responses.with(strconv.Itoa(e.status), object{{"$ref", "#/components/responses/" + e.name}})
		}
	}
	return o.with("responses", responses)
}

// body describes the body of a request. It is optional if no field is required.
func (w *writer) body(message protoreflect.MessageDescriptor) object {
	w.message(message, true)
	schema := ref(message)
	needed := len(w.required(message)) > 0
	if !needed {
		schema = w.notGiven(schema)
	}
	return object{
		{"description", comment(message)},
		{"required", needed},
		{"content", object{{"application/json", object{{"schema", schema}}}}},
	}
}

func (w *writer) parameter(field protoreflect.FieldDescriptor) object {
	schema, blank := w.single(field, true), object{{"type", "string"}, {"const", ""}} // parameters of a query are text
	switch field.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		schema = anyOf(w.number(field), blank)
	case protoreflect.EnumKind:
		schema = anyOf(schema, blank)
	}
	return object{
		{"name", w.name(field)}, {"in", "query"}, {"description", comment(field)}, {"required", w.isRequired(field)}, {"schema", schema},
	}
}

// success describes the response with status 200.
func (w *writer) success(method protoreflect.MethodDescriptor, rule *annotations.HttpRule) object {
	output := method.Output()
	description, _, _ := strings.Cut(comment(output), "\n\n")
	operation := extensionOf[*options.Operation](method.Options(), options.E_Openapiv2Operation)
	if said := operation.GetResponses()["200"].GetDescription(); said != "" {
		description = said
	}
	answer := func(mediaType string, schema object) object {
		return object{{"description", description}, {"content", object{{mediaType, object{{"schema", schema}}}}}}
	}
	if output.FullName() == "google.api.HttpBody" {
		return answer("text/plain", object{{"type", "string"}})
	}
	switch body, ok := w.facts.bodies[string(output.Name())]; {
	case ok && body == "":
		return object{{"description", description}}
	case ok:
		return answer("application/json", object{{"type", body}})
	}
	if part := rule.GetResponseBody(); part != "" {
		return answer("application/json", w.field(output.Fields().ByName(protoreflect.Name(part)), false))
	}
	w.message(output, false)
	response := answer("application/json", ref(output))
	if made := output.Fields().ByName("job"); made != nil {
		response = response.with("links", w.links(method.Parent().(protoreflect.ServiceDescriptor), made))
	}
	return response
}

// links describes the calls that follow a response with a new job, and which of its values are their parameters. It contains
// calls without a body, which are valid in all states of a job.
func (w *writer) links(service protoreflect.ServiceDescriptor, made protoreflect.FieldDescriptor) object {
	var links object
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		rule := extensionOf[*annotations.HttpRule](method.Options(), annotations.E_Http)
		if !ofOneJob(method) || rule.GetBody() != "" {
			continue
		}
		var parameters object
		for k := range made.Message().Fields().Len() {
			name := w.name(made.Message().Fields().Get(k))
			parameters = parameters.with(name, "$response.body#/"+w.name(made)+"/"+name)
		}
		links = links.with(operationID(method), object{{"operationId", operationID(method)}, {"parameters", parameters}})
	}
	return links
}

func operationID(method protoreflect.MethodDescriptor) string {
	name := string(method.Name())
	return strings.ToLower(name[:1]) + name[1:]
}

// errors describes the error responses.
func (w *writer) errors() object {
	var all object
	for _, e := range failures() {
		if e.status == 422 && !w.facts.words {
			continue
		}
		response := object{{"description", e.description}}
		if e.header != "" {
			response = response.with(
				"headers",
				object{{e.header, object{{"description", e.means}, {"required", true}, {"schema", object{{"type", "string"}}}}}},
			)
		}
		schema := ref0("Error")
		all = all.with(e.name, response.with("content", object{{"application/json", object{{"schema", schema}}}}))
	}
	return all
}
