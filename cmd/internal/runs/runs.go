// Package runs creates the parts of a deployed function that start, observe and end the runs of jobs in the cluster, and that ask the
// cluster who sends events.
package runs

import (
	"fmt"
	"net"
	"strconv"

	"github.com/ag-computational-bio/bakta-web-backend/cmd/internal/deployment"
	"github.com/ag-computational-bio/bakta-web-backend/functions"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/lifecycle"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// Functions returns the functions on the stores and the cluster of the configuration.
func Functions(d *deployment.Deployment) (*functions.Functions, error) {
	p, err := d.Parts()
	if err != nil {
		return nil, err
	}
	cluster, err := d.Kubernetes()
	if err != nil {
		return nil, err
	}
	o, err := options(d)
	if err != nil {
		return nil, err
	}
	runner, err := kube.New(cluster, o)
	if err != nil {
		return nil, err
	}
	p.Runner, p.Held = runner, runner
	return functions.New(p, d.Settings())
}

// options returns those for the pods of jobs.
func options(d *deployment.Deployment) (kube.Options, error) {
	selector, err := kube.ParseNodeSelector(d.Job.NodeSelector)
	if err != nil {
		return kube.Options{}, fmt.Errorf("Job.NodeSelector: %w", err)
	}
	tolerations, err := kube.ParseTolerations(d.Job.Tolerations)
	if err != nil {
		return kube.Options{}, fmt.Errorf("Job.Tolerations: %w", err)
	}
	programs, err := programs(d)
	if err != nil {
		return kube.Options{}, err
	}
	s := d.Objectstorage.S3
	o := kube.Options{
		Specs: func(j job.Job, dir string) (stage.Spec, error) {
			spec, err := lifecycle.Spec(j, dir, d.Environment)
			spec.MaxResults = d.Job.ResultsLimit.Floor()
			return spec, err
		},

		Namespace: d.K8sNamespace,
		Stager:    d.StagerContainer,
		Programs:  programs,
		Storage: kube.Storage{Endpoint: s.Endpoint, Region: s.Region, Bucket: s.UserBucket, BaseKey: s.BaseKey,
			Secret: s.SecretName, VirtualHosted: !s.PathStyle},
		Hint: net.JoinHostPort(d.UpdateService.Name, strconv.Itoa(d.UpdateService.Port)),

		CPU:    kube.Amount{Request: d.Job.CPU.Request.String(), Limit: d.Job.CPU.Limit.String()},
		Memory: kube.Amount{Request: d.Job.Memory.Request.String(), Limit: d.Job.Memory.Limit.String()},
		Disk:   kube.Amount{Request: d.Job.Disk.Request.String(), Limit: d.Job.Disk.Limit.String()},

		Deadline:       d.Job.Deadline,
		PendingTimeout: d.Job.PendingTimeout,
		JobTTL:         d.Job.TTL,
		Retries:        int32(d.Job.Retries), //nolint:gosec // at most 10

		Queue:          d.Job.Queue,
		PriorityClass:  d.Job.PriorityClass,
		NodeSelector:   selector,
		Tolerations:    tolerations,
		ServiceAccount: d.Job.ServiceAccount,
		PullSecrets:    d.Job.PullSecrets,
		User:           int64(d.Job.User),
	}
	for _, w := range d.Offered() {
		var stages []string
		for _, s := range w.Stages {
			stages = append(stages, s.Name)
		}
		if _, err := o.MergeSelectors(stages); err != nil {
			return kube.Options{}, fmt.Errorf("the workflow %s can't run: the NodeSelector values of its programs conflict: %w", w.Kind, err)
		}
	}
	return o, nil
}

// programs returns the programs of the offered workflows' stages, by stage.
func programs(d *deployment.Deployment) (map[string]kube.Program, error) {
	programs := make(map[string]kube.Program)
	for _, w := range d.Offered() {
		for _, s := range w.Stages {
			row, _ := workflow.Program(s.Program)
			p := d.Program(s.Program)
			selector, err := kube.ParseNodeSelector(p.NodeSelector)
			if err != nil {
				return nil, fmt.Errorf("Programs.%s.NodeSelector: %w", row.Key, err)
			}
			tolerations, err := kube.ParseTolerations(p.Tolerations)
			if err != nil {
				return nil, fmt.Errorf("Programs.%s.Tolerations: %w", row.Key, err)
			}
			claim, _ := p.Claim()
			programs[s.Name] = kube.Program{
				Image: p.Image, WritableRoot: p.WritableRoot, Network: p.Network,
				Database:  kube.Database{Claim: claim, Path: deployment.DatabasePath(claim)},
				CPU:       kube.Amount{Request: p.CPU.Request.String(), Limit: p.CPU.Limit.String()},
				Memory:    kube.Amount{Request: p.Memory.Request.String(), Limit: p.Memory.Limit.String()},
				Resources: p.Further(), NodeSelector: selector, Tolerations: tolerations,
			}
		}
	}
	return programs, nil
}
