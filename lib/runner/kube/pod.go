package kube

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/podlog"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// The containers that are not stages. No stage can have these names.
const (
	stageIn  = "stage-in"
	stageOut = "stage-out"
)

// The directories of the run's volume. Each container mounts those that it needs, under the same paths.
const (
	// RunDir is the directory of every run, inside of its pod.
	RunDir = "/bakta-web/run"

	binDir  = "/bakta-web/bin"
	program = binDir + "/stager"
	// tempDir is for programs that can't be configured where temporary files go, and their home.
	tempDir = "/tmp"
)

// Amounts of the containers that only move files.
const (
	stagerCPU      = "50m"
	stagerCPULimit = "1"
	stagerMemory   = "64Mi"
	stagerMemLimit = "512Mi"
)

// grace is the time that containers have to end after SIGTERM, in seconds. The stager gives a program 5 s.
const grace = 30

// maxArgument is the kernel's limit of one string of a process's environment, in bytes (MAX_ARG_STRLEN).
const maxArgument = 128 << 10

// pod returns the pod of a run. Its containers run one after the other: stage-in, the stages, stage-out. If a container
// before stage-out exits with another code than 0, stage-out never runs. So the stager that runs a stage's program exits with 0
// whatever the program does, and stage-out reports the outcome.
func (r *Runner) pod(s stage.Spec) (corev1.PodSpec, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	spec := literal(string(text))
	if len(spec) >= maxArgument {
		return corev1.PodSpec{}, fmt.Errorf("the spec of job %s has %d bytes, too many for a container's environment", s.Job, len(spec))
	}
	node, err := r.node(s)
	if err != nil {
		return corev1.PodSpec{}, err
	}
	pod := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		TerminationGracePeriodSeconds: ptr[int64](grace),
		AutomountServiceAccountToken:  ptr(false),
		EnableServiceLinks:            ptr(false), // programs do not need the addresses of services
		ServiceAccountName:            r.options.ServiceAccount,
		PriorityClassName:             r.options.PriorityClass,
		NodeSelector:                  node.labels,
		Tolerations:                   node.taints,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   ptr(true),
			RunAsUser:      ptr(r.options.User),
			RunAsGroup:     ptr(r.options.User),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Volumes: []corev1.Volume{{Name: volume, VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: ptr(r.disk.Limits[corev1.ResourceEphemeralStorage])},
		}}},
	}
	for _, name := range r.options.PullSecrets {
		pod.ImagePullSecrets = append(pod.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	in := r.stager(stageIn, spec, "in", "--install", binDir)
	in.VolumeMounts = []corev1.VolumeMount{mount(RunDir), mount(binDir), mountState()}
	pod.InitContainers = append(pod.InitContainers, in)
	taken := map[string]bool{stageIn: true, stageOut: true}
	for _, c := range s.Stages {
		container, err := r.stage(s.Job, c)
		if err != nil {
			return corev1.PodSpec{}, err
		}
		if claim := r.options.Programs[c.Stage].Database.Claim; claim != "" {
			mountDatabase(&pod, &container, r.options.Programs[c.Stage].Database)
		}
		if taken[container.Name] {
			return corev1.PodSpec{}, fmt.Errorf("two containers would be called %s", container.Name)
		}
		taken[container.Name] = true
		pod.InitContainers = append(pod.InitContainers, container)
	}
	out := r.stager(stageOut, spec, "out")
	if r.options.Hint != "" {
		out.Args = append(out.Args, "--hint", literal(r.options.Hint))
	}
	// This container has the keys of the store, and reads files that programs have written from a user's data. It mounts only
	// the directories that it needs, read-only.
	out.VolumeMounts = []corev1.VolumeMount{readOnly(mount(RunDir)), readOnly(mountState())}
	pod.Containers = []corev1.Container{out}
	return pod, nil
}

// stager returns a container that runs the stager with the storage's keys.
func (r *Runner) stager(name, spec, command string, args ...string) corev1.Container {
	args = append([]string{command,
		"--s3-endpoint", literal(r.options.Storage.Endpoint),
		"--s3-region", literal(r.options.Storage.Region),
		"--s3-bucket", literal(r.options.Storage.Bucket),
		"--s3-base-key", literal(r.options.Storage.BaseKey),
	}, args...)
	if r.options.Storage.VirtualHosted {
		args = append(args, "--s3-virtual-hosted")
	}
	key := func(name, key string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: r.options.Storage.Secret}, Key: key,
		}}}
	}
	disk := corev1.ResourceEphemeralStorage
	return corev1.Container{
		Name:  name,
		Image: r.options.Stager,
		Args:  args,
		Env: []corev1.EnvVar{
			{Name: "STAGER_SPEC", Value: spec},
			key("AWS_ACCESS_KEY_ID", r.options.Storage.AccessKey),
			key("AWS_SECRET_ACCESS_KEY", r.options.Storage.SecretKey),
		},
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse(stagerCPU),
				corev1.ResourceMemory: resource.MustParse(stagerMemory),
				disk:                  r.disk.Requests[disk],
			},
			Limits: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse(stagerCPULimit),
				corev1.ResourceMemory: resource.MustParse(stagerMemLimit),
				disk:                  r.disk.Limits[disk],
			},
		},
		SecurityContext:          restricted(true),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError, // for people who inspect the pod
	}
}

// stage returns the container of a stage: the program's image, unchanged, with the program started by the
// stager that stage-in left in the volume.
func (r *Runner) stage(id string, c stage.Command) (corev1.Container, error) {
	p, ok := r.options.Programs[c.Stage]
	if !ok || p.Image == "" {
		return corev1.Container{}, fmt.Errorf("no image is configured for the stage %s", c.Stage)
	}
	args := []string{"--dir", RunDir, "--stage", c.Stage, "--title", literal(c.Title), "--limit", r.options.Deadline.String(), "--image-env"}
	if !p.Network {
		args = append(args, "--offline")
	}
	if r.options.Hint != "" {
		args = append(args, "--hint", literal(r.options.Hint), "--job", id)
	}
	for _, e := range c.Env {
		args = append(args, "--env", literal(e))
	}
	for _, w := range c.Warnings {
		args = append(args, "--warning", literal(w))
	}
	args = append(args, "--")
	for _, a := range c.Argv {
		args = append(args, literal(a))
	}
	return corev1.Container{
		Name:    podlog.ContainerName(c.Stage),
		Image:   p.Image,
		Command: []string{program, "run"},
		Args:    args,
		Env: []corev1.EnvVar{
			// Some programs need a home directory, and the user of these containers has none.
			{Name: "HOME", Value: tempDir},
			// Python buffers its output unless it writes to a terminal. Then progress would show late.
			{Name: "PYTHONUNBUFFERED", Value: "1"},
		},
		Resources: r.resources[c.Stage],
		// It can write the records of its own stage only. The stager replaces what the program has written there, after the end of
		// all processes of the program. As the container's first process, the stager can't be killed from within.
		VolumeMounts: []corev1.VolumeMount{
			mount(RunDir), readOnly(mount(binDir)), mount(tempDir), readOnly(mountState()), mountState(c.Stage),
		},
		SecurityContext: restricted(!p.WritableRoot),
	}, nil
}

// mountDatabase gives a stage its database. Stages that read the same claim share the pod's volume.
func mountDatabase(pod *corev1.PodSpec, container *corev1.Container, d Database) {
	name := ""
	for _, v := range pod.Volumes {
		if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == d.Claim {
			name = v.Name
		}
	}
	if name == "" {
		name = fmt.Sprintf("database-%d", len(pod.Volumes)-1) // the first volume is the run's
		pod.Volumes = append(pod.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: d.Claim, ReadOnly: true},
		}})
	}
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: d.Path, ReadOnly: true})
}

// restricted is the security context of all our containers.
func restricted(readOnly bool) *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr(false),
		Privileged:               ptr(false),
		ReadOnlyRootFilesystem:   ptr(readOnly),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

// volume is the name of the run's volume.
const volume = "run"

// mount mounts a directory of the run's volume at its path.
func mount(dir string) corev1.VolumeMount {
	return corev1.VolumeMount{Name: volume, SubPath: path.Base(dir), MountPath: dir}
}

// mountState mounts the directory of the records of a run's stagers, or that of one stage in it, at its path. In the volume it
// is beside the run's directory, so that a container can read or write only what is mounted.
func mountState(stage ...string) corev1.VolumeMount {
	below := path.Join(stage...)
	return corev1.VolumeMount{Name: volume, SubPath: path.Join(stateDir, below), MountPath: path.Join(layout.State(), below)}
}

// layout is the run's directory.
const layout = stage.Dir(RunDir)

// stateDir is the directory of all records in the run's volume.
const stateDir = "state"

func readOnly(m corev1.VolumeMount) corev1.VolumeMount {
	m.ReadOnly = true
	return m
}

// literal protects a text from Kubernetes, which replaces $(NAME) in arguments and in values of environment
// variables by another variable's value.
func literal(text string) string { return strings.ReplaceAll(text, "$", "$$") }
