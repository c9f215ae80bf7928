package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// release is a project that is deployed from the manifests in its Go modules.
type release struct {
	name      string
	module    string // folder of the module that requires the sources' modules; parts if empty
	sources   []source
	built     kustomized          // besides the sources; may be empty
	own       string              // an additional manifest of ours, in the folder manifests; may be empty
	without   []string            // KIND/NAME of objects to omit
	settings  map[string]settings // keys to set in ConfigMaps, by their names
	programs  map[string]string   // of deployments whose manifests name other images, by KIND/NAME; each has one container
	namespace string              // of its deployments
}

type settings map[string]string

// source names the manifests below folders of a module. Modules do not contain symbolic links, so some folders are the
// targets of links.
type source struct {
	module  string
	folders []string
}

// kustomized names a folder of a module that kustomize builds the manifests from.
type kustomized struct{ module, folder string }

// object is any object of Kubernetes, or one in it.
type object = map[string]any

func kind(o object) string { kind, _ := o["kind"].(string); return kind }

func nameOf(o object) string { name, _ := child(o, "metadata")["name"].(string); return name }

// child returns an object in an object, or nil.
func child(o object, path ...string) object {
	for _, key := range path {
		o, _ = o[key].(object)
	}
	return o
}

// objects reads all manifests of the release and adapts them to this cluster.
func (c *Cluster) objects(ctx context.Context, r release) ([]object, error) {
	var all []object
	list := []string{"list", "-m", "-f", "{{.Dir}}"}
	for _, from := range r.sources {
		list = append(list, from.module)
	}
	var dirs string
	if len(r.sources) > 0 { // without one, go would list the module itself
		var err error
		if dirs, err = c.goTool(ctx, cmp.Or(r.module, parts), list...); err != nil {
			return nil, err
		}
	}
	for i, dir := range strings.Fields(dirs) { // in the order asked for
		for _, folder := range r.sources[i].folders {
			objects, err := readFolder(filepath.Join(dir, folder))
			if err != nil {
				return nil, err
			}
			all = append(all, objects...)
		}
	}
	if r.built != (kustomized{}) {
		objects, err := c.kustomize(ctx, r.module, r.built)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	if r.own != "" {
		objects, err := readObjects(files.ReadFile("manifests/" + r.own))
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	all = slices.DeleteFunc(all, func(o object) bool {
		return kind(o) == "HorizontalPodAutoscaler" || slices.Contains(r.without, kind(o)+"/"+nameOf(o))
	})
	for _, o := range all {
		fit(o, r.settings)
		if program := r.programs[kind(o)+"/"+nameOf(o)]; program != "" {
			useProgram(o, program)
		}
	}
	return all, nil
}

// Definitions returns the CustomResourceDefinitions of a cluster, as their modules contain them. It needs no cluster;
// source is the parent of this package.
func Definitions(ctx context.Context, source string) ([]map[string]any, error) {
	c := &Cluster{source: source}
	var all []object
	for _, r := range []release{gateway, serving, eventing} {
		var modules []string
		for _, from := range r.sources {
			modules = append(modules, from.module)
		}
		if _, err := c.goTool(ctx, parts, append([]string{"mod", "download"}, modules...)...); err != nil {
			return nil, err
		}
		objects, err := c.objects(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, objects...)
	}
	return slices.DeleteFunc(all, func(o object) bool { return kind(o) != "CustomResourceDefinition" }), nil
}

// kustomize builds manifests with kubectl, which needs no cluster for that.
func (c *Cluster) kustomize(ctx context.Context, from string, k kustomized) ([]object, error) {
	dir, err := c.goTool(ctx, from, "list", "-m", "-f", "{{.Dir}}", k.module)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, c.file("bin/kubectl"), "kustomize", filepath.Join(strings.TrimSpace(dir), k.folder))
	var said strings.Builder
	cmd.Stderr = &said
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said.String())
	}
	return readObjects(text, err)
}

// readFolder reads all manifests below a folder.
func readFolder(folder string) ([]object, error) {
	var all []object
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" {
			return err
		}
		objects, err := readObjects(os.ReadFile(name))
		all = append(all, objects...)
		return err
	})
	return all, err
}

// readObjects returns the objects of a manifest.
func readObjects(text []byte, err error) ([]object, error) {
	if err != nil {
		return nil, err
	}
	var all []object
	for documents := yaml.NewDecoder(strings.NewReader(string(text))); ; {
		var o object
		if err := documents.Decode(&o); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if o != nil { // a document may contain only comments
			all = append(all, o)
		}
	}
}

// fit adapts an object of a release to a test cluster.
func fit(o object, settings map[string]settings) {
	if kind(o) == "ConfigMap" {
		data := child(o, "data")
		if set := settings[nameOf(o)]; data == nil && set != nil {
			data = make(object)
			o["data"] = data
		}
		for key, value := range settings[nameOf(o)] {
			data[key] = value
		}
	}
	containers, _ := child(o, "spec", "template", "spec")["containers"].([]any)
	for _, container := range containers {
		container := container.(object)
		// With the requests of the release, only half a core of two remains for the pods under test.
		delete(container, "resources")
		// The release probes every 5 or 10 s, which delays the start of the cluster by 15 s.
		if probe := child(container, "readinessProbe"); probe != nil {
			probe["periodSeconds"] = 1
			delete(probe, "initialDelaySeconds")
		}
	}
	useLocalImages(o)
}

// useProgram makes the one container of a deployment run a program of this cluster.
func useProgram(o object, program string) {
	containers, _ := child(o, "spec", "template", "spec")["containers"].([]any)
	for _, container := range containers {
		container := container.(object)
		container["image"] = programImage(program)
		delete(container, "imagePullPolicy")
		delete(container, "command") // the image's entry point is the program
	}
}

// useLocalImages replaces the programs that a manifest names by their packages with the images of those programs.
func useLocalImages(value any) any {
	switch value := value.(type) {
	case object:
		for key, v := range value {
			value[key] = useLocalImages(v)
		}
	case []any:
		for i, v := range value {
			value[i] = useLocalImages(v)
		}
	case string:
		if program, ok := strings.CutPrefix(value, "ko://knative.dev/"); ok {
			part, _, _ := strings.Cut(program, "/")
			return programImage(path.Join(part, path.Base(program)))
		}
	}
	return value
}

// deploy creates the objects of a release that do not depend on its webhooks: first the kinds, then objects of Kubernetes'
// kinds. It returns the objects of the release's kinds, which can be created when its deployments are available.
func (c *Cluster) deploy(ctx context.Context, s space, r release) (later []object, err error) {
	all, err := c.objects(ctx, r)
	if err != nil {
		return nil, err
	}
	const stages = 5
	var order [stages][]object
	for _, o := range all {
		stage := 2
		switch kind(o) {
		case "CustomResourceDefinition":
			stage = 0
		case "Namespace":
			stage = 1
		case "Deployment", "StatefulSet":
			stage = 3
		case "Image", "Certificate": // of Knative
			stage = 4
		}
		order[stage] = append(order[stage], o)
	}
	if err := applyObjects(ctx, s, order[0]); err != nil {
		return nil, err
	}
	if len(order[0]) > 0 { // without a name, kubectl wait fails
		if err := c.awaitKinds(ctx, s, order[0]); err != nil {
			return nil, err
		}
	}
	return order[4], applyObjects(ctx, s, slices.Concat(order[1:4]...))
}

func applyObjects(ctx context.Context, s space, objects []object) error {
	if len(objects) == 0 {
		return nil
	}
	text, err := json.Marshal(object{"apiVersion": "v1", "kind": "List", "items": objects}) // JSON is YAML
	if err != nil {
		return err
	}
	return apply(ctx, s, text)
}

// awaitKinds waits until objects of new kinds can be created.
func (c *Cluster) awaitKinds(ctx context.Context, s space, definitions []object) error {
	args := []string{"wait", "--for=condition=Established", "--timeout=5s", "customresourcedefinition"}
	for _, d := range definitions {
		args = append(args, nameOf(d))
	}
	// kubectl wait fails at once for a new definition without conditions.
	return c.await(ctx, func(ctx context.Context) error { _, err := kubectl(ctx, s, nil, args...); return err }, "kube-apiserver")
}

// awaitDeployments waits until all deployments of a namespace are available.
func (c *Cluster) awaitDeployments(ctx context.Context, s space, namespace string) error {
	err := c.await(ctx, func(ctx context.Context) error {
		_, err := kubectl(ctx, s, nil, "--namespace="+namespace, "wait", "--for=condition=Available", "--timeout=10s", "deployment", "--all")
		return err
	}, "kubelet", "kube-controller-manager", "kube-scheduler")
	if err != nil {
		pods, _ := kubectl(ctx, s, nil, "--namespace="+namespace, "get", "pods")
		err = fmt.Errorf("%w\n%s", err, pods)
	}
	return err
}
