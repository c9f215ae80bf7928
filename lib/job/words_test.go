package job

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWords(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"plain", "a  b\tc\n d", "a b c d"},
		{"colours", "\x1b[1;31mred\x1b[0m \x07bell", "red bell"},
		{"a terminal's title", "\x1b]0;gotcha\x07after \x1b]8;;http://x\x1b\\link", "after link"},
		{"half a sequence", "x\x1b[31", "x [31"},
		{"eight-bit controls", "a\u009b31mb", "a 31mb"},
		{"what turns the direction", "a\u202eb\u2066c\u200bd", "a b c d"},
		{"no text", "caf\xe9 \xff", "caf\uFFFD \uFFFD"},
		{"cut between characters", strings.Repeat("ü", 50), strings.Repeat("ü", 48) + "…"},
	} {
		if got := Words(tt.text, 99); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add("a\x1b[31m\xff\u2028b", 3)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		if limit < 3 || limit > 1<<20 {
			return
		}
		got := Words(text, limit)
		if len(got) > limit || !utf8.ValidString(got) || strings.ContainsAny(got, "\x1b\n\r\x00\u2028\u202e") {
			t.Errorf("%q", got)
		}
		if again := Words(got, limit); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
	})
}
