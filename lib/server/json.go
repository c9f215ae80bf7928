package server

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

// JSON reads and writes the messages of an API as JSON. It reads leniently, as clients in the wild write:
//
//   - unknown fields are ignored;
//   - null and "" are not given, whatever the field;
//   - numbers and booleans may stand in strings, and a whole number may be written as 11.0;
//   - enum values may be written in any letter case, or as their number.
//
// It refuses, with an error that names the field: an object or a list where there belongs none (so nothing of
// a query language passes), a number that is too large or not whole, an unknown enum value; and any body that
// is not exactly one JSON object in UTF-8 (a byte order mark may stand before it), that names a field twice or is nested too deep.
//
// Fields that google.api.field_behavior says are REQUIRED must be given.
//
// It writes what protojson writes, without any white space, and with all fields but unset messages and unset
// optional ones.
type JSON struct {
	Aliases []Alias // other spellings of fields

	// Words, if given, says that the API has names as they are in the proto files, in place of lowerCamelCase (both are
	// read), and what it calls the value of an enum ("" for one that nobody may name).
	Words func(protoreflect.EnumValueDescriptor) string
	// Bodies holds what is written for messages that the API does not write as objects.
	Bodies map[protoreflect.FullName]string
}

// Alias is another spelling of a field, in every message that has the field. The field's own names win.
type Alias struct {
	Name     string // the spelling
	Field    string // name of the field in the proto file
	Presence bool   // the field is a bool, and what stands under the alias is a text that makes it true by not being blank
}

var _ runtime.Marshaler = JSON{}

// misfit is what is wrong with a body that is JSON: something is missing, or of the wrong type. It is for the
// caller, and quotes no values.
type misfit string

func (m misfit) Error() string { return string(m) }

func misfitf(format string, args ...any) error { return misfit(fmt.Sprintf(format, args...)) }

// ContentType returns the type of what Marshal returns.
func (j JSON) ContentType(v any) string {
	if body, ok := j.body(v); ok && body == "" {
		return "text/plain; charset=utf-8" // nothing is no JSON
	}
	return "application/json"
}

// body returns what is written for a message that is not written as an object.
func (j JSON) body(v any) (string, bool) {
	m, ok := v.(proto.Message)
	if !ok || len(j.Bodies) == 0 {
		return "", false
	}
	body, ok := j.Bodies[m.ProtoReflect().Descriptor().FullName()]
	return body, ok
}

// Marshal writes a message, or what a gateway answers in place of one.
func (j JSON) Marshal(v any) ([]byte, error) {
	if body, ok := j.body(v); ok {
		return []byte(body), nil
	}
	if j.Words != nil {
		return j.write(v)
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
func (j JSON) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		out, err := j.Marshal(v)
		if err != nil {
			return err
		}
		_, err = w.Write(out)
		return err
	})
}

// NewDecoder returns a decoder that reads all there is and calls Unmarshal.
func (j JSON) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		err = j.Unmarshal(data, v)
		if b, ok := r.(*body); ok && errors.As(err, new(misfit)) {
			b.misfit = true
		}
		return err
	})
}

// byteOrderMark is what some editors and shells put before a text in UTF-8.
const byteOrderMark = "\ufeff"

// Unmarshal reads a message. An empty text is an empty message, and null is, too. A byte order mark before it is ignored.
func (j JSON) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok {
		return fmt.Errorf("a %T can't be read from JSON", v)
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
	return j.message(m.ProtoReflect(), root, "")
}

// message reads an object into a message. The path is empty, or where the message stands, with a dot.
func (j JSON) message(m protoreflect.Message, n *node, path string) error {
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
		name, v := j.find(n, field)
		if v == nil {
			if required(field) {
				return misfitf("%s%s is missing", path, field.Name())
			}
			continue
		}
		if err := j.field(m, field, v, path+name); err != nil {
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

// find returns what an object gives for a field, and under which name. Of several spellings the first that
// says something counts.
func (j JSON) find(n *node, field protoreflect.FieldDescriptor) (string, *node) {
	for _, name := range []string{field.JSONName(), string(field.Name())} {
		if v := n.fields[name]; v.given() {
			return name, v
		}
	}
	for _, a := range j.Aliases {
		v := n.fields[a.Name]
		switch {
		case a.Field != string(field.Name()) || !v.given():
		case !a.Presence:
			return a.Name, v
		case v.kind == text && !v.blank():
			return a.Name, &node{kind: boolean, truth: true}
		case v.kind != text:
			return a.Name, v // a boolean is taken as one, all else is refused
		}
	}
	return "", nil
}

// field reads a value that is given into a field.
func (j JSON) field(m protoreflect.Message, field protoreflect.FieldDescriptor, n *node, path string) error {
	switch {
	case field.IsMap() || foreign(field):
		return j.piece(m, field, n, path)
	case field.IsList():
		return j.list(m.Mutable(field).List(), field, n, path)
	case field.Message() != nil:
		return j.message(m.Mutable(field).Message(), n, path+".")
	}
	v, ok, err := j.scalar(field, n, path)
	if ok {
		m.Set(field, v)
	}
	return err
}

func (j JSON) list(l protoreflect.List, field protoreflect.FieldDescriptor, n *node, path string) error {
	if n.kind != array {
		return misfitf("%s must be a list, not %s", path, n.kind)
	}
	for i, item := range n.items {
		at := path + "[" + strconv.Itoa(i) + "]"
		v := l.NewElement()
		if field.Message() != nil {
			// An entry that says nothing keeps its place: one bad entry never fails a list.
			if item.given() {
				if err := j.message(v.Message(), item, at+"."); err != nil {
					return err
				}
			}
		} else if said, ok, err := j.scalar(field, item, at); err != nil {
			return err
		} else if ok {
			v = said
		}
		l.Append(v)
	}
	return nil
}

// foreign reports whether only protojson knows how a field looks in JSON.
func foreign(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.BytesKind, protoreflect.FloatKind, protoreflect.DoubleKind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return true
	case protoreflect.MessageKind:
		return field.Message().FullName().Parent() == "google.protobuf"
	}
	return field.Kind() == protoreflect.GroupKind
}

// piece has protojson read a field.
func (j JSON) piece(m protoreflect.Message, field protoreflect.FieldDescriptor, n *node, path string) error {
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

// scalar reads a single value. It reports false for one that is not given.
func (j JSON) scalar(field protoreflect.FieldDescriptor, n *node, path string) (protoreflect.Value, bool, error) {
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
		return j.enum(field.Enum(), n, path)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		v, err := whole(n, path, math.MinInt32, math.MaxInt32)
		return protoreflect.ValueOfInt32(int32(v)), err == nil, err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		v, err := whole(n, path, 0, math.MaxUint32)
		return protoreflect.ValueOfUint32(uint32(v)), err == nil, err
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

func (j JSON) enum(e protoreflect.EnumDescriptor, n *node, path string) (protoreflect.Value, bool, error) {
	var names []string
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		name := j.name(v)
		if name == "" {
			continue
		}
		if names = append(names, name); n.kind == text && strings.EqualFold(strings.TrimSpace(n.text), name) {
			return protoreflect.ValueOfEnum(v.Number()), true, nil
		}
	}
	if i, err := whole(n, path, math.MinInt32, math.MaxInt32); err == nil && j.Words == nil {
		if v := e.Values().ByNumber(protoreflect.EnumNumber(i)); v != nil {
			return protoreflect.ValueOfEnum(v.Number()), true, nil
		}
	}
	return protoreflect.Value{}, false, misfitf("%s must be one of %s", path, strings.Join(names, ", "))
}

// name returns what the API calls the value of an enum.
func (j JSON) name(v protoreflect.EnumValueDescriptor) string {
	if j.Words != nil {
		return j.Words(v)
	}
	return string(v.Name())
}

// whole reads a whole number between two bounds.
func whole(n *node, path string, least, most int64) (int64, error) {
	if n.kind != number && n.kind != text {
		return 0, misfitf("%s must be a number, not %s", path, n.kind)
	}
	written := strings.TrimSpace(n.text)
	// JSON's own grammar keeps out what strconv takes beyond it: hexadecimal digits, infinity, underscores.
	if strings.Trim(written, "+-.0123456789eE") != "" || !json.Valid([]byte(written)) {
		return 0, misfitf("%s must be a number", path)
	}
	i, err := strconv.ParseInt(written, 10, 64)
	if err != nil {
		// Too large, or written like 11.0 or 1e1. Beyond 2^53 floats are no longer exact.
		const exact = 1 << 53
		f, _ := strconv.ParseFloat(written, 64)
		switch {
		case math.Abs(f) > exact:
			return 0, misfitf("%s is too large a number", path)
		case f != math.Trunc(f):
			return 0, misfitf("%s must be a whole number", path)
		}
		i = int64(f)
	}
	if i < least || i > most {
		return 0, misfitf("%s must be a number from %d to %d", path, least, most)
	}
	return i, nil
}
