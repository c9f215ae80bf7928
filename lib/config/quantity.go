package config

import (
	"errors"
	"math/big"
	"regexp"
	"strings"
)

// Quantity is an amount in the notation of Kubernetes: a number with an optional suffix such as m (thousandths),
// M (millions) or Mi (1024²). The zero value means that no amount is given. Kubernetes' own parser would add its
// dependencies to every function, so this package parses the notation; Kubernetes gets the text as written.
type Quantity struct {
	text  string
	milli int64 // thousandths, rounded up
}

// The E of an exponent has digits after it: 1E is 10¹⁸, 1E3 is 1000.
var quantitySyntax = regexp.MustCompile(`^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$`)

var suffixes = map[string]string{
	"": "1", "n": "1e-9", "u": "1e-6", "m": "1e-3", "k": "1e3", "M": "1e6", "G": "1e9", "T": "1e12", "P": "1e15", "E": "1e18",
	"Ki": "1024", "Mi": "1048576", "Gi": "1073741824", "Ti": "1099511627776", "Pi": "1125899906842624", "Ei": "1152921504606846976",
}

// maxMilli is 2⁵³ in thousandths: 8 PiB, more than any amount that is configured here.
const maxMilli = (1 << 53) * 1000

var (
	errQuantity = errors.New("is not a quantity; write a number, with a suffix if needed: 4, 500m, 4000Mi, 4Gi")
	errTooLarge = errors.New("is more than 8Pi, the maximum")
)

// ParseQuantity parses an amount from 0 to 8Pi.
func ParseQuantity(text string) (Quantity, error) {
	parts := quantitySyntax.FindStringSubmatch(text)
	if parts == nil || len(text) > 40 {
		return Quantity{}, errQuantity
	}
	factor, known := suffixes[parts[2]]
	if !known {
		factor = "1" + parts[2]
	}
	number, ok1 := new(big.Rat).SetString(strings.TrimSuffix(parts[1], "."))
	unit, ok2 := new(big.Rat).SetString(factor)
	if !ok1 || !ok2 {
		return Quantity{}, errQuantity
	}
	number.Mul(number, unit).Mul(number, big.NewRat(1000, 1))
	milli, rest := new(big.Int).QuoRem(number.Num(), number.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		milli.Add(milli, big.NewInt(1))
	}
	if !milli.IsInt64() || milli.Int64() > maxMilli {
		return Quantity{}, errTooLarge
	}
	return Quantity{text: text, milli: milli.Int64()}, nil
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
