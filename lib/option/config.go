// Package option has the options of Bakta in one table: their names in both versions of the API, flags, rules and help.
package option

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Normalise returns the configuration as it is validated, stored and run: texts have no white space around them, so that a
// blank text is not given, and each step that is left out is there once and in order. A value that was given is kept even if
// it is Bakta's default.
func (c Config) Normalise() Config {
	for _, o := range Table() {
		if o.Kind == Text {
			o.Set(&c, Value{Text: strings.TrimSpace(o.Get(c).Text)})
		}
	}
	if len(c.Use) == 0 {
		c.Use = nil
	}
	c.Use = maps.Clone(c.Use)
	c.Skip = sortedSteps(c.Skip)
	return c
}

// sortedSteps returns the steps in their order, each once, and unknown ones behind them.
func sortedSteps(skipped []string) []string {
	var sorted, unknown []string
	steps := Steps()
	for _, step := range steps {
		if slices.Contains(skipped, step) {
			sorted = append(sorted, step)
		}
	}
	for _, s := range skipped {
		if !slices.Contains(steps, s) {
			unknown = append(unknown, s)
		}
	}
	slices.Sort(unknown)
	return append(sorted, slices.Compact(unknown)...)
}

// Arguments returns the flags that Bakta gets for the options that were given. A value stands in one word with its flag: in a
// word of its own, a value that begins with a dash would be read as a flag.
func (c Config) Arguments() []string {
	var args []string
	for _, o := range Table() {
		v := o.Get(c)
		switch o.Kind {
		case Text:
			if v.Text != "" {
				args = append(args, "--"+o.Flag+"="+o.flagged(v.Text))
			}
		case Number:
			if v.Number != 0 && v.Number != o.Implied {
				args = append(args, "--"+o.Flag+"="+strconv.FormatInt(v.Number, 10))
			}
		default:
			if v.On {
				args = append(args, "--"+o.Flag)
			}
		}
	}
	known := Steps()
	for _, s := range c.Skip {
		if !slices.Contains(known, s) { // a newer version of the backend knows it, and Bakta may, too
			args = append(args, "--"+step(s, "").Flag)
		}
	}
	return args
}

// flagged returns a text as the flag has it.
func (o Option) flagged(text string) string {
	for _, choice := range o.Choices {
		if choice.Value == text {
			return choice.Flag
		}
	}
	return text
}

// Encode returns the canonical JSON of a configuration: equal configurations have equal bytes.
func Encode(c Config) ([]byte, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding the configuration: %w", err)
	}
	return b, nil
}

// Decode reads what Encode wrote. It ignores fields that it does not know, which a newer version wrote.
func Decode(b []byte) (Config, error) {
	var c Config
	if err := json.Unmarshal(b, &c); err != nil {
		return Config{}, fmt.Errorf("decoding the configuration: %w", err)
	}
	return c, nil
}
