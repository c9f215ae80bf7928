// Package apiserver connects to the API server of Kubernetes. It has none of the types of Kubernetes' objects: they are megabytes, and a
// program that reads a few fields decodes those itself.
package apiserver

import (
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// CallTime is how long the API server has to answer a call.
const CallTime = 15 * time.Second

// Connect returns the configuration of a client of the API server: that of a pod in the cluster, or that of the kubeconfig
// files ($KUBECONFIG, else ~/.kube/config). It reads files and makes no network call.
func Connect(inCluster bool) (*rest.Config, error) {
	if inCluster {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("reading the pod's configuration for Kubernetes: %w", err)
		}
		return config, nil
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return config, nil
}

// Tuned returns the configuration of a client for a server process. Clients with one configuration share connections.
func Tuned(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	// The client has no limit of its own: the API server's priority and fairness limits its callers, and answers 429 with a time after
	// which the client repeats the request.
	config.QPS = -1
	config.UserAgent = "bakta-web-backend"
	return config
}

// Reader returns a client whose requests for objects are answered in JSON. Read the answers with Raw or Stream: it can decode only the
// API server's errors. It makes no network call.
func Reader(config *rest.Config) (rest.Interface, error) {
	config = Tuned(config)
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	config.APIPath, config.GroupVersion = "/api", &schema.GroupVersion{Version: "v1"}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, *config.GroupVersion)
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kubernetes: %w", err)
	}
	return c, nil
}

// Unavailable wraps the error of a call, if any. Every error is job.Unavailable, whatever the API server answers: the call may
// succeed when the cluster or the deployment is repaired.
func Unavailable(err error, doing string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(doing+": %w", append(args, job.Errorf(job.Unavailable, "a call of Kubernetes failed; try again later").Because(err))...)
}

// Absent reports whether the API server has answered that there is no such object. A proxy before it that has lost its backend answers
// 404, too, and the client makes that an error which apierrors.IsNotFound accepts, with the cause UnexpectedServerResponse (client-go
// 0.35). What exists must not be taken for what has vanished, so that answer counts as none.
func Absent(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err)
}
