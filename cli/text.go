package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
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

// harmless makes lines of text fit for a terminal: they control nothing. A carriage return, by which programs draw over
// a line, ends it.
func harmless(text string) string { return strings.Map(harmlessRune, text) }

func harmlessRune(r rune) rune {
	switch {
	case unicode.IsPrint(r) || r == '\n' || r == '\t':
		return r
	case r == '\r':
		return '\n'
	}
	return '·'
}

// harmlessWriter makes what is written to w fit for a terminal. A character whose bytes come in two writes is written with
// the second.
func harmlessWriter(w io.Writer) io.Writer { return transform.NewWriter(w, runes.Map(harmlessRune)) }

// clipped cuts a text to a number of columns of a terminal.
func clipped(text string, columns int) string { return runewidth.Truncate(text, columns, "…") }

// tabled sets rows of cells in columns that are two spaces apart.
func tabled(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i < len(row)-1 {
				cell = runewidth.FillRight(cell, widths[i]+2)
			}
			line.WriteString(cell)
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
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

// printJSON writes a value for a script, on the standard output. JSON may contain most control characters of Unicode as they
// are; they are escaped, for a person may read it, too.
func (a *app) printJSON(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	var escaped strings.Builder
	for _, r := range text.String() {
		switch {
		case unicode.IsPrint(r) || r == '\n':
			escaped.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(a.out, escaped.String())
	return err
}

// shownLines is shown for a text of several lines; margin stands before each but the first.
func shownLines(text, margin string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = shown(strings.ReplaceAll(strings.TrimRight(line, "\r"), "\t", " "))
	}
	return strings.Join(lines, "\n"+margin)
}
