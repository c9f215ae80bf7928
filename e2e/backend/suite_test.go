//go:build e2e

package backend_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// suite is a test's view of the world.
type suite struct {
	*testing.T
	*world
}

func newSuite(t *testing.T) suite { return suite{t, theWorld} }

func (s suite) must(errs ...error) {
	s.Helper()
	for _, err := range errs {
		if err != nil {
			s.Fatal(err)
		}
	}
}

// needs skips a test beside software that the cluster was not started with.
func (s suite) needs(neighbour string) {
	s.Helper()
	if !slices.Contains(strings.Split(os.Getenv("E2E_WITH"), ","), neighbour) {
		s.Skipf("NOT TESTED: the cluster was not started with %s (E2E_WITH=%[1]s)", neighbour)
	}
}

// wait asks again and again until there is no error.
func (s suite) wait(what string, ask func(context.Context) error) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	if err := eventually(ctx, 100*time.Millisecond, ask); err != nil {
		s.Fatalf("in vain waited for %s: %v", what, err)
	}
}

func eventually(ctx context.Context, pause time.Duration, ask func(context.Context) error) error {
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last seen: %w", ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

func serving(resource, version string) schema.GroupVersionResource {
	group := "serving.knative.dev"
	if resource == "podautoscalers" {
		group = "autoscaling.internal.knative.dev"
	}
	return schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
}

// scale returns how many pods a function has that aren't on their way out, over all of its revisions.
func (s suite) scale(ctx context.Context, name string) (int64, error) {
	list, err := s.any.Resource(serving("podautoscalers", "v1alpha1")).Namespace(namespace).
		List(ctx, metav1.ListOptions{LabelSelector: "serving.knative.dev/service=" + name})
	if err != nil {
		return 0, err
	}
	if len(list.Items) == 0 {
		return 0, fmt.Errorf("%s has no revision", name)
	}
	var n int64
	for _, item := range list.Items {
		actual, _, err := unstructured.NestedInt64(item.Object, "status", "actualScale")
		if err != nil {
			return 0, err
		}
		desired, _, err := unstructured.NestedInt64(item.Object, "status", "desiredScale")
		if err != nil {
			return 0, err
		}
		n += max(actual, desired)
	}
	return n, nil
}

// atZero waits until the functions have no pods.
func (s suite) atZero(names ...string) {
	s.Helper()
	for _, name := range names {
		s.wait(name+" at zero", func(ctx context.Context) error {
			n, err := s.scale(ctx, name)
			if err == nil && n != 0 {
				err = fmt.Errorf("it has %d pods", n)
			}
			return err
		})
	}
}

// awake waits until a function has a pod.
func (s suite) awake(name string) {
	s.Helper()
	s.wait(name+" awake", func(ctx context.Context) error {
		n, err := s.scale(ctx, name)
		if err == nil && n == 0 {
			err = fmt.Errorf("it has no pod")
		}
		return err
	})
}

func trimmed(text string) string {
	if text = strings.TrimSpace(text); len(text) > 300 {
		return text[:300] + "…"
	}
	return text
}

func write(path, text string) error { return os.WriteFile(path, []byte(text), 0o644) }

func keys(set map[string]bool) []string { return slices.Collect(maps.Keys(set)) }
