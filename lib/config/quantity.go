package config

import (
	"errors"
	"regexp"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Quantity is an amount in the notation of Kubernetes: a number with an optional suffix such as m (thousandths),
// M (millions) or Mi (1024²). The zero value means that no amount is given. Kubernetes gets the text as written.
type Quantity struct {
	text  string
	milli int64 // thousandths, rounded up
}

// Kubernetes' parser (apimachinery 0.35) takes "." for 0, and computes every power of ten that is asked for, which takes long
// for large ones. So it gets what has a digit and a short exponent.
var quantitySyntax = regexp.MustCompile(`^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$`)

// maxUnits is 8 PiB. No configured amount comes near it, and its thousandths fit into an int64.
const maxUnits = 1 << 53

var (
	errQuantity = errors.New("is not a quantity; write a number, with a suffix if needed: 4, 500m, 4000Mi, 4Gi")
	errTooLarge = errors.New("is more than 8Pi, the maximum")
)

// ParseQuantity parses an amount from 0 to 8Pi.
func ParseQuantity(text string) (Quantity, error) {
	if len(text) > 40 || !quantitySyntax.MatchString(text) {
		return Quantity{}, errQuantity
	}
	amount, err := resource.ParseQuantity(text)
	switch {
	case err != nil:
		return Quantity{}, errQuantity
	case amount.CmpInt64(maxUnits) > 0:
		return Quantity{}, errTooLarge
	}
	return Quantity{text: text, milli: amount.MilliValue()}, nil
}

func mustQuantity(text string) Quantity {
	q, err := ParseQuantity(text)
	if err != nil {
		panic(err)
	}
	return q
}

// String returns the amount as written.
func (q Quantity) String() string { return q.text }

// MarshalText returns the amount as written.
func (q Quantity) MarshalText() ([]byte, error) { return []byte(q.text), nil }

// Milli returns the amount in thousandths, rounded up.
func (q Quantity) Milli() int64 { return q.milli }

// Floor returns the whole units in the amount.
func (q Quantity) Floor() int64 { return q.milli / 1000 }
