package job

import (
	"fmt"
	"strings"
	"unicode"
)

// Control reports whether a character breaks lines or is invisible.
func Control(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// Quote returns the text that a user gave in quotes, for a message. A long text is cut after 40 characters.
func Quote(s string) string {
	const limit = 40
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > limit {
		s = string(r[:limit]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
