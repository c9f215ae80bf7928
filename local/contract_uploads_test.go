package local_test

import (
	"compress/gzip"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const replicons = "contig_1\tchr\tchromosome\tcircular\tmain\n"

// testUploadsDecide holds which of the optional files a job uses, by what was uploaded and what the start says.
func testUploadsDecide(t *testing.T, s *site) {
	const none = "none" // not uploaded at all
	for _, tt := range []struct {
		name            string
		table, training string
		config          string
		refused         string   // what the refusal names; empty: the start succeeds
		uses            []string // options of the command line
	}{
		{"the web UI without files", "", "", `{"prodigalTrainingFile":null,"hasReplicons":true}`, "", nil},
		{"the web UI with both files", replicons, training(), `{"prodigalTrainingFile":null,"hasReplicons":true}`, "",
			[]string{"--prodigal-tf", "--replicons"}},
		{"a blank table", " \r\n\t\n", none, `{"hasReplicons":true}`, "", nil},
		{"a blank training file", none, "\n", `{"prodigalTrainingFile":null}`, "", nil},
		{"no option", replicons, training(), `{}`, "", []string{"--prodigal-tf", "--replicons"}},
		{"no option, no upload", none, none, `{}`, "", nil},
		{"no configuration", replicons, none, `null`, "", []string{"--replicons"}},
		{"nulls", replicons, training(), `{"hasReplicons":null,"hasProdigal":null}`, "", []string{"--prodigal-tf", "--replicons"}},
		{"declined", replicons, training(), `{"hasReplicons":false,"hasProdigal":false}`, "", nil},
		{"declined, and wrong", "not\ta\ttable\n", "no training file", `{"hasReplicons":"false","hasProdigal":false}`, "", nil},
		{"promised", replicons, training(), `{"hasReplicons":true,"hasProdigal":true}`, "", []string{"--prodigal-tf", "--replicons"}},
		{"a table promised, never uploaded", none, none, `{"hasReplicons":true}`, "replicons? table", nil},
		{"a training file promised, never uploaded", none, none, `{"hasProdigal":true}`, "training file", nil},
		{"a training file promised by its name, never uploaded", none, none, `{"prodigalTrainingFile":"a.trn"}`, "training file", nil},
		{"a training file promised, empty", none, "", `{"hasProdigal":true}`, "training file.*empty", nil},
	} {
		m := s.ready(t, tt.name)
		if tt.table != none {
			s.put(t, m.UploadLinkReplicons, tt.table)
		}
		if tt.training != none {
			s.put(t, m.UploadLinkProdigal, tt.training)
		}
		a := s.start(t, m, tt.config)
		if tt.refused != "" {
			t.Run(tt.name, func(t *testing.T) { a.refused(t, 400, 3, tt.refused) })
			continue
		}
		if a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", tt.name, a.status, a.body)
			continue
		}
		// What it uses stands in the log's first line, long before its end.
		s.until(t, tt.name+" has a log", func() bool { return s.log(t, m) != "" })
		var uses []string
		for _, option := range argv(t, s.log(t, m)) {
			name, _, _ := strings.Cut(option, "=")
			uses = append(uses, name)
		}
		slices.Sort(uses)
		if diff := cmp.Diff(tt.uses, uses); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
		send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.query(), "").must(t, `{}`)
	}
}

// testBadUploads uploads what can't be annotated, again and again to the same job, whose start names the file and
// the fault each time, and in the end takes the good ones.
func testBadUploads(t *testing.T, s *site) {
	packed := gzipped(t, genome)
	m := s.create(t, "bad uploads")
	s.start(t, m, `{}`).refused(t, 400, 3, "genome.*not uploaded")
	for _, kind := range []struct {
		name string // how a refusal calls the file
		link string
		good string
		bad  map[string]string // content by the message
	}{
		{"genome", m.UploadLinkFasta, packed, map[string]string{
			"empty":               "",
			"(?i)empty":           "\n \r\n",
			"header":              "ACGTACGT\n",
			"FASTQ":               "@read\nACGT\n+\nIIII\n",
			"GenBank":             "LOCUS       NC_000913\n",
			"JSON":                `{"name":"x"}`,
			"web page":            "<!DOCTYPE html><html></html>",
			"ZIP archive":         "PK\x03\x04aaaaaaaaaaaa",
			"PDF":                 "%PDF-1.7\n",
			"byte order mark":     "\xef\xbb\xbf" + genome,
			"UTF-16":              "\xff\xfe>\x00a\x00\n\x00A\x00",
			"no sequence.*line 1": ">a\n",
			">a.*line 1":          ">a\n>b\nACGT\n",
			`"?J"?.*line 3`:       ">a\nACGT\nACJT\n",
			"white space":         "\n" + genome,
			"comment":             "; made by hand\n" + genome,
			"damaged":             packed[:len(packed)/2],
			"twice":               gzipped(t, packed),
			"nothing in it":       gzipped(t, ""),
			"UTF-8.*|not UTF-8":   ">a \xff\nACGT\n",
		}},
		{"replicon", m.UploadLinkReplicons, replicons, map[string]string{
			"line 1":              "contig_1\tchr\tchromosome\tcircular\n",
			"line 2":              replicons + "contig_2\tp1\tplasmid\tcircular\tp1\textra\n",
			"line 3":              replicons + "\ncontig_2\n",
			"no separators.*five": "contig_1 chr chromosome circular main\n",
			"line 1.*quotation":   "contig_1\tchr\tchromosome\tcircular\t\"the main one\ncontig_2\tp1\tplasmid\tcircular\tp1\n",
			"not UTF-8.*line 2":   replicons + "contig_2\tp\xe9\tplasmid\tcircular\tp1\n",
			"Office document|ZIP": "PK\x03\x04aaaaaaaaaaaa",
			"2 ?MiB.*are allowed": strings.Repeat(replicons, (2<<20)/len(replicons)+1),
		}},
		{"(?i)prodigal training file", m.UploadLinkProdigal, training(), map[string]string{
			"FASTA":            genome,
			"16 bytes":         "no training file",
			"other content":    strings.Repeat("a", len(training())),
			"more than 558392": training() + "\n",
		}},
	} {
		for message, content := range kind.bad {
			t.Run(kind.name+": "+message, func(t *testing.T) {
				s.put(t, kind.link, content)
				a := s.start(t, m, `{}`)
				a.refused(t, 400, 3, kind.name)
				a.refused(t, 400, 3, message)
			})
		}
		s.put(t, kind.link, kind.good)
	}
	if got := s.state(t, m); got != "INIT" {
		t.Errorf("after refused starts the job is %s", got)
	}
	s.start(t, m, `{}`).must(t, `{}`)
	s.await(t, m, "SUCCESSFUL")
}

func gzipped(t *testing.T, content string) string {
	t.Helper()
	var packed strings.Builder
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}
