package local_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// testSameStartV2 checks the meaning of a start's JSON by repeated starts: the same configuration in another form succeeds,
// another configuration is a conflict.
func testSameStartV2(t *testing.T, s *siteV2) {
	full := s.initV2(t, "everything", "bakta")
	s.put(t, full.link(t, "genome_fasta"), genome)
	s.put(t, full.link(t, "prodigal_training_file"), training())
	s.put(t, full.link(t, "replicons_table"), replicons)
	fields := map[string]string{"use_prodigal_training_file": `true`, "use_replicons": `true`, "translation_table": `4`,
		"complete_genome":   `true`,
		"min_contig_length": `20`, "derm_type": `"diderm"`, "genus": `"Escherichia"`, "species": `"coli"`, "strain": `"--help;$(id)"`,
		"plasmid": `"pX1"`, "locus": `"L.1"`, "locus_tag": `"TAG"`, "locus_tag_increment": `5`, "meta": `true`, "skip_ori": `true`,
		"skip_trna": `true`}
	// everything returns the same configuration, with some fields replaced or omitted.
	everything := func(without, instead string) string {
		all := []string{instead}
		for name, value := range fields {
			if name != without {
				all = append(all, `"`+name+`":`+value)
			}
		}
		return "{" + strings.TrimPrefix(strings.Join(all, ","), ",") + "}"
	}
	s.startV2(t, full, everything("", "")).must(t, `null`)
	none := s.startedV2(t, "nothing", `{}`)

	for _, tt := range []struct {
		name   string
		job    madeV2
		config string
		same   bool
	}{
		{"everything", full, everything("", ""), true},
		{"lowerCamelCase", full, everything("translation_table", `"translationTable":4`), true},
		{"the table as a text", full, everything("translation_table", `"translation_table":"4"`), true},
		{"the table as 4.0", full, everything("translation_table", `"translation_table":4.0`), true},
		{"another table", full, everything("translation_table", `"translation_table":25`), false},
		{"no table", full, everything("translation_table", ``), false},
		{"the length as a text", full, everything("min_contig_length", `"min_contig_length":"20"`), true},
		{"another length", full, everything("min_contig_length", `"min_contig_length":21`), false},
		{"the increment as a text", full, everything("locus_tag_increment", `"locus_tag_increment":"5"`), true},
		{"another increment", full, everything("locus_tag_increment", `"locus_tag_increment":10`), false},
		{"true as a text", full, everything("meta", `"meta":"true"`), true},
		{"no meta", full, everything("meta", `"meta":false`), false},
		{"the cell in capitals", full, everything("derm_type", `"derm_type":"DIDERM"`), true},
		{"another cell", full, everything("derm_type", `"derm_type":"monoderm"`), false},
		{"space around a text", full, everything("genus", `"genus":" Escherichia\t"`), true},
		{"another genus", full, everything("genus", `"genus":"escherichia"`), false},
		{"one step less", full, everything("skip_ori", ``), false},
		{"one step more", full, everything("", `"skip_plot":true`), false},
		{"a file less", full, everything("use_replicons", ``), false},
		{"what is not skipped", full, everything("", `"skip_plot":false,"skip_cds":null,"skip_gap":""`), true},
		{"unknown fields", full, everything("", `"threads":64,"partial":true,"outdir":{"a":[]}`), true},

		{"an empty configuration", none, `{}`, true},
		{"all fields null", none, `{"use_prodigal_training_file":null,"use_replicons":null,"use_regions":null,"use_trusted_proteins":null,` +
			`"use_hmms":null,"translation_table":null,` +
			`"complete_genome":null,"keep_contig_headers":null,"min_contig_length":null,"derm_type":null,"genus":null,"species":null,` +
			`"strain":null,"plasmid":null,"locus":null,` +
			`"locus_tag":null,"locus_tag_increment":null,"compliant":null,"meta":null,"skip_trna":null}`, true},
		{"all texts empty", none, `{"translation_table":"","derm_type":"","genus":"","species":"","strain":"","plasmid":"","locus":"",` +
			`"locus_tag":"","locus_tag_increment":"","meta":""}`, true},
		{"zeros", none, `{"translation_table":0,"min_contig_length":0,"locus_tag_increment":0}`, true},
		{"nothing is known of the cell", none, `{"derm_type":"unknown"}`, true},
		{"false", none,
			`{"use_replicons":false,"complete_genome":false,"keep_contig_headers":false,"compliant":false,"meta":false,"skip_cds":false}`, true},
		{"a genus", none, `{"genus":"x"}`, false},
	} {
		a := s.startV2(t, tt.job, tt.config)
		switch {
		case tt.same && (a.status != http.StatusOK || a.body != "null"):
			t.Errorf("%s: status %d: %s", tt.name, a.status, a.body)
		case !tt.same && a.status != http.StatusConflict:
			t.Errorf("%s: status %d, want a conflict: %s", tt.name, a.status, a.body)
		}
	}
	s.awaitV2(t, full, "successful")
	s.awaitV2(t, none, "successful")
	if diff := cmp.Diff([]string(nil), argv(t, s.logsV2(t, none)[0].Content)); diff != "" {
		t.Errorf("options of a start without any: %s", diff)
	}
}

// testOptionsV2 checks Bakta's option for each field.
func testOptionsV2(t *testing.T, s *siteV2) {
	for _, tt := range []struct {
		config string
		want   []string
	}{
		{`{"translation_table":4}`, []string{"--translation-table=4"}},
		{`{"complete_genome":true}`, []string{"--complete"}},
		{`{"keep_contig_headers":true}`, []string{"--keep-contig-headers"}},
		{`{"min_contig_length":1}`, nil},
		{`{"min_contig_length":20}`, []string{"--min-contig-length=20"}},
		{`{"derm_type":"monoderm"}`, []string{"--gram=+"}},
		{`{"derm_type":"diderm"}`, []string{"--gram=-"}},
		{`{"genus":"Escherichia","species":"coli","strain":"-x"}`, []string{"--genus=Escherichia", "--species=coli", "--strain=-x"}},
		{`{"plasmid":"pX1","locus":"L.1","locus_tag":"TAG"}`, []string{"--plasmid=pX1", "--locus=L.1", "--locus-tag=TAG"}},
		{`{"locus_tag_increment":1}`, nil},
		{`{"locus_tag_increment":10}`, []string{"--locus-tag-increment=10"}},
		{`{"meta":true}`, []string{"--meta"}},
		{`{"skip_trna":true,"skip_tmrna":true,"skip_rrna":true,"skip_ncrna":true,"skip_ncrna_region":true,"skip_crispr":true,` +
			`"skip_pseudo":true,"skip_sorf":true,"skip_gap":true,"skip_ori":true,"skip_filter":true,"skip_plot":true}`,
			[]string{"--skip-trna", "--skip-tmrna", "--skip-rrna", "--skip-ncrna", "--skip-ncrna-region", "--skip-crispr", "--skip-pseudo",
				"--skip-sorf", "--skip-gap", "--skip-ori", "--skip-filter", "--skip-plot"}},
		{`{"skip_cds":true}`, []string{"--skip-cds"}},
	} {
		m := s.startedV2(t, "options", tt.config)
		// They are in the log's first line, long before its end.
		s.until(t, "the job has a log", func() bool { return s.logsV2(t, m)[0].Content != "" })
		got := argv(t, s.logsV2(t, m)[0].Content)
		slices.Sort(got)
		slices.Sort(tt.want)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", tt.config, diff)
		}
		s.removeV2(t, m)
	}
}

// testUploadsV2 checks the optional files of a job: it uses exactly those that the start names, which Bakta must be able to
// read.
func testUploadsV2(t *testing.T, s *siteV2) {
	const (
		regions = "##gff-version 3\ncontig_1\tPyrodigal\tCDS\t1\t30\t.\t+\t0\tID=a\n"
		trusted = ">P1 gen~~~product~~~db:1\nMKTAYIAKQRQISFVKSHFSRQ\n"
	)
	for _, tt := range []struct {
		name    string
		uploads map[string]string
		config  string
		refused string   // what the refusal names; empty: the start succeeds
		uses    []string // options of the command line
	}{
		{"no option, no upload", nil, `{}`, "", nil},
		{"uploaded, and not asked for", map[string]string{"replicons_table": replicons, "prodigal_training_file": training(),
			"regions_file": regions}, `{}`, "", nil},
		{"uploaded, wrong, and not asked for", map[string]string{"replicons_table": "no table", "trusted_proteins_file": "no proteins"},
			`{"use_replicons":false}`, "", nil},
		{"asked for", map[string]string{"replicons_table": replicons, "prodigal_training_file": training()},
			`{"use_replicons":true,"use_prodigal_training_file":true}`, "", []string{"--prodigal-tf", "--replicons"}},
		{"regions", map[string]string{"regions_file": regions}, `{"use_regions":true}`, "", []string{"--regions"}},
		{"regions of a step that is skipped", map[string]string{"regions_file": regions}, `{"use_regions":true,"skip_cds":true}`, "",
			[]string{"--regions", "--skip-cds"}},
		{"trusted proteins", map[string]string{"trusted_proteins_file": trusted}, `{"use_trusted_proteins":true}`, "", []string{"--proteins"}},
		{"an empty table", map[string]string{"replicons_table": ""}, `{"use_replicons":true}`, "", nil},
		{"a table that is not there", nil, `{"use_replicons":true}`, "replicon table: the file was not uploaded", nil},
		{"a training file that is not there", nil, `{"use_prodigal_training_file":true}`, "Prodigal training file: the file was not uploaded",
			nil},
		{"regions that are not there", nil, `{"use_regions":true}`, "regions file: the file was not uploaded", nil},
		{"proteins that are not there", nil, `{"use_trusted_proteins":true}`, "trusted proteins: the file was not uploaded", nil},
		{"profiles that are not there", nil, `{"use_hmms":true}`, "profile HMMs: the file was not uploaded", nil},
		{"empty regions", map[string]string{"regions_file": "\n"}, `{"use_regions":true}`, "regions file: the uploaded file is empty", nil},
		{"regions that are none", map[string]string{"regions_file": genome}, `{"use_regions":true}`, "(?i)regions", nil},
	} {
		m := s.readyV2(t, tt.name)
		for kind, content := range tt.uploads {
			s.put(t, m.link(t, kind), content)
		}
		a := s.startV2(t, m, tt.config)
		if tt.refused != "" {
			t.Run(tt.name, func(t *testing.T) { a.says(t, 400, tt.refused) })
			continue
		}
		if a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", tt.name, a.status, a.body)
			continue
		}
		s.until(t, tt.name+" has a log", func() bool { return s.logsV2(t, m)[0].Content != "" })
		var uses []string
		for _, option := range argv(t, s.logsV2(t, m)[0].Content) {
			name, _, _ := strings.Cut(option, "=")
			uses = append(uses, name)
		}
		slices.Sort(uses)
		if diff := cmp.Diff(tt.uses, uses); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		s.removeV2(t, m)
	}
}

// testSubmitV2: SubmitJob returns warnings for a start that is valid but probably a mistake, also if the call is repeated, and
// the job's log begins with them. StartJob has no warnings in its response.
func testSubmitV2(t *testing.T, s *siteV2) {
	submit := func(m madeV2, config string) answer {
		return s.post(t, "/api/v2/job/submit", `{"job":`+m.ref()+`,"workflow_kind":"bakta","config":`+config+`}`)
	}
	fine := s.initV2(t, "fine", "bakta")
	s.put(t, fine.link(t, "genome_fasta"), ">a\n"+strings.Repeat("ACGTTGCA", 100)+"\n")
	submit(fine, `{}`).must(t, `{"warnings":[]}`)
	small := s.initV2(t, "small", "bakta")
	s.put(t, small.link(t, "genome_fasta"), ">a incomplete genome\nACGT\n")
	a := submit(small, `{}`)
	var submitted struct {
		Warnings []struct {
			Code    string
			Kind    string `json:"upload_kind"`
			Message string
		}
	}
	if err := json.Unmarshal([]byte(a.body), &submitted); err != nil || a.status != 200 || len(submitted.Warnings) != 2 ||
		submitted.Warnings[0].Code != "small_genome" ||
		submitted.Warnings[1].Code != "taken_for_complete" || submitted.Warnings[0].Kind != "genome_fasta" ||
		submitted.Warnings[0].Message == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	submit(small, `{}`).must(t, a.body)
	s.startV2(t, small, `{}`).must(t, `null`)
	if b := submit(small, `{"genus":"X"}`); b.status != 409 {
		t.Errorf("another configuration: %d %s", b.status, b.body)
	}
	job := &protov2.JobRef{JobId: small.Job.ID, Secret: small.Job.Secret}
	request := &protov2.StartJobRequest{Job: job, WorkflowKind: protov2.WorkflowKind_WORKFLOW_KIND_BAKTA, Config: &protov2.JobConfig{}}
	started, err := s.v2.StartJob(t.Context(), request)
	if err != nil || len(started.GetWarnings()) != 2 {
		t.Errorf("by gRPC: %v, %v", started, err)
	}
	if submitted, err := s.v2.SubmitJob(t.Context(), request); err != nil || len(submitted.GetWarnings()) != 2 {
		t.Errorf("by gRPC: %v, %v", submitted, err)
	}
	s.awaitV2(t, small, "successful")
	lines := strings.Split(s.logsV2(t, small)[0].Content, "\n")
	if len(lines) < 3 || !strings.HasPrefix(lines[0], "Bakta Command: ") || lines[1] != "Warning: "+submitted.Warnings[0].Message ||
		lines[2] != "Warning: "+submitted.Warnings[1].Message {
		t.Errorf("the log begins %.400q", lines)
	}
}
