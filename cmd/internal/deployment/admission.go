package deployment

import (
	"github.com/ag-computational-bio/bakta-web-backend/lib/function"
	"github.com/ag-computational-bio/bakta-web-backend/lib/kube"
)

// admission says whose events are taken: nil, if anybody's are.
func (d *Deployment) admission() (function.Admission, error) {
	if d.Events.Audience == "" {
		return nil, nil
	}
	connection, err := kube.Connect(d.InCluster)
	if err != nil {
		return nil, err
	}
	tokens, err := kube.NewTokens(connection, d.Events.Audience, d.K8sNamespace)
	if err != nil {
		return nil, err
	}
	return tokens.Check, nil
}
