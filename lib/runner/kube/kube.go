// Package kube runs jobs as Kubernetes Jobs. One run of a job is one Job, whose name no other run can have. Its pod downloads
// the inputs, executes the workflow's stages one after the other, and stores their results.
//
// The containers that process uploads have no credentials, no service account, and of our addresses only the one that receives
// hints. The two containers that have credentials of the store run only our own program.
package kube

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/podlog"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// Options configure the pods of jobs.
type Options struct {
	// Specs returns what a run of the job does in that working directory, which is RunDir.
	Specs func(j job.Job, dir string) (stage.Spec, error)

	Namespace string             // where jobs run
	Stager    string             // image whose entry point is the stager
	Programs  map[string]Program // by the name of the stage
	Storage   Storage            // the store of uploads and results
	Hint      string             // HOST:PORT to notify when a stage has begun and when the manifest is stored; no notification if empty

	CPU    Amount // default of a stage, in cores
	Memory Amount // default of a stage, in bytes
	Disk   Amount // of a run, in bytes: inputs, temporary files and results together

	Deadline       time.Duration // how long a stage may take
	PendingTimeout time.Duration // how long a run may wait; a Job that is older than this and Deadline is ended by Kubernetes
	JobTTL         time.Duration // how long a Job and its pods are kept after its end; logs that were not stored are deleted with the pods
	Retries        int32         // how often Kubernetes replaces a failed pod

	Queue          string              // local queue of Kueue; none if empty
	PriorityClass  string              // of pods; the cluster's default if empty
	NodeSelector   map[string]string   // labels that the node must have
	Tolerations    []corev1.Toleration // taints of nodes that pods tolerate
	ServiceAccount string              // of pods, which get no token of it; the namespace's default if empty
	PullSecrets    []string            // names of Secrets for pulling images
	User           int64               // id of the user and group that all containers run as, above 0; DefaultUser if 0
	Now            func() time.Time    // time.Now if nil
}

// Program is the environment of a stage. All stages of a run share a pod, and so a node: it must have the labels that
// any of them selects, and the pod tolerates what any of them does.
type Program struct {
	Image        string
	WritableRoot bool     // the image doesn't work with a read-only root file system
	Network      bool     // the program may open network connections
	Database     Database // mounted into the stage; none if it has no claim

	CPU       Amount            // in cores; Options.CPU if empty
	Memory    Amount            // in bytes; Options.Memory if empty
	Resources map[string]string // other resources of the node, such as nvidia.com/gpu, in whole numbers

	NodeSelector map[string]string   // besides Options.NodeSelector
	Tolerations  []corev1.Toleration // besides Options.Tolerations
}

// Database is a volume claim whose content a stage reads.
type Database struct {
	Claim string
	Path  string // where it is mounted, absolute
}

// Storage is the object storage, with the address that pods use.
type Storage struct {
	Endpoint  string // URL
	Region    string
	Bucket    string
	BaseKey   string // prefix of all keys
	Secret    string // name of the Secret with the keys
	AccessKey string // key in it of the access key's name; DefaultAccessKey if empty
	SecretKey string // key in it of the access key itself; DefaultSecretKey if empty

	VirtualHosted bool // the bucket is part of the host name, not of the path
}

// Amount is the request and the limit of a resource, as Kubernetes quantities.
type Amount struct{ Request, Limit string }

// Defaults.
const (
	DefaultUser      = 65532
	DefaultAccessKey = "AccessKey"
	DefaultSecretKey = "SecretKey"
)

var (
	_ runner.Runner = (*Runner)(nil)
	_ runner.Held   = (*Runner)(nil)
)

// Runner runs jobs in a cluster. It implements runner.Runner and runner.Held.
type Runner struct {
	options Options
	*podlog.Logs
	disk      corev1.ResourceRequirements            // of a run
	resources map[string]corev1.ResourceRequirements // of the stages
	jobs      *jobsClient
	pods      *podsClient
}

// New returns a Runner. It makes no network call.
func New(config *rest.Config, o Options) (*Runner, error) {
	r := &Runner{options: o}
	if err := r.fill(); err != nil {
		return nil, fmt.Errorf("kube: %w", err)
	}
	var err error
	if r.Logs, err = podlog.New(config, o.Namespace, r.options.Now); err != nil {
		return nil, err
	}
	if r.jobs, err = newJobs(config, o.Namespace); err != nil {
		return nil, err
	}
	r.pods, err = newPods(config, o.Namespace)
	return r, err
}

// fill checks the options, sets defaults, and derives the resources.
func (r *Runner) fill() error {
	r.options.User = cmp.Or(r.options.User, DefaultUser)
	r.options.Storage.AccessKey = cmp.Or(r.options.Storage.AccessKey, DefaultAccessKey)
	r.options.Storage.SecretKey = cmp.Or(r.options.Storage.SecretKey, DefaultSecretKey)
	if r.options.Now == nil {
		r.options.Now = time.Now
	}
	switch {
	case r.options.Specs == nil:
		return errors.New("a function Specs is required")
	case r.options.Namespace == "" || r.options.Stager == "" || len(r.options.Programs) == 0:
		return errors.New("the namespace, the stager's image and the programs' images are required")
	case r.options.Storage.Endpoint == "" || r.options.Storage.Bucket == "" || r.options.Storage.Secret == "":
		return errors.New("the object storage's URL, bucket and Secret are required")
	case r.options.Deadline < time.Second || r.options.PendingTimeout < time.Second ||
		r.options.JobTTL < 0 || r.options.Retries < 0 || r.options.User < 1:
		return errors.New("the deadline and the pending timeout must be at least 1s, " +
			"the user at least 1, and the TTL and the retries not negative")
	}
	if r.options.Hint != "" {
		if _, _, err := net.SplitHostPort(r.options.Hint); err != nil {
			return fmt.Errorf("the address for notifications: %w", err)
		}
	}
	var err error
	if r.disk, err = requirements(map[corev1.ResourceName]Amount{corev1.ResourceEphemeralStorage: r.options.Disk}); err != nil {
		return err
	}
	r.resources = make(map[string]corev1.ResourceRequirements, len(r.options.Programs))
	for name, p := range r.options.Programs {
		amounts := map[corev1.ResourceName]Amount{
			corev1.ResourceCPU:              cmp.Or(p.CPU, r.options.CPU),
			corev1.ResourceMemory:           cmp.Or(p.Memory, r.options.Memory),
			corev1.ResourceEphemeralStorage: r.options.Disk,
		}
		for resource, n := range p.Resources {
			amounts[corev1.ResourceName(resource)] = Amount{Request: n, Limit: n} // Kubernetes requires both to be equal
		}
		if r.resources[name], err = requirements(amounts); err != nil {
			return fmt.Errorf("stage %s: %w", name, err)
		}
	}
	return nil
}

// requirements parses amounts.
func requirements(amounts map[corev1.ResourceName]Amount) (corev1.ResourceRequirements, error) {
	limits, requests := corev1.ResourceList{}, corev1.ResourceList{}
	for name, a := range amounts {
		limit, err := resource.ParseQuantity(a.Limit)
		if err != nil {
			return corev1.ResourceRequirements{}, fmt.Errorf("limit of %s %q: %w", name, a.Limit, err)
		}
		request, err := resource.ParseQuantity(a.Request)
		if err != nil {
			return corev1.ResourceRequirements{}, fmt.Errorf("request of %s %q: %w", name, a.Request, err)
		}
		if limit.Sign() <= 0 || request.Sign() < 0 || request.Cmp(limit) > 0 {
			return corev1.ResourceRequirements{}, fmt.Errorf("%s: the limit %q must be above 0, and the request %q not above the limit",
				name, a.Limit, a.Request)
		}
		limits[name], requests[name] = limit, request
	}
	return corev1.ResourceRequirements{Limits: limits, Requests: requests}, nil
}
