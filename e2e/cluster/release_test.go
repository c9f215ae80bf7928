package cluster

import (
	"encoding/json"
	"testing"
)

func TestFit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after string
		settings      map[string]settings
	}{
		"a program's package becomes its image, wherever it is named": {
			before: `{"data": {"queue-sidecar-image": "ko://knative.dev/serving/cmd/queue", "other": "ko is fine"}}`,
			after:  `{"data": {"queue-sidecar-image": "dev.local/cluster/serving-queue:built", "other": "ko is fine"}}`,
		},
		"programs in deeper folders and in lists": {
			before: `{"env": [{"value": "ko://knative.dev/eventing/cmd/in_memory/channel_dispatcher"}]}`,
			after:  `{"env": [{"value": "dev.local/cluster/eventing-channel_dispatcher:built"}]}`,
		},
		"settings": {
			before:   `{"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1", "y": "2"}}`,
			after:    `{"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "3", "y": "2"}}`,
			settings: map[string]settings{"a": {"x": "3"}, "b": {"y": "4"}},
		},
		"settings of a ConfigMap without data": {
			before:   `{"kind": "ConfigMap", "metadata": {"name": "a"}}`,
			after:    `{"kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "3"}}`,
			settings: map[string]settings{"a": {"x": "3"}},
		},
		"a deployment claims nothing and is asked every second": {
			before: `{"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
				{"name": "a", "resources": {"requests": {"cpu": "1"}}, "readinessProbe": {"initialDelaySeconds": 20, "httpGet": {"port": 1}}},
				{"name": "b", "livenessProbe": {"initialDelaySeconds": 20}}]}}}}`,
			after: `{"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
				{"name": "a", "readinessProbe": {"periodSeconds": 1, "httpGet": {"port": 1}}},
				{"name": "b", "livenessProbe": {"initialDelaySeconds": 20}}]}}}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects, err := readObjects([]byte(test.before), nil) // JSON is YAML
			if err != nil || len(objects) != 1 {
				t.Fatalf("%d objects, %v", len(objects), err)
			}
			fit(objects[0], test.settings)
			got, err := json.Marshal(objects[0])
			if err != nil {
				t.Fatal(err)
			}
			var after object
			if err := json.Unmarshal([]byte(test.after), &after); err != nil {
				t.Fatal(err)
			}
			want, err := json.Marshal(after)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("became %s\nwant   %s", got, want)
			}
		})
	}
}

func TestReadObjectsLeavesOutEmptyDocuments(t *testing.T) {
	t.Parallel()
	objects, err := readObjects([]byte("# a comment\n---\nkind: A\n---\n# another\n---\nkind: B\nmetadata: {name: b}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) != 2 || kind(objects[0]) != "A" || nameOf(objects[0]) != "" || nameOf(objects[1]) != "b" {
		t.Errorf("read %v", objects)
	}
}
