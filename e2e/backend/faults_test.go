//go:build e2e

package backend_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// fault is something that fails for a while.
type fault struct {
	name string
	// prepare does what must be so before it is made; nil: nothing must.
	prepare func(context.Context) error
	// hit makes it fail, and returns what mends it. An error means that nothing was hit, so that it can be tried again.
	hit func(context.Context) (mend func(context.Context) error, err error)
	// signs is how much the clock is ahead by which jobs sign what they store.
	signs time.Duration
}

// faults are all that TestChaos makes. The clocks come last, because a deployment goes with them.
func (w *world) faults() []fault {
	const source, activator = "eventing.knative.dev/source=apiserver-source-controller", "app=activator"
	all := []fault{
		{name: "the source's adapter killed", hit: w.killPods(namespace, source)},
		{name: "the source's adapter cut off", hit: w.cutPods(namespace, source)},
	}
	for _, name := range append(functions(), "notify") {
		all = append(all,
			fault{name: name + " killed", hit: w.killPods(namespace, "serving.knative.dev/service="+name)},
			fault{name: name + " cut off", hit: w.cutPods(namespace, "serving.knative.dev/service="+name)})
	}
	return append(all,
		fault{name: "the activator killed", hit: w.killPods("knative-serving", activator)},
		fault{name: "the activator cut off", hit: w.cutPods("knative-serving", activator)},
		fault{name: "MongoDB killed", hit: w.killStore("mongod")},
		fault{name: "MongoDB cut off", hit: w.cutPort(w.target.mongo.Port())},
		fault{name: "the object storage killed", hit: w.killStore("objectstore", "-listen", hostOf(w.target.directS3))},
		fault{name: "the object storage cut off", hit: w.cutPort(w.target.s3.Port())},
		fault{name: "the API server killed", hit: w.killAPIServer},
		fault{name: "the API server cut off", hit: w.cutPort("6443")},
		fault{name: "the functions' clock 2 min ahead", prepare: w.deployClock(2 * time.Minute), hit: w.moveClock},
		fault{name: "the functions' clock 2 min behind", prepare: w.deployClock(-2 * time.Minute), hit: w.moveClock},
		fault{name: "the node's clock 2 min ahead", prepare: w.deployStager("ahead"), hit: w.moveNode(2 * time.Minute), signs: 2 * time.Minute},
		fault{
			name: "the node's clock 2 min behind", prepare: w.deployStager("behind"), hit: w.moveNode(-2 * time.Minute), signs: -2 * time.Minute,
		},
	)
}

func hostOf(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return link
	}
	return u.Host
}

// again is how long after a crash the next one comes, while a fault lasts.
const again = 5 * time.Second

// killPods kills all processes of the pods again and again. The kubelet starts them again, with a longer pause each time.
func (w *world) killPods(in, selector string) func(context.Context) (func(context.Context) error, error) {
	return func(ctx context.Context) (func(context.Context) error, error) {
		if n, err := w.killOnce(ctx, in, selector); err != nil || n == 0 {
			return nil, errors.Join(err, fmt.Errorf("no process of a pod %s runs", selector))
		}
		going, stop := context.WithCancel(ctx)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				select {
				case <-going.Done():
					return
				case <-time.After(again):
				}
				_, _ = w.killOnce(going, in, selector) // the API server may be away, too
			}
		}()
		return func(context.Context) error { stop(); <-ended; return nil }, nil
	}
}

// killOnce kills the processes of pods, but not those that hold their namespaces. It returns how many it killed.
func (w *world) killOnce(ctx context.Context, in, selector string) (n int, err error) {
	pods, err := w.core.Pods(in).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return 0, err
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	for _, dir := range processes {
		groups, err := os.ReadFile(dir + "/cgroup")
		if err != nil { // it has ended
			continue
		}
		argv, err := os.ReadFile(dir + "/cmdline")
		if err != nil || len(argv) == 0 || bytes.HasPrefix(argv, []byte("/pause")) { // 0: it has ended, and is not reaped
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return n, err
		}
		for _, p := range pods.Items {
			if strings.Contains(string(groups), "pod"+string(p.UID)) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				n++
			}
		}
	}
	return n, nil
}

// cutPods drops all packets from and to the pods that there are. Pods that start meanwhile are not cut off.
func (w *world) cutPods(in, selector string) func(context.Context) (func(context.Context) error, error) {
	return func(ctx context.Context) (func(context.Context) error, error) {
		pods, err := w.core.Pods(in).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return nil, err
		}
		var rules [][]string
		for _, p := range pods.Items {
			if net.ParseIP(p.Status.PodIP) == nil || p.DeletionTimestamp != nil {
				continue
			}
			rules = append(rules, []string{"FORWARD", "-s", p.Status.PodIP}, []string{"FORWARD", "-d", p.Status.PodIP},
				[]string{"INPUT", "-s", p.Status.PodIP}, []string{"OUTPUT", "-d", p.Status.PodIP})
		}
		if len(rules) == 0 {
			return nil, fmt.Errorf("no pod %s runs", selector)
		}
		return drop(ctx, rules)
	}
}

// cutPort drops all packets to a port of the node.
func (w *world) cutPort(port string) func(context.Context) (func(context.Context) error, error) {
	return func(ctx context.Context) (func(context.Context) error, error) {
		return drop(ctx, [][]string{{"INPUT", "-p", "tcp", "--dport", port}})
	}
}

// drop drops packets by rules of iptables in the cluster's network namespace, which is that of the tests.
func drop(ctx context.Context, rules [][]string) (func(context.Context) error, error) {
	change := func(ctx context.Context, how string) error {
		var errs []error
		for _, r := range rules {
			args := slices.Concat([]string{"--wait", how}, r, []string{"-j", "DROP"})
			if out, err := exec.CommandContext(ctx, "iptables", args...).CombinedOutput(); err != nil {
				errs = append(errs, fmt.Errorf("iptables %v: %w: %s", args, err, out))
			}
		}
		return errors.Join(errs...)
	}
	mend := func(ctx context.Context) error { return change(ctx, "--delete") }
	if err := change(ctx, "--insert"); err != nil {
		return nil, errors.Join(err, mend(context.WithoutCancel(ctx)))
	}
	return mend, nil
}

// killStore kills a store that with-stores has started, which is the parent of this process. It is started again on its data, with more
// arguments, as a child of this process.
func (w *world) killStore(program string, more ...string) func(context.Context) (func(context.Context) error, error) {
	return func(context.Context) (func(context.Context) error, error) {
		w.restarts.mu.Lock()
		defer w.restarts.mu.Unlock()
		if again, ok := w.restarts.of[program]; ok {
			return again.start, again.process.Kill()
		}
		pid, argv, err := sibling(program)
		if err != nil {
			return nil, err
		}
		again := &restarted{argv: append(argv, more...), log: filepath.Join(w.overlay, program+".log")}
		w.restarts.of[program] = again
		return again.start, syscall.Kill(pid, syscall.SIGKILL)
	}
}

// restarts are the stores that were killed, by their programs.
type restarts struct {
	mu sync.Mutex
	of map[string]*restarted
}

type restarted struct {
	argv    []string
	log     string
	process *process.Process
}

func (r *restarted) start(context.Context) (err error) {
	r.process, err = process.Start(r.log, exec.Command(r.argv[0], r.argv[1:]...))
	return err
}

// sibling finds a process with the parent of this one by the name of its program.
func sibling(program string) (pid int, argv []string, err error) {
	parent := os.Getppid()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		return 0, nil, err
	}
	for _, file := range lists {
		list, err := os.ReadFile(file)
		if err != nil { // the thread has ended
			continue
		}
		for _, field := range strings.Fields(string(list)) {
			text, err := os.ReadFile("/proc/" + field + "/cmdline")
			argv := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
			if err != nil || filepath.Base(argv[0]) != program {
				continue
			}
			pid, err := strconv.Atoi(field)
			return pid, argv, err
		}
	}
	return 0, nil, fmt.Errorf("process %d, which started the stores, has no child %s", parent, program)
}

// killAPIServer kills the API server of a cluster of bin/cluster, which starts it again.
func (w *world) killAPIServer(ctx context.Context) (func(context.Context) error, error) {
	return w.startParts, w.runCluster(ctx, nil, "kill", "kube-apiserver")
}

// startParts starts the parts of Kubernetes that do not run.
func (w *world) startParts(ctx context.Context) error {
	return w.runCluster(ctx, nil, "up", "--only", "kubernetes")
}

var clusterCommand sync.Mutex

// runCluster runs bin/cluster.
func (w *world) runCluster(ctx context.Context, env []string, args ...string) error {
	clusterCommand.Lock() // two would start the same part twice
	defer clusterCommand.Unlock()
	cmd := exec.CommandContext(ctx, w.target.cluster, args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", w.target.cluster, args, err, out)
	}
	return nil
}

const movedClock = `patches:
  - target: {group: serving.knative.dev, kind: Service, name: submit|status|expire|jobupdate|notify}
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/env/-, value: {name: BAKTA_TEST_CLOCK_STEP, value: "%.0f"}}
`

// deploying keeps deployments apart.
var deploying sync.Mutex

// deployClock deploys functions whose clock is moved ten seconds after they started, see ../clock.
func (w *world) deployClock(by time.Duration) func(context.Context) error {
	images := w.target.otherImages(w.target.clockRegistry, "latest", "submit", "status", "expire", "jobupdate", "notify")
	return w.deployChanged(images + fmt.Sprintf(movedClock, by.Seconds()))
}

// deployStager deploys functions whose jobs begin and end with a stager of such a clock, as on a node whose clock is moved.
func (w *world) deployStager(clock string) func(context.Context) error {
	return w.deployChanged(w.target.otherImages(w.target.clockRegistry+"/"+clock, "latest", "stager"))
}

// moveNode moves the clock of the kubelet, ten seconds after it starts again. Mended, the kubelet and the stager are as before.
func (w *world) moveNode(by time.Duration) func(context.Context) (func(context.Context) error, error) {
	restart := func(ctx context.Context, env ...string) error {
		return errors.Join(w.runCluster(ctx, nil, "kill", "kubelet"), w.runCluster(ctx, env, "up", "--only", "kubernetes"))
	}
	return func(ctx context.Context) (func(context.Context) error, error) {
		err := restart(ctx, fmt.Sprintf("BAKTA_TEST_CLOCK_STEP=%.0f", by.Seconds()))
		if err == nil {
			moving, moved := context.WithTimeout(ctx, patience)
			err = eventually(moving, time.Second, func(ctx context.Context) error { return w.nodeMoved(ctx, by) })
			moved()
		}
		if err != nil {
			return nil, errors.Join(err, restart(context.WithoutCancel(ctx)))
		}
		return func(ctx context.Context) error {
			deploying.Lock()
			defer deploying.Unlock()
			return errors.Join(restart(ctx), w.deploy(ctx, cmp.Or(w.varied, w.overlay)))
		}, nil
	}
}

// nodeMoved returns an error unless the clock by which the kubelet renews its lease is ahead by about so much.
func (w *world) nodeMoved(ctx context.Context, by time.Duration) error {
	leases, err := w.any.Resource(coordinationv1.SchemeGroupVersion.WithResource("leases")).Namespace(corev1.NamespaceNodeLease).
		List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(leases.Items) != 1 {
		return fmt.Errorf("%d nodes", len(leases.Items))
	}
	text, _, err := unstructured.NestedString(leases.Items[0].Object, "spec", "renewTime")
	if err != nil {
		return err
	}
	at, err := time.Parse(metav1.RFC3339Micro, text)
	if err != nil {
		return err
	}
	if off := time.Until(at) - by; off.Abs() > time.Minute { // it is renewed every ten seconds
		return fmt.Errorf("the kubelet's clock is ahead by %s", time.Until(at))
	}
	return nil
}

// deployChanged deploys what is tested with other images.
func (w *world) deployChanged(change string) func(context.Context) error {
	return func(ctx context.Context) error {
		deploying.Lock()
		defer deploying.Unlock()
		dir, err := os.MkdirTemp("", "bakta-e2e-clock-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		below, err := relative(dir, cmp.Or(w.varied, w.overlay))
		if err != nil {
			return err
		}
		return errors.Join(write(filepath.Join(dir, "kustomization.yaml"), "resources: ["+below+"]\n"+change),
			write(filepath.Join(dir, "fields.yaml"), stagerFields), w.deploy(ctx, dir))
	}
}

// moveClock lets the clocks of what deployClock deployed move. Mended, the functions that are tested are deployed again.
func (w *world) moveClock(context.Context) (func(context.Context) error, error) {
	return func(ctx context.Context) error {
		deploying.Lock()
		defer deploying.Unlock()
		return w.deploy(ctx, cmp.Or(w.varied, w.overlay))
	}, nil
}
