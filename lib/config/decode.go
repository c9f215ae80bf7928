package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// decoder puts what the file says into the fields of the same names. It reads the nodes of the YAML document
// and not the values that YAML makes of them: a node knows its line, and a version 5.10 is no number.
// Only what has a field is looked into, so aliases can't make it more than it is.
type decoder struct{ *findings }

func decode(doc *yaml.Node, cfg *Config, found *findings) {
	if doc != nil {
		decoder{found}.section(doc, reflect.ValueOf(cfg).Elem(), "")
	}
}

// section reads the keys of a mapping into the fields of a struct.
func (d decoder) section(node *yaml.Node, fields reflect.Value, path string) {
	if node.Kind != yaml.MappingNode {
		if path == "" {
			d.problem(node.Line, "the file holds no keys; it should have lines of the form Key: value")
		} else {
			d.problem(node.Line, "%s is a section: its keys go on lines of their own below it, indented", path)
		}
		return
	}
	seen := map[string]int{} // key in lower case to line
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		name := strings.ToLower(key.Value)
		if now, ok := renamed[strings.ToLower(join(path, key.Value))]; ok {
			name = now
		}
		if first, twice := seen[name]; twice {
			d.problem(key.Line, "%s is there twice, first in line %d, maybe under its former name or in another letter case", join(path, key.Value), first)
			continue
		}
		seen[name] = key.Line
		field, ok := lookup(fields.Type(), name)
		if !ok {
			d.unknown(key, path, fields.Type())
			continue
		}
		full := join(path, field.Name)
		d.lines[full] = key.Line
		if !strings.EqualFold(field.Name, key.Value) {
			d.former[full] = join(path, key.Value)
		}
		d.field(value, fields.FieldByIndex(field.Index), full)
	}
}

// field reads one value. An empty one stands for "not given", and leaves the default.
func (d decoder) field(node *yaml.Node, field reflect.Value, path string) {
	if node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind == yaml.ScalarNode && (node.Tag == "!!null" || node.Value == "") {
		return
	}
	if isSection(field.Type()) {
		d.section(node, field, path)
		return
	}
	value, err := convert(node, field.Interface())
	if err != nil {
		d.problem(d.lines[path], "%s %v", path, err)
		return
	}
	field.Set(reflect.ValueOf(value))
}

// convert gives a value of the file the type of its field. It may be quoted or not, whatever its type: existing
// files have both.
func convert(node *yaml.Node, field any) (any, error) {
	if _, isList := field.([]string); isList {
		return list(node)
	}
	if node.Kind != yaml.ScalarNode {
		return nil, errors.New("takes a single value")
	}
	text := node.Value
	switch field.(type) {
	case string:
		return text, nil
	case Secret:
		return Secret(text), nil
	case bool:
		switch strings.ToLower(text) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("is %q; write true or false", text)
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("is %q; write a whole number", text)
		}
		return n, nil
	case float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("is %q; write a number, as in 0.1", text)
		}
		return n, nil
	case time.Duration:
		duration, err := ParseDuration(text)
		return duration, quoting(text, err)
	case Quantity:
		quantity, err := ParseQuantity(text)
		return quantity, quoting(text, err)
	default:
		return nil, fmt.Errorf("has a type that can't be read: %T", field)
	}
}

func list(node *yaml.Node) ([]string, error) {
	if node.Kind != yaml.SequenceNode {
		return nil, errors.New("is a list: write [one, two]")
	}
	texts := make([]string, 0, len(node.Content))
	for _, item := range node.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind != yaml.ScalarNode {
			return nil, errors.New("holds something other than single values")
		}
		texts = append(texts, item.Value)
	}
	return texts, nil
}

func quoting(text string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("is %q, which %w", text, err)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// keys lists the fields that the file may set.
func keys(section reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(section), func(f reflect.StructField) bool { return f.Tag.Get("yaml") == "-" })
}

func lookup(section reflect.Type, name string) (reflect.StructField, bool) {
	for _, field := range keys(section) {
		if strings.EqualFold(field.Name, name) {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t != reflect.TypeFor[Quantity]()
}

// renamed maps keys of earlier versions, by their path, to the names that they have now. Both work.
var renamed = map[string]string{
	"expirytime":       "retention",
	"job.keepfinished": "ttl",
}

// strays are keys that files of the older backend hold and nothing reads, by the end of their path.
var strays = []string{"mongouserauthsource", "stragglerwaittime", "objectstorage.s3.bucket"}

// secretKeys are names under which a secret may have been put into the file by mistake.
var secretKeys = map[string]string{ //nolint:gosec // names of keys, no secrets
	"mongopassword": "MongoPassword", "password": "MongoPassword",
	"accesskey": "AWS_ACCESS_KEY_ID", "aws_access_key_id": "AWS_ACCESS_KEY_ID",
	"secretkey": "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
}

// unknown notes a key that no field has. Its value is never told: it may be a secret.
func (d decoder) unknown(key *yaml.Node, path string, section reflect.Type) {
	full := join(path, key.Value)
	variable, secret := secretKeys[strings.ToLower(key.Value)]
	switch {
	case slices.Contains(strays, strings.ToLower(full)), slices.Contains(strays, strings.ToLower(key.Value)):
		d.warn(key.Line, "%s has no meaning and can be removed", full)
	case key.Kind != yaml.ScalarNode || key.Value == "":
		d.problem(key.Line, "there is a key that is no word")
	case strings.Contains(key.Value, "."):
		d.problem(
			key.Line,
			"%s is no known key; what belongs to a section goes on lines of its own below it, indented, and not behind a dot",
			full,
		)
	case secret:
		d.problem(key.Line, "%s is a secret and has no place in the file; give it as the environment variable %s", full, variable)
	default:
		var names []string
		for _, field := range keys(section) {
			names = append(names, field.Name)
		}
		if path == "" {
			path = "the file"
		}
		d.problem(key.Line, "%s is no known key; %s has %s", full, path, strings.Join(names, ", "))
	}
}
