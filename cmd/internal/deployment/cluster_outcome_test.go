//go:build e2e

package deployment_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/minio/minio-go/v7"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// hint calls UpdateStatus of jobupdate for a job, as any pod of a cluster can.
func (b *backend) hint(id string) {
	b.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(b.urls["jobupdate"], "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(b.TB, err)
	defer conn.Close()
	_, err = pb.NewBaktaStatusUpdateClient(conn).UpdateStatus(b.Context(), &pb.UpdateStatusRequest{JobID: id})
	must(b.TB, err)
}

// put stores an object, and returns its entry in a manifest.
func (b *backend) put(name, key string, content []byte) job.File {
	b.Helper()
	client, err := b.bucket.Client()
	must(b.TB, err)
	stored, err := client.PutObject(b.Context(), b.bucket.Bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	must(b.TB, err)
	return job.File{Name: name, Key: key, Size: stored.Size, ETag: stored.ETag}
}

// shows fails the test if the API returns an outcome of a job that has none.
func (b *backend) shows(r ref, status, after string) {
	b.Helper()
	if got := b.status(r); got != status {
		b.Errorf("%s: it is %s, not %s", after, got, status)
	}
	if code, answer := b.call("status", http.MethodPost, "/job/result", r); code/100 != 4 || answer["ResultFiles"] != nil {
		b.Errorf("%s: its result: %d %v", after, code, answer)
	}
}

// TestClusterForgedHints sends hints for jobs whose runs have not changed: they have no effect, and reveal nothing.
func TestClusterForgedHints(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	created, running := b.create(), b.startJob("fail-hang")
	b.pod(running)
	b.wait("its being seen to run", func() bool { return b.status(running) == "RUNNING" })
	for _, id := range []string{created.ID, running.ID, strings.ToUpper(running.ID), uuid.NewString(), "", "../jobs", running.Secret} {
		b.hint(id) // and the answer is always the same
		b.shows(created, "INIT", "after a hint for "+id)
		b.shows(running, "RUNNING", "after a hint for "+id)
	}
}

// TestClusterForgedManifests stores manifests that are not valid for a running job: of another job or run, or with files that
// do not exist as described, as after an incomplete upload of results.
func TestClusterForgedManifests(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	r := b.startJob("fail-hang")
	b.pod(r)
	b.wait("its being seen to run", func() bool { return b.status(r) == "RUNNING" })

	prefix := job.RunPrefix(r.ID, 1)
	// whole is a valid manifest, which the rows below change. Its files are its own: the functions may still read the manifest of the
	// row before, and it must not become valid by files that are stored again where it expects them.
	n := 0
	whole := func() stage.Manifest {
		n++
		files := fmt.Sprintf("%sforged/%d/", prefix, n)
		return stage.Manifest{
			Version: stage.ManifestVersion, Job: r.ID, Run: 1, Outcome: stage.Succeeded,
			Stages: []stage.Result{{Name: "bakta", Status: job.StageSucceeded}},
			Files:  []job.File{b.put("json", files+"result.json", []byte("{}")), b.put("tsv", files+"result.tsv", []byte("#"))},
			Logs:   []job.File{b.put("bakta", files+"bakta.log", []byte("log"))},
		}
	}
	forgeries := map[string]func(m *stage.Manifest) (key string){
		"of another job": func(m *stage.Manifest) string { m.Job = uuid.NewString(); return "" },
		"of another run": func(m *stage.Manifest) string { m.Run = 2; return "" },
		"of another run, where that one's belongs": func(m *stage.Manifest) string {
			m.Run = 2
			for i, f := range m.Files {
				m.Files[i] = b.put(f.Name, job.RunPrefix(r.ID, 2)+f.Name, []byte("{}"))
			}
			m.Logs = nil
			return job.ManifestKey(r.ID, 2)
		},
		"half uploaded, a file missing":         func(m *stage.Manifest) string { m.Files[1].Key = prefix + "forged/not-yet.tsv"; return "" },
		"half uploaded, a log missing":          func(m *stage.Manifest) string { m.Logs[0].Key = prefix + "forged/not-yet.log"; return "" },
		"half uploaded, a file of another ETag": func(m *stage.Manifest) string { m.Files[0].ETag = strings.Repeat("0", 32); return "" },
		"half uploaded, a file of another size": func(m *stage.Manifest) string { m.Files[0].Size++; return "" },
		"a file written over": func(m *stage.Manifest) string {
			b.put("json", m.Files[0].Key, []byte(`{"other":1}`))
			return ""
		},
		"a file of the job, and not of the run": func(m *stage.Manifest) string {
			m.Files[0] = b.put("json", job.Prefix(r.ID)+"uploads/other", []byte("{}"))
			return ""
		},
		"without a stage's success": func(m *stage.Manifest) string { m.Stages[0].Status = job.StageFailed; return "" },
		"of another version":        func(m *stage.Manifest) string { m.Version++; return "" },
		"of an attempt that was not done": func(m *stage.Manifest) string {
			m.Outcome = "running"
			return ""
		},
	}
	store := func(key string, content []byte) {
		t.Helper()
		b.put("", key, content)
		b.hint(r.ID)
	}
	for _, name := range slices.Sorted(maps.Keys(forgeries)) {
		m := whole()
		key := forgeries[name](&m)
		if key == "" {
			key = job.ManifestKey(r.ID, 1)
		}
		content, err := json.Marshal(m)
		must(t, err)
		store(key, content)
		b.shows(r, "RUNNING", "after a manifest "+name)
	}
	for name, content := range map[string]string{"blank": "\n", "cut off": `{"version":1,"job":"`, "no manifest": "[]",
		"huge": strings.Repeat(" ", stage.MaxManifest+1)} {
		store(job.ManifestKey(r.ID, 1), []byte(content))
		b.shows(r, "RUNNING", "after a manifest that is "+name)
	}
	if log := b.logs(r); !strings.HasPrefix(log, "Bakta Command: ") {
		t.Errorf("its log: %q", log)
	}
	// Without the changes, a manifest is accepted.
	content, err := json.Marshal(whole())
	must(t, err)
	store(job.ManifestKey(r.ID, 1), content)
	// The run's own hint may be settling the job at this moment; then this one is answered at once, and the job is settled once more.
	b.wait("the outcome of a valid manifest", func() bool { return b.status(r) == "SUCCESSFUL" })
}

// TestClusterHalfResult ends a run after an incomplete upload of its results: the API returns the files of the run.
func TestClusterHalfResult(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m}`)
	r := b.startJob("slow")
	prefix := job.RunPrefix(r.ID, 1)
	half := b.put("json", prefix+"half/result.json", []byte(`{"half":`))
	half.Size++
	content, err := json.Marshal(stage.Manifest{Version: stage.ManifestVersion, Job: r.ID, Run: 1, Outcome: stage.Succeeded,
		Stages: []stage.Result{{Name: "bakta", Status: job.StageSucceeded}}, Files: []job.File{half}})
	must(t, err)
	b.put("", job.ManifestKey(r.ID, 1), content)
	b.hint(r.ID)
	b.pod(r)
	if status, reason := b.end(r); status != "SUCCESSFUL" {
		t.Fatalf("it ended as %s: %s", status, reason)
	}
	_, answer := b.call("status", http.MethodPost, "/job/result", r)
	link, _ := answer["ResultFiles"].(map[string]any)["JSON"].(string)
	response, err := http.Get(link)
	must(t, err)
	defer response.Body.Close()
	var shown struct{ Sequences []any }
	if err := json.NewDecoder(response.Body).Decode(&shown); err != nil || len(shown.Sequences) == 0 {
		t.Errorf("the result: %+v, %v", shown, err)
	}
}

// TestClusterForgottenJob loses a job's document while its run continues: the run is not stopped, and after its end its
// Kubernetes Job can be deleted.
func TestClusterForgottenJob(t *testing.T) {
	t.Parallel()
	b := newBackend(t, small+`Deadline: 10m, TTL: 1s}`)
	lost, kept := b.startJob("slow"), b.startJob("fail-hang")
	b.pod(lost)
	b.pod(kept)
	client, err := driver.Connect(options.Client().ApplyURI(b.mongo))
	must(t, err)
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	names, err := client.Database(b.database).ListCollectionNames(t.Context(), bson.D{})
	must(t, err)
	removed := int64(0)
	for _, name := range names {
		gone, err := client.Database(b.database).Collection(name).DeleteOne(t.Context(), bson.D{{Key: "_id", Value: lost.ID}})
		must(t, err)
		removed += gone.DeletedCount
	}
	if removed != 1 {
		t.Fatalf("%d documents had the job's id", removed)
	}
	b.hint(lost.ID)
	began := time.Now()
	b.wait("the end of the lost job's Job", func() bool {
		list, err := b.jobs.List(t.Context(), metav1.ListOptions{LabelSelector: "bakta.computational.bio/job=" + lost.ID})
		must(t, err)
		return len(list.Items) == 0
	})
	// The manifest shows that it ran to its end.
	store, err := b.bucket.Client()
	must(t, err)
	object, err := store.GetObject(t.Context(), b.bucket.Bucket, job.ManifestKey(lost.ID, 1), minio.GetObjectOptions{})
	must(t, err)
	content, err := io.ReadAll(object)
	if m, merr := stage.ReadManifest(content); err != nil || merr != nil || m.Outcome != stage.Succeeded {
		t.Errorf("after %s its run left %s, %v %v", time.Since(began), content, err, merr)
	}
	if j, err := b.jobs.Get(
		t.Context(),
		job.ObjectName(kept.ID, 1),
		metav1.GetOptions{},
	); err != nil || len(j.Finalizers) == 0 ||
		b.status(kept) != "RUNNING" {
		t.Errorf("another job: %v, %v", j, err)
	}
}
