package runs

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// configured returns a deployment with a configuration that tests add to.
func configured(t *testing.T, more string) *deployment.Deployment {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.yaml")
	content := `
Objectstorage: {S3: {UserBucket: user, Endpoint: "http://minio:9000"}}
Database: {MongoHost: mongo, MongoDBName: bakta}
UpdateService: {Name: jobupdate, Port: 80}
JobContainer: oschwengers/bakta:v1.12.2
StagerContainer: stager:1
K8sNamespace: bakta
BaktaDatabasePVCName: bakta-db
` + more
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}[name]
	}
	d, err := deployment.Open(file, secrets, slog.New(slog.DiscardHandler), config.Mongo, config.S3Store, config.Kube)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const (
	withProteins = "Programs: {BaktaProteins: {Image: biocontainers/bakta}}\n"
	withBaktfold = "Job: {NodeSelector: [pool=jobs], Tolerations: [jobs]}\nPrograms:\n  Bakta: {NodeSelector: [disk=fast]}\n" +
		"  Baktfold: {Image: fold, Database: fold-db/v1, CPU: {Limit: 8}, Memory: {Limit: 32Gi}, Resources: [nvidia.com/gpu=1], " +
		"NodeSelector: [gpu=yes], Tolerations: [gpu], WritableRoot: true}\n"
)

func TestOfferedWorkflows(t *testing.T) {
	for _, tt := range []struct{ config, offered string }{
		{"", "bakta"},
		{withProteins, "bakta bakta_proteins"},
		{withBaktfold, "bakta bakta_baktfold baktfold"},
	} {
		var kinds []string
		for _, w := range configured(t, tt.config).Offered() {
			kinds = append(kinds, w.Kind)
		}
		if got := strings.Join(kinds, " "); got != tt.offered {
			t.Errorf("with %q, %s are offered", tt.config, got)
		}
	}
}

func TestConflictingMachines(t *testing.T) {
	d := configured(
		t,
		"Programs:\n  Bakta: {NodeSelector: [disk=fast]}\n  Baktfold: {Image: fold, Database: fold-db, NodeSelector: [disk=slow]}\n",
	)
	_, err := options(d)
	for _, s := range []string{"bakta_baktfold", "the stage bakta ", "disk=fast", "the stage baktfold", "disk=slow"} {
		if err == nil || !strings.Contains(err.Error(), s) {
			t.Errorf("%v does not say %q", err, s)
		}
	}
	d = configured(t, "Programs: {Baktfold: {Image: fold, Database: fold-db, Tolerations: [\"gpu:Never\"]}}\n")
	if _, err := options(d); err == nil || !strings.Contains(err.Error(), "Programs.Baktfold.Tolerations") {
		t.Errorf("%v", err)
	}
}

// TestTwoStages checks the pod of a workflow whose stages have different values of all settings.
func TestTwoStages(t *testing.T) {
	o, err := options(configured(t, withBaktfold))
	if err != nil {
		t.Fatal(err)
	}
	runner, err := kube.New(&rest.Config{Host: "http://127.0.0.1:1"}, o)
	if err != nil {
		t.Fatal(err)
	}
	j := job.Job{
		ID:       "123e4567-e89b-42d3-a456-426614174000",
		Workflow: workflow.BaktaBaktfold,
		State:    job.Submitted,
		Run:      1,
		Start: &job.Start{
			Config: []byte(`{"meta":true}`),
			Inputs: []job.Input{{Kind: upload.GenomeFASTA, Size: 1, ETag: "e", Name: "genome.fna"}},
		},
	}
	spec, err := o.Specs(j, kube.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []stage.Expected{
		{Ending: "json", Path: "out/baktfold/result.json", Else: []string{"out/bakta/result.json"}, Required: true},
		{Ending: "gff3", Path: "out/baktfold/result.gff3", Else: []string{"out/bakta/result.gff3"}},
		{Ending: "png", Path: "out/bakta/result.png"},
	} {
		i := slices.IndexFunc(spec.Results, func(r stage.Expected) bool { return r.Ending == want.Ending })
		if i < 0 || !reflect.DeepEqual(spec.Results[i], want) {
			t.Errorf("%s is not expected at %+v", want.Ending, want)
		}
	}
	object, err := runner.Object(j)
	if err != nil {
		t.Fatal(err)
	}
	pod := object.Spec.Template.Spec
	if got := pod.NodeSelector; len(got) != 3 || got["pool"] != "jobs" || got["disk"] != "fast" || got["gpu"] != "yes" {
		t.Errorf("machines with %v", got)
	}
	if len(pod.Tolerations) != 2 {
		t.Errorf("taints %v", pod.Tolerations)
	}
	for _, tt := range []struct {
		container, image, cpu, memory, gpus, mount, claim string
		readOnly                                          bool
		args                                              []string
	}{
		{"bakta", "oschwengers/bakta:v1.12.2", "4", "4000Mi", "0", "/databases/bakta-db", "bakta-db", true,
			[]string{"/entrypoint.sh", "--db=/databases/bakta-db/db", "--threads=4", "--meta", "/bakta-web/run/in/genome.fna"}},
		{"baktfold", "fold", "8", "32Gi", "1", "/databases/fold-db", "fold-db", false,
			[]string{"baktfold", "run", "--input=/bakta-web/run/out/bakta/result.json", "--database=/databases/fold-db/v1", "--threads=8"}},
	} {
		i := slices.IndexFunc(pod.InitContainers, func(c corev1.Container) bool { return c.Name == tt.container })
		if i < 0 {
			t.Fatalf("no container %s", tt.container)
		}
		c := pod.InitContainers[i]
		gpus := c.Resources.Limits["nvidia.com/gpu"]
		if c.Image != tt.image || c.Resources.Limits.Cpu().String() != tt.cpu || c.Resources.Limits.Memory().String() != tt.memory ||
			gpus.String() != tt.gpus ||
			*c.SecurityContext.ReadOnlyRootFilesystem != tt.readOnly {
			t.Errorf("%s: image %s, %v, read-only %t", c.Name, c.Image, c.Resources, *c.SecurityContext.ReadOnlyRootFilesystem)
		}
		var databases []string
		for _, m := range c.VolumeMounts {
			for _, v := range pod.Volumes {
				if v.Name == m.Name && v.PersistentVolumeClaim != nil {
					databases = append(databases, v.PersistentVolumeClaim.ClaimName+" "+m.MountPath)
				}
			}
		}
		if len(databases) != 1 || databases[0] != tt.claim+" "+tt.mount {
			t.Errorf("%s: databases %v", c.Name, databases)
		}
		for _, a := range tt.args {
			if !slices.Contains(c.Args, a) {
				t.Errorf("%s: %q is not among %q", c.Name, a, c.Args)
			}
		}
		if slices.Contains(c.Args, "--cpu") {
			t.Errorf("%s computes without its GPU", c.Name)
		}
	}
}
