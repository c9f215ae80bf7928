// Package cluster brings up a real Kubernetes with Knative on one bare Debian machine, and takes it down again.
//
// The programs are built from Go modules (folder parts), the container runtime comes from Debian. All of it lives in
// Linux namespaces of its own, network, mounts and processes: nothing listens outside, no mount shows outside, default
// paths like /var/lib/kubelet and /run/containerd are the cluster's own, and ending the namespaces' first process
// ends every process of the cluster. What is on disk lies below one directory.
package cluster
