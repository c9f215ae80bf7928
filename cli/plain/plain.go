// Package plain makes texts from elsewhere fit for a terminal and for names of files.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line makes a text fit for a line of a terminal: it stays on its line and controls nothing.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(text, "·"))
}

// maxFileName leaves room for an ending and a suffix in the 255 bytes that file systems allow.
const maxFileName = 120

// FileName makes a job's name fit to begin a file's name: no path, nothing hidden, no option of a command,
// nothing that a shell or another system takes for something else.
func FileName(name string) string {
	safe := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || strings.ContainsRune("._-+=@,", r) {
			return r
		}
		return '_'
	}, strings.ToValidUTF8(name, "_"))
	for len(safe) > maxFileName {
		_, size := utf8.DecodeLastRuneInString(safe)
		safe = safe[:len(safe)-size]
	}
	safe = strings.TrimLeft(safe, ".-_@=+,")
	safe = strings.TrimRight(safe, "._")
	switch base, _, _ := strings.Cut(strings.ToLower(safe), "."); {
	case safe == "":
		return "bakta"
	case base == "con", base == "prn", base == "aux", base == "nul",
		len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) && base[3] >= '0' && base[3] <= '9':
		return "bakta_" + safe // devices on Windows
	}
	return safe
}
