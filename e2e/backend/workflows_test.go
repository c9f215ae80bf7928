//go:build e2e

package backend_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

const proteins = ">protein_1\nMSTNPKPQRKTKRNTNRRPQDVKFPGG*\n"

// Every workflow, by the second version's gRPC: what each leaves, and that the first version tells of it, too.
func TestWorkflows(t *testing.T) {
	s := newSuite(t)
	api := pb.NewBaktaJobsClient(s.rpc)
	annotation := new(string) // of the first, for the one that goes on with it
	for _, tt := range []struct {
		kind   pb.WorkflowKind
		upload pb.UploadKind
		file   func() string
		config *pb.JobConfig
		stages []string
		files  []string // some of those that there are
		none   []string // some of those that there are not
	}{
		{pb.WorkflowKind_WORKFLOW_KIND_BAKTA, pb.UploadKind_UPLOAD_KIND_GENOME_FASTA, func() string { return genome },
			&pb.JobConfig{Strain: "fine", SkipPlot: true, Meta: true}, []string{"bakta"},
			[]string{"json", "tsv", "gff3", "hypotheticals_tsv"}, []string{"circular_plot_png", "circular_plot_svg"}},
		{pb.WorkflowKind_WORKFLOW_KIND_BAKTA_PROTEINS, pb.UploadKind_UPLOAD_KIND_PROTEIN_FASTA, func() string { return proteins },
			&pb.JobConfig{}, []string{"bakta_proteins"}, []string{"json", "tsv", "faa", "hypotheticals_tsv"}, []string{"gff3", "circular_plot_png"}},
		{pb.WorkflowKind_WORKFLOW_KIND_BAKTA_BAKTFOLD, pb.UploadKind_UPLOAD_KIND_GENOME_FASTA, func() string { return genome },
			&pb.JobConfig{Strain: "fine"}, []string{"bakta", "baktfold"},
			[]string{"json", "tsv", "gff3", "hypotheticals_tsv", "circular_plot_png", "circular_plot_svg"}, nil},
		{pb.WorkflowKind_WORKFLOW_KIND_BAKTFOLD, pb.UploadKind_UPLOAD_KIND_BAKTA_JSON, func() string { return *annotation },
			&pb.JobConfig{}, []string{"baktfold"}, []string{"json", "tsv", "gff3"}, []string{"circular_plot_png"}},
	} {
		kind := pb.Word(tt.kind)
		r := s.begun(api, tt.kind, tt.upload, tt.file(), tt.config)
		s.becomes(r, "SUCCESSFUL")
		result, err := api.JobResult(t.Context(), &pb.JobResultRequest{JobId: r.ID, Secret: r.Secret})
		s.must(err)
		files := links(s, result)
		for _, key := range tt.files {
			if files[key] == "" {
				t.Errorf("%s: no %s among %v", kind, key, files)
			}
		}
		for _, key := range tt.none {
			if files[key] != "" {
				t.Errorf("%s: there is %s", kind, key)
			}
		}
		if tt.kind == pb.WorkflowKind_WORKFLOW_KIND_BAKTA {
			*annotation = s.download(files["json"])
		}
		logs, err := api.Logs(t.Context(), &pb.LogsRequest{JobId: r.ID, Secret: r.Secret})
		s.must(err)
		var stages []string
		for _, l := range logs.GetStages() {
			stages = append(stages, l.GetStage())
			if l.GetStatus() != pb.StageStatus_STAGE_STATUS_SUCCEEDED || !strings.Contains(l.GetContent(), " Command: ") {
				t.Errorf("%s: stage %s is %s, its log %q", kind, l.GetStage(), l.GetStatus(), trimmed(l.GetContent()))
			}
		}
		if !slices.Equal(stages, tt.stages) {
			t.Errorf("%s: logs of %v, not of %v", kind, stages, tt.stages)
		}
		code, answer, err := s.call(t.Context(), http.MethodPost, "/job/result", r)
		if link, _ := answer["ResultFiles"].(map[string]any)["JSON"].(string); err != nil || code != http.StatusOK || link == "" {
			t.Errorf("%s: the first version answers %d: %v, %v", kind, code, answer, err)
		}
		for range 2 { // a job that is gone is what its owner wants
			_, err = api.Delete(t.Context(), &pb.DeleteRequest{JobId: r.ID, Secret: r.Secret})
			s.must(err)
		}
		s.gone(r)
	}
}

// A job whose second stage fails names it, and keeps what the first one left for who asks for that.
func TestSecondStageFails(t *testing.T) {
	s := newSuite(t)
	api := pb.NewBaktaJobsClient(s.rpc)
	r := s.begun(
		api,
		pb.WorkflowKind_WORKFLOW_KIND_BAKTA_BAKTFOLD,
		pb.UploadKind_UPLOAD_KIND_GENOME_FASTA,
		genome,
		&pb.JobConfig{Strain: "fail-baktfold:error"},
	)
	s.becomes(r, "ERROR")
	_, err := api.JobResult(t.Context(), &pb.JobResultRequest{JobId: r.ID, Secret: r.Secret})
	if status.Code(err) != codes.FailedPrecondition || !strings.Contains(err.Error(), "Baktfold") ||
		!strings.Contains(err.Error(), "played failure") {
		t.Errorf("the result is answered %v", err)
	}
	kept, err := api.JobResult(t.Context(), &pb.JobResultRequest{JobId: r.ID, Secret: r.Secret, Partial: true})
	s.must(err)
	if files := links(s, kept); files["json"] == "" || !strings.Contains(s.download(files["json"]), `"features"`) || kept.GetFailure() == "" {
		t.Errorf("of the first stage there is %v, %q", files, kept.GetFailure())
	}
	logs, err := api.Logs(t.Context(), &pb.LogsRequest{JobId: r.ID, Secret: r.Secret})
	s.must(err)
	if l := logs.GetStages(); len(l) != 2 || l[0].GetStatus() != pb.StageStatus_STAGE_STATUS_SUCCEEDED ||
		l[1].GetStatus() != pb.StageStatus_STAGE_STATUS_FAILED {
		t.Errorf("the stages are %v", l)
	}
}

// The second version by REST, as a web page calls it: words, and errors that it can show.
func TestSecondVersionByREST(t *testing.T) {
	s := newSuite(t)
	call := func(method, path, body string, want int, answer any) string {
		t.Helper()
		code, text, err := request{at: s.target.ingress, host: s.target.host, method: method, path: "/api/v2" + path, body: body,
			header: map[string]string{"Content-Type": "application/json", "Origin": "https://bakta.example.org"}}.do(t.Context())
		s.must(err)
		if code != want {
			t.Fatalf("%s %s is answered %d: %s", method, path, code, trimmed(text))
		}
		if answer != nil {
			s.must(json.Unmarshal([]byte(text), answer))
		}
		return text
	}
	var offered []struct {
		Kind string `json:"workflow_kind"`
	}
	call(http.MethodGet, "/workflows", "", http.StatusOK, &offered)
	var kinds []string
	for _, w := range offered {
		kinds = append(kinds, w.Kind)
	}
	if slices.Sort(kinds); !slices.Equal(kinds, []string{"bakta", "bakta_baktfold", "bakta_proteins", "baktfold"}) {
		t.Errorf("offered are %v", kinds)
	}
	var made struct {
		Job     map[string]string `json:"job"`
		Uploads []struct {
			Kind string `json:"upload_kind"`
			URL  string `json:"url"`
		} `json:"uploads"`
	}
	call(http.MethodPost, "/job/init", `{"name":"a page","workflow_kind":"bakta"}`, http.StatusOK, &made)
	for _, u := range made.Uploads {
		switch u.Kind {
		case "genome_fasta":
			s.must(upload(t.Context(), u.URL, genome))
		case "replicons_table": // which a page always sends, be it empty
			s.must(upload(t.Context(), u.URL, ""))
		}
	}
	job, err := json.Marshal(made.Job)
	s.must(err)
	start := func(kind, config string) string {
		return fmt.Sprintf(`{"job":%s,"workflow_kind":%q,"config":%s}`, job, kind, config)
	}
	const config = `{"use_replicons":true,"min_contig_length":1,"genus":"","strain":"fine","derm_type":"unknown"}`
	var problem string
	call(http.MethodPost, "/job/start", start("baktfold", config), http.StatusBadRequest, &problem)
	if !strings.HasPrefix(problem, "Workflow kind mismatch") {
		t.Errorf("another workflow is refused with %q", problem)
	}
	call(http.MethodPost, "/job/start", start("bakta", `{"translation_table":12}`), http.StatusBadRequest, &problem)
	if !strings.HasPrefix(problem, "Invalid translation_table") {
		t.Errorf("a wrong table is refused with %q", problem)
	}
	if text := call(http.MethodPost, "/job/start", start("bakta", config), http.StatusOK, nil); text != "null" {
		t.Errorf("the start is answered %q", text)
	}
	r := ref{ID: made.Job["job_id"], Secret: made.Job["secret"]}
	s.becomes(r, "SUCCESSFUL")
	var list struct {
		Jobs []struct {
			Status string `json:"status"`
			Kind   string `json:"workflow_kind"`
		} `json:"jobs"`
	}
	call(http.MethodPost, "/job/list", `{"jobs":[`+string(job)+`]}`, http.StatusOK, &list)
	if len(list.Jobs) != 1 || list.Jobs[0].Status != "successful" || list.Jobs[0].Kind != "bakta" {
		t.Errorf("the list is %+v", list)
	}
	query := "?job_id=" + r.ID + "&secret=" + r.Secret
	if text := call(http.MethodDelete, "/job/delete"+query, "", http.StatusOK, nil); text != "" {
		t.Errorf("the delete is answered %q", text)
	}
	call(http.MethodGet, "/job/logs"+query, "", http.StatusNotFound, &problem)
	if problem != "Job not found" {
		t.Errorf("a job that is gone is answered %q", problem)
	}
}

// begun makes a job of a workflow, uploads its file and starts it.
func (s suite) begun(api pb.BaktaJobsClient, kind pb.WorkflowKind, file pb.UploadKind, content string, config *pb.JobConfig) ref {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	made, err := api.InitJob(ctx, &pb.InitJobRequest{Name: "a " + pb.Word(kind), WorkflowKind: kind})
	s.must(err)
	err = errors.New("there is no link for it")
	for _, u := range made.GetUploads() {
		if u.GetUploadKind() == file {
			err = upload(ctx, u.GetUrl(), content)
		}
	}
	s.must(err)
	_, err = api.StartJob(ctx, &pb.StartJobRequest{Job: made.GetJob(), WorkflowKind: kind, Config: config})
	s.must(err)
	return ref{ID: made.GetJob().GetJobId(), Secret: made.GetJob().GetSecret()}
}

// links returns the links of a result's files, by key.
func links(s suite, result *pb.JobResultResponse) map[string]string {
	s.Helper()
	files := make(map[string]string)
	text, err := json.Marshal(result.GetResult().GetFiles())
	s.must(err, json.Unmarshal(text, &files))
	return files
}
