package backend_test

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

// target is the cluster that the tests work on, with its stores and images, as the environment names them. The table in
// ../README.md documents the variables.
type target struct {
	ingress, inside       string // HOST:PORT of the ingress for outside, and for Knative's private services
	component             string // of kservices/ingress, for that ingress
	host                  string // of the backend
	domain                string // of Knative's public services
	registry, tag         string // of the images
	oldRegistry, oldTag   string // of the images of another version
	oldSource, oldCommit  string // the root of that version's source, and its commit; "": the source of these tests
	tool, hello           string // images
	mongo, s3             *url.URL
	publicS3              string // where this machine reaches S3, if not where pods do
	storageClass          string
	gates                 bool   // the tests stand between the pods and the stores
	proxies               string // number of the proxies that a request passes to a function, if the activator is one; "": not known
	wholeCluster          bool   // the tests may change the configuration of Knative
	cluster               string // bin/cluster, if it runs the cluster on this machine
	clockRegistry         string // of images of the functions whose clock can be moved, see ../clock
	reports               string // folder that reports are written to; "": they are printed only
	accessKey, secretKey  string
	directMongo, directS3 string // where this machine reaches the stores, past the gates
}

// targetOf reads the environment.
func targetOf(env func(string) string) (target, error) {
	var missing []string
	need := func(name string) string {
		value := env(name)
		if value == "" {
			missing = append(missing, name)
		}
		return value
	}
	need("KUBECONFIG")
	t := target{
		ingress:      need("E2E_INGRESS"),
		inside:       need("E2E_INSIDE"),
		component:    cmp.Or(env("E2E_INGRESS_COMPONENT"), "traefik"),
		host:         cmp.Or(env("E2E_HOST"), "bakta.test"),
		domain:       cmp.Or(env("E2E_DOMAIN"), "example.com"), // Knative's default
		registry:     need("E2E_REGISTRY"),
		tag:          cmp.Or(env("E2E_TAG"), "latest"),
		tool:         need("E2E_TOOL_IMAGE"),
		hello:        env("E2E_HELLO_IMAGE"),
		storageClass: need("E2E_STORAGE_CLASS"),
		gates:        env("E2E_GATES") == "yes",
		proxies:      env("E2E_TRUSTED_PROXIES"),
		wholeCluster: env("E2E_WHOLE_CLUSTER") == "yes",
		reports:      env("E2E_REPORTS"),
		cluster:      env("E2E_CLUSTER"), clockRegistry: env("E2E_CLOCK_REGISTRY"),
		directMongo: need(teststores.MongoURI),
		directS3:    need(teststores.S3Endpoint),
		accessKey:   need(teststores.S3AccessKey),
		secretKey:   need(teststores.S3SecretKey),
	}
	if env("E2E_PREVIOUS_REGISTRY") != "" || env("E2E_PREVIOUS_TAG") != "" {
		t.oldRegistry, t.oldTag = cmp.Or(env("E2E_PREVIOUS_REGISTRY"), t.registry), cmp.Or(env("E2E_PREVIOUS_TAG"), t.tag)
	}
	t.oldSource, t.oldCommit = env("E2E_PREVIOUS_SOURCE"), env("E2E_PREVIOUS_COMMIT")
	var wrong []error
	for name, into := range map[string]**url.URL{"E2E_MONGO_URI": &t.mongo, "E2E_S3_ENDPOINT": &t.s3} {
		at, err := url.Parse(need(name))
		switch {
		case err != nil:
			wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
		case env(name) != "" && at.Port() == "":
			wrong = append(wrong, fmt.Errorf("%s: %s has no port", name, at.Redacted()))
		}
		*into = at
	}
	if len(missing) > 0 {
		wrong = append(wrong, fmt.Errorf("set %s; e2e/README.md documents them, and `make e2e` sets them for its own cluster",
			strings.Join(missing, ", ")))
	}
	if t.mongo != nil && strings.Trim(t.mongo.Path, "/") == "" && env("E2E_MONGO_URI") != "" {
		wrong = append(wrong, errors.New("E2E_MONGO_URI: no database is named; the tests empty it"))
	}
	if !t.gates && t.directS3 != env("E2E_S3_ENDPOINT") {
		t.publicS3 = t.directS3
	}
	return t, errors.Join(wrong...)
}

// database is the name of the database in MongoDB.
func (t target) database() string { return strings.Trim(t.mongo.Path, "/") }

// writeOverlay writes the overlay that deploys the backend on the target into an empty directory: kservices/overlays/e2e, with what
// the target says in its place. Root is that of the source.
func (t target) writeOverlay(root, dir string) error {
	e2e := filepath.Join(root, "kservices/overlays/e2e")
	below, err := relative(dir, filepath.Join(root, "kservices"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(dir, "database"), 0o755); err != nil {
		return err
	}
	change := func(name string, change func(object)) error {
		text, err := os.ReadFile(filepath.Join(e2e, name))
		if err != nil {
			return err
		}
		o := object{}
		if err := yaml.Unmarshal(text, &o); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		change(o)
		if text, err = yaml.Marshal(o); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), text, 0o644)
	}
	images := func(o object) {
		for _, image := range o.list("images") {
			name := image["name"].(string)
			image["newName"], image["newTag"] = t.registry+name[strings.LastIndex(name, "/"):], t.tag
		}
	}
	volume, err := os.ReadFile(filepath.Join(e2e, "volume.yaml"))
	if t.storageClass != "none" {
		volume = fmt.Appendf(nil, claim, t.storageClass)
	}
	return errors.Join(
		err,
		os.WriteFile(filepath.Join(dir, "volume.yaml"), volume, 0o644),
		change("kustomization.yaml", func(o object) {
			o["resources"] = []string{below + "/base", "volume.yaml", "storage.yaml"}
			o["components"] = t.components(o, below)
			images(o)
			for _, patch := range o.list("patches") {
				patch["patch"] = strings.ReplaceAll(patch["patch"].(string), "[bakta.test]", "["+t.host+"]")
			}
		}),
		change("config.yaml", func(o object) {
			s3 := o.in("Objectstorage", "S3")
			s3["Endpoint"] = t.s3.String()
			if t.publicS3 != "" {
				s3["PublicEndpoint"] = t.publicS3
			}
			o.in("Database")["URI"] = t.mongo.String()
			if _, ok := o["Notify"]; ok { // an earlier version has none
				o.in("Notify")["Source"] = "http://" + t.host
			}
			o["JobContainer"] = t.tool
			for _, program := range []string{"BaktaProteins", "Baktfold"} {
				o.in("Programs", program)["Image"] = t.tool
			}
		}),
		change("storage.yaml", func(o object) { o.in("spec")["egress"] = []any{t.storageRule()} }),
		change("database/kustomization.yaml", func(o object) {
			o["resources"] = []string{"../" + below + "/database"}
			images(o)
			for _, patch := range o.list("patches") {
				patch["patch"] = strings.ReplaceAll(patch["patch"].(string), "http://10.200.0.2:9000", t.s3.String())
			}
		}),
	)
}

// components are those of an overlay, in the folder of the components as it is seen from another place, with the target's ingress.
func (t target) components(overlay object, below string) (components []string) {
	const ingress, page = "/ingress/", "/page"
	for _, c := range overlay["components"].([]any) {
		switch path := strings.TrimPrefix(c.(string), "../.."); {
		case strings.HasPrefix(path, ingress) && t.component == "kourier": // before the page, which changes it
			components = append([]string{below + ingress + t.component}, components...)
		case strings.HasPrefix(path, ingress):
			components = append(components, below+ingress+t.component)
		case path == page && t.component == "kourier": // the page's path is one of its Ingress
			components = append(components, below+"/page-kourier")
		default:
			components = append(components, below+path)
		}
	}
	return components
}

// writePrevious writes an overlay into an empty directory that deploys the other version. It is the overlay of that version's own
// source, if that is named. Otherwise it is the overlay of the target with the other images, and with one more difference.
func (t target) writePrevious(overlay, dir string) error {
	if t.oldSource != "" {
		t.registry, t.tag = t.oldRegistry, t.oldTag
		return t.writeOverlay(t.oldSource, dir)
	}
	below, err := relative(dir, overlay)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "kustomization.yaml"), []byte("resources: ["+below+"]\n"+
		t.otherImages(t.oldRegistry, t.oldTag, "submit", "status", "expire", "jobupdate", "notify", "page", "setup", "stager")+`patches:
  - target: {group: serving.knative.dev, kind: Service}
    patch: |
      - {op: replace, path: /spec/template/spec/containerConcurrency, value: 10}
`), 0o644), os.WriteFile(filepath.Join(dir, "fields.yaml"), []byte(stagerFields), 0o644))
}

// otherImages is the part of a kustomization that replaces images of the target. It needs the file fields.yaml.
func (t target) otherImages(registry, tag string, programs ...string) string {
	var text strings.Builder
	fmt.Fprintln(&text, "configurations: [fields.yaml]\nimages:")
	for _, program := range programs {
		fmt.Fprintf(&text, "  - {name: %s/%s, newName: %s/%s, newTag: %s}\n", t.registry, program, registry, program, tag)
	}
	return text.String()
}

// stagerFields says where functions have the image of the stager: in their environment.
const stagerFields = "images:\n  - {group: serving.knative.dev, kind: Service, path: spec/template/spec/containers/env/value}\n"

// relative is the path from a directory to another. Neither may lead over a symbolic link, which kustomize would follow.
func relative(from, to string) (string, error) {
	for _, path := range []*string{&from, &to} {
		real, err := filepath.EvalSymlinks(*path)
		if err != nil {
			return "", err
		}
		if *path, err = filepath.Abs(real); err != nil {
			return "", err
		}
	}
	return filepath.Rel(from, to)
}

// claim is the volume of the reference database on a cluster that provides volumes.
const claim = `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: bakta-database
  namespace: bakta
spec:
  accessModes: [ReadWriteOnce] # what a provisioner for one node has; the tests' jobs share a node
  storageClassName: %s
  resources: {requests: {storage: 1Mi}}
`

// storageRule is what the policy of jobs allows: the object storage at its address, or in the namespace that its name names.
func (t target) storageRule() object {
	to := object{}
	if address, err := netip.ParseAddr(t.s3.Hostname()); err == nil {
		to["ipBlock"] = object{"cidr": netip.PrefixFrom(address, address.BitLen()).String()}
	} else if parts := strings.Split(t.s3.Hostname(), "."); len(parts) > 1 {
		to["namespaceSelector"] = object{"matchLabels": object{"kubernetes.io/metadata.name": parts[1]}}
	}
	peers := []any{to}
	if t.gates { // what enforces a policy sees the address that the node has translated the store's to
		peers = append(peers, object{"ipBlock": object{"cidr": "127.0.0.1/32"}})
	}
	port := 0
	fmt.Sscan(t.s3.Port(), &port) // targetOf holds that there is one
	return object{"to": peers, "ports": []any{object{"protocol": "TCP", "port": port}}}
}

// gateAddress is where the tests listen for what pods take for a store.
func gateAddress(store *url.URL) string { return net.JoinHostPort("127.0.0.1", store.Port()) }

// object is an object of YAML.
type object map[string]any

// in is the object at a path, which is there.
func (o object) in(path ...string) object {
	for _, key := range path {
		o = o[key].(map[string]any)
	}
	return o
}

// list is a list of objects.
func (o object) list(key string) (list []object) {
	all, _ := o[key].([]any)
	for _, one := range all {
		list = append(list, one.(map[string]any))
	}
	return list
}
