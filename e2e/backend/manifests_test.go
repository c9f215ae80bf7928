package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gvk "k8s.io/apimachinery/pkg/runtime/schema"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
)

const kservices = "../../kservices"

// Every overlay makes objects that a cluster takes as they are meant: no field is unknown, none has a wrong value, what
// they name is there, and the functions can read their configuration.
func TestManifests(t *testing.T) {
	t.Parallel()
	kinds := definitions(t)
	overlays, err := filepath.Glob(kservices + "/overlays/*")
	if err != nil || len(overlays) == 0 {
		t.Fatalf("no overlays: %v", err)
	}
	more, err := filepath.Glob(kservices + "/overlays/*/database")
	if err != nil || len(more) == 0 {
		t.Fatalf("no databases: %v", err)
	}
	for _, folder := range append(overlays, more...) {
		t.Run(strings.TrimPrefix(folder, kservices+"/overlays/"), func(t *testing.T) {
			t.Parallel()
			objects, err := build(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range objects {
				if err := kinds.check(t.Context(), o); err != nil {
					t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
				}
			}
			checkPods(t, objects)
			if slices.Contains(overlays, folder) {
				checkNames(t, objects)
				checkConfig(t, objects)
			}
		})
	}
}

// Every component can be had: each kind of ingress, and what an overlay may add.
func TestComponents(t *testing.T) {
	t.Parallel()
	kinds := definitions(t)
	ingresses, err := filepath.Glob(kservices + "/ingress/*")
	if err != nil || len(ingresses) < 3 {
		t.Fatalf("no ingresses: %v, %v", ingresses, err)
	}
	for _, folder := range append(ingresses, kservices+"/broker", kservices+"/oidc", kservices+"/page", kservices+"/notify",
		kservices+"/notify-broker") {
		below := strings.TrimPrefix(folder, kservices+"/")
		t.Run(below, func(t *testing.T) {
			t.Parallel()
			objects, err := buildWith(below)
			if err != nil {
				t.Fatal(err)
			}
			grants := 0
			for _, o := range objects {
				if err := kinds.check(t.Context(), o); err != nil {
					t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
				}
				if o.GetKind() == "HTTPRoute" {
					checkRoute(t, o)
				}
				if o.GetKind() == "ReferenceGrant" {
					grants++
				}
				if text := fmt.Sprint(
					o.Object,
				); strings.HasPrefix(below, "ingress/") && o.GetKind() == "HTTPRoute" &&
					strings.Contains(text, "namespace:ingress") {
					t.Errorf("the route %s leads to no such ingress: %s", o.GetName(), text)
				}
			}
			wantGrants := 0
			if strings.HasPrefix(below, "ingress/") && below != "ingress/kourier" { // which has no routes of the Gateway API
				wantGrants = 1
			}
			if grants != wantGrants {
				t.Errorf("%d grants", grants)
			}
		})
	}
}

// With Kourier alone, an Ingress of Knative leads each path of the routes to the same function, and to the page what no function serves.
func TestKourier(t *testing.T) {
	t.Parallel()
	kinds := definitions(t)
	routes, err := buildWith("page")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, o := range routes {
		if o.GetKind() != "HTTPRoute" {
			continue
		}
		rule := object(o.Object).in("spec").list("rules")[0]
		host := rule.list("filters")[0].in("urlRewrite")["hostname"].(string)
		for _, match := range rule.list("matches") {
			want[match.in("path")["value"].(string)] = host
		}
	}
	env := builder(t)
	env["E2E_INGRESS_COMPONENT"], env["E2E_HOST"] = "kourier", "genomes.test"
	dir, _ := overlayOf(t, env)
	objects, err := build(dir)
	if err != nil {
		t.Fatal(err)
	}
	checkNames(t, objects)
	got := make(map[string]string)
	for _, o := range objects {
		if err := kinds.check(t.Context(), o); err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		switch o.GetKind() {
		case "HTTPRoute":
			t.Errorf("there is a route of the Gateway API, %s", o.GetName())
		case "Ingress":
			rule := object(o.Object).in("spec").list("rules")[0]
			if fmt.Sprint(rule["hosts"]) != "[genomes.test]" {
				t.Errorf("its hosts are %v", rule["hosts"])
			}
			for _, path := range rule.in("http").list("paths") {
				name, host := path["path"].(string), path["rewriteHost"].(string)
				if service := path.list("splits")[0]["serviceName"].(string); host != service+".bakta.svc.cluster.local" {
					t.Errorf("%s leads to %s with the host %s", name, service, host)
				}
				if got[name] != "" {
					t.Errorf("%s is named twice", name)
				}
				got[name] = host
			}
		}
	}
	if !maps.Equal(got, want) || len(got) < 30 || got["/"] != "page.bakta.svc.cluster.local" {
		t.Errorf("the paths lead to %v, want %v", got, want)
	}
}

// What is wrong is found.
func TestManifestsThatAreWrong(t *testing.T) {
	t.Parallel()
	kinds := definitions(t)
	objects, err := build(kservices + "/overlays/e2e")
	if err != nil {
		t.Fatal(err)
	}
	for kind, path := range map[string][]string{
		"HTTPRoute":       {"spec", "hostname"},
		"ApiServerSource": {"spec", "resources"}, // its unknown fields are kept
		"PingSource":      {"spec", "sink", "url"},
		"NetworkPolicy":   {"spec", "podSelectors"},
		"Job":             {"spec", "template", "spec", "serviceAccountNames"},
		"Role":            {"rule"},
	} {
		i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == kind })
		if i < 0 {
			t.Errorf("there is no %s", kind)
			continue
		}
		o := objects[i].DeepCopy()
		if err := unstructured.SetNestedField(o.Object, "x", path...); err != nil {
			t.Fatal(err)
		}
		if err := kinds.check(t.Context(), o); err == nil {
			t.Errorf("a %s with a field %v is taken", kind, path)
		}
	}
	i := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return strings.HasPrefix(o.GetAPIVersion(), "serving") })
	o := objects[i].DeepCopy()
	if err := unstructured.SetNestedField(o.Object, "many", "spec", "template", "spec", "containerConcurrency"); err != nil {
		t.Fatal(err)
	}
	if err := kinds.check(t.Context(), o); err == nil {
		t.Error("a Service with a word as its concurrency is taken")
	}
}

// checkRoute holds that a route leads where its component says with each of its rules, and is one that the first v1 of the
// Gateway API takes.
func checkRoute(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
	if len(rules) != 1 {
		t.Errorf("the route %s has %d rules, and components say where the first leads", o.GetName(), len(rules))
	}
	for _, r := range rules {
		if matches := r.(map[string]any)["matches"].([]any); len(matches) > 8 {
			t.Errorf("the route %s has %d matches in a rule", o.GetName(), len(matches))
		}
	}
}

func build(folder string) ([]*unstructured.Unstructured, error) {
	return buildIn(filesys.MakeFsOnDisk(), folder)
}

func buildIn(files filesys.FileSystem, folder string) ([]*unstructured.Unstructured, error) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, folder)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, r := range made.Resources() {
		text, err := r.MarshalJSON()
		if err != nil {
			return nil, err
		}
		o := new(unstructured.Unstructured)
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// buildWith builds the base with a component, named by its folder in kservices.
func buildWith(component string) ([]*unstructured.Unstructured, error) {
	memory := filesys.MakeFsInMemory()
	for _, name := range []string{"kservices", "config"} {
		if err := copyInto(memory, filepath.Join("../..", name), "/"+name); err != nil {
			return nil, err
		}
	}
	text := "resources: [../base]\ncomponents: [../" + component + "]\n"
	if err := memory.WriteFile("/kservices/tried/kustomization.yaml", []byte(text)); err != nil {
		return nil, err
	}
	return buildIn(memory, "/kservices/tried")
}

func copyInto(memory filesys.FileSystem, from, to string) error {
	return filepath.WalkDir(from, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		below, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return memory.WriteFile(filepath.Join(to, below), content)
	})
}

// kind is what a cluster checks objects of a defined kind by.
type kind struct {
	structure *schema.Structural
	schema    validation.SchemaCreateValidator
	rules     *cel.Validator
}

type kindSet map[gvk.GroupVersionKind]kind

func definitions(t *testing.T) kindSet {
	t.Helper()
	all, err := cluster.Definitions(t.Context(), "..")
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(kindSet)
	for _, o := range all {
		if err := kinds.add(o); err != nil {
			t.Fatal(err)
		}
	}
	return kinds
}

func (s kindSet) add(o map[string]any) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var external apiextensionsv1.CustomResourceDefinition
	if err := json.Unmarshal(text, &external); err != nil {
		return err
	}
	for _, version := range external.Spec.Versions {
		var props apiextensions.JSONSchemaProps
		if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(
			version.Schema.OpenAPIV3Schema,
			&props,
			nil,
		); err != nil {
			return err
		}
		k := kind{}
		if k.structure, err = schema.NewStructural(&props); err != nil {
			return err
		}
		if k.schema, _, err = validation.NewSchemaValidator(&props); err != nil {
			return err
		}
		k.rules = cel.NewValidator(k.structure, true, celconfig.PerCallLimit)
		s[gvk.GroupVersionKind{Group: external.Spec.Group, Version: version.Name, Kind: external.Spec.Names.Kind}] = k
	}
	return nil
}

// check returns what the API server would have against an object.
func (s kindSet) check(ctx context.Context, o *unstructured.Unstructured) error {
	if scheme.Scheme.Recognizes(o.GroupVersionKind()) {
		text, err := o.MarshalJSON()
		if err != nil {
			return err
		}
		strict := serializer.NewSerializerWithOptions(
			serializer.DefaultMetaFactory,
			scheme.Scheme,
			scheme.Scheme,
			serializer.SerializerOptions{Strict: true},
		)
		_, _, err = strict.Decode(text, nil, nil)
		return err
	}
	k, ok := s[o.GroupVersionKind()]
	if !ok {
		return fmt.Errorf("nobody defines %s", o.GroupVersionKind())
	}
	content := runtime.DeepCopyJSON(o.Object)
	unknown := pruning.PruneWithOptions(content, k.structure, true, schema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	var errs []error
	for _, path := range unknown {
		errs = append(errs, fmt.Errorf("the field %s is unknown", path))
	}
	defaulting.Default(content, k.structure)
	for _, err := range validation.ValidateCustomResource(nil, content, k.schema) {
		errs = append(errs, err)
	}
	for _, err := range listtype.ValidateListSetsAndMaps(nil, k.structure, content) {
		errs = append(errs, err)
	}
	if k.rules != nil {
		wrong, _ := k.rules.Validate(ctx, nil, k.structure, content, nil, celconfig.RuntimeCELCostBudget)
		for _, err := range wrong {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkNames holds that what objects name is there, but for the secrets, which operators have.
func checkNames(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	there := map[string]bool{"Secret mongo-mongodb": true, "Secret s3": true}
	for _, o := range objects {
		there[o.GetKind()+" "+o.GetName()] = true
	}
	need := func(by *unstructured.Unstructured, kind string, name any) {
		t.Helper()
		if text, _ := name.(string); name != nil && !there[kind+" "+text] {
			t.Errorf("%s %s names the %s %v, which isn't there", by.GetKind(), by.GetName(), kind, name)
		}
	}
	for _, o := range objects {
		walk(o.Object, func(at map[string]any) {
			need(o, "ServiceAccount", at["serviceAccountName"])
			for kind, key := range map[string]string{"ConfigMap": "configMap", "Secret": "secretKeyRef", "Service": "urlRewrite", "": "ref"} {
				inner, ok := at[key].(map[string]any)
				if !ok || inner["optional"] == true {
					continue
				}
				switch key {
				case "ref":
					need(o, inner["kind"].(string), inner["name"])
				case "urlRewrite":
					name, of, _ := strings.Cut(inner["hostname"].(string), ".")
					if of != "bakta.svc.cluster.local" {
						t.Errorf("%s rewrites to %v", o.GetName(), inner)
					}
					need(o, kind, name)
				default:
					need(o, kind, inner["name"])
				}
			}
		})
		if text := fmt.Sprint(o.Object); strings.Contains(text, "ko://") {
			t.Errorf("%s %s has an image that is no one's: %s", o.GetKind(), o.GetName(), text)
		}
	}
}

// checkPods holds that every pod is one that the policies of the network are about, that those are about no other pod, and
// that who deletes the overlay deletes nothing but what is in it.
func checkPods(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	const part, ours = "app.kubernetes.io/part-of", "bakta-web"
	for _, o := range objects {
		if o.GetKind() == "Namespace" {
			t.Errorf("the namespace %s is part of it, and all else in there goes with it", o.GetName())
		}
		if labels, there, _ := unstructured.NestedStringMap(
			o.Object,
			"spec",
			"podSelector",
			"matchLabels",
		); o.GetKind() == "NetworkPolicy" &&
			(!there || labels[part] != ours) {
			t.Errorf("the policy %s is about pods of others: %v", o.GetName(), labels)
		}
		if _, there, _ := unstructured.NestedMap(o.Object, "spec", "template", "spec"); !there {
			continue
		}
		if labels, _, _ := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels"); labels[part] != ours {
			t.Errorf("no policy is about the pods of %s %s: %v", o.GetKind(), o.GetName(), labels)
		}
	}
}

func walk(value any, visit func(map[string]any)) {
	switch value := value.(type) {
	case map[string]any:
		visit(value)
		for _, v := range value {
			walk(v, visit)
		}
	case []any:
		for _, v := range value {
			walk(v, visit)
		}
	}
}

// checkConfig holds that the functions take their configuration.
func checkConfig(t *testing.T, objects []*unstructured.Unstructured) {
	t.Helper()
	for _, o := range objects {
		if o.GetKind() != "ConfigMap" || !strings.HasPrefix(o.GetName(), "bakta-web-") {
			continue
		}
		text, _, _ := unstructured.NestedString(o.Object, "data", "config.yaml")
		file := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		env := func(name string) string {
			return map[string]string{"MongoPassword": "x", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "StagerContainer": "x"}[name]
		}
		read, warnings, err := config.Load(file, env, config.Mongo, config.S3Store, config.Kube, config.KubeLogs)
		if err != nil || len(warnings) > 0 {
			t.Errorf("%v %v", err, warnings)
		}
		if read.UpdateService.Name != "jobupdate.bakta.svc.cluster.local" || read.K8sNamespace != "bakta" {
			t.Errorf("it is not of this namespace: %+v, %s", read.UpdateService, read.K8sNamespace)
		}
		return
	}
	t.Error("there is no configuration")
}
