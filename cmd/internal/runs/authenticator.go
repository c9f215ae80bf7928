package runs

import (
	"fmt"
	"os"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
)

// accountNamespace is the file with a pod's namespace, beside the token of its service account.
const accountNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// ownNamespace returns the namespace of the functions and of the event sources; jobs may run in another.
func ownNamespace(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("reading the namespace of the event sources: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// Authenticator returns the authenticator of event sources, or nil if the configuration requires no token.
func Authenticator(d *deployment.Deployment) (server.Authenticator, error) {
	if d.Events.Audience == "" {
		return nil, nil
	}
	connection, err := d.Kubernetes()
	if err != nil {
		return nil, err
	}
	namespace := d.K8sNamespace
	if d.InCluster {
		if namespace, err = ownNamespace(accountNamespace); err != nil {
			return nil, err
		}
	}
	tokens, err := kube.NewTokens(connection, d.Events.Audience, namespace)
	if err != nil {
		return nil, err
	}
	return tokens.Subject, nil
}
