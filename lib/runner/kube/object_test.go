package kube

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

var update = flag.Bool("update", false, "rewrite the expected Jobs")

const testID = "123e4567-e89b-42d3-a456-426614174000"

func testJob() job.Job {
	return job.Job{
		ID: testID, Workflow: "bakta", State: job.Submitted, Run: 2,
		SecretHash: []byte("the hash of a secret"), Name: "a name that is the user's business",
		Start: &job.Start{Inputs: []job.Input{{Kind: "genome_fasta", Size: 3400, ETag: "etag", Name: "genome.fna"}}},
	}
}

func testSpec(j job.Job, dir string) (stage.Spec, error) {
	d := stage.Dir(dir)
	return stage.Spec{
		Job: j.ID, Run: j.Run, Dir: dir, Inputs: j.Start.Inputs,
		Stages: []stage.Command{
			{
				Stage: "bakta",
				Title: "Bakta",
				Argv: []string{
					"/entrypoint.sh",
					"--db",
					"/databases/bakta/db",
					"--output",
					d.Output("bakta"),
					"--strain=$(AWS_SECRET_ACCESS_KEY) $x",
					d.Input("genome.fna"),
				},
				Env: []string{"A=$(B)"},
			},
		},
		Results: []stage.Expected{{Ending: "json", Path: "out/bakta/result.json", Required: true}},
	}, nil
}

// twoStages has names that containers can't have.
func twoStages(j job.Job, dir string) (stage.Spec, error) {
	s, err := testSpec(j, dir)
	s.Stages = []stage.Command{
		{Stage: "bakta_proteins", Title: "Bakta", Argv: []string{"bakta_proteins"}},
		{Stage: "baktfold", Title: "Baktfold", Argv: []string{"baktfold"}},
	}
	s.Results = nil
	return s, err
}

func testOptions() Options {
	return Options{
		Specs:     testSpec,
		Namespace: "bakta",
		Stager:    "registry.example.org/stager:1",
		Programs: map[string]Program{
			"bakta": {Image: "oschwengers/bakta:v1.12.2", Database: Database{Claim: "bakta-database", Path: "/databases/bakta"}},
		},
		Storage: Storage{
			Endpoint: "http://minio.bakta.svc:9000",
			Region:   "us-east-1",
			Bucket:   "bakta-user-data",
			BaseKey:  "web",
			Secret:   "s3",
		},
		Hint:           "jobupdate.bakta.svc.cluster.local:80",
		CPU:            Amount{Request: "2", Limit: "4"},
		Memory:         Amount{Request: "2Gi", Limit: "4000Mi"},
		Disk:           Amount{Request: "2Gi", Limit: "20Gi"},
		Deadline:       24 * time.Hour,
		PendingTimeout: 12 * time.Hour,
		JobTTL:         6 * time.Hour,
		Retries:        2,
	}
}

func newRunner(t *testing.T, o Options) *Runner {
	t.Helper()
	r, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestObjectIsAsExpected(t *testing.T) {
	everything := testOptions()
	everything.Specs = twoStages
	everything.Programs = map[string]Program{
		"bakta_proteins": {Image: "bakta", Database: Database{Claim: "bakta-database", Path: "/databases/bakta"}},
		"baktfold": {
			Image:        "baktfold",
			WritableRoot: true,
			Network:      true,
			Database:     Database{Claim: "baktfold-database", Path: "/databases/baktfold"},
			CPU: Amount{
				Request: "1",
				Limit:   "8",
			},
			Memory:       Amount{Request: "16Gi", Limit: "32Gi"},
			Resources:    map[string]string{"nvidia.com/gpu": "1"},
			NodeSelector: map[string]string{"accelerator": "gpu", "pool": "jobs"},
			Tolerations: []corev1.Toleration{
				{Key: "jobs", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule},
				{Key: "gpu", Operator: corev1.TolerationOpExists},
			},
		},
	}
	everything.Queue = "annotation"
	everything.PriorityClass = "low"
	everything.NodeSelector = map[string]string{"kubernetes.io/arch": "amd64", "pool": "jobs", "disk": "fast"}
	everything.Tolerations = []corev1.Toleration{{Key: "jobs", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}}
	everything.ServiceAccount = "bakta-job"
	everything.PullSecrets = []string{"registry"}
	everything.User = 1000
	everything.Storage.AccessKey, everything.Storage.SecretKey = "key", "secret"
	everything.Hint = ""

	for name, o := range map[string]Options{"bakta": testOptions(), "everything": everything} {
		t.Run(name, func(t *testing.T) {
			first := encode(t, newRunner(t, o))
			for range 50 {
				if again := encode(t, newRunner(t, o)); !bytes.Equal(first, again) {
					t.Fatalf("two Jobs of one run differ:\n%s", cmp.Diff(string(first), string(again)))
				}
			}
			golden(t, filepath.Join("testdata", name+".json"), first)
		})
	}
}

func encode(t *testing.T, r *Runner) []byte {
	t.Helper()
	object, err := r.Object(testJob())
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(object, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestObjectHasNoSecrets(t *testing.T) {
	j := testJob()
	object, err := newRunner(t, testOptions()).Object(j)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{string(j.SecretHash), j.Name, "X-Amz-Signature"} {
		if bytes.Contains(text, []byte(private)) {
			t.Errorf("the Job holds %q", private)
		}
	}
	pod := object.Spec.Template.Spec
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		secrets := 0
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				secrets++
			}
		}
		moves := c.Name == stageIn || c.Name == stageOut
		if moves && secrets != 2 || !moves && secrets+len(c.EnvFrom) != 0 {
			t.Errorf("container %s is given %d secrets", c.Name, secrets)
		}
		for _, m := range c.VolumeMounts {
			if strings.HasPrefix(m.Name, "database-") && (moves || !m.ReadOnly) {
				t.Errorf("container %s mounts %s, read-only: %t", c.Name, m.Name, m.ReadOnly)
			}
		}
	}
}

// TestKubernetesReplacesNothing expands arguments as Kubernetes does.
func TestKubernetesReplacesNothing(t *testing.T) {
	object, err := newRunner(t, testOptions()).Object(testJob())
	if err != nil {
		t.Fatal(err)
	}
	want, err := testSpec(testJob(), RunDir)
	if err != nil {
		t.Fatal(err)
	}
	pod := object.Spec.Template.Spec
	args := pod.InitContainers[1].Args
	var argv []string
	for _, a := range args[slices.Index(args, "--")+1:] {
		argv = append(argv, expand(a))
	}
	if diff := cmp.Diff(want.Stages[0].Argv, argv); diff != "" {
		t.Errorf("command line (-want +got):\n%s", diff)
	}
	if i := slices.Index(args, "--env"); expand(args[i+1]) != want.Stages[0].Env[0] {
		t.Errorf("environment %q", args[i+1])
	}
	got, err := stage.ReadSpec([]byte(expand(pod.Containers[0].Env[0].Value)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

// expand replaces $(NAME) by LEAK and $$ by $, from left to right.
func expand(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '$' && i+1 < len(s) {
			switch s[i+1] {
			case '$':
				i++
			case '(':
				if end := strings.IndexByte(s[i:], ')'); end > 0 {
					out.WriteString("LEAK")
					i += end
					continue
				}
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func TestObjectRefuses(t *testing.T) {
	respec := func(change func(*stage.Spec)) func(*Options) {
		return func(o *Options) {
			o.Specs = func(j job.Job, dir string) (stage.Spec, error) {
				s, err := testSpec(j, dir)
				change(&s)
				return s, err
			}
		}
	}
	for name, change := range map[string]func(*Options){
		"a stage without an image": func(o *Options) { o.Programs = map[string]Program{"other": {Image: "x"}} },
		"another run's spec":       respec(func(s *stage.Spec) { s.Run++ }),
		"another directory":        respec(func(s *stage.Spec) { s.Dir = "/elsewhere" }),
		"no stages":                respec(func(s *stage.Spec) { s.Stages, s.Results = nil, nil }),
		"a stage called like a container of ours": func(o *Options) {
			respec(func(s *stage.Spec) { s.Stages[0].Stage, s.Results = "stage-out", nil })(o)
			o.Programs = map[string]Program{"stage-out": {Image: "x"}}
		},
		"two stages of one container name": func(o *Options) {
			respec(func(s *stage.Spec) {
				s.Stages = []stage.Command{{Stage: "a_b", Argv: []string{"x"}}, {Stage: "a-b", Argv: []string{"x"}}}
				s.Results = nil
			})(o)
			o.Programs = map[string]Program{"a_b": {Image: "x"}, "a-b": {Image: "x"}}
		},
		"stages that no node can run": func(o *Options) {
			o.NodeSelector = map[string]string{"pool": "jobs"}
			o.Programs = map[string]Program{"bakta": {Image: "x", NodeSelector: map[string]string{"pool": "gpu"}}}
		},
		"a spec that no process can be given": respec(func(s *stage.Spec) {
			s.Stages[0].Argv = append(s.Stages[0].Argv, strings.Repeat("$", maxArgument/2))
		}),
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			change(&o)
			if object, err := newRunner(t, o).Object(testJob()); err == nil {
				t.Errorf("made %s", object.Name)
			} else {
				t.Log(err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no specs":                  func(o *Options) { o.Specs = nil },
		"no namespace":              func(o *Options) { o.Namespace = "" },
		"no image of the stager":    func(o *Options) { o.Stager = "" },
		"no programs":               func(o *Options) { o.Programs = nil },
		"no bucket":                 func(o *Options) { o.Storage.Bucket = "" },
		"no Secret":                 func(o *Options) { o.Storage.Secret = "" },
		"a hint to nowhere":         func(o *Options) { o.Hint = "jobupdate" },
		"an amount that is none":    func(o *Options) { o.CPU.Limit = "much" },
		"a request above its limit": func(o *Options) { o.Memory = Amount{Request: "5Gi", Limit: "4Gi"} },
		"a program's request above its limit": func(o *Options) {
			o.Programs = map[string]Program{"bakta": {Image: "x", Memory: Amount{Request: "5Gi", Limit: "4Gi"}}}
		},
		"a further resource that is not an amount": func(o *Options) {
			o.Programs = map[string]Program{"bakta": {Image: "x", Resources: map[string]string{"nvidia.com/gpu": "one"}}}
		},
		"no disk":              func(o *Options) { o.Disk = Amount{Request: "0", Limit: "0"} },
		"no time":              func(o *Options) { o.Deadline = 0 },
		"the user is negative": func(o *Options) { o.User = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := testOptions()
			change(&o)
			if _, err := New(&rest.Config{}, o); err == nil {
				t.Error("no error")
			}
		})
	}
}

// Stages of one claim share a volume, and a stage without one has none.
func TestDatabasesOfStages(t *testing.T) {
	o := testOptions()
	o.Specs = func(j job.Job, dir string) (stage.Spec, error) {
		s, err := testSpec(j, dir)
		s.Stages, s.Results = nil, nil
		for _, name := range []string{"a", "b", "c", "d"} {
			s.Stages = append(s.Stages, stage.Command{Stage: name, Argv: []string{name}})
		}
		return s, err
	}
	database := func(claim, path string) Program {
		return Program{Image: "x", Database: Database{Claim: claim, Path: path}}
	}
	o.Programs = map[string]Program{
		"a": database("one", "/db/one"),
		"b": {Image: "x"},
		"c": database("two", "/db/two"),
		"d": database("one", "/elsewhere"),
	}
	object, err := newRunner(t, o).Object(testJob())
	if err != nil {
		t.Fatal(err)
	}
	pod := object.Spec.Template.Spec
	claims := make(map[string]string)
	for _, v := range pod.Volumes[1:] {
		claims[v.Name] = v.PersistentVolumeClaim.ClaimName
	}
	got := make(map[string]string)
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		for _, m := range c.VolumeMounts {
			if claim, ok := claims[m.Name]; ok && m.ReadOnly {
				got[c.Name] += claim + " at " + m.MountPath
			}
		}
	}
	want := map[string]string{"a": "one at /db/one", "c": "two at /db/two", "d": "one at /elsewhere"}
	if diff := cmp.Diff(want, got); diff != "" || len(claims) != 2 {
		t.Errorf("%d volumes\n%s", len(claims), diff)
	}
}

func TestMergeSelectors(t *testing.T) {
	o := Options{NodeSelector: map[string]string{"pool": "jobs"}, Programs: map[string]Program{
		"a": {NodeSelector: map[string]string{"disk": "fast"}},
		"b": {NodeSelector: map[string]string{"disk": "fast", "gpu": "yes", "pool": "jobs"}},
		"c": {NodeSelector: map[string]string{"disk": "slow"}},
		"d": {NodeSelector: map[string]string{"pool": "other"}},
	}}
	for _, tt := range []struct {
		stages []string
		want   map[string]string
		says   []string
	}{
		{[]string{"a"}, map[string]string{"pool": "jobs", "disk": "fast"}, nil},
		{[]string{"a", "b"}, map[string]string{"pool": "jobs", "disk": "fast", "gpu": "yes"}, nil},
		{[]string{"a", "c"}, nil, []string{"the stage a requires", "disk=fast", "the stage c", "disk=slow"}},
		{[]string{"d"}, nil, []string{"every job requires", "pool=jobs", "the stage d", "pool=other"}},
	} {
		got, err := o.MergeSelectors(tt.stages)
		if diff := cmp.Diff(tt.want, got); diff != "" || (err != nil) != (tt.says != nil) {
			t.Errorf("%v: %v\n%s", tt.stages, err, diff)
		}
		for _, s := range tt.says {
			if err != nil && !strings.Contains(err.Error(), s) {
				t.Errorf("%v: %v does not say %q", tt.stages, err, s)
			}
		}
	}
	if len(o.NodeSelector) != 1 {
		t.Error("the options were changed")
	}
}

func TestReleaseLeavesOtherFinalizers(t *testing.T) {
	for name, c := range map[string]struct {
		finalizers []string
		want       string
	}{
		"ours alone": {[]string{finalizer}, `{"metadata":{"finalizers":[],"resourceVersion":"7","uid":"u"}}`},
		"ours among others": {[]string{"foregroundDeletion", finalizer, "x/y"},
			`{"metadata":{"finalizers":["foregroundDeletion","x/y"],"resourceVersion":"7","uid":"u"}}`},
		"others": {[]string{"x/y"}, ""},
		"none":   {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			object := &batchv1.Job{}
			object.UID, object.ResourceVersion, object.Finalizers = "u", "7", c.finalizers
			patch, needed := unfinalize(object)
			if string(patch) != c.want || needed != (c.want != "") {
				t.Errorf("%s, %t", patch, needed)
			}
		})
	}
}
