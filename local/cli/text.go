package cli

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// shown makes a text from elsewhere fit for a terminal: it stays on its line and controls nothing.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(text, "·"))
}

// clipped cuts a text to a number of characters.
func clipped(text string, length int) string {
	if utf8.RuneCountInString(text) <= length {
		return text
	}
	return string([]rune(text)[:length-1]) + "…"
}

// maxFileName leaves room for an ending and a suffix in the 255 bytes that file systems allow.
const maxFileName = 120

// fileName makes a job's name fit to begin a file's name: no path, nothing hidden, no option of a command,
// nothing that a shell or another system takes for something else.
func fileName(name string) string {
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

// endings of files that are annotated, and of compressed ones.
var sequenceEndings = []string{".fna", ".fa", ".fasta", ".fas", ".fsa", ".ffn", ".seq", ".txt", ".faa", ".pep", ".json"}
var compressedEndings = []string{".gz", ".bz2", ".xz", ".zst"}

// jobName names a job after its file.
func jobName(path string) string {
	name := filepath.Base(path)
	for _, endings := range [][]string{compressedEndings, sequenceEndings} {
		for _, ending := range endings {
			if cut := len(name) - len(ending); cut > 0 && strings.EqualFold(name[cut:], ending) {
				name = name[:cut]
				break
			}
		}
	}
	return name
}

// quoted makes an argument fit for a shell, so that a command that is shown can be copied.
func quoted(argument string) string {
	plain := func(r rune) bool {
		return r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) || strings.ContainsRune("_-./:@%+,=", r)
	}
	if argument != "" && strings.IndexFunc(argument, func(r rune) bool { return !plain(r) }) < 0 {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// bytesText writes a number of bytes for people.
func bytesText(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	if n < 1000 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n)/1000, 0
	for ; value >= 999.95 && unit < 3; unit++ {
		value /= 1000
	}
	return fmt.Sprintf("%.1f %s", value, [...]string{"kB", "MB", "GB", "TB"}[unit])
}

// thousands writes a number with its digits in groups.
func thousands(n int64) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// timeText writes a time in the user's zone.
func timeText(t time.Time) string {
	if t.IsZero() || t.Unix() == 0 {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// durationText writes how long something took.
func durationText(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// printJSON writes a value for a script, on the standard output.
func (a *app) printJSON(value any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// shownLines is shown for a text of several lines; margin stands before each but the first.
func shownLines(text, margin string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = shown(strings.ReplaceAll(strings.TrimRight(line, "\r"), "\t", " "))
	}
	return strings.Join(lines, "\n"+margin)
}
