package kube

import (
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/gentype"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// client-go's own typed clients share a scheme with the types of all groups of Kubernetes, which are a quarter of a function's program. The
// clients here have the same methods, and the types of three groups.
var scheme = newScheme()

func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, batchv1.AddToScheme, authenticationv1.AddToScheme} {
		utilruntime.Must(add(s)) // fails only if two types have one name
	}
	metav1.AddToGroupVersion(s, schema.GroupVersion{Version: "v1"})
	return s
}

// parameters encodes the options of requests as the parameters of a query.
var parameters = runtime.NewParameterCodec(scheme)

// The clients of the resources that are used.
type (
	jobsClient    = gentype.ClientWithList[*batchv1.Job, *batchv1.JobList]
	podsClient    = gentype.ClientWithList[*corev1.Pod, *corev1.PodList]
	reviewsClient = gentype.Client[*authenticationv1.TokenReview]
)

func newJobs(config *rest.Config, namespace string) (*jobsClient, error) {
	api, err := client(config, batchv1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return gentype.NewClientWithList("jobs", api, parameters, namespace,
		func() *batchv1.Job { return new(batchv1.Job) }, func() *batchv1.JobList { return new(batchv1.JobList) }), nil
}

func newPods(config *rest.Config, namespace string) (*podsClient, error) {
	api, err := client(config, corev1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return gentype.NewClientWithList("pods", api, parameters, namespace,
		func() *corev1.Pod { return new(corev1.Pod) }, func() *corev1.PodList { return new(corev1.PodList) }), nil
}

func newReviews(config *rest.Config) (*reviewsClient, error) {
	api, err := client(config, authenticationv1.SchemeGroupVersion)
	if err != nil {
		return nil, err
	}
	return gentype.NewClient("tokenreviews", api, parameters, "",
		func() *authenticationv1.TokenReview { return new(authenticationv1.TokenReview) }), nil
}

// client returns a client of the group of an API.
func client(config *rest.Config, group schema.GroupVersion) (rest.Interface, error) {
	config = apiserver.Tuned(config)
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.GroupVersion, config.APIPath = &group, "/apis"
	if group.Group == corev1.GroupName {
		config.APIPath = "/api"
	}
	config.NegotiatedSerializer = rest.CodecFactoryForGeneratedClient(scheme, serializer.NewCodecFactory(scheme)).WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	return c, nil
}
