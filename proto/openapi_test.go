package proto_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// described is what the tests read of an OpenAPI 3.1 document.
type described struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		RequestBody *struct{ Required bool }
		Responses   map[string]struct {
			Content map[string]struct{ Schema map[string]any }
		}
	}
	Components struct {
		Schemas map[string]struct {
			Type       any
			Properties map[string]any
			Enum       []any
		}
	}
}

func read(t *testing.T, document string) described {
	t.Helper()
	var d described
	if err := json.Unmarshal([]byte(document), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The OpenAPI 3.1 documents have every route of the proto files and no other, name each once, and say of answers that are
// no objects what JSON writes.
func TestOpenAPI31(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]struct {
		api      server.API
		document string
	}{"v1": {apiv1.API(), protov1.OpenAPI31()}, "v2": {apiv2.API(), protov2.OpenAPI31()}} {
		d := read(t, version.document)
		if d.OpenAPI != "3.1.0" {
			t.Errorf("%s is of OpenAPI %s", name, d.OpenAPI)
		}
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(version.api.Desc.ServiceName))
		if err != nil {
			t.Fatal(err)
		}
		routes, ids := 0, make(map[string]bool)
		for _, methods := range d.Paths {
			routes += len(methods)
			for _, operation := range methods {
				ids[operation.OperationID] = true
			}
		}
		if len(ids) != routes {
			t.Errorf("%s: %d routes have the ids %v", name, routes, slices.Sorted(maps.Keys(ids)))
		}
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		for i := range methods.Len() {
			method := methods.Get(i)
			rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
			for _, binding := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
				routes--
				verb, path := "get", binding.GetGet()
				switch {
				case binding.GetPost() != "":
					verb, path = "post", binding.GetPost()
				case binding.GetDelete() != "":
					verb, path = "delete", binding.GetDelete()
				}
				operation, ok := d.Paths[path][verb]
				if !ok {
					t.Errorf("%s lacks %s %s", name, verb, path)
					continue
				}
				for _, status := range []string{"200", "400", "405", "429", "500", "501", "503", "504"} {
					if _, ok := operation.Responses[status]; !ok {
						t.Errorf("%s: %s has no answer %s", name, operation.OperationID, status)
					}
				}
				body, special := version.api.JSON.Bodies[method.Output().FullName()]
				schema := operation.Responses["200"].Content["application/json"].Schema
				if special && (body == "" && schema != nil || body == "null" && schema["type"] != "null") {
					t.Errorf("%s: %s answers %q, not %v", name, operation.OperationID, body, schema)
				}
			}
		}
		if routes != 0 {
			t.Errorf("%s has %d routes more than the service", name, routes)
		}
	}
}

// The documents have the options and result files of the catalogue.
func TestOpenAPI31TellsTheCatalogue(t *testing.T) {
	t.Parallel()
	v1, v2 := read(t, protov1.OpenAPI31()), read(t, protov2.OpenAPI31())
	first, second := make(map[string]bool), make(map[string]bool)
	for _, w := range workflow.Catalogue() {
		for _, f := range w.Results {
			second[f.Key] = true
			if f.KeyV1 != "" {
				first[f.KeyV1] = true
			}
		}
	}
	properties := v1.Components.Schemas["JobResultResponse"].Properties["ResultFiles"].(map[string]any)["properties"].(map[string]any)
	if got, want := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(first)); !reflect.DeepEqual(got, want) {
		t.Errorf("the first version's results are %v, not %v", got, want)
	}
	got, want := slices.Sorted(maps.Keys(v2.Components.Schemas["ResultFiles"].Properties)), slices.Sorted(maps.Keys(second))
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the second version's results are %v, not %v", got, want)
	}
	for _, value := range v2.Components.Schemas["WorkflowKind"].Enum {
		if _, ok := workflow.Lookup(value.(string)); !ok {
			t.Errorf("the workflow %v does not exist", value)
		}
	}
	if words := v1.Components.Schemas["JobStatusEnum"].Enum; strings.Contains(strings.ToUpper(words[2].(string)), "LL") {
		t.Errorf("the first version's states are %v", words)
	}
}
