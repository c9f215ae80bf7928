package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestDocumented compares config/config.yaml with the struct: the file has exactly the keys of the struct, in the order
// of the fields, each under a comment of its own.
func TestDocumented(t *testing.T) {
	content, err := os.ReadFile("../../config/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		t.Fatal(err)
	}
	var inFile, inStruct []string
	var walkFile func(node *yaml.Node, path string)
	walkFile = func(node *yaml.Node, path string) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			full := join(path, key.Value)
			inFile = append(inFile, full)
			if comment := strings.Trim(key.HeadComment, "# \n"); len(comment) < 8 {
				t.Errorf("%s has no comment", full)
			}
			if value.Kind == yaml.MappingNode {
				walkFile(value, full)
			}
		}
	}
	walkFile(doc.Content[0], "")
	var walkStruct func(typ reflect.Type, path string)
	walkStruct = func(typ reflect.Type, path string) {
		for _, field := range keys(typ) {
			full := join(path, field.Name)
			inStruct = append(inStruct, full)
			if isSection(field.Type) {
				walkStruct(field.Type, full)
			}
		}
	}
	walkStruct(reflect.TypeFor[Config](), "")
	if diff := cmp.Diff(inStruct, inFile); diff != "" {
		t.Errorf("keys (-struct +file)\n%s", diff)
	}
}

// TestShippedFiles loads the files of the repository: they have no problems, and config.yaml states the defaults of the
// code.
func TestShippedFiles(t *testing.T) {
	for _, name := range []string{"config.yaml", "local-config.yaml"} {
		cfg, warnings, err := Load("../../config/"+name, environment(nil), everything...)
		if err != nil || len(warnings) > 0 {
			t.Fatal(name, err, warnings)
		}
		if name != "config.yaml" {
			continue
		}
		defaults := Default()
		for _, pair := range [][2]any{
			{cfg.Retention, defaults.Retention}, {cfg.Job, defaults.Job}, {cfg.Programs, defaults.Programs}, {cfg.Limits, defaults.Limits},
			{cfg.CORS, defaults.CORS}, {cfg.Access, defaults.Access}, {cfg.Telemetry, defaults.Telemetry},
			{cfg.Listen, defaults.Listen}, {cfg.InCluster, defaults.InCluster}, {cfg.Testing, defaults.Testing},
			{cfg.Objectstorage.S3.Region, defaults.Objectstorage.S3.Region}, {cfg.Objectstorage.S3.PathStyle, defaults.Objectstorage.S3.PathStyle},
			{cfg.Database.MongoPort, defaults.Database.MongoPort}, {cfg.Database.MongoAuthSource, defaults.Database.MongoAuthSource},
		} {
			if diff := cmp.Diff(pair[1], pair[0], cmp.AllowUnexported(Quantity{})); diff != "" {
				t.Errorf("(-default +file)\n%s", diff)
			}
		}
	}
}
