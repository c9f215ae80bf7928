package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2/options"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// components lists the schemas that the document refers to, in the order of their names.
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
	w.schemas[name] = object{} // for a message that contains itself
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

// required returns the names of the fields that a request must contain.
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

// single describes the value of a field, or one value of a repeated field.
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

// scalar describes a text, a boolean or a number. An optional one may be null or "" in a request.
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

// fact returns the properties of a field in addition to its type.
func (w *writer) fact(field protoreflect.FieldDescriptor) object {
	for _, name := range []string{fieldName(field), string(field.Name())} {
		if fact, ok := w.facts.fields[name]; ok {
			w.used[name] = true
			return fact
		}
	}
	return nil
}

// enum describes an enum by the words for its values in JSON. A request of the first version may also contain their
// numbers.
func (w *writer) enum(enum protoreflect.EnumDescriptor, request bool) object {
	name := string(enum.Name())
	var values, numbers []string
	var integers []int32
	description := comment(enum)
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		if w.facts.words && value.Number() == 0 || enum.Values().ByNumber(value.Number()) != value {
			continue // zero means not given; responses never contain aliases
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

// entry describes an incomplete entry of a list. Such an entry does not make the call fail.
func (w *writer) entry(message protoreflect.MessageDescriptor) object {
	const name = "IncompleteJob"
	var properties object
	for i := range message.Fields().Len() {
		properties = properties.with(w.name(message.Fields().Get(i)), object{{"type", []string{"string", "null"}}})
	}
	w.schemas[name] = object{
		{"type", "object"}, {"properties", properties},
		{"description", "An entry without a job. The response lists it as not found; it does not affect other entries."},
	}
	return w.notGiven(ref0(name))
}

// notGiven describes an optional value: null and "" have the same meaning as a missing value.
func (w *writer) notGiven(schemas ...object) object {
	w.schemas["Blank"] = object{
		{"type", "string"},
		{"description", "Not given: the same as null or a missing field."},
		{"enum", []string{""}},
	}
	return anyOf(append(schemas, ref0("Blank"), object{{"type", "null"}})...)
}

// name returns the name of a field in JSON.
func (w *writer) name(field protoreflect.FieldDescriptor) string {
	if w.facts.words {
		return string(field.Name())
	}
	return field.JSONName()
}

func ref(message protoreflect.MessageDescriptor) object { return ref0(string(message.Name())) }

func ref0(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// anyOf describes a value that fits one of several schemas. It flattens nested choices.
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

// comment returns the comment of an element of the proto file, with line breaks only between paragraphs and list items.
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
