package jsonform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Form reads and writes the messages of an API as JSON. It reads leniently, because existing clients write JSON in these ways:
//
//   - It ignores unknown fields.
//   - null and "" mean that a field is not given, whatever its type.
//   - Numbers and booleans may be strings, and a whole number may be written as 11.0.
//   - Enum values may be written in upper or lower case, or as their number.
//
// It refuses, with an error that names the field: an object or a list where the field takes neither (so no query language gets
// through), a number that is too large or not whole, and an unknown enum value. It also refuses a body that is not exactly one
// JSON object in UTF-8 (a byte order mark may precede it), that names a field twice, or that is nested too deep.
//
// Fields that google.api.field_behavior marks as REQUIRED must be given.
//
// It writes what protojson writes, without white space. It writes all fields except unset messages and unset optional fields.
type Form struct {
	Aliases []Alias // other spellings of fields

	// Words, if not nil, returns what the API calls the value of an enum ("" for a value that clients must not name). The form
	// then writes field names as the proto files have them instead of lowerCamelCase; it reads both.
	Words func(protoreflect.EnumValueDescriptor) string
	// Bodies holds the text that is written for messages that the API does not write as objects.
	Bodies map[protoreflect.FullName]string
}

// Alias is another spelling of a field, in every message that has the field. The field's own names take precedence.
type Alias struct {
	Name     string // the spelling
	Field    string // name of the field in the proto file
	Presence bool   // the field is a bool; a text under the alias makes it true unless it is blank
}

var _ runtime.Marshaler = Form{}

// Misfit is an error about a body that is valid JSON: a field is missing or has the wrong type. It is written for the client and
// does not quote values, because a value may be a secret.
type Misfit string

// Error returns the message.
func (m Misfit) Error() string { return string(m) }

func misfitf(format string, args ...any) error { return Misfit(fmt.Sprintf(format, args...)) }

// ContentType returns the type of what Marshal returns.
func (f Form) ContentType(v any) string {
	if body, ok := f.body(v); ok && body == "" {
		return "text/plain; charset=utf-8" // an empty body is not JSON
	}
	return "application/json"
}

// body returns what is written for a message that is not written as an object.
func (f Form) body(v any) (string, bool) {
	m, ok := v.(proto.Message)
	if !ok || len(f.Bodies) == 0 {
		return "", false
	}
	body, ok := f.Bodies[m.ProtoReflect().Descriptor().FullName()]
	return body, ok
}

// Marshal writes a message, or what a gateway answers in place of one.
func (f Form) Marshal(v any) ([]byte, error) {
	if body, ok := f.body(v); ok {
		return []byte(body), nil
	}
	if f.Words != nil {
		return f.write(v)
	}
	out, err := (&runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true}}).Marshal(v)
	if err != nil {
		return nil, err
	}
	// protojson adds spaces at random, and scripts in the wild look for the bytes.
	var compact bytes.Buffer
	if err := json.Compact(&compact, out); err != nil {
		return nil, err
	}
	return compact.Bytes(), nil
}

// NewEncoder returns an encoder that calls Marshal.
func (f Form) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		out, err := f.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(out)
		return err
	})
}

// NewDecoder returns a decoder that reads everything and calls Unmarshal. It reports a Misfit to the reader, if that has a method
// Misfits(): the generated gateway, which calls the decoder, returns the same error for a misfit as for invalid syntax.
func (f Form) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		err = f.Unmarshal(data, v)
		if r, ok := r.(interface{ Misfits() }); ok && errors.As(err, new(Misfit)) {
			r.Misfits()
		}
		return err
	})
}

// byteOrderMark is what some editors and shells write before a text in UTF-8.
const byteOrderMark = "\ufeff"

// Unmarshal reads a message. An empty text and null are an empty message. A byte order mark before the text is ignored.
func (f Form) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T cannot be read from JSON", v)
	}
	root := &node{kind: object}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if len(bytes.TrimSpace(data)) > 0 {
		read, err := parse(data)
		if err != nil {
			return err
		}
		if read.given() {
			root = read
		}
	}
	return f.message(m.ProtoReflect(), root, "")
}

// message reads an object into a message. The path is empty, or where the message stands, with a dot.
func (f Form) message(m protoreflect.Message, n *node, path string) error {
	if n.kind != object {
		where := strings.TrimSuffix(path, ".")
		if where == "" {
			where = "the body"
		}
		return misfitf("%s must be an object, not %s", where, n.kind)
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name, v := f.find(n, field)
		if v == nil {
			if required(field) {
				return misfitf("%s%s is missing", path, field.Name())
			}
			continue
		}
		if err := f.field(m, field, v, path+name); err != nil {
			return err
		}
	}
	return nil
}

// required reports whether a field must be given.
func required(field protoreflect.FieldDescriptor) bool {
	behavior, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behavior, annotations.FieldBehavior_REQUIRED)
}

// find returns the value that an object gives for a field, and the name it gives it under. Of several spellings the first one
// that is given counts.
func (f Form) find(n *node, field protoreflect.FieldDescriptor) (string, *node) {
	for _, name := range []string{field.JSONName(), string(field.Name())} {
		if v := n.fields[name]; v.given() {
			return name, v
		}
	}
	for _, a := range f.Aliases {
		v := n.fields[a.Name]
		switch {
		case a.Field != string(field.Name()) || !v.given():
		case !a.Presence:
			return a.Name, v
		case v.kind == text && !v.blank():
			return a.Name, &node{kind: boolean, truth: true}
		case v.kind != text:
			return a.Name, v // a boolean is read as one, everything else is refused
		}
	}
	return "", nil
}

// field reads a value that is given into a field.
func (f Form) field(m protoreflect.Message, field protoreflect.FieldDescriptor, n *node, path string) error {
	switch {
	case field.IsMap() || foreign(field):
		return f.piece(m, field, n, path)
	case field.IsList():
		return f.list(m.Mutable(field).List(), field, n, path)
	case field.Message() != nil:
		return f.message(m.Mutable(field).Message(), n, path+".")
	}
	v, ok, err := f.scalar(field, n, path)
	if ok {
		m.Set(field, v)
	}
	return err
}

func (f Form) list(l protoreflect.List, field protoreflect.FieldDescriptor, n *node, path string) error {
	if n.kind != array {
		return misfitf("%s must be a list, not %s", path, n.kind)
	}
	for i, item := range n.items {
		at := path + "[" + strconv.Itoa(i) + "]"
		v := l.NewElement()
		if field.Message() != nil {
			// An entry that is not given keeps its place: one bad entry never fails a list.
			if item.given() {
				if err := f.message(v.Message(), item, at+"."); err != nil {
					return err
				}
			}
		} else if said, ok, err := f.scalar(field, item, at); err != nil {
			return err
		} else if ok {
			v = said
		}
		l.Append(v)
	}
	return nil
}

// foreign reports whether only protojson knows the JSON form of a field.
func foreign(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.BytesKind, protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return true
	case protoreflect.MessageKind:
		return field.Message().FullName().Parent() == "google.protobuf"
	}
	return field.Kind() == protoreflect.GroupKind
}

// piece reads a field with protojson.
func (f Form) piece(m protoreflect.Message, field protoreflect.FieldDescriptor, n *node, path string) error {
	alone := m.New()
	text := fmt.Appendf(nil, "{%q:%s}", field.JSONName(), n.raw)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, alone.Interface()); err != nil {
		return misfitf("%s has a value that does not fit", path)
	}
	if alone.Has(field) {
		m.Set(field, alone.Get(field))
	}
	return nil
}

// scalar reads a single value. It reports false for a value that is not given.
func (f Form) scalar(field protoreflect.FieldDescriptor, n *node, path string) (protoreflect.Value, bool, error) {
	var none protoreflect.Value
	if !n.given() || field.Kind() != protoreflect.StringKind && n.blank() {
		return none, false, nil
	}
	switch field.Kind() {
	case protoreflect.StringKind:
		if n.kind != text {
			return none, false, misfitf("%s must be a text in quotes, not %s", path, n.kind)
		}
		return protoreflect.ValueOfString(n.text), true, nil
	case protoreflect.BoolKind:
		return truth(n, path)
	case protoreflect.EnumKind:
		return f.enum(field.Enum(), n, path)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		v, err := whole(n, path, math.MinInt32, math.MaxInt32)
		return protoreflect.ValueOfInt32(int32(v)), err == nil, err //nolint:gosec // whole checks the bounds
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		v, err := whole(n, path, 0, math.MaxUint32)
		return protoreflect.ValueOfUint32(uint32(v)), err == nil, err //nolint:gosec // whole checks the bounds
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		v, err := whole(n, path, math.MinInt64, math.MaxInt64)
		return protoreflect.ValueOfInt64(v), err == nil, err
	}
	return none, false, fmt.Errorf("%s can't be read", path)
}

func truth(n *node, path string) (protoreflect.Value, bool, error) {
	word := strings.TrimSpace(n.text)
	switch {
	case n.kind == boolean:
		return protoreflect.ValueOfBool(n.truth), true, nil
	case n.kind == text && strings.EqualFold(word, "true"):
		return protoreflect.ValueOfBool(true), true, nil
	case n.kind == text && strings.EqualFold(word, "false"):
		return protoreflect.ValueOfBool(false), true, nil
	case n.kind == text:
		return protoreflect.Value{}, false, misfitf("%s must be true or false", path)
	}
	return protoreflect.Value{}, false, misfitf("%s must be true or false, not %s", path, n.kind)
}

func (f Form) enum(e protoreflect.EnumDescriptor, n *node, path string) (protoreflect.Value, bool, error) {
	var names []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		name := f.name(v)
		if name == "" {
			continue
		}
		if names = append(names, name); n.kind == text && strings.EqualFold(strings.TrimSpace(n.text), name) {
			return protoreflect.ValueOfEnum(v.Number()), true, nil
		}
	}
	if i, err := whole(n, path, math.MinInt32, math.MaxInt32); err == nil && f.Words == nil {
		if v := e.Values().ByNumber(protoreflect.EnumNumber(i)); v != nil { //nolint:gosec // whole checks the bounds
			return protoreflect.ValueOfEnum(v.Number()), true, nil
		}
	}
	return protoreflect.Value{}, false, misfitf("%s must be one of %s", path, strings.Join(names, ", "))
}

// name returns what the API calls the value of an enum.
func (f Form) name(v protoreflect.EnumValueDescriptor) string {
	if f.Words != nil {
		return f.Words(v)
	}
	return string(v.Name())
}

// whole reads a whole number between two bounds, inclusive.
func whole(n *node, path string, least, most int64) (int64, error) {
	if n.kind != number && n.kind != text {
		return 0, misfitf("%s must be a number, not %s", path, n.kind)
	}
	written := strings.TrimSpace(n.text)
	// strconv accepts more than JSON's grammar: hexadecimal digits, infinity, underscores.
	if strings.Trim(written, "+-.0123456789eE") != "" || !json.Valid([]byte(written)) {
		return 0, misfitf("%s must be a number", path)
	}
	i, err := strconv.ParseInt(written, 10, 64)
	if err != nil {
		// Too large, or written like 11.0 or 1e1. Beyond 2^53 floats are no longer exact.
		const exact = 1 << 53
		float, _ := strconv.ParseFloat(written, 64)
		switch {
		case math.Abs(float) > exact:
			return 0, misfitf("%s is too large a number", path)
		case float != math.Trunc(float):
			return 0, misfitf("%s must be a whole number", path)
		}
		i = int64(float)
	}
	if i < least || i > most {
		return 0, misfitf("%s must be a number from %d to %d", path, least, most)
	}
	return i, nil
}
