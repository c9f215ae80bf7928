package option

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each row has its field of Config, and each field its row.
func TestTable(t *testing.T) {
	var fields []string
	for f := range reflect.TypeFor[Config]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	seen := map[string]bool{"use": true, "skip": true}
	flags := make(map[string]bool)
	for _, o := range Table() {
		if seen[o.Name] || flags[o.Flag] || o.Flag == "" || strings.TrimSpace(o.Help) == "" {
			t.Errorf("%s: it is there twice, or has no flag or help", o.Name)
		}
		seen[o.Name], flags[o.Flag] = true, true
		if o.Kind != Step && !slices.Contains(fields, o.Name) {
			t.Errorf("%s has no field of Config", o.Name)
			continue
		}
		if o.Pattern != "" {
			regexp.MustCompile(o.Pattern)
		}
		if (o.Kind == Text || o.Kind == Number) && strings.Count(o.Help, "`") != 2 {
			t.Errorf("%s: its help does not name the value", o.Name)
		}
		var c Config
		v := map[Kind]Value{Text: {Text: "x"}, Number: {Number: 7}, Switch: {On: true}, Step: {On: true}}[o.Kind]
		if len(o.Choices) > 0 && o.Kind == Text {
			v.Text = o.Choices[0].Value
		}
		o.Set(&c, v)
		if o.Get(c) != v || reflect.DeepEqual(c, Config{}) {
			t.Errorf("%s: %+v became %+v", o.Name, v, o.Get(c))
		}
		if args := c.Arguments(); len(args) != 1 || !strings.HasPrefix(args[0], "--"+o.Flag) {
			t.Errorf("%s: arguments %q", o.Name, args)
		}
		o.Set(&c, Value{})
		if o.Get(c) != (Value{}) || len(c.Arguments()) != 0 {
			t.Errorf("%s stays %+v", o.Name, o.Get(c))
		}
	}
	for _, f := range fields {
		if !seen[f] {
			t.Errorf("the field %s of Config has no row", f)
		}
	}
}
