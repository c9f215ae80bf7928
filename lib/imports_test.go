// Package lib_test holds the rules of who may know whom: imports point down, from programs to functions to
// lifecycle to workflow to program to upload to option to job, and adapters know jobs and their contract only.
package lib_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ag-computational-bio/bakta-web-backend/"

// rule says which packages of ours, and which packages of others, the packages below a path may import.
// A path that ends in a slash stands for everything below it.
type rule struct {
	path   string
	ours   []string // packages of ours that may be imported
	never  []string // packages of ours that must not be reached, directly or not
	others []string // packages of others that must not be reached, directly or not
}

var rules = []rule{
	{path: "lib/job", ours: nil, others: []string{"net/http", "net", "os/exec", "github.com/", "go.mongodb.org/", "google.golang.org/"}},
	{path: "lib/option", ours: []string{"lib/job"}, others: []string{"net/http", "os/exec", "google.golang.org/", "go.mongodb.org/"}},
	{
		path:   "lib/upload",
		ours:   []string{"lib/job", "lib/option"},
		others: []string{"net/http", "os/exec", "google.golang.org/", "go.mongodb.org/"},
	},
	{
		path:   "lib/program",
		ours:   []string{"lib/job", "lib/option", "lib/upload"},
		others: []string{"net/http", "os/exec", "google.golang.org/", "go.mongodb.org/"},
	},
	{
		path:   "lib/workflow",
		ours:   []string{"lib/job", "lib/option", "lib/upload", "lib/program"},
		others: []string{"net/http", "os/exec", "google.golang.org/", "go.mongodb.org/"},
	},
	{path: "lib/stage", ours: []string{"lib/job", "lib/option", "lib/upload", "lib/program", "lib/workflow"}},
	{
		path:   "lib/lifecycle",
		ours:   []string{"lib/job", "lib/option", "lib/upload", "lib/program", "lib/workflow", "lib/stage", "lib/runner"},
		others: []string{"github.com/minio/", "go.mongodb.org/", "k8s.io/"},
	},
	{path: "lib/store/mongo", ours: []string{"lib/job", "lib/store"}, others: []string{"github.com/minio/", "k8s.io/"}},
	{path: "lib/store/s3", ours: []string{"lib/job", "lib/store"}, others: []string{"go.mongodb.org/", "k8s.io/"}},
	{
		path:   "lib/runner/kube",
		ours:   []string{"lib/job", "lib/stage", "lib/runner"},
		others: []string{"go.mongodb.org/", "github.com/minio/"},
	},
	{
		path:   "lib/runner/process",
		ours:   []string{"lib/job", "lib/stage", "lib/runner"},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/"},
	},
	{path: "lib/database", ours: []string{"lib/job"}, others: []string{"go.mongodb.org/", "k8s.io/"}},
	{
		path:   "lib/config",
		ours:   []string{"lib/job", "lib/settings", "lib/program", "lib/upload", "lib/workflow", "lib/notify"},
		others: []string{"go.mongodb.org/", "github.com/minio/"},
	},
	{path: "lib/caller", ours: nil, others: []string{"google.golang.org/", "go.mongodb.org/", "k8s.io/"}},
	{path: "lib/access", ours: []string{"lib/job"}, others: []string{"google.golang.org/", "go.mongodb.org/", "k8s.io/"}},
	{path: "lib/server", ours: []string{"lib/job", "lib/caller"}, never: []string{"proto/", "lib/workflow", "lib/lifecycle", "functions/"},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/", "go.opentelemetry.io/otel/sdk/", "knative.dev/"}},
	{path: "lib/notify", ours: []string{"lib/job"}, others: []string{"google.golang.org/", "go.mongodb.org/", "github.com/minio/", "k8s.io/"}},
	{
		path:   "lib/limit",
		ours:   []string{"lib/job", "lib/caller", "lib/server", "lib/settings", "lib/store"},
		never:  []string{"lib/store/", "proto/", "functions/"},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/"},
	},
	{path: "lib/telemetry", ours: []string{"lib/job"}, others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/client-go/"}},
	{
		path: "functions",
		ours: []string{"lib/job", "lib/limit", "lib/option", "lib/upload", "lib/program", "lib/workflow", "lib/lifecycle", "lib/stage",
			"lib/caller",
			"lib/server", "lib/settings", "lib/store", "lib/runner", "lib/notify", "proto/"},
		never: []string{"lib/store/", "lib/runner/"},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/client-go", "go.opentelemetry.io/otel/sdk/", "knative.dev/",
			"github.com/cloudevents/sdk-go/v2/protocol/"}, // local mode gets no events by HTTP
	},
	{
		path: "functions/",
		ours: []string{
			"lib/job",
			"lib/limit",
			"lib/option",
			"lib/upload",
			"lib/program",
			"lib/workflow",
			"lib/lifecycle",
			"lib/stage",
			"lib/caller",
			"lib/server",
			"lib/notify",
			"proto/",
		},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/client-go", "go.opentelemetry.io/otel/sdk/", "knative.dev/",
			"github.com/cloudevents/sdk-go/v2/protocol/"}, // local mode gets no events by HTTP
	},
	{
		path:   "cli",
		ours:   []string{"client", "lib/job", "lib/notify", "lib/option", "lib/upload", "lib/program", "lib/workflow"},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/"},
	},
	{
		path:  "proto/",
		ours:  []string{"lib/job", "lib/server"},
		never: []string{"lib/option", "lib/upload", "lib/program", "lib/workflow", "lib/lifecycle", "functions/"},
	},
	{
		path:   "web/inspect",
		ours:   []string{"lib/job", "lib/option", "lib/upload", "cli/sheet"},
		others: []string{"net/http", "net", "os/exec", "google.golang.org/", "go.mongodb.org/"}, // browsers load all of it
	},
	{
		path:  "cmd/page",
		ours:  []string{"web", "lib/config", "lib/server"},
		never: []string{"proto/", "functions/", "lib/store/", "lib/runner/", "lib/lifecycle"},
	},
	{
		path:   "client",
		ours:   []string{"proto/"},
		never:  []string{"lib/"},
		others: []string{"go.mongodb.org/", "github.com/minio/", "k8s.io/"},
	},
}

func TestImportsPointDown(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	type pkg struct {
		ImportPath string
		Imports    []string
		Deps       []string
	}
	applied := make(map[string]bool)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, r := range rules {
			if !under(name, r.path) {
				continue
			}
			applied[r.path] = true
			for _, i := range p.Imports {
				ours, ok := strings.CutPrefix(i, module)
				if ok && !under(ours, r.path) && !slices.ContainsFunc(r.ours, func(a string) bool { return under(ours, a) }) {
					t.Errorf("%s imports %s; it may import %v", name, ours, r.ours)
				}
			}
			for _, d := range p.Deps {
				ours, ok := strings.CutPrefix(d, module)
				if ok && slices.ContainsFunc(r.never, func(a string) bool { return under(ours, a) }) {
					t.Errorf("%s depends on %s", name, ours)
				}
				for _, o := range r.others {
					if !strings.HasPrefix(d, module) && (d == o || strings.HasSuffix(o, "/") && strings.HasPrefix(d, o)) {
						t.Errorf("%s depends on %s", name, d)
					}
				}
			}
		}
	}
	for _, r := range rules {
		if !applied[r.path] {
			t.Errorf("no package is held to the rule for %s", r.path)
		}
	}
}

// TestPageIsInFewPrograms: the page has megabytes, which only the programs that serve it contain.
func TestPageIsInFewPrograms(t *testing.T) {
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := false
	for line := range strings.Lines(string(out)) {
		pkg, deps, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(line, module, "")), " ")
		if !slices.Contains(strings.Fields(deps), "web") {
			continue
		}
		if found = true; pkg != "cmd/page" {
			t.Errorf("%s contains the page", pkg)
		}
	}
	if !found {
		t.Error("no program contains the page")
	}
}

// TestProgramsHaveFewKubernetesTypes: the types of all groups of Kubernetes, which client-go's typed clients bring along, would be a
// quarter of each function's program. Programs that start and end no runs have none of them.
func TestProgramsHaveFewKubernetesTypes(t *testing.T) {
	deps := func(programs ...string) string {
		list := exec.Command("go", append([]string{"list", "-deps"}, programs...)...)
		list.Dir = ".."
		out, err := list.Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		return string(out)
	}
	if strings.Contains(deps("./cmd/status", "./cmd/notify"), "\nk8s.io/api/") {
		t.Error("status or notify contains types of Kubernetes; lib/runner/kube/apiserver reads objects without them")
	}
	groups := []string{"k8s.io/api/core/v1", "k8s.io/api/batch/v1", "k8s.io/api/authentication/v1"}
	found := 0
	for pkg := range strings.Lines(deps("./cmd/...")) {
		pkg = strings.TrimSpace(pkg)
		if slices.Contains(groups, pkg) {
			found++
		} else if strings.HasPrefix(pkg, "k8s.io/api/") || strings.HasPrefix(pkg, "k8s.io/client-go/kubernetes/") {
			t.Errorf("a program contains %s; lib/runner/kube/client.go makes clients without it", pkg)
		}
	}
	if found != len(groups) {
		t.Errorf("the programs contain %d of the groups that are used, want %d", found, len(groups))
	}
}

// under reports whether a package is the one at path, or, if path ends in a slash, one below it.
func under(name, path string) bool {
	if strings.HasSuffix(path, "/") {
		return strings.HasPrefix(name, path)
	}
	return name == path || strings.HasPrefix(name, path+"/")
}
