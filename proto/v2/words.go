package protov2

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// unspecified ends the name of each enum's value zero; what stands before it begins all of the enum's names.
const unspecified = "UNSPECIFIED"

// Word returns what JSON, and the backend, call a value of an enum: its name in lower case, without the enum's own
// name. It is empty for a value that is not specified or not known.
func Word(value protoreflect.Enum) string {
	known := value.Descriptor().Values().ByNumber(value.Number())
	if known == nil {
		return ""
	}
	return WordOf(known)
}

// WordOf is Word for what is known of a value.
func WordOf(value protoreflect.EnumValueDescriptor) string {
	zero := value.Parent().(protoreflect.EnumDescriptor).Values().ByNumber(0)
	if value.Number() == 0 {
		return ""
	}
	prefix := strings.TrimSuffix(string(zero.Name()), unspecified)
	return strings.ToLower(strings.TrimPrefix(string(value.Name()), prefix))
}

// Value returns the value of an enum that a word stands for. It is the one that is not specified for a word that
// stands for none.
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
