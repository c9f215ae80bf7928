// Package backend tests the whole backend as it is deployed: its functions on Knative, its jobs on Kubernetes, a real
// MongoDB and a real object storage. ../knative.sh runs the tests.
package backend
