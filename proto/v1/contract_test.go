package protov1

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The names and numbers that clients in the wild were built with. Nothing here may change; a line may be added.

func TestMessages(t *testing.T) {
	t.Parallel()
	// Each field as "name number kind jsonName"; "optional" and "repeated" where they are.
	want := map[protoreflect.Name][]string{
		"InitJobRequest": {
			"repliconTableType 1 RepliconTableType repliconTableType",
			"name 2 string name",
		},
		"InitJobResponse": {
			"uploadLinkFasta 1 string uploadLinkFasta",
			"uploadLinkProdigal 2 string uploadLinkProdigal",
			"uploadLinkReplicons 3 string uploadLinkReplicons",
			"job 4 JobAuth job",
		},
		"StartJobRequest": {
			"job 1 JobAuth job",
			"config 2 JobConfig config",
		},
		"JobConfig": {
			"hasProdigal 1 optional bool hasProdigal",
			"hasReplicons 2 optional bool hasReplicons",
			"translationalTable 3 int32 translationTable",
			"completeGenome 4 bool completeGenome",
			"keepContigHeaders 5 bool keepContigHeaders",
			"minContigLength 6 int64 minContigLength",
			"dermType 7 DermType dermType",
			"genus 8 string genus",
			"species 9 string species",
			"strain 10 string strain",
			"plasmid 11 string plasmid",
			"locus 12 string locus",
			"locus_tag 13 string locusTag",
			"compliant 14 bool compliant",
		},
		"JobStatusRequestList": {
			"jobs 1 repeated JobAuth jobs",
		},
		"JobStatusReponseList": {
			"jobs 1 repeated JobStatusResponse jobs",
			"failedJobs 2 repeated FailedJob failedJobs",
		},
		"JobStatusResponse": {
			"jobID 1 string jobID",
			"jobStatus 2 JobStatusEnum jobStatus",
			"started 3 google.protobuf.Timestamp started",
			"updated 4 google.protobuf.Timestamp updated",
			"name 5 string name",
		},
		"FailedJob": {
			"jobID 1 string jobID",
			"jobStatus 2 JobFailedStatus jobStatus",
		},
		"JobResultResponse": {
			"jobID 1 string jobID",
			"ResultFiles 2 google.protobuf.Struct ResultFiles",
			"started 3 google.protobuf.Timestamp started",
			"updated 4 google.protobuf.Timestamp updated",
			"name 5 string name",
		},
		"VersionResponse": {
			"toolVersion 1 string toolVersion",
			"dbVersion 2 string dbVersion",
			"backendVersion 3 string backendVersion",
		},
		"JobAuth": {
			"secret 1 string secret",
			"jobID 2 string jobID",
		},
		"LogsRequest": {
			"jobID 1 string jobID",
			"secret 2 string secret",
			"offset 3 int64 offset",
		},
		"UpdateStatusRequest": {
			"jobID 1 string jobID",
		},
		"Empty": nil,
	}

	got := make(map[protoreflect.Name][]string)
	for _, file := range files() {
		for i := range file.Messages().Len() {
			m := file.Messages().Get(i)
			got[m.Name()] = nil
			for j := range m.Fields().Len() {
				got[m.Name()] = append(got[m.Name()], describe(m.Fields().Get(j)))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("messages differ (-want +got):\n", diff)
	}
}

func TestEnums(t *testing.T) {
	t.Parallel()
	want := map[protoreflect.Name][]string{
		"JobStatusEnum":     {"INIT 0", "RUNNING 1", "SUCCESSFUL 2", "SUCCESSFULL 2", "ERROR 3"},
		"JobFailedStatus":   {"NOT_FOUND 0", "UNAUTHORIZED 1"},
		"DermType":          {"UNKNOWN 0", "MONODERM 1", "DIDERM 2"},
		"RepliconTableType": {"CSV 0", "TSV 1"},
	}
	got := make(map[protoreflect.Name][]string)
	for _, file := range files() {
		for i := range file.Enums().Len() {
			e := file.Enums().Get(i)
			for j := range e.Values().Len() {
				v := e.Values().Get(j)
				got[e.Name()] = append(got[e.Name()], fmt.Sprint(v.Name(), " ", v.Number()))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("enums differ (-want +got):\n", diff)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	want := map[protoreflect.FullName][]string{
		"bakta.web.api.proto.v1.BaktaJobs.InitJob":              {"InitJobRequest InitJobResponse", "POST /api/v1/job/init *"},
		"bakta.web.api.proto.v1.BaktaJobs.StartJob":             {"StartJobRequest Empty", "POST /api/v1/job/start *"},
		"bakta.web.api.proto.v1.BaktaJobs.JobsStatus":           {"JobStatusRequestList JobStatusReponseList", "POST /api/v1/job/list *"},
		"bakta.web.api.proto.v1.BaktaJobs.JobResult":            {"JobAuth JobResultResponse", "POST /api/v1/job/result *"},
		"bakta.web.api.proto.v1.BaktaJobs.Version":              {"Empty VersionResponse", "GET /api/v1/version "},
		"bakta.web.api.proto.v1.BaktaJobs.Delete":               {"JobAuth Empty", "DELETE /api/v1/delete ", "DELETE /api/v1/job/delete "},
		"bakta.web.api.proto.v1.BaktaJobs.Logs":                 {"LogsRequest google.api.HttpBody", "GET /api/v1/job/logs "},
		"bakta.web.api.proto.v1.BaktaStatusUpdate.UpdateStatus": {"UpdateStatusRequest Empty"},
	}
	got := make(map[protoreflect.FullName][]string)
	for _, file := range files() {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				m := methods.Get(j)
				if m.IsStreamingClient() || m.IsStreamingServer() {
					t.Error(m.FullName(), "streams")
				}
				got[m.FullName()] = append([]string{name(m.Input()) + " " + name(m.Output())}, routes(m)...)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("methods differ (-want +got):\n", diff)
	}
}

// Number 2 of JobStatusEnum has two names. JSON answers the one that REST clients know and takes both.
func TestStatusSpelling(t *testing.T) {
	t.Parallel()
	out, err := protojson.Marshal(&JobStatusResponse{JobStatus: JobStatusEnum_SUCCESSFULL})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ JobStatus string }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.JobStatus != "SUCCESSFUL" {
		t.Errorf("JSON answers %q for number 2", answer.JobStatus)
	}
	for _, spelling := range []string{"SUCCESSFUL", "SUCCESSFULL"} {
		var in JobStatusResponse
		if err := protojson.Unmarshal([]byte(`{"jobStatus":"`+spelling+`"}`), &in); err != nil || in.GetJobStatus() != 2 {
			t.Errorf("JSON %s reads as %d, %v", spelling, in.GetJobStatus(), err)
		}
	}
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	var doc struct {
		Swagger, Host string
		Info          struct{ Title, Version, Description string }
		Paths         map[string]map[string]struct {
			Summary  string
			Produces []string
		}
	}
	if err := json.Unmarshal([]byte(Swagger2()), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Swagger != "2.0" || doc.Host != "" || doc.Info.Title == "" || doc.Info.Version != "v1" || doc.Info.Description == "" {
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
		"post /api/v1/job/init": true, "post /api/v1/job/start": true, "post /api/v1/job/list": true,
		"post /api/v1/job/result": true, "get /api/v1/version": true, "delete /api/v1/delete": true,
		"delete /api/v1/job/delete": true, "get /api/v1/job/logs": true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("operations differ (-want +got):\n", diff)
	}
	if diff := cmp.Diff([]string{"text/plain"}, doc.Paths["/api/v1/job/logs"]["get"].Produces); diff != "" {
		t.Error("logs are produced as (-want +got):\n", diff)
	}
}

func files() []protoreflect.FileDescriptor {
	return []protoreflect.FileDescriptor{File_proto_v1_jobs_proto, File_proto_v1_status_update_proto}
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
	return fmt.Sprintf("%s %d %s %s", f.Name(), f.Number(), kind, f.JSONName())
}

// name is short for what is of our package, and full for what is not.
func name(d protoreflect.Descriptor) string {
	if d.ParentFile().Package() == "bakta.web.api.proto.v1" {
		return string(d.Name())
	}
	return string(d.FullName())
}

func routes(m protoreflect.MethodDescriptor) []string {
	if !proto.HasExtension(m.Options(), annotations.E_Http) {
		return nil
	}
	rule := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	var list []string
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		var route string
		switch p := r.GetPattern().(type) {
		case *annotations.HttpRule_Get:
			route = "GET " + p.Get
		case *annotations.HttpRule_Post:
			route = "POST " + p.Post
		case *annotations.HttpRule_Delete:
			route = "DELETE " + p.Delete
		}
		list = append(list, route+" "+r.GetBody())
	}
	return list
}
