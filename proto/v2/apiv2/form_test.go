package apiv2_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v2/apiv2"
)

// What is not there has no key; what is empty has one.
func TestWrite(t *testing.T) {
	t.Parallel()
	at := timestamppb.New(time.Date(2026, 1, 31, 12, 0, 0, 250e6, time.UTC))
	for _, row := range []struct {
		message proto.Message
		want    string
	}{
		{&protov2.JobResultResponse{}, `{"job_id":"","workflow_kind":"","name":""}`},
		{
			&protov2.JobResultResponse{Started: at, Updated: timestamppb.New(time.Unix(0, 0)), Result: &protov2.Result{
				ResultKind: protov2.ResultKind_RESULT_KIND_BAKTFOLD, Files: &protov2.ResultFiles{Tsv: proto.String("https://x/?a=1&b=2"),
					Faa: proto.String("")},
			}, Failure: proto.String("")},
			`{"job_id":"","workflow_kind":"","started":"2026-01-31T12:00:00.250Z","updated":"1970-01-01T00:00:00Z","name":"",` +
				`"result":{"result_kind":"baktfold","files":{"tsv":"https://x/?a=1&b=2","faa":""}},"failure":""}`,
		},
		{&protov2.UploadLink{Required: true, UploadKind: protov2.UploadKind_UPLOAD_KIND_HMMS_FILE},
			`{"upload_kind":"hmms_file","required":true,"url":""}`},
		{&protov2.JobStateResponse{Run: 2, Progress: &protov2.Progress{Step: 9, Steps: 24}},
			`{"job_id":"","name":"","batch":"","workflow_kind":"","result_kind":"","status":"","run":2,"stages":[],` +
				`"progress":{"step":9,"steps":24,"text":""},"version":"","notifications":[]}`},
		{&protov2.StartJobResponse{}, `null`},
		{&protov2.DeleteResponse{}, ``},
	} {
		got, err := apiv2.API().JSON.Marshal(row.message)
		if err != nil {
			t.Error(err)
		} else if string(got) != row.want {
			t.Errorf("%T is written as %s, not %s", row.message, got, row.want)
		}
	}
	// What no answer may hold is an error, and no wrong answer.
	if got, err := apiv2.API().JSON.Marshal(&protov2.StageLog{Status: 77}); err == nil {
		t.Errorf("an unknown value is written as %s", got)
	}
	if got, err := apiv2.API().JSON.Marshal(&protov2.StageLog{Content: "\xff"}); err != nil || !json.Valid(got) {
		t.Errorf("odd bytes are written as %s, %v", got, err)
	}
}

// FuzzReadJSON reads anything, and takes nothing that lacks what is required.
func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(`{"job":{"job_id":"i","secret":"s"},"workflow_kind":"bakta","config":{"translation_table":"11","derm_type":"monoderm",` +
		`"skip_cds":true}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		j := apiv2.API().JSON
		var m protov2.StartJobRequest
		if j.Unmarshal(data, &m) != nil {
			return
		}
		if m.GetJob() == nil || m.GetConfig() == nil || m.GetWorkflowKind() == 0 {
			t.Fatalf("%q is read without what is required: %v", data, &m)
		}
	})
}

// TestWriteNumbers: numbers of 64 bits are numbers in JSON, too, and not the texts that protojson writes.
func TestWriteNumbers(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	if err := apiv2.API().JSON.NewEncoder(&got).Encode(&protov2.UploadRule{MaxSize: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	if want := `"max_size":1099511627776}`; !strings.HasSuffix(strings.TrimSpace(got.String()), want) {
		t.Errorf("%s does not end in %s", got.String(), want)
	}
	got.Reset()
	if err := apiv2.API().JSON.NewEncoder(&got).Encode(&protov2.Progress{Step: 3, Steps: 24}); err != nil {
		t.Fatal(err)
	}
	if want := `{"step":3,"steps":24,"text":""}`; strings.TrimSpace(got.String()) != want {
		t.Errorf("%s is not %s", got.String(), want)
	}
}
