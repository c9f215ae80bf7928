package option

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The words of a switch in a text, in lower case.
var (
	wordsOn  = []string{"true", "yes", "y", "1", "on"}
	wordsOff = []string{"false", "no", "n", "0", "off"}
)

// Parse reads a value that a person typed: a text, a number, or for a Switch and a Step a word such as yes or no. A choice may be spelled
// as Bakta's flag has it or as the API has it. The error says what is wrong with the text and what to write, without the option's name.
// Check decides whether the value is valid together with the others.
func (o Option) Parse(text string) (Value, error) {
	word := strings.ToLower(strings.TrimSpace(text))
	switch {
	case o.Kind == Text && word != "" && len(o.Choices) > 0:
		for _, c := range o.Choices {
			if word == c.Flag || word == c.Value {
				return Value{Text: c.Value}, nil
			}
		}
		return Value{}, fmt.Errorf("%q is not valid; choose one of %s", text, strings.Join(o.Spellings(), ", "))
	case o.Kind == Text:
		return Value{Text: text}, nil
	case o.Kind == Number:
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return Value{}, fmt.Errorf("%q is not a whole number", text)
		}
		return Value{Number: n}, nil
	case slices.Contains(wordsOn, word):
		return Value{On: true}, nil
	case slices.Contains(wordsOff, word):
		return Value{}, nil
	}
	return Value{}, fmt.Errorf("%q is not valid; write true or false", text)
}

// Spellings returns what may be typed for an option with choices: the values of Bakta's flag, then those of the API that differ.
func (o Option) Spellings() []string {
	var all []string
	for _, c := range o.Choices {
		all = append(all, c.Flag)
	}
	for _, c := range o.Choices {
		if c.Value != c.Flag {
			all = append(all, c.Value)
		}
	}
	return all
}
