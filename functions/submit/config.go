package submit

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// wire is how a version of the API names options and uploads in its JobConfig. A name is empty if the version does not have
// it.
type wire struct {
	option func(option.Option) string // field of the option's value
	use    func(upload.Upload) string // field that says whether the upload is used
}

func wireV1() wire {
	return wire{option: func(o option.Option) string { return o.V1 }, use: func(u upload.Upload) string { return u.UseV1 }}
}

func wireV2() wire {
	return wire{option: func(o option.Option) string { return o.Name }, use: func(u upload.Upload) string { return u.Use }}
}

// config reads a JobConfig, which may be nil. Tests hold that each field of both versions is in a table, and the other way
// round.
func (w wire) config(message protoreflect.ProtoMessage) option.Config {
	m := message.ProtoReflect()
	fields := m.Descriptor().Fields()
	config := option.Config{Use: make(map[string]bool)}
	for _, o := range option.Table() {
		if field := fields.ByName(protoreflect.Name(w.option(o))); field != nil {
			o.Set(&config, value(field, m.Get(field)))
		}
	}
	for _, u := range upload.Table() {
		field := fields.ByName(protoreflect.Name(w.use(u)))
		if field == nil || field.HasPresence() && !m.Has(field) { // absent: the upload's content decides
			continue
		}
		config.Use[u.Kind] = m.Get(field).Bool()
	}
	return config
}

// value reads a field of a JobConfig.
func value(field protoreflect.FieldDescriptor, v protoreflect.Value) option.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return option.Value{On: v.Bool()}
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return option.Value{Number: v.Int()}
	case protoreflect.EnumKind:
		// Clients that say nothing send the value zero, which is unknown in the first version and unspecified in the second, or
		// unknown.
		known := field.Enum().Values().ByNumber(v.Enum())
		if known == nil || known.Number() == 0 || enumWord(known) == option.DermUnknown {
			return option.Value{}
		}
		return option.Value{Text: enumWord(known)}
	}
	return option.Value{Text: v.String()}
}

// enumWord returns the word of an enum's value: its name in lower case without what all names of the enum begin with.
func enumWord(value protoreflect.EnumValueDescriptor) string {
	zero := value.Parent().(protoreflect.EnumDescriptor).Values().ByNumber(0)
	prefix, _ := strings.CutSuffix(string(zero.Name()), "UNSPECIFIED")
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}

// spelling returns the names of options and uploads in the JSON of a JobConfig, by the names that violations have.
func (w wire) spelling(message protoreflect.ProtoMessage, json bool) map[string]string {
	fields := message.ProtoReflect().Descriptor().Fields()
	names := make(map[string]string)
	add := func(name, field string) {
		if f := fields.ByName(protoreflect.Name(field)); f != nil && json {
			names[name] = f.JSONName()
		} else if f != nil {
			names[name] = field
		}
	}
	for _, o := range option.Table() {
		add(o.Name, w.option(o))
	}
	for _, u := range upload.Table() {
		add(u.Kind, w.use(u))
	}
	return names
}
