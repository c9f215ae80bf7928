package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// The ingress and the host name are those of no cluster: the folders kservices/ingress and kservices/overlays replace
// them.
const head = `# Generated from proto/ and what the functions serve; make generate makes it anew, do not edit.
#
# One host for all functions: each path leads to the function that serves it, and no other path leads anywhere. The host
# is rewritten to the function's own name inside the cluster, by which Knative's ingress finds it, and starts it.
# Paths are never rewritten. The ingress speaks HTTP/2 to itself, so one route carries gRPC and REST.
`

// most is how many paths one rule of a route may name: the limit of Gateway API's first v1, which was raised later.
const most = 8

// manifest returns the routes as objects of the Gateway API. Each has one rule, so that an ingress is patched in by one patch
// for all of them; a function that serves more than one rule may name has several.
func manifest(routes []route) []byte {
	var out bytes.Buffer
	out.WriteString(head)
	for i, r := range routes {
		n := 0
		for paths := range slices.Chunk(r.paths, most) {
			n++
			name := r.function
			if n > 1 {
				name += fmt.Sprintf("-%d", n)
			}
			if i > 0 || n > 1 {
				out.WriteString("---\n")
			}
			route{r.function, paths}.write(&out, name)
		}
	}
	return out.Bytes()
}

// write writes one object.
func (r route) write(out *bytes.Buffer, name string) {
	fmt.Fprintf(out, `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: bakta-web-%s
  namespace: bakta
  labels: {app.kubernetes.io/part-of: bakta-web}
spec:
  parentRefs: [{name: public, namespace: ingress}]
  hostnames: [bakta.example.org]
  rules:
    - matches:
`, name)
	for _, path := range r.paths {
		fmt.Fprintf(out, "        - path: %s\n", match(path))
	}
	fmt.Fprintf(out, `      filters:
        - type: URLRewrite
          urlRewrite: {hostname: %s.bakta.svc.cluster.local}
      backendRefs: [{name: internal, namespace: ingress, port: 80}]
`, r.function)
}

// match returns how a route names a path. Gateway API's prefixes match whole segments, and the path without the slash,
// too.
func match(path string) string {
	if below, ok := strings.CutSuffix(path, "/"); ok && below != "" {
		return fmt.Sprintf("{type: PathPrefix, value: %s}", below)
	}
	return fmt.Sprintf("{type: Exact, value: %s}", path)
}
