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

	"github.com/ag-computational-bio/bakta-web-backend/lib/settings"
)

// decoder sets the fields of Config from the keys of the same names. It reads the nodes of the YAML document instead
// of decoded values: a node has its line, and the version 5.10 remains text. It visits only nodes that have a field,
// so that aliases can't multiply the work.
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
			d.problem(node.Line, "the file has no keys; write lines of the form Key: value")
		} else {
			d.problem(node.Line, "%s is a section; write its keys on lines of their own below it, indented", path)
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
			d.problem(key.Line, "%s is set twice, first in line %d, maybe under its former name or in another letter case", join(path, key.Value),
				first)
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

// field reads one value. An empty value leaves the default.
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

// convert converts a value of the file to the type of its field. A value of any type may be quoted or not: existing
// files have both.
func convert(node *yaml.Node, field any) (any, error) {
	if _, isList := field.([]string); isList {
		return list(node)
	}
	if node.Kind != yaml.ScalarNode {
		return nil, errors.New("must be a single value")
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
			return nil, fmt.Errorf("is %q; write a number such as 0.1", text)
		}
		return n, nil
	case time.Duration:
		duration, err := settings.ParseDuration(text)
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
		return nil, errors.New("is a list; write [one, two]")
	}
	texts := make([]string, 0, len(node.Content))
	for _, item := range node.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind != yaml.ScalarNode {
			return nil, errors.New("contains an item that is not a single value")
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

// renamed maps the paths of keys of earlier versions to their present names. Both names work.
var renamed = map[string]string{
	"expirytime":       "retention",
	"job.keepfinished": "ttl",
}

// obsoleteKeys are keys of the older backend's files that have no effect, by the end of their path.
var obsoleteKeys = []string{"mongouserauthsource", "stragglerwaittime", "objectstorage.s3.bucket"}

// secretKeys maps keys under which a file may contain a secret by mistake to the environment variable of that secret.
var secretKeys = map[string]string{ //nolint:gosec // names of keys, no secrets
	"mongopassword": "MongoPassword", "password": "MongoPassword",
	"accesskey": "AWS_ACCESS_KEY_ID", "aws_access_key_id": "AWS_ACCESS_KEY_ID",
	"secretkey": "AWS_SECRET_ACCESS_KEY", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
}

// unknown reports a key that has no field. It never shows the value, which may be a secret.
func (d decoder) unknown(key *yaml.Node, path string, section reflect.Type) {
	full := join(path, key.Value)
	variable, secret := secretKeys[strings.ToLower(key.Value)]
	switch {
	case slices.Contains(obsoleteKeys, strings.ToLower(full)), slices.Contains(obsoleteKeys, strings.ToLower(key.Value)):
		d.warn(key.Line, "%s has no effect and can be removed", full)
	case key.Kind != yaml.ScalarNode || key.Value == "":
		d.problem(key.Line, "a key is not a plain word; write lines of the form Key: value")
	case strings.Contains(key.Value, "."):
		d.problem(
			key.Line,
			"%s is not a known key; write the keys of a section on lines of their own below it, indented, without dots",
			full,
		)
	case secret:
		d.problem(key.Line, "%s is a secret and must not be in the file; set the environment variable %s instead", full, variable)
	default:
		var names []string
		for _, field := range keys(section) {
			names = append(names, field.Name)
		}
		if path == "" {
			path = "the file"
		}
		d.problem(key.Line, "%s is not a known key; %s has %s", full, path, strings.Join(names, ", "))
	}
}
