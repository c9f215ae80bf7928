package protov2

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The names and numbers that clients are built with. Nothing here may change; a line may be added.

func TestMessages(t *testing.T) {
	t.Parallel()
	// Each field as "name number kind"; "optional" and "repeated" where they are, "required" at the end.
	want := map[protoreflect.Name][]string{
		"JobRef":            {"job_id 1 string", "secret 2 string"},
		"WorkflowsRequest":  nil,
		"WorkflowsResponse": {"workflows 1 repeated Workflow"},
		"Workflow": {
			"workflow_kind 1 WorkflowKind",
			"result_kind 2 ResultKind",
			"uploads 3 repeated Upload",
			"stages 4 repeated string",
		},
		"Upload":         {"upload_kind 1 UploadKind", "required 2 bool"},
		"InitJobRequest": {"name 1 string", "workflow_kind 2 WorkflowKind required", "batch 3 string"},
		"InitJobResponse": {
			"job 1 JobRef",
			"workflow_kind 2 WorkflowKind",
			"uploads 3 repeated UploadLink",
		},
		"UploadLink": {"upload_kind 1 UploadKind", "required 2 bool", "url 3 string"},
		"StartJobRequest": {
			"job 1 JobRef required",
			"workflow_kind 2 WorkflowKind required",
			"config 3 JobConfig required", "notify 4 Notify",
		},
		"JobConfig": {
			"use_prodigal_training_file 1 bool",
			"use_replicons 2 bool",
			"use_regions 3 bool",
			"use_trusted_proteins 4 bool",
			"use_hmms 5 bool",
			"translation_table 6 int32",
			"complete_genome 7 bool",
			"keep_contig_headers 8 bool",
			"min_contig_length 9 int64",
			"derm_type 10 DermType",
			"genus 11 string",
			"species 12 string",
			"strain 13 string",
			"plasmid 14 string",
			"locus 15 string",
			"locus_tag 16 string",
			"locus_tag_increment 17 int32",
			"compliant 18 bool",
			"meta 19 bool",
			"skip_trna 20 bool",
			"skip_tmrna 21 bool",
			"skip_rrna 22 bool",
			"skip_ncrna 23 bool",
			"skip_ncrna_region 24 bool",
			"skip_crispr 25 bool",
			"skip_cds 26 bool",
			"skip_pseudo 27 bool",
			"skip_sorf 28 bool",
			"skip_gap 29 bool",
			"skip_ori 30 bool",
			"skip_filter 31 bool",
			"skip_plot 32 bool",
		},
		"StartJobResponse":  {"warnings 1 repeated Warning"},
		"SubmitJobResponse": {"warnings 1 repeated Warning", "notify_key 2 optional string"},
		"RerunJobRequest": {
			"job 1 JobRef required", "request_key 2 string required", "config 3 JobConfig", "name 4 string", "notify 5 Notify",
		},
		"RerunJobResponse":   {"job 1 JobRef", "workflow_kind 2 WorkflowKind", "warnings 3 repeated Warning", "notify_key 4 optional string"},
		"Warning":            {"code 1 string", "upload_kind 2 UploadKind", "message 3 string"},
		"JobsStatusRequest":  {"jobs 1 repeated JobRef required", "details 2 bool"},
		"JobsStatusResponse": {"jobs 1 repeated Job", "failed_jobs 2 repeated FailedJob"},
		"Job": {
			"job_id 1 string",
			"status 2 JobStatus",
			"workflow_kind 3 WorkflowKind",
			"result_kind 4 ResultKind",
			"started 5 google.protobuf.Timestamp",
			"updated 6 google.protobuf.Timestamp",
			"name 7 string",
			"waiting 8 optional bool",
			"stage 9 optional string",
			"progress 10 optional Progress",
			"queue 11 optional Queue",
			"expected 12 optional Expected",
			"failure 13 optional Failure",
			"hindrance 14 optional string",
		},
		"Progress": {"step 1 int32", "steps 2 int32", "text 3 string"},
		"Queue":    {"place 1 int32", "length 2 int32"},
		"Expected": {
			"start 1 optional google.protobuf.Timestamp",
			"end 2 optional google.protobuf.Timestamp",
			"latest_end 3 optional google.protobuf.Timestamp",
			"runs 4 int32",
		},
		"Failure":       {"code 1 string", "message 2 string", "stage 3 optional string"},
		"AccessRequest": nil,
		"AccessResponse": {
			"issuer 1 string", "audience 2 string", "client_id 3 string", "scopes 4 repeated string", "required 5 bool",
		},
		"ListJobsRequest": {
			"state 1 JobStatus", "workflow 2 WorkflowKind", "name 3 string", "page_size 4 int32", "page_token 5 string",
		},
		"ListJobsResponse": {"jobs 1 repeated Job", "next_page_token 2 string"},
		"JobStateRequest":  {"job_id 1 string", "secret 2 string", "wait 3 int64", "after 4 string"},
		"JobStateResponse": {
			"job_id 1 string",
			"name 2 string",
			"batch 3 string",
			"workflow_kind 4 WorkflowKind",
			"result_kind 5 ResultKind",
			"status 6 JobStatus",
			"waiting 7 optional bool",
			"created 8 google.protobuf.Timestamp",
			"started 9 optional google.protobuf.Timestamp",
			"began 10 optional google.protobuf.Timestamp",
			"ended 11 optional google.protobuf.Timestamp",
			"updated 12 google.protobuf.Timestamp",
			"expires 13 google.protobuf.Timestamp",
			"run 14 int32",
			"stage 15 optional string",
			"stages 16 repeated StageState",
			"progress 17 optional Progress",
			"queue 18 optional Queue",
			"expected 19 optional Expected",
			"failure 20 optional Failure",
			"version 21 string",
			"config 22 optional JobConfig", "notifications 23 repeated Notification", "rerun_of 24 optional string",
			"hindrance 25 optional string",
		},
		"StageState":       {"stage 1 string", "status 2 StageStatus"},
		"FailedJob":        {"job_id 1 string", "status 2 FailedStatus"},
		"JobResultRequest": {"job_id 1 string", "secret 2 string", "partial 3 bool"},
		"JobResultResponse": {
			"job_id 1 string",
			"workflow_kind 2 WorkflowKind",
			"started 3 google.protobuf.Timestamp",
			"updated 4 google.protobuf.Timestamp",
			"name 5 string",
			"result 6 Result",
			"failure 7 optional string",
		},
		"Result": {"result_kind 1 ResultKind", "files 2 ResultFiles"},
		"ResultFiles": {
			"json 1 optional string",
			"tsv 2 optional string",
			"faa 3 optional string",
			"hypotheticals_tsv 4 optional string",
			"embl 5 optional string",
			"ffn 6 optional string",
			"fna 7 optional string",
			"gbff 8 optional string",
			"gff3 9 optional string",
			"hypotheticals_faa 10 optional string",
			"inference_tsv 11 optional string",
			"logs_txt 12 optional string",
			"circular_plot_png 13 optional string",
			"circular_plot_svg 14 optional string",
		},
		"Option": {
			"name 1 string", "kind 2 OptionKind", "workflow_kinds 3 repeated WorkflowKind", "help 4 string", "rule 5 string",
			"pattern 6 string", "choices 7 repeated string", "default_value 8 string", "flag 9 string",
		},
		"OptionsRequest":  nil,
		"OptionsResponse": {"options 1 repeated Option", "uploads 2 repeated UploadRule", "notify 3 NotifyOffer"},
		"UploadRule": {
			"upload_kind 1 UploadKind", "label 2 string", "help 3 string", "rule 4 string", "use 5 string", "max_size 6 int64",
		},
		"LogsRequest":    {"job_id 1 string", "secret 2 string"},
		"LogsResponse":   {"workflow_kind 1 WorkflowKind", "stages 2 repeated StageLog"},
		"StageLog":       {"stage 1 string", "status 2 StageStatus", "content 3 string"},
		"DeleteRequest":  {"job_id 1 string", "secret 2 string"},
		"DeleteResponse": nil,
		"Notify":         {"webhook 1 string", "email 2 string"},
		"NotifyOffer":    {"webhook 1 bool", "email 2 bool"},
		"Notification": {
			"id 1 string", "event 2 NotificationEvent", "channel 3 NotificationChannel", "status 4 NotificationStatus", "attempts 5 int32",
			"last_attempt 6 optional google.protobuf.Timestamp", "next_attempt 7 optional google.protobuf.Timestamp",
			"error 8 optional string",
		},
		"VersionRequest": nil,
		"VersionResponse": {
			"backend_version 1 string",
			"bakta_version 2 string",
			"bakta_db_version 3 string",
			"baktfold_version 4 string",
			"baktfold_db_version 5 string",
		},
	}
	got := make(map[protoreflect.Name][]string)
	for i := range File_proto_v2_jobs_proto.Messages().Len() {
		m := File_proto_v2_jobs_proto.Messages().Get(i)
		got[m.Name()] = nil
		for j := range m.Fields().Len() {
			got[m.Name()] = append(got[m.Name()], describe(m.Fields().Get(j)))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("messages differ (-want +got):\n", diff)
	}
}

// Values in the words of JSON; "-" is the unspecified value.
func TestEnums(t *testing.T) {
	t.Parallel()
	want := map[protoreflect.Name]string{
		"WorkflowKind": "- bakta bakta_proteins bakta_baktfold baktfold",
		"OptionKind":   "- text number switch step",
		"ResultKind":   "- bakta bakta_proteins baktfold",
		"UploadKind": "- genome_fasta prodigal_training_file replicons_table regions_file trusted_proteins_file hmms_file protein_fasta " +
			"bakta_json",
		"DermType":     "- unknown monoderm diderm",
		"JobStatus":    "- init running successful error",
		"FailedStatus": "- not_found unauthorized",
		"StageStatus":  "- pending running succeeded failed error unknown",

		"NotificationEvent":   "- succeeded failed expiring",
		"NotificationChannel": "- webhook email",
		"NotificationStatus":  "- pending delivered given_up",
	}
	got := make(map[protoreflect.Name]string)
	for i := range File_proto_v2_jobs_proto.Enums().Len() {
		e := File_proto_v2_jobs_proto.Enums().Get(i)
		var words []string
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			if int(v.Number()) != j {
				t.Errorf("%s has the number %d", v.FullName(), v.Number())
			}
			word := WordOf(v)
			if word == "" {
				word = "-"
			}
			words = append(words, word)
		}
		got[e.Name()] = strings.Join(words, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("enums differ (-want +got):\n", diff)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for value, word := range map[WorkflowKind]string{
		WorkflowKind_WORKFLOW_KIND_UNSPECIFIED:    "",
		WorkflowKind_WORKFLOW_KIND_BAKTA:          "bakta",
		WorkflowKind_WORKFLOW_KIND_BAKTA_PROTEINS: "bakta_proteins",
		99: "",
	} {
		if got := Word(value); got != word {
			t.Errorf("%d is called %q, not %q", value, got, word)
		}
	}
	for word, value := range map[string]WorkflowKind{
		"baktfold": WorkflowKind_WORKFLOW_KIND_BAKTFOLD, "bakta_baktfold": WorkflowKind_WORKFLOW_KIND_BAKTA_BAKTFOLD,
		"": 0, "Bakta": 0, "unspecified": 0, "WORKFLOW_KIND_BAKTA": 0,
	} {
		if got := Value[WorkflowKind](word); got != value {
			t.Errorf("%q stands for %s, not %s", word, got, value)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	want := map[protoreflect.FullName][]string{
		"bakta.web.api.proto.v2.BaktaJobs.Workflows":  {"WorkflowsRequest WorkflowsResponse", "GET /api/v2/workflows  workflows"},
		"bakta.web.api.proto.v2.BaktaJobs.Options":    {"OptionsRequest OptionsResponse", "GET /api/v2/options  "},
		"bakta.web.api.proto.v2.BaktaJobs.InitJob":    {"InitJobRequest InitJobResponse", "POST /api/v2/job/init * "},
		"bakta.web.api.proto.v2.BaktaJobs.StartJob":   {"StartJobRequest StartJobResponse", "POST /api/v2/job/start * "},
		"bakta.web.api.proto.v2.BaktaJobs.SubmitJob":  {"StartJobRequest SubmitJobResponse", "POST /api/v2/job/submit * "},
		"bakta.web.api.proto.v2.BaktaJobs.RerunJob":   {"RerunJobRequest RerunJobResponse", "POST /api/v2/job/rerun * "},
		"bakta.web.api.proto.v2.BaktaJobs.JobsStatus": {"JobsStatusRequest JobsStatusResponse", "POST /api/v2/job/list * "},
		"bakta.web.api.proto.v2.BaktaJobs.Access":     {"AccessRequest AccessResponse", "GET /api/v2/access  "},
		"bakta.web.api.proto.v2.BaktaJobs.ListJobs":   {"ListJobsRequest ListJobsResponse", "GET /api/v2/jobs  "},
		"bakta.web.api.proto.v2.BaktaJobs.JobState":   {"JobStateRequest JobStateResponse", "GET /api/v2/job/status  "},
		"bakta.web.api.proto.v2.BaktaJobs.JobResult":  {"JobResultRequest JobResultResponse", "POST /api/v2/job/result * "},
		"bakta.web.api.proto.v2.BaktaJobs.Logs":       {"LogsRequest LogsResponse", "GET /api/v2/job/logs  ", "POST /api/v2/job/logs * "},
		"bakta.web.api.proto.v2.BaktaJobs.Delete": {
			"DeleteRequest DeleteResponse",
			"DELETE /api/v2/job/delete  ",
			"POST /api/v2/job/delete * ",
		},
		"bakta.web.api.proto.v2.BaktaJobs.Version": {"VersionRequest VersionResponse", "GET /api/v2/version  "},
	}
	got := make(map[protoreflect.FullName][]string)
	for i := range File_proto_v2_jobs_proto.Services().Len() {
		methods := File_proto_v2_jobs_proto.Services().Get(i).Methods()
		for j := range methods.Len() {
			m := methods.Get(j)
			if m.IsStreamingClient() || m.IsStreamingServer() {
				t.Error(m.FullName(), "streams")
			}
			rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			got[m.FullName()] = append([]string{name(m.Input()) + " " + name(m.Output())}, route(rule))
			for _, other := range rule.GetAdditionalBindings() {
				got[m.FullName()] = append(got[m.FullName()], route(other))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("methods differ (-want +got):\n", diff)
	}
}

// The document speaks JSON's words: no name of an enum's value, and every field as the proto file has it.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	var doc struct {
		Swagger, Host string
		Info          struct{ Title, Version, Description string }
		Paths         map[string]map[string]struct{ Summary string }
		Definitions   map[string]struct {
			Enum       []string
			Properties map[string]any
			Required   []string
		}
	}
	if err := json.Unmarshal([]byte(Swagger2()), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Swagger != "2.0" || doc.Host != "" || doc.Info.Title == "" || doc.Info.Version != "v2" || doc.Info.Description == "" {
		t.Errorf("the document's head is %q %q %+v", doc.Swagger, doc.Host, doc.Info)
	}
	got := make(map[string]bool)
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			got[method+" "+path] = true
			if operation.Summary == "" {
				t.Error(method, path, "has no summary")
			}
		}
	}
	want := map[string]bool{
		"get /api/v2/workflows": true, "get /api/v2/options": true, "post /api/v2/job/init": true, "post /api/v2/job/start": true,
		"post /api/v2/job/submit": true,
		"post /api/v2/job/rerun":  true, "post /api/v2/job/list": true, "get /api/v2/job/status": true,
		"get /api/v2/access": true, "get /api/v2/jobs": true,
		"post /api/v2/job/result": true, "get /api/v2/job/logs": true, "delete /api/v2/job/delete": true, "get /api/v2/version": true,
		"post /api/v2/job/logs": true, "post /api/v2/job/delete": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("operations differ (-want +got):\n", diff)
	}
	if odd := regexp.MustCompile(`[A-Z]+_[A-Z_]{3,}`).FindAllString(Swagger2(), -1); odd != nil {
		t.Error("the document speaks of", odd)
	}
	for i := range File_proto_v2_jobs_proto.Enums().Len() {
		e := File_proto_v2_jobs_proto.Enums().Get(i)
		var words []string
		for j := range e.Values().Len() {
			if word := WordOf(e.Values().Get(j)); word != "" {
				words = append(words, word)
			}
		}
		if diff := cmp.Diff(words, doc.Definitions["v2"+string(e.Name())].Enum); diff != "" {
			t.Errorf("%s (-proto +document):\n%s", e.Name(), diff)
		}
	}
	config := doc.Definitions["v2JobConfig"].Properties
	for i := range (*JobConfig)(nil).ProtoReflect().Descriptor().Fields().Len() {
		if field := string((*JobConfig)(nil).ProtoReflect().Descriptor().Fields().Get(i).Name()); config[field] == nil {
			t.Errorf("the document lacks %s", field)
		}
	}
	required := doc.Definitions["v2StartJobRequest"].Required
	slices.Sort(required)
	if diff := cmp.Diff([]string{"config", "job", "workflow_kind"}, required); diff != "" {
		t.Error("a start requires (-want +got):\n", diff)
	}
}

func describe(f protoreflect.FieldDescriptor) string {
	kind := f.Kind().String()
	switch f.Kind() {
	case protoreflect.MessageKind:
		kind = name(f.Message())
	case protoreflect.EnumKind:
		kind = name(f.Enum())
	}
	switch {
	case f.HasOptionalKeyword():
		kind = "optional " + kind
	case f.IsList():
		kind = "repeated " + kind
	}
	behavior := proto.GetExtension(f.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	if slices.Contains(behavior, annotations.FieldBehavior_REQUIRED) {
		kind += " required"
	}
	return fmt.Sprintf("%s %d %s", f.Name(), f.Number(), kind)
}

// name is short for what is of our package, and full for what is not.
func name(d protoreflect.Descriptor) string {
	if d.ParentFile().Package() == "bakta.web.api.proto.v2" {
		return string(d.Name())
	}
	return string(d.FullName())
}

// route is the method, the path, the body, and what of the answer is the answer's body.
func route(rule *annotations.HttpRule) string {
	switch p := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return fmt.Sprintf("GET %s %s %s", p.Get, rule.GetBody(), rule.GetResponseBody())
	case *annotations.HttpRule_Post:
		return fmt.Sprintf("POST %s %s %s", p.Post, rule.GetBody(), rule.GetResponseBody())
	case *annotations.HttpRule_Delete:
		return fmt.Sprintf("DELETE %s %s %s", p.Delete, rule.GetBody(), rule.GetResponseBody())
	}
	return "another pattern"
}
