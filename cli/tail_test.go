package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTail compares what a reader gets, look by look, with what the log was.
func TestTail(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 100)
	type look struct {
		Text string
		Anew bool
	}
	for _, row := range []struct {
		name string
		logs []string // the whole log at each look
		want []look
	}{
		{"it grows", []string{"", "a", "a", "ab" + long, "ab" + long + "c"}, []look{{}, {"a", false}, {}, {"b" + long, false}, {"c", false}}},
		{"shorter log of a new run", []string{long, "new\n", "new\n", "new\nx"}, []look{{long, false}, {"new\n", true}, {}, {"x", false}}},
		{"longer log of a new run", []string{"old\n", "new\n" + long}, []look{{"old\n", false}, {"new\n" + long, true}}},
		{"log of a new run that begins alike", []string{"same\nold\n", "same\nnew\nmore\n"},
			[]look{{"same\nold\n", false}, {"same\nnew\nmore\n", true}}},
		{"away for a moment", []string{long, "", "", long + "x"}, []look{{long, false}, {}, {}, {"x", false}}},
		{"behind for a moment", []string{long, long[:1500], long + "x"}, []look{{long, false}, {}, {"x", false}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			log, got := tail{}, []look{}
			for _, whole := range row.logs {
				text, anew := log.next(whole)
				got = append(got, look{text, anew})
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("looks (-want +got)\n%s", diff)
			}
		})
	}
}
