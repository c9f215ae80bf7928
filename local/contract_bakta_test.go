package local_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ag-computational-bio/bakta-web-backend/cli/clitest"
	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
)

// TestContractWithBakta takes jobs all the way with the real Bakta: one that succeeds, and those that Bakta
// refuses for what the beginning of their files does not show.
func TestContractWithBakta(t *testing.T) {
	t.Parallel()
	real, ok := realbakta.Find(t)
	if !ok {
		return
	}
	s := open(t, "--bakta", real.Bakta, "--bakta-db", real.Database, "--jobs", "2")
	// The backend asks the programs for their versions while it serves.
	s.until(t, "the version of Bakta is known", func() bool { return strings.Contains(s.get(t, "/api/v1/version").body, "1.12.2") })
	s.get(t, "/api/v1/version").must(t, `{"toolVersion":"1.12.2","dbVersion":"<~^6\\.0>","backendVersion":"<text>"}`)
	t.Run("success", func(t *testing.T) {
		t.Parallel()
		testBaktaSucceeds(t, s)
	})
	t.Run("failures", func(t *testing.T) {
		t.Parallel()
		testBaktaFails(t, s)
	})
}

func testBaktaSucceeds(t *testing.T, s *site) {
	demo, err := os.ReadFile("demo/genome.fna")
	if err != nil {
		t.Fatal(err)
	}
	m := s.create(t, "demo")
	s.put(t, m.UploadLinkFasta, gzipped(t, string(demo)))
	// A header, a comma in a name and blank lines: Bakta itself would take none of this.
	s.put(t, m.UploadLinkReplicons, "original id\tnew id\ttype\ttopology\tname\r\ndemo_chromosome\tchr\tchromosome\tcircular\tmain, the "+
		"one\r\n\r\ndemo_plasmid\tp2\tplasmid\tcircular\tpDemo\r\n\r\n")
	s.start(t, m, `{"genus":"Exemplum","species":"fictum","strain":"--db=/dev/null","locusTag":"DEMO","dermType":"DIDERM",`+
		`"hasReplicons":true,"prodigalTrainingFile":null}`).must(t, `{}`)
	seen := make(map[string]bool)
	s.until(t, "the job succeeds", func() bool {
		state := s.state(t, m)
		seen[state] = true
		if state == "ERROR" {
			t.Fatalf("%s\n%s", s.post(t, "/api/v1/job/result", m.auth()).body, s.log(t, m))
		}
		return state == "SUCCESSFUL"
	})
	if !seen["RUNNING"] {
		t.Error("the job was never RUNNING")
	}
	s.post(t, "/api/v1/job/result", m.auth()).must(t,
		`{"jobID":"`+m.Job.JobID+`","ResultFiles":{`+resultFiles+`},"started":"<time>","updated":"<time>","name":"demo"}`)
	links := s.results(t, m)
	for key, begins := range map[string]string{
		"EMBL": "ID   chr;", "FAA": ">DEMO_", "FAAHypothetical": ">DEMO_", "FFN": ">DEMO_", "FNA": ">chr ", "GBFF": "LOCUS       chr ",
		"GFF3": "##gff-version 3\n",
		"JSON": "{", "TSV": "# Annotated with Bakta\n", "TSVHypothetical": "#Annotated with Bakta", "TSVInference": "# Annotated with Bakta\n",
		"TXTLogs":         "Sequence(s):\n",
		"PNGCircularPlot": "\x89PNG\r\n", "SVGCircularPlot": "<?xml",
	} {
		if a := s.download(t, links[key]); !strings.HasPrefix(a.body, begins) || a.length != int64(len(a.body)) ||
			fileName(t, a) != "demo"+endings()[key] {
			t.Errorf("%s: %q, Content-Length %d of %d bytes, it begins %.60q", key, fileName(t, a), a.length, len(a.body), a.body)
		}
	}
	type sequence struct{ ID, Type, Topology, Name string }
	annotated := decode[struct {
		Genome    struct{ Genus, Species, Strain, Gram string }
		Sequences []sequence
		Features  []struct{ Locus string }
		Version   struct{ Bakta string }
	}](t, s.download(t, links["JSON"]).body)
	want := []sequence{{"chr", "chromosome", "circular", "main, the one"}, {"p2", "plasmid", "circular", "pDemo"},
		{"contig_3", "contig", "linear", ""}}
	if diff := cmp.Diff(want, annotated.Sequences); diff != "" {
		t.Errorf("the replicon table in the results: %s", diff)
	}
	if g := annotated.Genome; g.Genus != "Exemplum" || g.Species != "fictum" || g.Strain != "--db=/dev/null" || g.Gram != "-" ||
		annotated.Version.Bakta != "1.12.2" || len(annotated.Features) < 60 {
		t.Errorf("%+v, %+v, %d features", g, annotated.Version, len(annotated.Features))
	}
	log := s.log(t, m)
	at := 0
	for _, line := range []string{"Bakta Command: ", "Parse genome sequences...\n", "predict tRNAs...\n", "predict & annotate CDSs...\n",
		"annotation summary:\n", "Annotation successfully finished in "} {
		i := strings.Index(log[at:], line)
		if i < 0 {
			t.Fatalf("the log lacks %q, or it stands elsewhere:\n%s", line, log)
		}
		at += i
	}
	send(t, s.http1, http.MethodDelete, s.url+"/api/v1/delete?"+m.query(), "").must(t, `{}`)
}

// testBaktaFails has Bakta refuse jobs, and holds that its own words reach the user.
func testBaktaFails(t *testing.T, s *site) {
	random := rand.New(rand.NewPCG(1, 2))
	letters := make([]byte, 200_000)
	for i := range letters {
		letters[i] = "ACGT"[random.IntN(4)]
	}
	first := ">first\n" + string(letters[:100_000]) + "\n"
	for _, tt := range []struct{ name, genome, config, words, advice string }{
		{"bad letters", clitest.Unchecked(first + ">second\nACGT*\n"), `{}`, "wrong genome file format", "A, C, G, T"},
		{"a truncated file", clitest.Unchecked(first)[:len(first)*3/4], `{}`, "wrong genome file format", "complete"},
		{"a header that is not UTF-8", clitest.Unchecked(first + ">\xff\nACGT\n"), `{}`, "wrong genome file format", ""},
		{"too short", clitest.Unchecked(first), `{"minContigLength":1000000}`, "no valid sequences", "minimum length"},
		{"two sequences of one name", clitest.Unchecked(first + ">second\nACGT\n>second\nACGT\n"), `{"keepContigHeaders":true}`,
			"duplicated sequence id", "name of its own"},
		{"a name too long to be compliant", clitest.Unchecked(first + ">" + strings.Repeat("x", 30) + "\n" + string(letters[:300]) + "\n"),
			`{"keepContigHeaders":true,"compliant":true}`, "INSDC compliance failed", "Shorten"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := s.create(t, tt.name)
			s.put(t, m.UploadLinkFasta, tt.genome)
			s.start(t, m, tt.config).must(t, `{}`)
			s.await(t, m, "ERROR")
			a := s.post(t, "/api/v1/job/result", m.auth())
			a.refused(t, 400, 9, "^Bakta ended with an error: .*"+tt.words)
			if reason := decode[struct{ Message string }](t, a.body).Message; !strings.Contains(reason, tt.advice) {
				t.Errorf("it says nothing of what to do: %s", reason)
			}
			if log := s.log(t, m); !strings.HasPrefix(log, "Bakta Command: ") || !strings.Contains(log, tt.words) {
				t.Errorf("the log: %s", log)
			}
		})
	}
}
