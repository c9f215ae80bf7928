package jsonform

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Query rewrites a raw query for the generated gateway: it returns the fields of the message that the query gives, under the
// names and in the spelling that the gateway knows. Everything else is dropped. Its errors are written for the client and do not
// quote values, because a value may be a secret; the gateway's own errors do.
func (f Form) Query(raw string, message protoreflect.MessageDescriptor) (string, error) {
	if raw == "" {
		return "", nil
	}
	given, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("the query cannot be read: its values must be URL-encoded")
	}
	n := &node{kind: object, fields: make(map[string]*node, len(given))}
	for name, values := range given {
		n.fields[name] = &node{kind: text, text: values[0]}
		if len(slices.Compact(values)) > 1 {
			n.fields[name] = &node{kind: array}
		}
	}
	known := make(url.Values, len(given))
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		name, v := f.find(n, field)
		if v == nil || field.IsList() || field.IsMap() || field.Message() != nil {
			continue
		}
		switch {
		case v.kind == array:
			return "", fmt.Errorf("the query gives %s more than once", name)
		case !utf8.ValidString(v.text):
			return "", fmt.Errorf("%s must be encoded as UTF-8", name)
		}
		value, ok, err := f.scalar(field, v, name)
		if err != nil {
			return "", err
		}
		if ok {
			known.Set(string(field.Name()), fmt.Sprint(value.Interface()))
		}
	}
	return known.Encode(), nil
}
