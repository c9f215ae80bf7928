package local_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// rerunV2 runs a job again. The fields are further ones of the body, in JSON.
func (s *siteV2) rerunV2(t *testing.T, m madeV2, key string, fields ...string) answer {
	t.Helper()
	return s.post(t, "/api/v2/job/rerun", `{"job":`+m.ref()+`,"request_key":"`+key+`"`+
		strings.Join(append([]string{""}, fields...), ",")+`}`)
}

// rerun returns the job of an answer to a rerun, which must be a success. It may have any warnings.
func (a answer) rerun(t *testing.T) madeV2 {
	t.Helper()
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(a.body), &fields); err != nil || a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if list := string(fields["warnings"]); !strings.HasPrefix(list, "[") {
		t.Errorf("warnings: %s", list)
	}
	delete(fields, "warnings")
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if diff := unlike(`{"job":{"job_id":"<id>","secret":"<secret>"},"workflow_kind":"<~^bakta>"}`, string(body)); diff != "" {
		t.Fatal(diff)
	}
	return decode[madeV2](t, a.body)
}

// againV2 runs a job again, under a new key.
func (s *siteV2) againV2(t *testing.T, m madeV2, fields ...string) madeV2 {
	t.Helper()
	return s.rerunV2(t, m, uuid.NewString(), fields...).rerun(t)
}

// nameV2 returns the name of a job, as the list shows it.
func (s *siteV2) nameV2(t *testing.T, m madeV2) string {
	t.Helper()
	return decode[struct{ Jobs []struct{ Name string } }](t, s.post(t, "/api/v2/job/list", `{"jobs":[`+m.ref()+`]}`).body).Jobs[0].Name
}

// testRerunV2 runs jobs again.
func testRerunV2(t *testing.T, s *siteV2) {
	succeeded := s.initV2(t, "E. coli", "bakta")
	s.put(t, succeeded.link(t, "genome_fasta"), genome)
	s.put(t, succeeded.link(t, "replicons_table"), replicons)
	s.put(t, succeeded.link(t, "regions_file"), "contig_1\tx\tCDS\t26\t91\t.\t+\t0\t.\n")
	config := `{"genus":"Escherichia","use_replicons":true,"skip_plot":true}`
	s.startV2(t, succeeded, config).must(t, `null`)
	failed := s.initV2(t, "failed", "bakta")
	s.put(t, failed.link(t, "genome_fasta"), clitest.Unchecked(">a\nACGT\n>b\nACGT!\n"))
	s.startV2(t, failed, `{}`).must(t, `null`)
	s.awaitV2(t, succeeded, "successful")
	s.awaitV2(t, failed, "error")

	t.Run("with the old configuration", func(t *testing.T) {
		key := uuid.NewString()
		first := s.rerunV2(t, succeeded, key)
		m := first.rerun(t)
		if m.Job.ID == succeeded.Job.ID || m.Job.Secret == succeeded.Job.Secret {
			t.Fatalf("it is the same job: %s", first.body)
		}
		s.awaitV2(t, m, "successful")
		if diff := cmp.Diff(options(t, s, succeeded), options(t, s, m)); diff != "" {
			t.Errorf("it has other options (-old +new):\n%s", diff)
		}
		if got := s.nameV2(t, m); got != "E. coli" {
			t.Errorf("it is named %q", got)
		}
		for _, made := range []struct {
			of   madeV2
			want string
		}{{m, succeeded.Job.ID}, {succeeded, ""}} {
			state := decode[struct {
				RerunOf string `json:"rerun_of"`
			}](t, s.get(t, "/api/v2/job/status?"+made.of.query()).body)
			if state.RerunOf != made.want {
				t.Errorf("job %s shows %q as the job that it runs again, want %q", made.of.Job.ID, state.RerunOf, made.want)
			}
		}
		// The answer was lost: in every form that means the same, the call returns the same.
		for _, fields := range []string{`"config":null`, `"name":""`, `"name":null`, `"config":` + config, `"name":"E. coli"`} {
			if again := s.rerunV2(t, succeeded, key, fields); again.body != first.body {
				t.Errorf("%s: status %d: %s", fields, again.status, again.body)
			}
		}
		s.rerunV2(t, succeeded, key, `"config":{"genus":"Salmonella"}`).says(t, 409, "request_key: .*another configuration")
		s.rerunV2(t, succeeded, key, `"name":"other"`).says(t, 409, "request_key: .*another name")
		s.rerunV2(t, succeeded, key, `"config":{"translation_table":7}`).says(t, 400, "Invalid translation_table")
		// What the old job shows as its configuration is the same, too.
		state := decode[struct{ Config json.RawMessage }](t, s.get(t, "/api/v2/job/status?"+succeeded.query()).body)
		if again := s.rerunV2(t, succeeded, key, `"config":`+string(state.Config)); again.body != first.body {
			t.Errorf("with %s: status %d: %s", state.Config, again.status, again.body)
		}
		// A new job can be run again itself, and each key of each job means another one.
		if next := s.rerunV2(t, m, key).rerun(t); next.Job.ID == m.Job.ID {
			t.Error("the job of the new job is the new job")
		}
		s.removeV2(t, m)
		s.rerunV2(t, succeeded, key).says(t, 409, "request_key: .*deleted")
	})

	t.Run("with another configuration", func(t *testing.T) {
		m := s.againV2(t, succeeded, `"config":{"genus":"Salmonella"}`, `"name":"S. enterica"`)
		s.awaitV2(t, m, "successful")
		if diff := cmp.Diff([]string{"--genus=Salmonella"}, options(t, s, m)); diff != "" {
			t.Errorf("options (-want +got):\n%s", diff)
		}
		if got := s.nameV2(t, m); got != "S. enterica" {
			t.Errorf("it is named %q", got)
		}
		// A file that was uploaded and not used.
		m = s.againV2(t, succeeded, `"config":{"use_regions":true}`)
		s.awaitV2(t, m, "successful")
		if got := options(t, s, m); len(got) != 1 || !strings.HasPrefix(got[0], "--regions=") {
			t.Errorf("options: %q", got)
		}
		key := uuid.NewString()
		s.rerunV2(t, succeeded, key, `"config":{"use_hmms":true}`).says(t, 400, "^profile HMMs: .*no such upload")
		s.rerunV2(t, succeeded, key, `"config":{"plasmid":"x"}`).says(t, 400, "^Invalid plasmid")
		s.rerunV2(t, succeeded, key, `"config":{"keep_contig_headers":"maybe"}`).says(t, 422, "keep_contig_headers")
		// What was refused did not use up the key.
		s.rerunV2(t, succeeded, key, `"config":{}`).rerun(t)
	})

	t.Run("failed", func(t *testing.T) { s.awaitV2(t, s.againV2(t, failed), "error") })

	t.Run("refused", func(t *testing.T) {
		ready := s.readyV2(t, "never started")
		replaced := s.startedV2(t, "replaced", `{}`)
		s.put(t, replaced.link(t, "genome_fasta"), genome+"ACGT\n")
		deleted := s.startedV2(t, "deleted", `{}`)
		s.removeV2(t, deleted)
		wrong, unknown, malformed := succeeded, succeeded, succeeded
		wrong.Job.Secret, unknown.Job.ID, malformed.Job.ID = wrongSecret, unknownID, "x"
		key := uuid.NewString()
		s.rerunV2(t, ready, key).says(t, 400, "never started.*start it")
		s.rerunV2(t, replaced, key).says(t, 400, "^genome: .*replaced")
		s.rerunV2(t, deleted, key).says(t, 404, "^Job not found$")
		s.rerunV2(t, unknown, key).says(t, 404, "^Job not found$")
		s.rerunV2(t, wrong, key).says(t, 401, "^Unauthorized$")
		s.rerunV2(t, malformed, key).says(t, 400, "id of a job")
		for _, key := range []string{"short", strings.Repeat("x", 15), strings.Repeat("x", 129), strings.Repeat("é", 16),
			`0123456789 abcdef`, `0123456789\n01234`} {
			s.rerunV2(t, succeeded, key).says(t, 400, "^request_key: 16 to 128 .*random UUID")
		}
		s.rerunV2(t, succeeded, key, `"name":"`+strings.Repeat("x", 1025)+`"`).says(t, 400, "^name: ")
		s.rerunV2(t, succeeded, "").says(t, 422, "request_key")
		s.post(t, "/api/v2/job/rerun", `{"job":`+succeeded.ref()+`}`).says(t, 422, "request_key")
		for _, key := range []string{strings.Repeat("x", 16), strings.Repeat("~", 128)} {
			s.rerunV2(t, succeeded, key).rerun(t)
		}
	})

	t.Run("while it waits or runs, and after the old job was deleted", func(t *testing.T) {
		old := s.startedV2(t, "waits", `{"genus":"Bacillus"}`)
		key := uuid.NewString()
		answer := s.rerunV2(t, old, key)
		m := answer.rerun(t)
		s.removeV2(t, old)
		if again := s.rerunV2(t, old, key); again.body != answer.body {
			t.Errorf("repeated: status %d: %s", again.status, again.body)
		}
		s.rerunV2(t, old, key, `"config":{"genus":"Salmonella"}`).says(t, 409, "another configuration")
		s.rerunV2(t, old, uuid.NewString()).says(t, 404, "^Job not found$")
		wrong := old
		wrong.Job.Secret = wrongSecret
		s.rerunV2(t, wrong, key).says(t, 404, "^Job not found$")
		s.awaitV2(t, m, "successful")
		if diff := cmp.Diff([]string{"--genus=Bacillus"}, options(t, s, m)); diff != "" {
			t.Errorf("options (-want +got):\n%s", diff)
		}
	})

	t.Run("of the first version", func(t *testing.T) {
		old := s.create(t, "old")
		s.put(t, old.UploadLinkFasta, genome)
		s.put(t, old.UploadLinkReplicons, replicons)
		s.start(t, old, `{"genus":"Escherichia","translationalTable":4}`).must(t, `{}`)
		state := decode[struct{ Config map[string]any }](t, s.get(t, "/api/v2/job/status?"+old.young().query()).body)
		if c := state.Config; c["use_replicons"] != true || c["use_regions"] != false || c["genus"] != "Escherichia" {
			t.Errorf("its configuration is %v", c)
		}
		m := s.againV2(t, old.young())
		s.awaitV2(t, m, "successful")
		if got := options(t, s, m); !slices.Equal(got[:2], []string{"--genus=Escherichia", "--translation-table=4"}) ||
			!strings.HasPrefix(got[2], "--replicons=") {
			t.Errorf("options: %q", got)
		}
	})

	t.Run("at once", func(t *testing.T) {
		key := uuid.NewString()
		answers := make([]answer, 8)
		var calls sync.WaitGroup
		for i := range answers {
			calls.Go(func() { answers[i] = s.rerunV2(t, succeeded, key) })
		}
		calls.Wait()
		for _, a := range answers {
			if a.rerun(t); a.body != answers[0].body {
				t.Errorf("two calls with the same key made %s and %s", answers[0].body, a.body)
			}
		}
		s.awaitV2(t, answers[0].rerun(t), "successful")
	})

	t.Run("with warnings", func(t *testing.T) {
		old := s.initV2(t, "small", "bakta")
		s.put(t, old.link(t, "genome_fasta"), ">a\nACGT\n")
		s.startV2(t, old, `{}`).must(t, `null`)
		key := uuid.NewString()
		for range 2 {
			got := decode[struct{ Warnings []struct{ Code string } }](t, s.rerunV2(t, old, key).body)
			if len(got.Warnings) == 0 || got.Warnings[0].Code != "small_genome" {
				t.Errorf("warnings %+v", got)
			}
		}
	})

	t.Run("of other workflows", func(t *testing.T) {
		old := s.initV2(t, "proteins", "bakta_proteins")
		s.put(t, old.link(t, "protein_fasta"), ">a\nMKLLMKLL\n")
		s.startV2(t, old, `{}`).must(t, `null`)
		m := s.againV2(t, old, `"config":{"genus":"ignored"}`)
		if m.Kind != "bakta_proteins" {
			t.Errorf("it is of the workflow %s", m.Kind)
		}
		s.awaitV2(t, m, "successful")
	})

	t.Run("by gRPC", func(t *testing.T) { testRerunGRPC(t, s, succeeded) })
}

// testRerunGRPC runs a job again by gRPC.
func testRerunGRPC(t *testing.T, s *siteV2, old madeV2) {
	ref := func(id, secret string) *protov2.JobRef { return &protov2.JobRef{JobId: id, Secret: secret} }
	own := ref(old.Job.ID, old.Job.Secret)
	key := uuid.NewString()
	ready := s.readyV2(t, "never started")
	for _, row := range []struct {
		name    string
		request *protov2.RerunJobRequest
		code    codes.Code
		message string
	}{
		{"no job", &protov2.RerunJobRequest{RequestKey: key}, codes.InvalidArgument, "id of a job"},
		{"no key", &protov2.RerunJobRequest{Job: own}, codes.InvalidArgument, "request_key"},
		{"unknown", &protov2.RerunJobRequest{Job: ref(unknownID, wrongSecret), RequestKey: key}, codes.NotFound, "Job not found"},
		{"a wrong secret", &protov2.RerunJobRequest{Job: ref(old.Job.ID, wrongSecret), RequestKey: key}, codes.Unauthenticated, "Unauthorized"},
		{"never started", &protov2.RerunJobRequest{Job: ref(ready.Job.ID, ready.Job.Secret), RequestKey: key}, codes.FailedPrecondition,
			"never started"},
		{"a bad table", &protov2.RerunJobRequest{Job: own, RequestKey: key, Config: &protov2.JobConfig{TranslationTable: 3}},
			codes.InvalidArgument, "Invalid translation_table"},
	} {
		_, err := s.v2.RerunJob(t.Context(), row.request)
		if got := status.Convert(err); got.Code() != row.code || !strings.Contains(got.Message(), row.message) {
			t.Errorf("%s: %v, want %s with %q", row.name, err, row.code, row.message)
		}
	}
	request := &protov2.RerunJobRequest{Job: own, RequestKey: key, Config: &protov2.JobConfig{SkipPlot: true}, Name: "by gRPC"}
	first, err := s.v2.RerunJob(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.v2.RerunJob(context.WithoutCancel(t.Context()), request)
	if diff := cmp.Diff(first, again, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("repeated: %v %s", err, diff)
	}
	request.Config.SkipOri = true
	if _, err := s.v2.RerunJob(t.Context(), request); status.Code(err) != codes.AlreadyExists {
		t.Errorf("another configuration: %v", err)
	}
	// By REST it is the same call.
	body, err := json.Marshal(map[string]any{"job": own, "request_key": key, "config": map[string]bool{"skip_plot": true}})
	if err != nil {
		t.Fatal(err)
	}
	got := decode[madeV2](t, send(t, s.http1, http.MethodPost, s.url+"/api/v2/job/rerun", string(body)).body)
	if got.Job.ID != first.GetJob().GetJobId() || got.Job.Secret != first.GetJob().GetSecret() {
		t.Errorf("by REST it is %+v", got)
	}
	s.awaitV2(t, got, "successful")
}

// options returns the options of a job of Bakta, with "ID" in place of the job's id.
func options(t *testing.T, s *siteV2, m madeV2) []string {
	t.Helper()
	return argv(t, strings.ReplaceAll(s.logsV2(t, m)[0].Content, m.Job.ID, "ID"))
}
