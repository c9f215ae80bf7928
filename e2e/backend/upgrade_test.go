//go:build e2e

package backend_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// phase is a job that is held in a phase of its life while another version is deployed.
type phase struct {
	name string
	ref  ref
	now  string // what the list says while the job is held
	goOn func() // lets it go on
	end  string // what the list says in the end
	kept *kept  // what its owner can read of it, if it has ended
}

// version is a version of the backend that can be deployed.
type version struct {
	name          string // that it reports
	root, overlay string
	newest        bool
}

// Another version is deployed while jobs are in every phase of their lives: the next one and, with the source of an earlier one, that one
// again, and the next one again. Jobs go on with what they began with, and end as they should, each once. Each version reads what the other
// one has stored.
func TestUpgrade(t *testing.T) {
	s := newSuite(t)
	s.needsGates()
	if s.target.oldTag == "" {
		t.Skip("NOT TESTED: no images of another version are named (E2E_PREVIOUS_REGISTRY, E2E_PREVIOUS_TAG)")
	}
	next := version{"e2e", s.root, s.overlay, true}
	previous := version{"e2e-previous", s.target.oldSource, s.previous, false}
	t.Cleanup(func() {
		if err := s.deploy(context.Background(), s.overlay); err != nil {
			t.Error(err)
		}
	})
	if s.target.oldSource == "" {
		previous.root, previous.overlay = s.root, t.TempDir()
		s.must(s.target.writePrevious(s.overlay, previous.overlay), s.deploy(t.Context(), previous.overlay))
		s.serves(previous)
		s.change(previous, next).print()
		return
	}
	s.serves(previous) // an operator who upgrades has had nothing else
	up := s.change(previous, next)
	back := s.change(next, previous)
	again := s.change(previous, next)
	s.report("upgrade", s.upgradeReport(up, back, again))
}

// serves waits until a version answers.
func (s suite) serves(v version) {
	s.Helper()
	s.wait(v.name, func(ctx context.Context) error {
		_, answer, err := s.call(ctx, http.MethodGet, "/version", nil)
		if err != nil {
			return err
		}
		if got, _ := answer["backendVersion"].(string); got != v.name {
			return errors.New("it is " + got)
		}
		return nil
	})
}

// change deploys another version while jobs are in every phase, and clients create and start further ones.
func (s suite) change(from, to version) *table {
	s.Helper()
	out := newTable("from "+from.name+" to "+to.name, "", "")
	phases := s.phases()
	if from.newest && s.target.oldSource != "" {
		phases = append(phases, s.laterPhases()...)
	}
	for _, p := range phases {
		s.is(p, p.now)
	}
	var c client
	ctx, stop := context.WithCancel(s.Context())
	var group sync.WaitGroup
	group.Go(func() { c.work(ctx, s.world) })
	defer group.Wait()
	defer stop()
	began := time.Now()
	s.must(s.deployFrom(s.Context(), to.root, to.overlay))
	s.serves(to)
	out.row("deployed, and serves, after", seconds(time.Since(began)), "")
	for _, p := range phases {
		s.is(p, p.now)
	}
	before := c.acknowledged()
	s.wait("a start after the change", func(context.Context) error {
		if n := c.acknowledged(); n <= before {
			return fmt.Errorf("%d starts are acknowledged", n)
		}
		return nil
	})
	stop()
	group.Wait()
	for _, p := range phases {
		if p.goOn != nil {
			p.goOn()
		}
	}
	for _, p := range phases {
		s.ended(p)
		out.row(p.name, p.now, p.end)
	}
	if c.other > 0 {
		s.Errorf("%d calls were refused for another reason than a function's being replaced", c.other)
	}
	for _, r := range c.started {
		s.ended(phase{name: "started meanwhile", ref: r, end: "SUCCESSFUL"})
	}
	out.row("created meanwhile", fmt.Sprintf("%d", len(c.made)), fmt.Sprintf("%d calls refused for a moment", c.refused))
	out.row("started meanwhile", fmt.Sprintf("%d", len(c.started)), "SUCCESSFUL")
	return out
}

// phases makes a job in every phase of its life.
func (s suite) phases() []phase {
	s.Helper()
	running, storing, ended, failed := s.run("until-told"), s.run("until-told"), s.run("fine"), s.run("fail-error")
	expiring, expired := s.run("fine"), s.run("fine")
	for _, r := range []ref{ended, expiring, expired} {
		s.becomes(r, "SUCCESSFUL")
	}
	s.becomes(failed, "ERROR")
	s.becomes(running, "RUNNING")
	s.becomes(storing, "RUNNING")

	store := s.holdRequests("the results", func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/jobs/"+storing.ID+"/runs/")
	}, func() { s.told(storing) })
	remove := s.holdRequests("the removal", func(r *http.Request) bool {
		return strings.Contains(r.URL.Query().Get("prefix"), "jobs/"+expiring.ID)
	}, func() { s.expire(expiring) })

	initialised, link, err := s.initialise(s.Context())
	s.must(err)
	uploaded, err := s.create(s.Context())
	s.must(err)
	queued, admit := s.queued()
	keptOf := func(r ref) *kept {
		k := s.read(r)
		return &k
	}
	return []phase{
		{name: "created", ref: initialised, now: "INIT", end: "SUCCESSFUL", goOn: func() {
			s.must(upload(s.Context(), link, genome), s.begin(s.Context(), initialised, "fine"))
		}},
		{name: "uploaded", ref: uploaded, now: "INIT", end: "SUCCESSFUL", goOn: func() {
			s.must(s.begin(s.Context(), uploaded, "fine"))
		}},
		{name: "queued, without a pod", ref: queued, now: "INIT", end: "SUCCESSFUL", goOn: admit},
		{name: "running", ref: running, now: "RUNNING", end: "SUCCESSFUL", goOn: func() { s.told(running) }},
		{name: "storing its results", ref: storing, now: "RUNNING", end: "SUCCESSFUL", goOn: store},
		{name: "ended with results", ref: ended, now: "SUCCESSFUL", end: "SUCCESSFUL", kept: keptOf(ended)},
		{name: "failed", ref: failed, now: "ERROR", end: "ERROR", kept: keptOf(failed)},
		{name: "being removed", ref: expiring, now: "NOT_FOUND", end: "NOT_FOUND", goOn: remove},
		{name: "due to expire", ref: expired, now: "SUCCESSFUL", end: "NOT_FOUND", goOn: func() { s.expire(expired) }},
	}
}

// laterPhases makes jobs with what the first release had not: a batch, notifications that are owed, the turn of a caller that is awaited.
func (s suite) laterPhases() []phase {
	s.Helper()
	var made created
	s.must(s.postV2(s.Context(), "/api/v2/job/init", map[string]string{"workflow_kind": "bakta", "name": "a test", "batch": "tests"}, &made))
	s.must(made.upload(s.Context()), s.postV2(s.Context(), "/api/v2/job/submit", map[string]any{
		"job": map[string]string{"job_id": made.Job.ID, "secret": made.Job.Secret}, "workflow_kind": "bakta",
		"config": map[string]string{"strain": "fine"}, "notify": map[string]string{"webhook": "https://receiver.example.org/hook"},
	}, &struct{}{}))
	s.becomes(made.ref(), "SUCCESSFUL")
	notified := s.read(made.ref())

	s.varyBy(alwaysActivator, func(config string) string {
		return config + "Access: {TrustedProxies: " + s.target.proxies + "}\nLimits: {Caller: {Launched: 1}}\n"
	})
	first := s.run("until-told")
	s.becomes(first, "RUNNING")
	second := s.run("fine")
	s.waits("while the first job runs", second.ID)
	return []phase{
		{name: "ended, a message about it is owed", ref: made.ref(), now: "SUCCESSFUL", end: "SUCCESSFUL", kept: &notified},
		{name: "running, the caller's only one", ref: first, now: "RUNNING", end: "SUCCESSFUL", goOn: func() { s.told(first) }},
		// A version without turns may launch it at once, so that its state while it is held is not known.
		{name: "waiting for the turn of its caller", ref: second, end: "SUCCESSFUL"},
	}
}

// is checks that a job is in the state that it was in.
func (s suite) is(p phase, want string) {
	s.Helper()
	if want == "" {
		return
	}
	s.wait("the state of the job "+p.name, func(ctx context.Context) error {
		got, err := s.state(ctx, p.ref)
		if err == nil && got != want {
			s.Fatalf("the job %s is %s, not %s", p.name, got, want)
		}
		return err
	})
}

// ended checks that a job ends as it should, once, and that its owner has what it left.
func (s suite) ended(p phase) {
	s.Helper()
	s.becomes(p.ref, p.end)
	switch {
	case p.end == "NOT_FOUND":
		s.gone(p.ref)
		return
	case p.end == "SUCCESSFUL":
		s.results(p.ref)
	}
	if p.kept != nil {
		if now := s.read(p.ref); !now.equal(*p.kept) {
			s.Errorf("of the job %s its owner reads\n%+v\nbefore it was\n%+v", p.name, now, *p.kept)
		}
	}
	s.released([]ref{p.ref})
	s.ranOnce(p.ref)
}

// ranOnce checks that a job had one run, which stored one manifest.
func (s suite) ranOnce(r ref) {
	s.Helper()
	jobs, err := s.batch.Jobs(namespace).List(s.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
	s.must(err)
	stored, err := s.manifests(s.Context(), r.ID)
	s.must(err)
	if len(jobs.Items) != 1 || stored != 1 {
		s.Errorf("job %s has %d Kubernetes Jobs and %d manifests", r.ID, len(jobs.Items), stored)
	}
}

// kept is what the owner of an ended job can read of it.
type kept struct {
	list, message string
	files         map[string]string // the hashes of the result files, by their names
	log           string
}

func (k kept) equal(other kept) bool {
	return k.list == other.list && k.message == other.message && k.log == other.log && maps.Equal(k.files, other.files)
}

// read reads all of an ended job that its owner can.
func (s suite) read(r ref) kept {
	s.Helper()
	k := kept{files: make(map[string]string)}
	_, list, err := s.call(s.Context(), http.MethodPost, "/job/list", map[string]any{"jobs": []ref{r}})
	s.must(err)
	entry, err := json.Marshal(list)
	s.must(err)
	k.list = string(entry)
	_, answer, err := s.call(s.Context(), http.MethodPost, "/job/result", r)
	s.must(err)
	k.message, _ = answer["message"].(string)
	files, _ := answer["ResultFiles"].(map[string]any)
	for name, link := range files {
		if link, _ := link.(string); link != "" {
			k.files[name] = fmt.Sprintf("%x", sha256.Sum256([]byte(s.download(link))))
		}
	}
	_, answer, err = s.call(s.Context(), http.MethodGet, "/job/logs"+r.query(), nil)
	s.must(err)
	k.log, _ = answer["text"].(string)
	return k
}

// told lets a job go on that waits until it is told.
func (s suite) told(r ref) {
	s.Helper()
	s.wait("the run of job "+r.ID, func(ctx context.Context) error {
		_, err := s.kubectl(ctx, "", "exec", "job/"+job.ObjectName(r.ID, 1), "--container=bakta", "--", "sh", "-c", ": >/tmp/go")
		return err
	})
}

// holdRequests holds requests to the object storage that match, does what causes them, and waits for the first one.
func (s suite) holdRequests(what string, match func(*http.Request) bool, cause func()) (release func()) {
	s.Helper()
	came, release := s.commits.hold(match)
	s.Cleanup(release)
	cause()
	select {
	case <-came:
	case <-time.After(patience):
		s.Fatalf("in vain waited for %s to be held", what)
	}
	return release
}

// heldPods is a policy that keeps pods of one job from being created, as an exhausted quota does.
const heldPods = `apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: bakta-e2e-held}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bakta}}
    objectSelector: {matchLabels: {bakta.computational.bio/job: "%[1]s"}}
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  validations: [{expression: "false", message: held by the tests}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: bakta-e2e-held}
spec: {policyName: bakta-e2e-held, validationActions: [Deny]}
`

// queued starts a job that gets no pod until it is admitted.
func (s suite) queued() (r ref, admit func()) {
	s.Helper()
	r, err := s.create(s.Context())
	s.must(err)
	policy := fmt.Sprintf(heldPods, r.ID)
	_, err = s.kubectl(s.Context(), policy, "apply", "-f", "-")
	s.must(err)
	remove := func() error {
		_, err := s.kubectl(context.Background(), policy, "delete", "--ignore-not-found", "-f", "-")
		return err
	}
	s.Cleanup(func() {
		if err := remove(); err != nil {
			s.Error(err)
		}
	})
	s.wait("pods to be refused", func(ctx context.Context) error {
		pod := corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "held", Labels: map[string]string{"bakta.computational.bio/job": r.ID}},
			Spec:       corev1.PodSpec{Containers: restricted("none.invalid/none:1")},
		}
		_, err := s.core.Pods(namespace).Create(ctx, &pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if err == nil || !strings.Contains(err.Error(), "held by the tests") {
			return fmt.Errorf("a pod is answered %v", err) //nolint:errorlint // err may be nil
		}
		return nil
	})
	s.must(s.begin(s.Context(), r, "fine"))
	return r, func() { s.must(remove()) }
}

func (s suite) upgradeReport(changes ...*table) string {
	var text strings.Builder
	text.WriteString(`# Upgrade and downgrade with jobs in flight

This file is written by ` + "`make e2e-upgrade`" + `: the manifests and images of an earlier commit are deployed on an empty cluster,
then those of this source, then the earlier ones again, then these again. Jobs are held in every phase while a version replaces the
other one, and clients create and start further jobs. Each job has to be in the same state afterwards, to end as it should, once, with
whole results; what owners could read of ended jobs has to be the same, byte for byte.
`)
	fmt.Fprintf(
		&text,
		"\nOn %s: from commit %s (e2e-previous) to %s (e2e).\n",
		time.Now().UTC().Format(time.DateOnly),
		s.target.oldCommit,
		s.commit(),
	)
	for _, c := range changes {
		text.WriteString("\n```\n" + c.text() + "```\n")
	}
	return text.String()
}

// commit is that of the source.
func (s suite) commit() string {
	s.Helper()
	out, err := exec.CommandContext(s.Context(), "git", "-C", s.root, "describe", "--always", "--tags", "--dirty").Output()
	s.must(err)
	return strings.TrimSpace(string(out))
}

// report prints a report, and writes it to the folder that E2E_REPORTS names, if it does.
func (s suite) report(name, text string) {
	s.Helper()
	fmt.Printf("\n%s\n", text)
	if s.target.reports == "" {
		return
	}
	s.must(write(filepath.Join(s.target.reports, name+".md"), text))
}
