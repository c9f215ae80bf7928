package backend_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
)

// builder is the environment that ../knative.sh sets for a cluster of bin/cluster.
func builder(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../builder.env")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"KUBECONFIG": "x", "E2E_INSIDE": "10.96.0.7:80",
		"MONGODB_URI": "mongodb://127.0.0.1:4001", "TEST_S3_ENDPOINT": "http://127.0.0.1:4002",
		"TEST_S3_ACCESS_KEY": "x", "TEST_S3_SECRET_KEY": "x",
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "#") {
			env[name] = strings.Trim(value, "'")
		}
	}
	return env
}

// another is the environment of a cluster with its stores in the namespace "stores", as the recipe in ../README.md has it.
func another(t *testing.T) map[string]string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"KUBECONFIG": "x"}
	for _, line := range regexp.MustCompile(`(?m)^export (\w+)=(\S+)`).FindAllStringSubmatch(string(readme), -1) {
		env[line[1]] = strings.Trim(line[2], `'"`)
	}
	return env
}

func overlayOf(t *testing.T, env map[string]string) (string, target) {
	t.Helper()
	aim, err := targetOf(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := aim.writeOverlay("../..", dir); err != nil {
		t.Fatal(err)
	}
	return dir, aim
}

// The builder's environment makes the overlay that is in the source, and is checked there.
func TestOverlayOfTheBuilder(t *testing.T) {
	t.Parallel()
	dir, aim := overlayOf(t, builder(t))
	if aim.ingress != cluster.Ingress || aim.domain != cluster.Domain ||
		aim.s3.Hostname() != cluster.Loopback || aim.mongo.Hostname() != cluster.Loopback {
		t.Errorf("builder.env names what bin/cluster does not have: %+v", aim)
	}
	for _, below := range []string{"", "/database"} {
		want, err := build(kservices + "/overlays/e2e" + below)
		if err != nil {
			t.Fatal(err)
		}
		got, err := build(dir + below)
		if err != nil {
			t.Fatal(err)
		}
		in, made := plain(t, want), plain(t, got)
		for name := range maps.Keys(in) {
			if in[name] != made[name] {
				t.Errorf("%s: in the source:\n%s\nmade:\n%s", name, in[name], made[name])
			}
			delete(made, name)
		}
		for name := range made {
			t.Errorf("%s is not in the source", name)
		}
	}
}

// plain are objects by their kinds and names, without what depends on how a configuration is written.
func plain(t *testing.T, objects []*unstructured.Unstructured) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, o := range objects {
		if text, ok, _ := unstructured.NestedString(o.Object, "data", "config.yaml"); ok {
			var config map[string]any
			if err := yaml.Unmarshal([]byte(text), &config); err != nil {
				t.Fatal(err)
			}
			o.Object["data"] = map[string]any{"config.yaml": config}
		}
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		hash := regexp.MustCompile(`bakta-web-[a-z0-9]{10}\b`)
		all[hash.ReplaceAllString(o.GetKind()+" "+o.GetName(), "HASH")] = hash.ReplaceAllString(string(text), "HASH")
	}
	return all
}

// On another cluster, everything is what its environment names, and nothing is the builder's.
func TestOverlayOfAnotherCluster(t *testing.T) {
	t.Parallel()
	kinds := definitions(t)
	dir, aim := overlayOf(t, another(t))
	objects, err := build(dir)
	if err != nil {
		t.Fatal(err)
	}
	database, err := build(dir + "/database")
	if err != nil {
		t.Fatal(err)
	}
	checkPods(t, objects)
	checkNames(t, objects)
	checkConfig(t, objects)
	if at := storageOf(t, objects); at.String() != aim.s3.String() {
		t.Errorf("jobs find the object storage at %s, want %s", at, aim.s3)
	}
	storage := end{namespace: "stores", labels: labels.Set{"app": "s3"}, address: "10.244.0.8", port: 9000}
	reach(t, objects, append(always(), storage), append(never(), at(storage, 27017)))
	images := make(map[string]bool)
	for _, o := range append(objects, database...) {
		if err := kinds.check(t.Context(), o); err != nil {
			t.Errorf("%s %s: %v", o.GetKind(), o.GetName(), err)
		}
		text := fmt.Sprint(o.Object)
		for _, theirs := range []string{"10.200.0", "dev.local", "hostPath", "ko:"} {
			if strings.Contains(text, theirs) {
				t.Errorf("%s %s has %s of the builder: %s", o.GetKind(), o.GetName(), theirs, text)
			}
		}
		walk(o.Object, func(at map[string]any) {
			if image, ok := at["image"].(string); ok {
				images[image] = true
			}
		})
	}
	var want []string
	for _, program := range []string{"expire", "jobupdate", "notify", "page", "setup", "stager", "status", "submit"} {
		want = append(want, aim.registry+"/"+program+":"+aim.tag)
	}
	if got := slices.Sorted(maps.Keys(images)); !slices.Equal(got, want) {
		t.Errorf("the images are %v, want %v", got, want)
	}
}

// The other version is deployed with all of its images, the stager's in the functions' environment included.
func TestOverlayOfThePreviousVersion(t *testing.T) {
	t.Parallel()
	for want, env := range map[string]map[string]string{
		"10.200.0.1:5000/previous/*:latest": builder(t), "kind.local/*:e2e-previous": another(t),
	} {
		overlay, aim := overlayOf(t, env)
		dir := t.TempDir()
		if err := aim.writePrevious(overlay, dir); err != nil {
			t.Fatal(err)
		}
		objects, err := build(dir)
		if err != nil {
			t.Fatal(err)
		}
		images := make(map[string]bool)
		for _, o := range objects {
			walk(o.Object, func(at map[string]any) {
				for _, key := range []string{"image", "value"} {
					if text, _ := at[key].(string); key == "image" && text != "" || strings.Contains(text, "/stager") {
						images[text] = true
					}
				}
			})
		}
		var all []string
		for _, program := range []string{"expire", "jobupdate", "notify", "page", "setup", "stager", "status", "submit"} {
			all = append(all, strings.Replace(want, "*", program, 1))
		}
		if got := slices.Sorted(maps.Keys(images)); !slices.Equal(got, all) {
			t.Errorf("the images are %v, want %v", got, all)
		}
	}
}

// What is missing or wrong is reported by name, all at once.
func TestTargetIsIncomplete(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		set  map[string]string
		says []string
	}{
		"nothing": {map[string]string{"KUBECONFIG": "", "E2E_INGRESS": "", "E2E_MONGO_URI": "", "TEST_S3_ENDPOINT": ""},
			[]string{"KUBECONFIG", "E2E_INGRESS", "E2E_MONGO_URI", "TEST_S3_ENDPOINT", "e2e/README.md"}},
		"no database": {map[string]string{"E2E_MONGO_URI": "mongodb://mongo.stores:27017"}, []string{"no database is named"}},
		"no port":     {map[string]string{"E2E_S3_ENDPOINT": "http://s3.stores"}, []string{"E2E_S3_ENDPOINT", "no port"}},
		"no URL":      {map[string]string{"E2E_S3_ENDPOINT": "http://a b:9000"}, []string{"E2E_S3_ENDPOINT"}},
	} {
		env := builder(t)
		maps.Copy(env, row.set)
		_, err := targetOf(func(name string) string { return env[name] })
		for _, want := range row.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, which does not say %s", name, err, want)
			}
		}
	}
}

// Every variable that is read is in the table of ../README.md.
func TestVariablesAreDocumented(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	read := make(map[string]bool)
	if _, err := targetOf(func(name string) string { read[name] = true; return "" }); err == nil {
		t.Error("a target without any variable is accepted")
	}
	for _, name := range slices.Collect(maps.Keys(read)) {
		if !regexp.MustCompile(`(?m)^\|[^|]*` + "`" + name + "`").Match(readme) {
			t.Errorf("%s is not in the table", name)
		}
	}
	for name := range builder(t) {
		if !read[name] {
			t.Errorf("builder.env sets %s, which is not read", name)
		}
	}
}
