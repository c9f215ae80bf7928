package protov2

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// unspecified is the end of the name of each enum's value zero. The part before it is the prefix of all names of the enum.
const unspecified = "UNSPECIFIED"

// Word returns the word for a value of an enum, in JSON and in the backend: its name in lower case, without the prefix. It is empty for the
// unspecified value and for unknown ones.
func Word(value protoreflect.Enum) string {
	known := value.Descriptor().Values().ByNumber(value.Number())
	if known == nil {
		return ""
	}
	return WordOf(known)
}

// WordOf is Word for the descriptor of a value.
func WordOf(value protoreflect.EnumValueDescriptor) string {
	zero := value.Parent().(protoreflect.EnumDescriptor).Values().ByNumber(0)
	if value.Number() == 0 {
		return ""
	}
	prefix := strings.TrimSuffix(string(zero.Name()), unspecified)
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}

// Value returns the value of an enum for a word; the unspecified value for an unknown word.
func Value[E interface {
	~int32
	protoreflect.Enum
}](word string) E {
	var none E
	values := none.Descriptor().Values()
	for i := range values.Len() {
		if v := values.Get(i); word != "" && WordOf(v) == word {
			return E(v.Number())
		}
	}
	return none
}
