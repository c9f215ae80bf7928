// Package podlog reads the logs of stages from the pods of their runs. It finds the pods by the labels, and the containers by the
// names, that the runner gives them.
package podlog

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner"
	"github.com/ag-computational-bio/bakta-web-backend/lib/runner/kube/apiserver"
)

// Labels of the Jobs of runs, and of their pods.
const (
	JobLabel = "bakta.computational.bio/job" // id of the job
	RunLabel = "bakta.computational.bio/run" // number of the run
)

// ContainerName returns the name of a stage's container: names of containers have no underscores.
func ContainerName(stage string) string { return strings.ReplaceAll(stage, "_", "-") }

var _ runner.Logs = (*Logs)(nil)

// Logs reads the logs of stages. It needs the permissions to list pods and to read their logs. It implements runner.Logs.
type Logs struct {
	client    rest.Interface
	namespace string
	now       func() time.Time
}

// New returns a Logs of the jobs in a namespace. It makes no network call.
func New(config *rest.Config, namespace string, now func() time.Time) (*Logs, error) {
	if namespace == "" {
		return nil, errors.New("podlog: the namespace is required")
	}
	client, err := apiserver.Reader(config)
	if err != nil {
		return nil, err
	}
	return &Logs{client: client, namespace: namespace, now: now}, nil
}

// openTime is how long a node has to begin its answer to a request for a log. A sweep, and a status update, have 20 s for a job, into
// which the logs of its two stages have to fit: else the end of a job on a node that does not answer would never be recorded.
const openTime = 6 * time.Second

// logTimeout is how long after a container's end, or that of its deleted pod, its log counts as unavailable if the node does
// not answer. After that, the node and the log count as lost.
const logTimeout = 10 * time.Minute

// Log reads the log of the stage's container in the newest pod of the run in which it began. The beginning is missing if the
// node has rotated the log.
func (l *Logs) Log(ctx context.Context, j job.Job, stage string) (io.ReadCloser, error) {
	return l.stream(ctx, j, stage, nil)
}

// tailLines is how many lines of a log Tail asks for: the kubelet can count from the end of a log only in lines.
const tailLines = 200

// Tail reads the last lines of the log that Log reads.
func (l *Logs) Tail(ctx context.Context, j job.Job, stage string, limit int64) ([]byte, error) {
	log, err := l.stream(ctx, j, stage, map[string]string{"tailLines": strconv.Itoa(tailLines)})
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
			return nil, apiserver.Unavailable(err, "reading the end of the log of %s", stage)
		}
	}
	return kept, nil // the lines are longer than any that a program writes on purpose
}

const (
	tailPiece = 8 << 10 // bytes that are read at once
	maxTail   = 1 << 20 // bytes that are read for a tail
)

// stream opens the log of a stage, with the parameters of a request for it.
func (l *Logs) stream(ctx context.Context, j job.Job, stage string, parameters map[string]string) (io.ReadCloser, error) {
	none := job.Errorf(job.NotFound, "there is no log of the stage %s", stage)
	pods, err := l.list(ctx, fmt.Sprintf("%s=%s,%s=%d", JobLabel, j.ID, RunLabel, j.Run))
	if err != nil {
		return nil, err
	}
	p, container := withLog(pods, ContainerName(stage))
	if p == nil {
		return nil, none
	}
	name := p.Metadata.Name
	request := l.client.Get().Namespace(l.namespace).Resource("pods").Name(name).SubResource("log").Param("container", container.Name)
	for name, value := range parameters {
		request = request.Param(name, value)
	}
	log, err := opened(ctx, request)
	ended := p.Metadata.Deleted // a node that does not answer never says that the containers of a deleted pod have ended
	if t := container.State.Terminated; t != nil {
		ended = &t.FinishedAt
	}
	switch {
	case err == nil:
		if log, lost := removed(log, container.ID); !lost {
			return log, nil
		}
		return nil, none
	case apiserver.Absent(err) || apierrors.IsBadRequest(err): // the pod is gone, or its container not begun
		return nil, none
	case ended != nil && l.now().Sub(*ended) > logTimeout && ctx.Err() == nil:
		return nil, none.Because(err)
	}
	return nil, apiserver.Unavailable(err, "reading the log of %s in the pod %s", stage, name)
}

// opened sends a request for a log. The API server waits for a node that does not answer for longer than most callers do, who could not
// tell that from their own end.
func opened(ctx context.Context, request *rest.Request) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(openTime, cancel)
	log, err := request.Stream(ctx)
	late.Stop()
	if err != nil {
		cancel()
		return nil, err
	}
	return cancelling{log, cancel}, nil
}

// cancelling is a log with the request that it is read by.
type cancelling struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (c cancelling) Close() error {
	defer c.cancel()
	return c.ReadCloser.Close()
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

// pod is what is read of a pod.
type pod struct {
	Metadata struct {
		Name    string     `json:"name"`
		Created time.Time  `json:"creationTimestamp"`
		Deleted *time.Time `json:"deletionTimestamp"` // when it must have ended at the latest
	} `json:"metadata"`
	Status struct {
		InitContainers []container `json:"initContainerStatuses"`
		Containers     []container `json:"containerStatuses"`
	} `json:"status"`
}

// container is what is read of the status of a container.
type container struct {
	Name  string `json:"name"`
	ID    string `json:"containerID"`
	State struct {
		Running    *struct{} `json:"running"`
		Terminated *struct {
			FinishedAt time.Time `json:"finishedAt"`
		} `json:"terminated"`
	} `json:"state"`
}

// withLog returns the newest pod in which the container began, and the container there; nil if it began in none.
func withLog(pods []pod, name string) (newest *pod, found container) {
	for _, p := range pods {
		for _, c := range append(p.Status.InitContainers, p.Status.Containers...) {
			began := c.Name == name && (c.State.Running != nil || c.State.Terminated != nil)
			if began && (newest == nil || p.Metadata.Created.After(newest.Metadata.Created)) {
				newest, found = &p, c
			}
		}
	}
	return newest, found
}

// list returns the pods with these labels.
func (l *Logs) list(ctx context.Context, selector string) ([]pod, error) {
	ctx, cancel := context.WithTimeout(ctx, apiserver.CallTime)
	defer cancel()
	content, err := l.client.Get().Namespace(l.namespace).Resource("pods").Param("labelSelector", selector).Do(ctx).Raw()
	var list struct {
		Items []pod `json:"items"`
	}
	if err == nil {
		err = json.Unmarshal(content, &list)
	}
	return list.Items, apiserver.Unavailable(err, "listing pods")
}
