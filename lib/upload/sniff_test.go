package upload

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/pycsv"
	"github.com/google/go-cmp/cmp"
)

// TestSniffAgrees has Python's own csv module guess the dialects of tables, and read them.
func TestSniffAgrees(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	var texts []string
	for _, tt := range tableTests() {
		texts = append(texts, tt.upload)
	}
	texts = append(texts, string(formatReplicons(nil)), repliconsBegin+"a\t\",\tc\n")
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{
		"a",
		"b1",
		",",
		"\t",
		", ",
		"\t ",
		"\"",
		"'",
		"\"\"",
		" ",
		"\n",
		"\n\n",
		";",
		"é",
		"\",",
		",\"",
		"\t\"",
		"\"\t",
		"\"\n\"",
		"_",
		"x\ty\tz\tc\tn\n",
		"p,q,r,c,d\n",
		strings.Repeat("z", 300),
	}
	for range 3000 {
		var text strings.Builder
		for range 1 + random.IntN(40) {
			text.WriteString(pieces[random.IntN(len(pieces))])
		}
		texts = append(texts, text.String())
	}
	for i, text := range texts {
		texts[i] = strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "")
	}
	type reading struct {
		Dialect [4]any
		Rows    [][]string
	}
	var want []*reading
	realbakta.Python(t, prefix, filepath.Join("testdata", "sniff.py"), texts, &want)
	found, failed := 0, 0
	for i, text := range texts {
		d := pycsv.Sniff([]byte(text))
		var got *reading
		if d.Separator != 0 {
			found++
			got = &reading{Dialect: [4]any{string(d.Separator), string(d.Quote), d.Doubled, d.SkipSpace}, Rows: [][]string{}}
			_ = d.Read([]byte(text), func(r pycsv.Row) error {
				got.Rows = append(got.Rows, append([]string(nil), r.Fields...))
				return nil
			})
		}
		if diff := cmp.Diff(want[i], got); diff != "" {
			t.Errorf("%q:\n%s", text, diff)
			if failed++; failed > 5 {
				break
			}
		}
	}
	if found < 500 {
		t.Errorf("only %d dialects were found", found)
	}
	// What is written for Bakta is read as it is meant, whatever the rows hold.
	if d := pycsv.Sniff([]byte(repliconsBegin + "a,'b',\"c\"\n")); d != (pycsv.Dialect{Separator: '\t', Quote: '"', Doubled: true}) {
		t.Errorf("the dialect of tables as they are written: %s", fmt.Sprint(d))
	}
}
