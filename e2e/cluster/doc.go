// Package cluster starts and stops a real Kubernetes with Knative on one Debian machine.
//
// The programs are built from Go modules (folder parts); the container runtime is Debian's. Everything runs in Linux
// namespaces for network, mounts and processes: no port and no mount is visible outside, default paths like
// /var/lib/kubelet and /run/containerd are the cluster's own, and the end of the namespaces' first process ends every
// process of the cluster. All files are below one directory.
package cluster
