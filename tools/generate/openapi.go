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

// openAPI31 ends the name of an OpenAPI 3.1 document.
const openAPI31 = "openapi-3.1.json"

// openAPI describes the REST form of a directory's service as an OpenAPI 3.1 document. Unlike the Swagger 2 document
// beside it, which can't say so, it holds what a request may look like all the same: null, "" and texts in place of
// numbers, see Form in lib/server/jsonform. Names, comments and routes come from the proto files, the rest from facts.
func openAPI(dir string, compiled linker.Files) ([]byte, error) {
	facts, ok := factsOf(dir)
	if !ok {
		return nil, fmt.Errorf("there are no facts about %s", dir)
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
				return nil, fmt.Errorf("there are facts about %s in %s, which is not there", name, dir)
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

// with returns the object with a member more, if its value says anything.
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
		{"security", []object{{}}}, // jobs have secrets, which are parameters; there are no accounts
		{"tags", []object{{{"name", string(service.Name())}, {"description", comment(service)}}}},
		{"paths", all},
		{"components", object{{"schemas", w.components()}, {"responses", w.errors()}}},
		{"externalDocs", object{{"description", head.GetExternalDocs().GetDescription()}, {"url", head.GetExternalDocs().GetUrl()}}},
	}
}

func (w *writer) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// extensionOf returns an option of something in a proto file. The compiler makes options of types of its own; this reads them
// again as the Go types that this program links.
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

// body describes the body of a request. It may be missing if it need not hold anything.
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
	schema := w.scalar(field, true)
	if field.Kind() == protoreflect.Int64Kind { // all of a query is text
		schema = anyOf(w.number(field), object{{"type", "string"}, {"const", ""}})
	}
	return object{
		{"name", w.name(field)}, {"in", "query"}, {"description", comment(field)}, {"required", w.isRequired(field)}, {"schema", schema},
	}
}

// success describes the answer of status 200.
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

// links says which calls an answer with a new job leads to, and how its values are passed on: those without a body, which a job
// answers from its beginning to its end.
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

// errors describes the answers of errors.
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

// components lists the schemas that are referred to, in the order of their names.
func (w *writer) components() object {
	w.schemas["Error"] = w.facts.failure
	names := make([]string, 0, len(w.schemas))
	for name := range w.schemas {
		names = append(names, name)
	}
	slices.Sort(names)
	var all object
	for _, name := range names {
		all = all.with(name, w.schemas[name])
	}
	return all
}

// message adds a message to the components. Responses and requests differ in their fields, which are all present in a
// response. A message that both use has one schema.
func (w *writer) message(message protoreflect.MessageDescriptor, request bool) {
	name := string(message.Name())
	if w.schemas[name] != nil {
		return
	}
	w.schemas[name] = object{} // for a message that holds itself
	var properties object
	required := w.required(message)
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		properties = properties.with(w.name(field), w.field(field, request))
		if !request && !field.HasOptionalKeyword() && !w.isRequired(field) {
			required = append(required, w.name(field))
		}
	}
	schema := object{{"type", "object"}, {"description", comment(message)}}
	if len(properties) > 0 {
		schema = schema.with("properties", properties)
	}
	if len(required) > 0 {
		schema = schema.with("required", required)
	}
	if said := schemaOf(message).GetExample(); said != "" {
		schema = schema.with("examples", []json.RawMessage{json.RawMessage(said)})
	}
	w.schemas[name] = schema
}

// required names the fields of a message that a request has to give.
func (w *writer) required(message protoreflect.MessageDescriptor) []string {
	var names []string
	for i := range message.Fields().Len() {
		if field := message.Fields().Get(i); w.isRequired(field) {
			names = append(names, w.name(field))
		}
	}
	return names
}

func (w *writer) isRequired(field protoreflect.FieldDescriptor) bool {
	message, _ := field.Parent().(protoreflect.MessageDescriptor)
	behavior := extensionOf[[]annotations.FieldBehavior](field.Options(), annotations.E_FieldBehavior)
	return slices.Contains(behavior, annotations.FieldBehavior_REQUIRED) ||
		slices.Contains(schemaOf(message).GetJsonSchema().GetRequired(), w.name(field))
}

func schemaOf(message protoreflect.MessageDescriptor) *options.Schema {
	schema := extensionOf[*options.Schema](message.Options(), options.E_Openapiv2Schema)
	return schema
}

// field describes a field of a message.
func (w *writer) field(field protoreflect.FieldDescriptor, request bool) object {
	schema := w.single(field, request)
	if field.IsList() {
		if request {
			schema = anyOf(schema, w.entry(field.Message()))
		}
		schema = object{{"type", "array"}, {"items", schema}}
	}
	scalar := !field.IsList() && field.Message() == nil && field.Kind() != protoreflect.EnumKind
	if request && !scalar && !w.isRequired(field) {
		schema = w.notGiven(schema)
	}
	return schema.with("description", comment(field))
}

// single describes a field's value, or one of its values.
func (w *writer) single(field protoreflect.FieldDescriptor, request bool) object {
	message := field.Message()
	switch {
	case field.Kind() == protoreflect.EnumKind:
		return w.enum(field.Enum(), request)
	case message == nil:
		return w.scalar(field, request)
	case message.FullName() == "google.protobuf.Timestamp":
		return object{{"type", "string"}, {"format", "date-time"}}
	case message.FullName().Parent() == "google.protobuf":
		return w.fact(field)
	}
	w.message(message, request)
	return ref(message)
}

// scalar describes a text, a boolean or a number. In a request that need not give it, it may be null or "".
func (w *writer) scalar(field protoreflect.FieldDescriptor, request bool) object {
	lenient := request && !w.isRequired(field)
	switch field.Kind() {
	case protoreflect.StringKind:
		if lenient {
			return append(object{{"type", []string{"string", "null"}}}, w.fact(field)...)
		}
		return append(object{{"type", "string"}}, w.fact(field)...)
	case protoreflect.BoolKind:
		if !request {
			return object{{"type", "boolean"}}
		}
		w.schemas["FlagText"] = object{
			{"type", "string"},
			{"description", "A boolean that is written as a text."},
			{"enum", []string{"true", "false"}},
		}
		return w.notGiven(object{{"type", "boolean"}}, ref0("FlagText"))
	}
	number := w.number(field)
	if !request {
		return number
	}
	if values := w.facts.numbers[fieldName(field)]; values != nil {
		var words []string
		for _, v := range values {
			words = append(words, strconv.Itoa(v))
		}
		return w.notGiven(number.with("enum", values), object{{"type", "string"}, {"enum", words}})
	}
	return anyOf(number, object{{"type", "string"}, {"pattern", "^[0-9]{0,18}$"}}, object{{"type", "null"}})
}

func (w *writer) number(field protoreflect.FieldDescriptor) object {
	return append(object{{"type", "integer"}, {"format", field.Kind().String()}}, w.fact(field)...)
}

func fieldName(field protoreflect.FieldDescriptor) string {
	return string(field.Parent().Name()) + "." + string(field.Name())
}

// fact returns what is known of a field beyond its type.
func (w *writer) fact(field protoreflect.FieldDescriptor) object {
	for _, name := range []string{fieldName(field), string(field.Name())} {
		if fact, ok := w.facts.fields[name]; ok {
			w.used[name] = true
			return fact
		}
	}
	return nil
}

// enum describes an enum by the words that JSON has for its values. A request of the first version may give their
// numbers, too.
func (w *writer) enum(enum protoreflect.EnumDescriptor, request bool) object {
	name := string(enum.Name())
	var values, numbers []string
	var integers []int32
	description := comment(enum)
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		if w.facts.words && value.Number() == 0 || enum.Values().ByNumber(value.Number()) != value {
			continue // it means not given; an alias that is never answered
		}
		word := string(value.Name())
		if w.facts.words {
			prefix := strings.TrimSuffix(string(enum.Values().ByNumber(0).Name()), "UNSPECIFIED")
			word = strings.ToLower(strings.TrimPrefix(word, prefix))
		}
		values = append(values, word)
		description += "\n\n- `" + word + "`: " + comment(value)
		integers, numbers = append(integers, int32(value.Number())), append(numbers, strconv.Itoa(int(value.Number())))
	}
	w.schemas[name] = object{{"type", "string"}, {"description", description}, {"enum", values}}
	if !request || w.facts.words {
		return ref0(name)
	}
	return anyOf(ref0(name), object{{"type", "integer"}, {"enum", integers}}, object{{"type", "string"}, {"enum", numbers}})
}

// entry describes what may stand in a list in place of what belongs there: one that says nothing, or not all, fails
// nothing but itself.
func (w *writer) entry(message protoreflect.MessageDescriptor) object {
	const name = "IncompleteJob"
	var properties object
	for i := range message.Fields().Len() {
		properties = properties.with(w.name(message.Fields().Get(i)), object{{"type", []string{"string", "null"}}})
	}
	w.schemas[name] = object{
		{"type", "object"}, {"properties", properties},
		{"description", "An entry that names no job. It is answered as one that is not found, and fails nothing else."},
	}
	return w.notGiven(ref0(name))
}

// notGiven describes a value that need not be given: null and "" are as good as leaving it out.
func (w *writer) notGiven(schemas ...object) object {
	w.schemas["Blank"] = object{
		{"type", "string"},
		{"description", "Not given: the same as null, and as leaving it out."},
		{"enum", []string{""}},
	}
	return anyOf(append(schemas, ref0("Blank"), object{{"type", "null"}})...)
}

// name returns what JSON calls a field.
func (w *writer) name(field protoreflect.FieldDescriptor) string {
	if w.facts.words {
		return string(field.Name())
	}
	return field.JSONName()
}

func ref(message protoreflect.MessageDescriptor) object { return ref0(string(message.Name())) }

func ref0(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// anyOf describes a value that fits one of several schemas. One that is itself such a choice is taken apart.
func anyOf(schemas ...object) object {
	var all []object
	for _, s := range schemas {
		if choice, ok := s[0].value.([]object); ok && s[0].name == "anyOf" {
			all = append(all, choice...)
		} else {
			all = append(all, s)
		}
	}
	return object{{"anyOf", all}}
}

// comment returns what the proto file says of something, with its line breaks only where it has paragraphs or lists.
func comment(d protoreflect.Descriptor) string {
	text := strings.TrimSpace(d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments)
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		lines := strings.Split(p, "\n")
		for k := range lines {
			lines[k] = strings.TrimSpace(lines[k])
		}
		paragraphs[i] = strings.Join(lines, " ")
	}
	for i := range paragraphs {
		paragraphs[i] = strings.TrimSpace(paragraphs[i])
	}
	return strings.Join(slices.DeleteFunc(paragraphs, func(p string) bool { return p == "" }), "\n\n")
}
