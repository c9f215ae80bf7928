package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

var kubernetesPrograms = set{name: "Kubernetes", module: parts, packages: []string{"./kubelite", "./coredns", "./pause"}}

// components are the programs in kubelite.
var components = []string{"etcd", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}

// aggregator is the name by which the API server authenticates to APIs that other programs serve.
const aggregator = "aggregator"

// upKubernetes starts the parts of Kubernetes and DNS that do not run.
func (c *Cluster) upKubernetes(ctx context.Context) (s space, err error) {
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"make namespaces", func() (err error) { s, err = c.makeSpace(ctx); return err }},
		{"start the container runtime, etcd and the API server", func() error { return c.startStores(s) }},
		{"load images", func() error { return c.loadFirst(ctx, s) }},
		{"wait for the API server", func() error { return c.awaitAPI(ctx, s) }},
		{"start controllers, scheduler, kubelet and proxy", func() error { return c.startNode(ctx, s) }},
		{"wait for the node and DNS", func() error { return c.awaitNode(ctx, s) }},
	} {
		if err := c.step(step.what, step.do); err != nil {
			return space{}, err
		}
	}
	return s, nil
}

// makeSpace returns the cluster's namespaces. It creates them if they do not exist, with the mounts, the network, the
// configuration and the certificates.
func (c *Cluster) makeSpace(ctx context.Context) (space, error) {
	// Incomplete namespaces are created again. So there are two files: the one with the pid is written first, "made" last.
	record, made := c.file("run/space.pid"), c.file("run/space.made")
	if s, err := c.space(); err == nil {
		if _, err := os.Stat(made); err == nil {
			return s, nil
		}
		s.first.end(syscall.SIGKILL, patience)
	} else if !errors.Is(err, ErrDown) {
		return space{}, err
	}
	if err := c.clear(); err != nil {
		return space{}, err
	}
	if err := saveTunables(c.file("run/tunables.json")); err != nil {
		return space{}, err
	}
	log, err := c.logFile("space")
	if err != nil {
		return space{}, err
	}
	defer log.Close()
	s, err := newSpace(c.file("bin/pause"), log)
	if err != nil {
		return space{}, err
	}
	if err := s.first.record(record); err != nil {
		return space{}, err
	}
	for _, prepare := range []func() error{
		func() error { return c.mount(ctx, s) },
		func() error { return c.connect(ctx, s) },
		c.configure,
		c.trustRegistry,
		func() error { return makeCgroup(c.cgroup()) },
	} {
		if err := prepare(); err != nil {
			return space{}, err
		}
	}
	return s, os.WriteFile(made, nil, 0o644)
}

// mount mounts /proc, /run and /var of the cluster in its mount namespace, and the state at /run/cluster.
func (c *Cluster) mount(ctx context.Context, s space) error {
	for _, dir := range []string{"lib", "log", "tmp", "cache"} {
		if err := os.MkdirAll(c.file("var/"+dir), 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink("/run", c.file("var/run")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// A program mounts /proc, because /proc shows the processes of the namespace of the mounting process.
	for _, args := range [][]string{
		{"--make-rshared", "/"}, // between mount namespaces of the cluster, so that containers see volumes
		{"-t", "proc", "proc", "/proc"},
		{"-t", "tmpfs", "-o", "mode=755", "run", "/run"},
		{"--bind", "-o", "X-mount.mkdir", c.dir, "/run/cluster"}, // before /var, because the state may be below it
		{"--bind", "/run/cluster/var", "/var"},
	} {
		if _, err := s.run(ctx, "mount", args...); err != nil {
			return err
		}
	}
	return nil
}

// connect sets up the network namespace: addresses, routes, forwarding.
func (c *Cluster) connect(ctx context.Context, s space) error {
	// The module may be built into the kernel. If it does not exist, the setting below fails.
	_ = exec.CommandContext(ctx, "modprobe", "br_netfilter").Run()
	for _, set := range []struct{ program, input string }{
		{"ip", "network.ip"},
		{"iptables-restore", "network.iptables"},
	} {
		input, err := files.Open("config/" + set.input)
		if err != nil {
			return err
		}
		defer input.Close()
		args := map[string][]string{"ip": {"-batch", "-"}}[set.program]
		if _, err := s.feed(ctx, input, set.program, args...); err != nil {
			return err
		}
	}
	return s.inside(func() error {
		for name, value := range map[string]string{
			"ipv4/ip_forward":                "1",
			"ipv4/conf/all/route_localnet":   "1", // for Loopback
			"bridge/bridge-nf-call-iptables": "1", // for connections to services from a pod on the same bridge
		} {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	}, network)
}

// configure writes the configuration, the certificates and the kubeconfig files of the daemons.
func (c *Cluster) configure() error {
	config, err := fs.Sub(files, "config")
	if err != nil {
		return err
	}
	if err := os.CopyFS(c.file("run/config"), config); err != nil {
		return err
	}
	pki := c.file("run/pki")
	if err := os.MkdirAll(pki, 0o700); err != nil {
		return err
	}
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(pki, "ca.crt"), ca.cert, 0o644); err != nil {
		return err
	}
	const nodes, admins = "system:nodes", "system:masters"
	const service = "kubernetes.default.svc.cluster.local"
	if err := errors.Join(
		issue(
			pki,
			"kube-apiserver",
		)(
			ca.server("kube-apiserver", "", "kubernetes", "kubernetes.default", "kubernetes.default.svc", service, "10.96.0.1", Node),
		),
		issue(pki, "kubelet")(ca.server("system:node:"+nodeName, nodes, nodeName, Node)),
		issue(pki, "kubelet-client")(ca.client("kube-apiserver", admins)),
		issue(pki, "service-accounts")(ca.client("service-accounts", "")),
		issue(pki, aggregator)(ca.client(aggregator, "")),
		// The controllers sign CertificateSigningRequests with this key.
		issue(pki, "signer")(ca.pair, nil),
	); err != nil {
		return err
	}
	for file, who := range map[string]struct{ user, group string }{
		"kubeconfig":                             {"admin", admins},
		"run/kube-controller-manager.kubeconfig": {"system:kube-controller-manager", ""},
		"run/kube-scheduler.kubeconfig":          {"system:kube-scheduler", ""},
		"run/kube-proxy.kubeconfig":              {"system:kube-proxy", ""},
		"run/kubelet.kubeconfig":                 {"system:node:" + nodeName, nodes},
	} {
		text, err := ca.kubeconfig(who.user, who.group)
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.file(file), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// issue writes an issued pair, unless err is set.
func issue(dir, name string) func(pair, error) error {
	return func(p pair, err error) error {
		if err != nil {
			return err
		}
		return p.write(dir, name)
	}
}

// startStores starts the daemons that all others need.
func (c *Cluster) startStores(s space) error {
	pki := func(name string) string { return here("run/pki/" + name) }
	return errors.Join(
		c.daemon(s, "containerd", "containerd", "--config", here("run/config/containerd.toml")),
		c.daemon(s, "etcd", here("bin/etcd"),
			"--name="+nodeName,
			"--data-dir=/var/lib/etcd",
			"--unsafe-no-fsync", // its data ends with the cluster
			"--log-level=warn",
		),
		c.daemon(s, "kube-apiserver", here("bin/kube-apiserver"),
			"--bind-address="+Node,
			"--advertise-address="+Node,
			"--etcd-servers=http://127.0.0.1:2379",
			"--service-cluster-ip-range=10.96.0.0/16",
			"--authorization-mode=Node,RBAC",
			"--enable-admission-plugins=NodeRestriction",
			"--allow-privileged",
			"--tls-cert-file="+pki("kube-apiserver.crt"),
			"--tls-private-key-file="+pki("kube-apiserver.key"),
			"--client-ca-file="+pki("ca.crt"),
			"--kubelet-certificate-authority="+pki("ca.crt"),
			"--kubelet-client-certificate="+pki("kubelet-client.crt"),
			"--kubelet-client-key="+pki("kubelet-client.key"),
			"--kubelet-preferred-address-types=InternalIP",
			"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
			"--service-account-key-file="+pki("service-accounts.crt"),
			"--service-account-signing-key-file="+pki("service-accounts.key"),
			// For APIs that other programs serve, such as Kueue's.
			"--requestheader-client-ca-file="+pki("ca.crt"),
			"--requestheader-allowed-names="+aggregator,
			"--requestheader-username-headers=X-Remote-User",
			"--requestheader-group-headers=X-Remote-Group",
			"--requestheader-extra-headers-prefix=X-Remote-Extra-",
			"--proxy-client-cert-file="+pki(aggregator+".crt"),
			"--proxy-client-key-file="+pki(aggregator+".key"),
		),
	)
}

// loadFirst loads the images that every pod needs.
func (c *Cluster) loadFirst(ctx context.Context, s space) error {
	ask := func(ctx context.Context) error { _, err := loaded(ctx, s); return err }
	if err := c.await(ctx, ask, "containerd"); err != nil {
		return err
	}
	return c.loadPrograms(ctx, s, "pause", "coredns")
}

func (c *Cluster) awaitAPI(ctx context.Context, s space) error {
	ca, err := os.ReadFile(c.file("run/pki/ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := http.Client{
		Transport: &http.Transport{DialContext: s.dial, TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true},
		Timeout:   5 * time.Second,
	}
	return c.await(ctx, func(ctx context.Context) error {
		ask, err := http.NewRequestWithContext(ctx, http.MethodGet, apiServer+"/readyz", nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(ask)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("%s returned %s", ask.URL, answer.Status)
		}
		return nil
	}, "etcd", "kube-apiserver")
}

// startNode starts the daemons that schedule and run pods.
func (c *Cluster) startNode(ctx context.Context, s space) error {
	dns, err := files.ReadFile("manifests/dns.yaml")
	if err != nil {
		return err
	}
	if err := apply(ctx, s, dns); err != nil { // it contains the role of kube-proxy
		return err
	}
	return errors.Join(
		c.daemon(s, "kube-controller-manager", here("bin/kube-controller-manager"),
			"--kubeconfig="+here("run/kube-controller-manager.kubeconfig"),
			"--bind-address=127.0.0.1",
			"--leader-elect=false",
			"--use-service-account-credentials",
			"--service-account-private-key-file="+here("run/pki/service-accounts.key"),
			"--root-ca-file="+here("run/pki/ca.crt"),
			"--cluster-signing-cert-file="+here("run/pki/signer.crt"),
			"--cluster-signing-key-file="+here("run/pki/signer.key"),
		),
		c.daemon(s, "kube-scheduler", here("bin/kube-scheduler"),
			"--kubeconfig="+here("run/kube-scheduler.kubeconfig"),
			"--bind-address=127.0.0.1",
			"--leader-elect=false",
		),
		c.daemon(s, "kubelet", kubelet(),
			"--config="+here("run/config/kubelet.yaml"),
			"--kubeconfig="+here("run/kubelet.kubeconfig"),
			"--hostname-override="+nodeName,
			"--node-ip="+Node,
			"--cgroup-root=/"+c.cgroup(),
		),
		c.daemon(s, "kube-proxy", here("bin/kube-proxy"), "--config="+here("run/config/kube-proxy.yaml")),
	)
}

func (c *Cluster) awaitNode(ctx context.Context, s space) error {
	return c.await(ctx, func(ctx context.Context) error {
		_, err := kubectl(ctx, s, nil, "wait", "--for=condition=Ready", "node/"+nodeName, "--timeout=5s")
		if err != nil {
			return err
		}
		_, err = kubectl(ctx, s, nil, "--namespace=kube-system", "rollout", "status", "deployment/coredns", "--timeout=10s")
		return err
	}, "kubelet", "containerd", "kube-controller-manager", "kube-scheduler", "kube-proxy")
}
