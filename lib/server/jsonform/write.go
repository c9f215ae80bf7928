package jsonform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// write writes a message, or a list of messages, for an API with words of its own for enums, which protojson does not support.
// Otherwise it writes what protojson writes.
func (f Form) write(v any) ([]byte, error) {
	if m, ok := v.(proto.Message); ok {
		return f.appendMessage(nil, m.ProtoReflect())
	}
	list := reflect.ValueOf(v)
	if list.Kind() != reflect.Slice {
		return nil, fmt.Errorf("a %T cannot be written as JSON", v)
	}
	out := []byte{'['}
	for i := range list.Len() {
		m, ok := list.Index(i).Interface().(proto.Message)
		if !ok {
			return nil, fmt.Errorf("a %T cannot be written as JSON", v)
		}
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = f.appendMessage(out, m.ProtoReflect()); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func (f Form) appendMessage(out []byte, m protoreflect.Message) ([]byte, error) {
	fields := m.Descriptor().Fields()
	out = append(out, '{')
	empty := len(out)
	for i := range fields.Len() {
		field := fields.Get(i)
		if field.HasPresence() && !m.Has(field) {
			continue
		}
		if len(out) > empty {
			out = append(out, ',')
		}
		out = strconv.AppendQuote(out, string(field.Name()))
		out = append(out, ':')
		var err error
		if out, err = f.appendField(out, field, m.Get(field)); err != nil {
			return nil, err
		}
	}
	return append(out, '}'), nil
}

func (f Form) appendField(out []byte, field protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	if !field.IsList() {
		return f.appendValue(out, field, v)
	}
	out = append(out, '[')
	for i := range v.List().Len() {
		if i > 0 {
			out = append(out, ',')
		}
		var err error
		if out, err = f.appendValue(out, field, v.List().Get(i)); err != nil {
			return nil, err
		}
	}
	return append(out, ']'), nil
}

func (f Form) appendValue(out []byte, field protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return appendText(out, v.String())
	case protoreflect.BoolKind:
		return strconv.AppendBool(out, v.Bool()), nil
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		// protojson writes 64 bits as a text, but the API's documents say that all integers are numbers.
		return strconv.AppendInt(out, v.Int(), 10), nil
	case protoreflect.EnumKind:
		if known := field.Enum().Values().ByNumber(v.Enum()); known != nil {
			return appendText(out, f.name(known))
		}
	case protoreflect.MessageKind:
		if field.IsMap() {
			break
		}
		if !foreign(field) {
			return f.appendMessage(out, v.Message())
		}
		text, err := protojson.Marshal(v.Message().Interface())
		if err != nil {
			return nil, err
		}
		compact := bytes.NewBuffer(out) // protojson adds spaces at random
		err = json.Compact(compact, text)
		return compact.Bytes(), err
	}
	return nil, fmt.Errorf("%s cannot be written as JSON", field.FullName())
}

// Text returns a text as a JSON string. Bytes that are not UTF-8 are replaced.
func Text(s string) []byte {
	text, _ := appendText(nil, s) // a string can always be written
	return text
}

// appendText writes a text in quotes. Ampersands are not escaped, because users copy links from an answer in a terminal.
func appendText(out []byte, s string) ([]byte, error) {
	text := bytes.NewBuffer(out)
	enc := json.NewEncoder(text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}
