package stage

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const testJob = "0f8fad5b-d9cb-469f-a165-70867728950e"

// manifest returns a good manifest, and the objects that it names.
func manifest() (Manifest, []job.File) {
	at := job.RunPrefix(testJob, 2) + "xyz/"
	m := Manifest{
		Version: ManifestVersion, Job: testJob, Run: 2, Outcome: Succeeded,
		Stages: []Result{{Name: "bakta", Status: job.StageSucceeded}},
		Files:  []job.File{{Name: "gff3", Key: at + "results/result.gff3", Size: 3, ETag: "e1"}},
		Logs:   []job.File{{Name: "bakta", Key: at + "logs/bakta.log", Size: 5, ETag: "e2"}},
	}
	stored := []job.File{
		{Name: "xyz/results/result.gff3", Key: at + "results/result.gff3", Size: 3, ETag: "e1"},
		{Name: "xyz/logs/bakta.log", Key: at + "logs/bakta.log", Size: 5, ETag: "e2"},
		{Name: "manifest.json", Key: job.ManifestKey(testJob, 2), Size: 400, ETag: "e3"},
	}
	return m, stored
}

func TestCheck(t *testing.T) {
	failed := &job.Failure{Code: job.BadInput, Message: "no"}
	tests := []struct {
		name   string
		change func(m *Manifest, stored *[]job.File)
		want   string // part of the error; empty for none
	}{
		{"good", func(*Manifest, *[]job.File) {}, ""},
		{"failed", func(m *Manifest, _ *[]job.File) {
			m.Outcome, m.Failure, m.Stages[0].Status = Failed, failed, job.StageFailed
		}, ""},
		{"failed before the first stage", func(m *Manifest, _ *[]job.File) {
			m.Outcome, m.Failure, m.Stages[0].Status, m.Files, m.Logs = Failed, failed, job.StagePending, nil, nil
		}, ""},
		{"succeeded, a result missing afterwards", func(m *Manifest, _ *[]job.File) {
			m.Outcome, m.Failure = Failed, failed
		}, ""},
		{"other version", func(m *Manifest, _ *[]job.File) { m.Version = 2 }, "version 2"},
		{"no version", func(m *Manifest, _ *[]job.File) { m.Version = 0 }, "version 0"},
		{"other job", func(m *Manifest, _ *[]job.File) { m.Job = strings.Replace(testJob, "0", "1", 1) }, "is of run 2 of job"},
		{"other run", func(m *Manifest, _ *[]job.File) { m.Run = 1 }, "is of run 1"},
		{"unknown outcome", func(m *Manifest, _ *[]job.File) { m.Outcome = "fine" }, `"fine"`},
		{"failed without a reason", func(m *Manifest, _ *[]job.File) { m.Outcome = Failed }, "without a reason"},
		{"failed with an empty reason", func(m *Manifest, _ *[]job.File) { m.Outcome, m.Failure = Failed, &job.Failure{} }, "without a reason"},
		{"succeeded with a failure", func(m *Manifest, _ *[]job.File) { m.Failure = failed }, "not all"},
		{"succeeded with a stage that did not", func(m *Manifest, _ *[]job.File) { m.Stages[0].Status = job.StagePending }, "not all"},
		{"stage that still runs", func(m *Manifest, _ *[]job.File) { m.Stages[0].Status = job.StageRunning }, `"running"`},
		{"no stages", func(m *Manifest, _ *[]job.File) { m.Stages = nil }, "no stages"},
		{"stage twice", func(m *Manifest, _ *[]job.File) { m.Stages = append(m.Stages, m.Stages[0]) }, "twice"},
		{"log of no stage", func(m *Manifest, _ *[]job.File) { m.Logs[0].Name = "other" }, "not a stage"},
		{"file twice", func(m *Manifest, _ *[]job.File) { m.Files = append(m.Files, m.Files[0]) }, "twice"},
		{"file without a name", func(m *Manifest, _ *[]job.File) { m.Files[0].Name = "" }, "is not valid"},
		{"file of another run", func(m *Manifest, s *[]job.File) {
			m.Files[0].Key = job.RunPrefix(testJob, 1) + "x"
			*s = append(*s, job.File{Key: m.Files[0].Key, Size: 3, ETag: "e1"})
		}, "not a file of this run"},
		{"file of another job", func(m *Manifest, s *[]job.File) { m.Files[0].Key = "jobs/other/runs/2/x" }, "not a file of this run"},
		{"the manifest as a file", func(m *Manifest, s *[]job.File) {
			m.Files[0] = job.File{Name: "x", Key: job.ManifestKey(testJob, 2), Size: 400, ETag: "e3"}
		}, "not a file of this run"},
		{"file not there", func(m *Manifest, s *[]job.File) { *s = (*s)[1:] }, "is missing"},
		{"log not there", func(m *Manifest, s *[]job.File) { *s = (*s)[:1] }, "is missing"},
		{"other size", func(m *Manifest, s *[]job.File) { (*s)[0].Size = 4 }, "size 3"},
		{"other content", func(m *Manifest, s *[]job.File) { (*s)[0].ETag = "e9" }, `"e9"`},
		{"no ETag", func(m *Manifest, s *[]job.File) { m.Files[0].ETag, (*s)[0].ETag = "", "" }, "ETag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m, stored := manifest()
			tt.change(&m, &stored)
			err := Check(m, testJob, 2, stored)
			if tt.want == "" && err != nil {
				t.Errorf("Check: %v", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Check: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestReadManifest(t *testing.T) {
	m, _ := manifest()
	good, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, content, want string
	}{
		{"good", string(good), ""},
		{"an unknown field is another writer's business", strings.Replace(string(good), "{", `{"extra":1,`, 1), ""},
		{"empty", "", "reading the manifest"},
		{"cut", string(good[:len(good)-2]), "reading the manifest"},
		{"trailing", string(good) + "x", "reading the manifest"},
		{"wrong type", strings.Replace(string(good), `"run":2`, `"run":"2"`, 1), "reading the manifest"},
		{"later version", strings.Replace(string(good), `"version":1`, `"version":2`, 1), "version 2"},
		{"later version with other types", `{"version":2,"run":"two"}`, "version 2"},
		{"no version", `{}`, "version 0"},
		{"null", `null`, "version 0"},
		{"too large", strings.Repeat(" ", MaxManifest+1), "at most"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadManifest([]byte(tt.content))
			if tt.want == "" && (err != nil || got.Job != testJob) {
				t.Errorf("ReadManifest: %+v, %v", got, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("ReadManifest: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// FuzzReadManifest checks that a valid manifest names only this run's stored files, whatever
// the bytes are.
func FuzzReadManifest(f *testing.F) {
	m, stored := manifest()
	good, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(
		[]byte(
			`{"version":1,"job":"` + testJob + `","run":2,"outcome":"failed",` +
				`"failure":{"code":"internal","message":"x"},"stages":[{"name":"a","status":"pending"}]}`,
		),
	)
	f.Add([]byte(`{"version":1,"files":[{"key":"../../x"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ReadManifest(b)
		if err != nil || Check(m, testJob, 2, stored) != nil {
			return
		}
		if (m.Outcome == Succeeded) != (m.Failure == nil) {
			t.Errorf("outcome %q with the failure %v", m.Outcome, m.Failure)
		}
		for _, file := range append(m.Files, m.Logs...) {
			if file.Key != stored[0].Key && file.Key != stored[1].Key {
				t.Errorf("names %q", file.Key)
			}
		}
	})
}
