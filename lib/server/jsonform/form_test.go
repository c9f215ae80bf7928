package jsonform_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

func TestReadConfig(t *testing.T) {
	t.Parallel()
	type config = protov1.JobConfig
	yes, no := proto.Bool(true), proto.Bool(false)
	for _, row := range []struct {
		name, body string // the body is that of the config
		want       *config
	}{
		{"nothing", `{}`, &config{}},
		{"as gRPC names them", `{"translationalTable":4,"locus_tag":"ABC"}`, &config{TranslationalTable: 4, LocusTag: "ABC"}},
		{"as the documentation names them", `{"translationTable":25,"locusTag":"ABC"}`, &config{TranslationalTable: 25, LocusTag: "ABC"}},
		{"both spellings, one cleared", `{"translationTable":"","translationalTable":4}`, &config{TranslationalTable: 4}},
		{"both spellings", `{"translationTable":11,"translationalTable":4}`, &config{TranslationalTable: 11}},
		{
			"all defaults of the web UI",
			`{"hasProdigal":"","prodigalTrainingFile":null,"hasReplicons":true,"translationTable":11,"completeGenome":false,` +
				`"keepContigHeaders":false,"minContigLength":1,"dermType":"UNKNOWN","genus":"","species":"","strain":"","plasmid":"","locus":"",` +
				`"locusTag":"","compliant":false}`,
			&config{HasReplicons: yes, TranslationalTable: 11, MinContigLength: 1},
		},
		{
			"all null",
			`{"hasProdigal":null,"prodigalTrainingFile":null,"hasReplicons":null,"translationTable":null,"completeGenome":null,` +
				`"keepContigHeaders":null,"minContigLength":null,"dermType":null,"genus":null,"species":null,"strain":null,"plasmid":null,` +
				`"locus":null,"locusTag":null,"compliant":null}`,
			&config{},
		},
		{
			"all empty",
			`{"hasProdigal":"","prodigalTrainingFile":"","hasReplicons":"","translationTable":"","completeGenome":"","keepContigHeaders":"",` +
				`"minContigLength":" ","dermType":"","genus":"","species":"","strain":"","plasmid":"","locus":"","locusTag":"","compliant":""}`,
			&config{},
		},
		{"numbers in texts", `{"translationTable":"11","minContigLength":" 200 "}`, &config{TranslationalTable: 11, MinContigLength: 200}},
		{"numbers with a point", `{"translationTable":11.0,"minContigLength":"2e2"}`, &config{TranslationalTable: 11, MinContigLength: 200}},
		{"the largest number", `{"minContigLength":9223372036854775807}`, &config{MinContigLength: 9223372036854775807}},
		{"zeros", `{"translationTable":0,"minContigLength":0}`, &config{}},
		{"booleans in texts", `{"completeGenome":"true","compliant":"False","hasReplicons":"FALSE"}`,
			&config{CompleteGenome: true, HasReplicons: no}},
		{"derm type in lower case", `{"dermType":"monoderm"}`, &config{DermType: protov1.DermType_MONODERM}},
		{"derm type as a number", `{"dermType":2}`, &config{DermType: protov1.DermType_DIDERM}},
		{"derm type as a number in a text", `{"dermType":"2"}`, &config{DermType: protov1.DermType_DIDERM}},
		{"a training file's name", `{"prodigalTrainingFile":"ecoli.trn"}`, &config{HasProdigal: yes}},
		{"a blank training file's name", `{"prodigalTrainingFile":"  "}`, &config{}},
		{"a training file's name, and no", `{"prodigalTrainingFile":"ecoli.trn","hasProdigal":false}`, &config{HasProdigal: no}},
		{"no training file's name, and yes", `{"prodigalTrainingFile":null,"hasProdigal":true}`, &config{HasProdigal: yes}},
		{"a training file, yes", `{"prodigalTrainingFile":true}`, &config{HasProdigal: yes}},
		{"unknown fields", `{"what":{"deep":[1,2,{"x":null}]},"genus":"Escherichia","":1}`, &config{Genus: "Escherichia"}},
		{"texts as they are", `{"strain":" O157:H7 \"Sakai\"\nß💩\u00e9 ","species":"$ne"}`, &config{Strain: " O157:H7 \"Sakai\"\nß💩é ",
			Species: "$ne"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got protov1.StartJobRequest
			err := apiv1.API().JSON.Unmarshal([]byte(`{"config":`+row.body+`}`), &got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got.GetConfig(), protocmp.Transform()); diff != "" {
				t.Error("config (-want +got):\n", diff)
			}
		})
	}
}

func TestReadBody(t *testing.T) {
	t.Parallel()
	auth := func(id, secret string) *protov1.JobAuth { return &protov1.JobAuth{JobID: id, Secret: secret} }
	for _, row := range []struct {
		name, body string
		want       proto.Message
	}{
		{"nothing at all", "", &protov1.JobAuth{}},
		{"white space", " \r\n\t", &protov1.JobAuth{}},
		{"null", "null", &protov1.JobAuth{}},
		{"an empty text", `""`, &protov1.JobAuth{}},
		{"a byte order mark", "\ufeff{\"jobID\":\"a\"}", auth("a", "")},
		{"a byte order mark alone", "\ufeff", &protov1.JobAuth{}},
		{"a byte order mark and white space", "\ufeff\r\n", &protov1.JobAuth{}},
		{"a byte order mark inside a text", "{\"jobID\":\"\ufeffa\"}", auth("\ufeffa", "")},
		{"with white space around", "\n {\"jobID\" : \"a\"}\n\n", auth("a", "")},
		{"jobId", `{"jobId":"a","secret":"b"}`, auth("a", "b")},
		{"both ids", `{"jobId":"a","jobID":"b"}`, auth("b", "")},
		{"no config", `{"job":{"jobID":"a","secret":"b"},"config":null}`, &protov1.StartJobRequest{Job: auth("a", "b")}},
		{"an empty config", `{"config":{}}`, &protov1.StartJobRequest{Config: &protov1.JobConfig{}}},
		{"no list", `{"jobs":null}`, &protov1.JobStatusRequestList{}},
		{"an empty list", `{"jobs":[]}`, &protov1.JobStatusRequestList{}},
		{
			"a list with entries that say nothing",
			`{"jobs":[{"jobID":"a","secret":"b"},{},null,{"jobId":"c"}]}`,
			&protov1.JobStatusRequestList{Jobs: []*protov1.JobAuth{auth("a", "b"), {}, {}, auth("c", "")}},
		},
		{"what the documentation starts with", `{"config":{"completeGenome":true},"job":{"jobID":"a","secret":"b"}}`,
			&protov1.StartJobRequest{Job: auth("a", "b"), Config: &protov1.JobConfig{CompleteGenome: true}}},
		{"table type in lower case", `{"name":"x","repliconTableType":"tsv"}`, &protov1.InitJobRequest{Name: "x",
			RepliconTableType: protov1.RepliconTableType_TSV}},
		{"types that protojson knows", `{"started":"2026-01-31T12:00:00Z", "ResultFiles" : {"JSON":"x"} ,"updated":null}`,
			&protov1.JobResultResponse{
				Started:     &timestamppb.Timestamp{Seconds: 1769860800},
				ResultFiles: &structpb.Struct{Fields: map[string]*structpb.Value{"JSON": structpb.NewStringValue("x")}},
			}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := proto.Clone(row.want)
			proto.Reset(got)
			if err := apiv1.API().JSON.NewDecoder(strings.NewReader(row.body)).Decode(got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got, protocmp.Transform()); diff != "" {
				t.Error("message (-want +got):\n", diff)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, body, want string }{
		{"not JSON", `name=x&type=TSV`, "line 1, column 1: invalid character"},
		{"the line and column", "{\n  \"config\": {\n    \"genus\": Escherichia\n", "line 3, column "},
		{"cut off", `{"config":{"genus":"E`, "ends too early"},
		{"cut off between", `{"config":{"genus":"E"}`, "ends too early"},
		{"a comma too many", `{"config":{"genus":"E",}}`, "invalid character"},
		{"single quotes", `{'config':{}}`, "invalid character"},
		{"garbage after it", `{"config":{}} x`, "follows after its end"},
		{"two objects", `{"config":{}}{"config":{}}`, "follows after its end"},
		{"a list", `[]`, "the body must be an object, not a list"},
		{"a number", `5`, "the body must be an object, not a number"},
		{"a text", `"x"`, "the body must be an object, not a text"},
		{"not UTF-8", "{\"config\":{\"genus\":\"\xff\"}}", "UTF-8"},
		{"UTF-16 from Windows", "\xff\xfe{\x00}\x00", "it is encoded as UTF-16; send it as UTF-8"},
		{"UTF-16, big end first", "\xfe\xff\x00{\x00}", "it is encoded as UTF-16; send it as UTF-8"},
		{"UTF-16 without a mark", "{\x00}\x00", "it is encoded as UTF-16; send it as UTF-8"},
		{"UTF-16, big end first, without a mark", "\x00{\x00}", "it is encoded as UTF-16; send it as UTF-8"},
		{"UTF-32", "\xff\xfe\x00\x00{\x00\x00\x00}\x00\x00\x00", "it is encoded as UTF-32; send it as UTF-8"},
		{"UTF-32, big end first, without a mark", "\x00\x00\x00{\x00\x00\x00}", "it is encoded as UTF-32; send it as UTF-8"},
		{"a byte order mark twice", "\ufeff\ufeff{}", "line 1, column 1: invalid character"},
		{"a byte order mark after it", "{}\ufeff", "follows after its end"},
		{"a zero after it", "{}\x00", "follows after its end"},
		{"zeros alone", "\x00\x00", "line 1, column 1: invalid character"},
		{"a field twice", `{"config":{"genus":"a","genus":"b"}}`, `"genus" is given twice`},
		{"an unknown field twice", `{"x":1,"x":2}`, `"x" is given twice`},
		{"nested too deep", strings.Repeat(`{"x":`, 40) + "1" + strings.Repeat("}", 40), "32 levels deep"},
		{"nested far too deep", strings.Repeat("[", 500_000), "32 levels deep"},
		{"too many values", `{"x":[` + strings.Repeat("1,", 60_000) + `1]}`, "more than 50000 values"},
		{"an operator for an id", `{"job":{"jobID":{"$ne":""},"secret":{"$gt":""}}}`, "job.secret must be a text in quotes, not an object"},
		{"a list for a text", `{"config":{"genus":["a"]}}`, "config.genus must be a text in quotes, not a list"},
		{"a number for a text", `{"config":{"strain":12}}`, "config.strain must be a text in quotes, not a number"},
		{"a boolean for a text", `{"config":{"strain":true}}`, "config.strain must be a text in quotes, not a boolean"},
		{"a text for an object", `{"job":"x"}`, "job must be an object, not a text"},
		{"a list for an object", `{"config":[]}`, "config must be an object, not a list"},
		{"an object for a boolean", `{"config":{"compliant":{}}}`, "config.compliant must be true or false, not an object"},
		{"a number for a boolean", `{"config":{"compliant":1}}`, "config.compliant must be true or false, not a number"},
		{"a word for a boolean", `{"config":{"compliant":"yes"}}`, "config.compliant must be true or false"},
		{"an object for a number", `{"config":{"translationTable":{"$gt":0}}}`, "config.translationTable must be a number, not an object"},
		{"a boolean for a number", `{"config":{"translationTable":true}}`, "config.translationTable must be a number, not a boolean"},
		{"a word for a number", `{"config":{"translationalTable":"eleven"}}`, "config.translationalTable must be a number"},
		{"an infinite number", `{"config":{"minContigLength":"Infinity"}}`, "config.minContigLength must be a number"},
		{"not a number", `{"config":{"minContigLength":"NaN"}}`, "config.minContigLength must be a number"},
		{"a hexadecimal number", `{"config":{"minContigLength":"0x10"}}`, "config.minContigLength must be a number"},
		{"a fraction", `{"config":{"minContigLength":1.5}}`, "config.minContigLength must be a whole number"},
		{"too large for 32 bits", `{"config":{"translationTable":2147483648}}`,
			"config.translationTable must be a number from -2147483648 to 2147483647"},
		{"too large for 64 bits", `{"config":{"minContigLength":9223372036854775808}}`, "config.minContigLength is too large"},
		{"far too large", `{"config":{"minContigLength":1e999999999}}`, "config.minContigLength is too large"},
		{"far too small", `{"config":{"minContigLength":"-1e300"}}`, "config.minContigLength is too large"},
		{"an unknown derm type", `{"config":{"dermType":"TRIDERM"}}`, "config.dermType must be one of UNKNOWN, MONODERM, DIDERM"},
		{"an unknown derm type's number", `{"config":{"dermType":3}}`, "config.dermType must be one of"},
		{"an object for a derm type", `{"config":{"dermType":{}}}`, "config.dermType must be one of"},
		{"an unknown table type", `{"repliconTableType":"XLS"}`, "repliconTableType must be one of CSV, TSV"},
		{"an object for a list", `{"jobs":{"jobID":"a"}}`, "jobs must be a list, not an object"},
		{"a text in a list", `{"jobs":[{},"a"]}`, "jobs[1] must be an object, not a text"},
		{"an operator in a list", `{"jobs":[{"jobID":{"$ne":null}}]}`, "jobs[0].jobID must be a text in quotes, not an object"},
		{"an object for a file's name", `{"config":{"prodigalTrainingFile":{}}}`,
			"config.prodigalTrainingFile must be true or false, not an object"},
		{"no time", `{"started":"yesterday"}`, "started has a value that does not fit"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var message string
			for _, m := range []proto.Message{&protov1.StartJobRequest{}, &protov1.InitJobRequest{}, &protov1.JobStatusRequestList{},
				&protov1.JobStatusResponse{}} {
				if err := apiv1.API().JSON.Unmarshal([]byte(row.body), m); err != nil {
					message = err.Error()
					break
				}
			}
			if !strings.Contains(message, row.want) {
				t.Errorf("says %q, not %q", message, row.want)
			}
		})
	}
}

// Whatever protojson writes, in either spelling of names, is read as what it was.
func TestReadsWhatProtojsonWrites(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := &protov1.StartJobRequest{
			Job: &protov1.JobAuth{JobID: rapid.String().Draw(t, "id"), Secret: rapid.String().Draw(t, "secret")},
			Config: &protov1.JobConfig{
				TranslationalTable: rapid.Int32().Draw(t, "table"),
				MinContigLength:    rapid.Int64().Draw(t, "length"),
				CompleteGenome:     rapid.Bool().Draw(t, "complete"),
				DermType:           protov1.DermType(rapid.IntRange(0, 2).Draw(t, "derm")),
				LocusTag:           rapid.String().Draw(t, "tag"),
			},
		}
		if rapid.Bool().Draw(t, "says") {
			want.Config.HasReplicons = proto.Bool(rapid.Bool().Draw(t, "replicons"))
		}
		text, err := protojson.MarshalOptions{UseProtoNames: rapid.Bool().Draw(t, "names"), EmitUnpopulated: rapid.Bool().Draw(t,
			"all")}.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got protov1.StartJobRequest
		if err := apiv1.API().JSON.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, &got, protocmp.Transform()); diff != "" {
			t.Error("(-want +got):\n", diff)
		}
	})
}

func TestWrite(t *testing.T) {
	t.Parallel()
	at := &timestamppb.Timestamp{Seconds: 1769860800, Nanos: 5e6}
	for _, row := range []struct {
		name    string
		message proto.Message
		want    string
	}{
		{"nothing", &protov1.Empty{}, `{}`},
		{"empty lists", &protov1.JobStatusReponseList{}, `{"jobs":[],"failedJobs":[]}`},
		{
			"states",
			&protov1.JobStatusReponseList{
				Jobs: []*protov1.JobStatusResponse{{JobID: "a", JobStatus: protov1.JobStatusEnum_SUCCESSFULL, Started: at, Updated: at,
					Name: "<&\"ü"}},
				FailedJobs: []*protov1.FailedJob{{JobID: "b", JobStatus: protov1.JobFailedStatus_NOT_FOUND}},
			},
			`{"jobs":[{"jobID":"a","jobStatus":"SUCCESSFUL","started":"2026-01-31T12:00:00.005Z","updated":"2026-01-31T12:00:00.005Z",` +
				`"name":"<&\"ü"}],"failedJobs":[{"jobID":"b","jobStatus":"NOT_FOUND"}]}`,
		},
		{
			"results",
			&protov1.JobResultResponse{JobID: "a", Started: at, Updated: at, ResultFiles: &structpb.Struct{Fields: map[string]*structpb.Value{
				"FAAHypothetical": structpb.NewStringValue("https://x/?a=1&b=2"),
			}}},
			`{"jobID":"a","ResultFiles":{"FAAHypothetical":"https://x/?a=1&b=2"},"started":"2026-01-31T12:00:00.005Z",` +
				`"updated":"2026-01-31T12:00:00.005Z","name":""}`,
		},
		{"no job", &protov1.InitJobResponse{}, `{"uploadLinkFasta":"","uploadLinkProdigal":"","uploadLinkReplicons":""}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			if err := apiv1.API().JSON.NewEncoder(&got).Encode(row.message); err != nil {
				t.Fatal(err)
			}
			if got.String() != row.want {
				t.Errorf("writes\n%s, not\n%s", got.String(), row.want)
			}
		})
	}
}

func TestReadFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := io.MultiReader(strings.NewReader(`{}`), failing{broken})
	if err := apiv1.API().JSON.NewDecoder(r).Decode(&protov1.Empty{}); !errors.Is(err, broken) {
		t.Error("a broken reader gives", err)
	}
	if err := apiv1.API().JSON.Unmarshal([]byte(`{}`), new(int)); err == nil {
		t.Error("an int was read")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Nothing that a body holds makes the reader panic, or accept what is not JSON.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{``, `{}`, `{"config":{"dermType":"x","minContigLength":1e9},"job":{"jobID":"a"}}`, `{"jobs":[{},null]}`,
		`[[[`, `{"a":1,"a":1}`, "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, m := range []proto.Message{&protov1.StartJobRequest{}, &protov1.JobStatusRequestList{}, &protov1.JobResultResponse{}} {
			err := apiv1.API().JSON.Unmarshal(body, m)
			if err == nil && strings.TrimSpace(string(body)) != "" && !json.Valid(body) {
				t.Errorf("%q is taken for JSON", body)
			}
			if err == nil {
				if _, err := apiv1.API().JSON.Marshal(m); err != nil {
					t.Errorf("%q was read and can't be written: %v", body, err)
				}
			}
		}
	})
}
