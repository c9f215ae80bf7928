//go:build e2e

package backend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
)

// Where connections begin in TestPolicies.
const (
	byJob        = "a job's stage"
	byDisguised  = "a pod elsewhere with a job's labels"
	byBeside     = "another pod of the namespace"
	byElsewhere  = "a pod of another namespace"
	byNotify     = "notify"
	byIngress    = "the ingress"
	byServing    = "Knative Serving"
	byMonitoring = "Prometheus"
)

// everyone is where connections begin that no policy is about. The ingress, Knative Serving and Prometheus are among them: what
// follows tests what their namespaces reach.
var everyone = []string{byDisguised, byBeside, byElsewhere, byIngress, byServing, byMonitoring}

// way is where connections of TestPolicies lead, and who reaches it with the policies. Without them, each of the pods does.
type way struct {
	to, probe string
	by        []string
}

// Each pod tries each way, with the policies as they are deployed, without them, and with them again.
func TestPolicies(t *testing.T) {
	s := newSuite(t)
	s.needs("policies")
	p := s.openProbes()
	ways := p.ways()
	s.enforced(p, ways, "with the policies", func(w way, from string) bool { return slices.Contains(w.by, from) })
	again := s.deletePolicies()
	s.enforced(p, ways, "without policies", func(way, string) bool { return true })
	again()
	s.enforced(p, ways, "with the policies again", func(w way, from string) bool { return slices.Contains(w.by, from) })
	s.notified()
	s.reportPolicies(p, ways)
}

// deletePolicies deletes all policies of the namespace. What it returns creates them again.
func (s suite) deletePolicies() (again func()) {
	s.Helper()
	all := s.any.Resource(networkingv1.SchemeGroupVersion.WithResource("networkpolicies")).Namespace(namespace)
	list, err := all.List(s.Context(), metav1.ListOptions{})
	s.must(err, all.DeleteCollection(s.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	return func() {
		for _, p := range list.Items {
			p.SetResourceVersion("")
			p.SetUID("")
			_, err := all.Create(s.Context(), &p, metav1.CreateOptions{})
			s.must(err)
		}
	}
}

// notified checks that the stagers of a job reach jobupdate. Without that, events tell it the same.
func (s suite) notified() {
	s.Helper()
	r := s.run("fine")
	s.becomes(r, "SUCCESSFUL")
	for _, container := range []string{"bakta", "stage-out"} {
		var said string
		// The job is over when its manifest is stored. The node reports the start of the container that stored it up to seconds later.
		s.wait("the log of "+container, func(ctx context.Context) (err error) {
			said, err = s.kubectl(ctx, "", "logs", "--selector=bakta.computational.bio/job="+r.ID, "--container="+container, "--tail=-1")
			return err
		})
		if strings.Contains(said, "could not be notified") {
			s.Errorf("%s says: %s", container, trimmed(said))
		}
	}
}

// A program of a job reaches nothing at all, not even itself, although its stage does: the kernel refuses it sockets.
func TestProgramsAreOffline(t *testing.T) {
	s := newSuite(t)
	r := s.run("until-told")
	pod := s.stageOf(r)
	probe := fmt.Sprintf("nc -w 5 %s %s -e sleep 0", s.target.s3.Hostname(), s.target.s3.Port())
	s.wait("the stage to reach the object storage", func(ctx context.Context) error { return s.exec(ctx, pod, probe) })
	s.must(s.exec(t.Context(), pod, "echo '"+probe+"' > /tmp/next; mv /tmp/next /tmp/go"))
	s.becomes(r, "SUCCESSFUL")
	code, answer, err := s.call(t.Context(), "GET", "/job/logs"+r.query(), nil)
	s.must(err)
	if text, _ := answer["text"].(string); !strings.Contains(text, "told: nc: socket") ||
		!strings.Contains(text, "Address family not supported") {
		t.Errorf("the log is answered %d: %v", code, answer)
	}
}

// probePod is a pod, and the container in it, in which commands run.
type probePod struct{ namespace, name, container string }

// exec runs a script in a pod.
func (w *world) exec(ctx context.Context, in probePod, script string) error {
	_, err := w.kubectl(ctx, "", "--namespace="+in.namespace, "exec", in.name, "--container="+in.container, "--", "/bin/sh", "-c", script)
	return err
}

// stageOf returns the pod of a job whose program waits, and its container.
func (s suite) stageOf(r ref) probePod {
	s.Helper()
	var found probePod
	s.wait("the program of job "+r.ID, func(ctx context.Context) error {
		list, err := s.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + r.ID})
		if err != nil {
			return err
		}
		for _, p := range list.Items {
			for _, c := range p.Status.InitContainerStatuses {
				if c.Name == "bakta" && c.State.Running != nil {
					found = probePod{namespace, p.Name, c.Name}
					return nil
				}
			}
		}
		return errors.New("its container does not run")
	})
	return found
}

// probes are the pods that connect, and what they connect to.
type probes struct {
	suite
	from         map[string]probePod
	beside, away string // addresses of pods that listen on 8080 and 27017
	job          string // address of a job's pod that listens on 8080
	function     string // address of a pod of a function
	traefik      string
	node         string
}

// openProbes starts the pods, and what they connect to and the cluster doesn't have.
func (s suite) openProbes() probes {
	s.Helper()
	ctx := s.Context()
	s.must(s.allowPrometheus())
	p := probes{suite: s, from: map[string]probePod{}}
	const elsewhere, monitoring = "probes", "monitoring"
	for _, name := range []string{elsewhere, monitoring} {
		_, err := s.core.Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
		s.must(err)
		s.Cleanup(func() {
			if _, err := s.kubectl(context.Background(), "", "delete", "namespace/"+name, "--wait=false"); err != nil {
				s.Error(err)
			}
		})
	}
	r := s.run("until-told")
	p.from[byJob] = s.stageOf(r)
	running, err := s.core.Pods(namespace).Get(ctx, p.from[byJob].name, metav1.GetOptions{})
	s.must(err)
	p.job = running.Status.PodIP
	s.must(s.exec(ctx, p.from[byJob], "nc -ll -p 8080 -e sleep 0 >/dev/null 2>&1 </dev/null &"))
	s.Cleanup(func() {
		if err := s.exec(context.Background(), p.from[byJob], ": > /tmp/go"); err != nil {
			s.Error(err)
		}
		s := suite{s.T, s.world}
		if _, answer, err := s.call(context.Background(), "DELETE", "/delete"+r.query(), nil); err != nil {
			s.Error(answer, err)
		}
	})
	notify := map[string]string{
		"app.kubernetes.io/part-of": "bakta-web", "app.kubernetes.io/component": "function", "bakta.computational.bio/sends": "notifications",
	}
	disguise := maps.Clone(running.Labels)
	maps.DeleteFunc(disguise, func(key, _ string) bool {
		return strings.Contains(key, "job-name") || strings.Contains(key, "controller-uid")
	})
	for from, pod := range map[string]*corev1.Pod{
		byDisguised:  {ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Labels: disguise}},
		byBeside:     {ObjectMeta: metav1.ObjectMeta{Namespace: namespace}},
		byElsewhere:  {ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere}},
		byNotify:     {ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Labels: notify}},
		byIngress:    {ObjectMeta: metav1.ObjectMeta{Namespace: "traefik"}},
		byServing:    {ObjectMeta: metav1.ObjectMeta{Namespace: "knative-serving"}},
		byMonitoring: {ObjectMeta: metav1.ObjectMeta{Namespace: monitoring}},
	} {
		started := s.startProbe(pod)
		p.from[from] = probePod{started.Namespace, started.Name, "main"}
		switch from {
		case byBeside:
			p.beside = started.Status.PodIP
		case byElsewhere:
			p.away = started.Status.PodIP
		}
	}
	p.function = s.keepAwake("status")
	nodes, err := s.core.Nodes().List(ctx, metav1.ListOptions{})
	s.must(err)
	for _, a := range nodes.Items[0].Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			p.node = a.Address
		}
	}
	ingress, err := s.core.Pods("traefik").List(ctx, metav1.ListOptions{LabelSelector: "app=traefik"})
	s.must(err)
	p.traefik = ingress.Items[0].Status.PodIP
	s.listenAsCloud()
	return p
}

// startProbe starts a pod that waits for commands and listens on 8080 and 27017, and returns it when it runs.
func (s suite) startProbe(pod *corev1.Pod) *corev1.Pod {
	s.Helper()
	pod.GenerateName = "probe-"
	pod.Spec.Containers = restricted(s.target.tool)
	user, none, now := int64(65532), false, int64(0)
	main := &pod.Spec.Containers[0]
	main.SecurityContext.RunAsUser = &user
	main.Command = []string{"/bin/sh", "-c", "nc -ll -p 27017 -e sleep 0 & exec nc -ll -p 8080 -e sleep 0"}
	pod.Spec.AutomountServiceAccountToken, pod.Spec.TerminationGracePeriodSeconds = &none, &now
	made, err := s.core.Pods(pod.Namespace).Create(s.Context(), pod, metav1.CreateOptions{})
	s.must(err)
	s.Cleanup(func() {
		if err := s.core.Pods(made.Namespace).Delete(context.Background(), made.Name, metav1.DeleteOptions{}); err != nil {
			s.Error(err)
		}
	})
	s.wait("the pod "+made.Name, func(ctx context.Context) error {
		if made, err = s.core.Pods(made.Namespace).Get(ctx, made.Name, metav1.GetOptions{}); err != nil {
			return err
		}
		if made.Status.Phase != corev1.PodRunning || made.Status.PodIP == "" {
			return fmt.Errorf("it is %s: %v", made.Status.Phase, made.Status.ContainerStatuses)
		}
		return nil
	})
	return made
}

// keepAwake keeps a function awake until the end of the test, and returns the address of a pod.
func (s suite) keepAwake(name string) string {
	s.Helper()
	_, err := s.kubectl(s.Context(), "", "patch", "ksvc", name, "--type=merge", "-p",
		`{"spec":{"template":{"metadata":{"annotations":{"autoscaling.knative.dev/min-scale":"1"}}}}}`)
	s.must(err)
	s.Cleanup(func() {
		if err := s.deploy(context.Background(), s.overlay); err != nil {
			s.Error(err)
		}
	})
	address := ""
	s.wait(name+" with a pod that stays", func(ctx context.Context) error {
		service, err := s.any.Resource(serving("services", "v1")).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		revision, _, err := unstructured.NestedString(service.Object, "status", "latestReadyRevisionName")
		if err != nil {
			return err
		}
		seen, _, err := unstructured.NestedInt64(service.Object, "status", "observedGeneration")
		if err != nil {
			return err
		}
		made, _, err := unstructured.NestedString(service.Object, "status", "latestCreatedRevisionName")
		if err != nil || made != revision || seen != service.GetGeneration() {
			return errors.Join(err, fmt.Errorf("the revision %s is not ready", made))
		}
		pods, err := s.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/revision=" + revision})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
				address = pod.Status.PodIP
				return nil
			}
		}
		return fmt.Errorf("the revision %s has no such pod", revision)
	})
	return address
}

// listenAsCloud listens where clouds serve credentials, and on the port of name servers there.
func (s suite) listenAsCloud() {
	s.Helper()
	for _, port := range []string{"80", "53"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(cluster.Metadata, port))
		s.must(err)
		s.Cleanup(func() { listener.Close() })
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
	}
}

// allowPrometheus applies the policy of the component observability, whose other objects are of kinds that this cluster doesn't have.
func (s suite) allowPrometheus() error {
	_, err := s.kubectl(s.Context(), "", "apply", "-f", filepath.Join(s.root, "kservices/observability/networkpolicy.yaml"))
	return err
}

// ways returns all that the pods try to reach.
func (p probes) ways() []way {
	p.Helper()
	service := func(namespace, name string) string {
		found, err := p.core.Services(namespace).Get(p.Context(), name, metav1.GetOptions{})
		p.must(err)
		return found.Spec.ClusterIP
	}
	tcp := func(address string, port any) string { return fmt.Sprintf("nc -w 3 %s %v -e sleep 0", address, port) }
	private := func(name string) string { return tcp(name+".bakta.svc.cluster.local", 80) } // also asks the name server
	also := func(more ...string) []string { return slices.Concat(everyone, more) }
	dns := service("kube-system", "kube-dns")
	return []way{
		{"the name server, UDP", "nslookup kubernetes.default.svc.cluster.local. " + dns, also(byJob, byNotify)},
		{"the name server, TCP", tcp(dns, 53), also(byJob, byNotify)},
		{"a name server at a link-local address", tcp(cluster.Metadata, 53), also(byJob, byNotify)},
		{"credentials of a cloud", tcp(cluster.Metadata, 80), also()},
		{"the object storage", tcp(p.target.s3.Hostname(), p.target.s3.Port()), also(byJob)},
		{"MongoDB beside the object storage", tcp(p.target.mongo.Hostname(), p.target.mongo.Port()), also()},
		{"jobupdate, by the ingress", private("jobupdate"), also(byJob)},
		{"expire, by the ingress", private("expire"), also(byJob)},
		{"the API server's service", tcp(service("default", "kubernetes"), 443), also()},
		{"the API server", tcp(p.node, 6443), also()},
		{"the kubelet", tcp(p.node, 10250), also()},
		{"a port of the node", tcp(p.node, 30080), also()},
		{"the ingress, public side", tcp(p.traefik, 8000), also()},
		{"the ingress, about itself", tcp(p.traefik, 9000), also()},
		{"the activator", tcp(service("knative-serving", "activator-service"), 80), also(byNotify)},
		{"a function's queue-proxy", tcp(p.function, 8013), []string{byIngress, byServing}},
		{"a queue-proxy's metrics", tcp(p.function, 9090), []string{byIngress, byServing}},
		{"a queue-proxy's own port", tcp(p.function, 8022), nil},
		{"a function, past its queue-proxy", tcp(p.function, 8080), nil},
		{"a function's metrics", tcp(p.function, 9464), []string{byMonitoring}},
		{"a pod of the namespace, as MongoDB", tcp(p.beside, 27017), also(byNotify)},
		{"a pod of the namespace", tcp(p.beside, 8080), also()},
		{"a pod of another namespace, as MongoDB", tcp(p.away, 27017), also()},
		{"a pod of another namespace", tcp(p.away, 8080), also()},
		{"the pod of that job", tcp(p.job, 8080), []string{byJob}}, // itself
	}
}

// reached tries all ways from a pod, at the same time, and returns whether each was reached.
func (p probes) reached(ctx context.Context, from probePod, ways []way) ([]bool, error) {
	var script strings.Builder
	for i, w := range ways {
		fmt.Fprintf(&script, "(%s >/dev/null 2>&1 </dev/null && echo reached %d.) &\n", w.probe, i)
	}
	script.WriteString("wait\necho tried\n")
	out, err := p.kubectl(
		ctx,
		script.String(),
		"--namespace="+from.namespace,
		"exec",
		"--stdin",
		from.name,
		"--container="+from.container,
		"--",
		"/bin/sh",
	)
	if err == nil && !strings.HasSuffix(out, "tried\n") {
		err = fmt.Errorf("the probe ended early: %s", out)
	}
	result := make([]bool, len(ways))
	for i := range ways {
		result[i] = strings.Contains(out, fmt.Sprintf("reached %d.\n", i))
	}
	return result, err
}

// enforced waits until what each pod reaches is as expected. A network enforces a change a moment after it was made.
func (s suite) enforced(p probes, ways []way, when string, want func(w way, from string) bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience/2)
	defer cancel()
	err := eventually(ctx, time.Second, func(context.Context) error {
		var wrong []error
		for from, pod := range p.from {
			got, err := p.reached(s.Context(), pod, ways)
			if err != nil {
				return fmt.Errorf("%s: %w", from, err)
			}
			for i, w := range ways {
				if got[i] != want(w, from) {
					wrong = append(wrong, fmt.Errorf("%s: that it reaches %s (%s) is %v", from, w.to, w.probe, got[i]))
				}
			}
		}
		return errors.Join(wrong...)
	})
	if err != nil {
		s.Fatalf("%s: %v", when, err)
	}
}

// reportPolicies prints what was found as a table, and writes it to the folder that E2E_REPORTS names, if it does.
func (s suite) reportPolicies(p probes, ways []way) {
	s.Helper()
	columns := slices.Sorted(maps.Keys(p.from))
	var text bytes.Buffer
	fmt.Fprintf(&text, "# Network policies, enforced\n\n`E2E_WITH=policies e2e/knative.sh -test.run Policies`, %s. The test cluster has one "+
		"node, and kube-router's policy\ncontroller (`e2e/neighbours/policies/go.mod`). Each pod tried each way three times: with the "+
		"policies of `kservices`, without any, and with\nthem again. Without, each reached all %d. With them:\n\n| | %s |\n|---|%s\n",
		time.Now().UTC().Format("2 January 2006"), len(ways), strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, w := range ways {
		fmt.Fprintf(&text, "| %s |", w.to)
		for _, from := range columns {
			mark := "–"
			if slices.Contains(w.by, from) {
				mark = "reached"
			}
			fmt.Fprintf(&text, " %s |", mark)
		}
		text.WriteByte('\n')
	}
	s.Log("\n" + text.String())
	if folder := os.Getenv("E2E_REPORTS"); folder != "" {
		s.must(write(filepath.Join(folder, "policies.md"), text.String()))
	}
}
