package kube

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// logTimeout is how long after a container's end its log counts as unavailable if the node does not answer. After that,
// the node and the log count as lost.
const logTimeout = 10 * time.Minute

// Log reads the log of the stage's container in the newest pod of the run in which it began. The beginning is missing if the
// node has rotated the log.
func (l *Logs) Log(ctx context.Context, j job.Job, stage string) (io.ReadCloser, error) {
	return l.stream(ctx, j, stage, corev1.PodLogOptions{})
}

// tailLines is how many lines of a log Tail asks for: the kubelet can count from the end of a log only in lines.
const tailLines = 200

// Tail reads the last lines of the log that Log reads.
func (l *Logs) Tail(ctx context.Context, j job.Job, stage string, limit int64) ([]byte, error) {
	log, err := l.stream(ctx, j, stage, corev1.PodLogOptions{TailLines: ptr[int64](tailLines)})
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// The limit of the API would keep the beginning of these lines. They are read to their end, without keeping it all.
	var kept []byte
	piece := make([]byte, tailPiece) // of a fixed size: reads into nothing would never come to the end
	for read := 0; read < maxTail; {
		n, err := log.Read(piece)
		read += n
		if kept = append(kept, piece[:n]...); int64(len(kept)) > limit {
			kept = append(kept[:0], kept[int64(len(kept))-limit:]...)
		}
		if err == io.EOF {
			return kept, nil
		}
		if err != nil {
			return nil, unavailable(err, "reading the end of the log of %s", stage)
		}
	}
	return kept, nil // the lines are longer than any that a program writes on purpose
}

const (
	tailPiece = 8 << 10 // bytes that are read at once
	maxTail   = 1 << 20 // bytes that are read for a tail
)

// stream opens the log of a stage.
func (l *Logs) stream(ctx context.Context, j job.Job, stage string, o corev1.PodLogOptions) (io.ReadCloser, error) {
	none := job.Errorf(job.NotFound, "there is no log of the stage %s", stage)
	pods, err := l.list(ctx, labels.Set{jobLabel: j.ID, runLabel: strconv.Itoa(j.Run)})
	if err != nil {
		return nil, err
	}
	pod, ended, id := withLog(pods, containerName(stage))
	if pod == nil {
		return nil, none
	}
	o.Container = containerName(stage)
	log, err := l.pods.GetClient().Get().Namespace(l.pods.GetNamespace()).Resource("pods").Name(pod.Name).SubResource("log").
		VersionedParams(&o, parameters).Stream(ctx)
	switch {
	case err == nil:
		if log, lost := removed(log, id); !lost {
			return log, nil
		}
		return nil, none
	case apierrors.IsNotFound(err) || apierrors.IsBadRequest(err): // the pod is gone, or its container not begun
		return nil, none
	case !ended.IsZero() && l.now().Sub(ended) > logTimeout && ctx.Err() == nil:
		return nil, none.Because(err)
	}
	return nil, unavailable(err, "reading the log of %s in the pod %s", stage, pod.Name)
}

// removedText precedes the id of a container whose log the kubelet does not find, in the place of the log and with the status of success
// (Kubernetes 1.35, pkg/kubelet/kuberuntime, GetContainerLogs). It removes the containers of a pod right after it has evicted it.
const removedText = "unable to retrieve container logs for "

// removed returns a log as it was, or reports that it only says that its container is removed.
func removed(log io.ReadCloser, id string) (io.ReadCloser, bool) {
	r, text := bufio.NewReader(log), removedText+id
	head, err := r.Peek(len(text) + 1) // one more shows whether the log ends there
	if errors.Is(err, io.EOF) && string(head) == text {
		log.Close()
		return nil, true
	}
	return struct {
		io.Reader
		io.Closer
	}{r, log}, false
}

// withLog returns the newest pod in which the container began, when it ended, if it has, and the container's id.
func withLog(pods []corev1.Pod, container string) (newest *corev1.Pod, ended time.Time, id string) {
	for i := range pods {
		s := containerStatus(&pods[i], container)
		if s == nil || s.State.Running == nil && s.State.Terminated == nil {
			continue
		}
		if newest == nil || pods[i].CreationTimestamp.After(newest.CreationTimestamp.Time) {
			newest, ended, id = &pods[i], time.Time{}, s.ContainerID
			if s.State.Terminated != nil {
				ended = s.State.Terminated.FinishedAt.Time
			}
		}
	}
	return newest, ended, id
}

// list returns the pods with these labels.
func (l *Logs) list(ctx context.Context, set labels.Set) ([]corev1.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	list, err := l.pods.List(ctx, metav1.ListOptions{LabelSelector: set.String()})
	if err != nil {
		return nil, unavailable(err, "listing pods")
	}
	return list.Items, nil
}
