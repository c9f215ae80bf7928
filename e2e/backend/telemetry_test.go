//go:build e2e

package backend_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A pod tells its metrics while it lives, on a port of its own that Knative knows nothing of: whoever scrapes it comes
// neither past the queue-proxy nor counts as a request.
func TestScrape(t *testing.T) {
	s := newSuite(t)
	// What goes to zero takes its counts along, and on a busy machine a function may do so while another still works: each look
	// is at a job of its own, and at each function right after it had to do with that.
	s.wait("the metrics", func(ctx context.Context) error {
		r := s.run("fine")
		submitted := s.tells(ctx, "submit", `jobs_submitted_total{api_version="v1",`)
		s.becomes(r, "SUCCESSFUL")
		return errors.Join(submitted, s.tells(ctx, "jobupdate", `jobs_completed_total{`),
			s.tells(ctx, "status", `http_request_duration_seconds_count{method="POST",`))
	})
}

// tells is an error unless the metrics of a function's pods hold some text.
func (s suite) tells(ctx context.Context, function, metric string) error {
	pods, err := s.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/service=" + function})
	if err != nil {
		return err
	}
	told := ""
	for _, p := range pods.Items {
		if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil {
			continue
		}
		// The API server passes it on: from outside a cluster, there is no way to a pod.
		text, err := s.core.Pods(namespace).ProxyGet("http", p.Name, "9464", "/metrics", nil).DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("metrics of %s: %w", p.Name, err)
		}
		told += string(text)
	}
	if !strings.Contains(told, metric) {
		return fmt.Errorf("there is no %s in what %s tells: %s", metric, function, trimmed(told))
	}
	return nil
}
