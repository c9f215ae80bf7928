package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"

	"github.com/ag-computational-bio/bakta-web-backend/cli/plain"
)

// shown makes a text from elsewhere fit for a line of a terminal.
func shown(text string) string { return plain.Line(text) }

// fileName makes a job's name fit to begin a file's name.
func fileName(name string) string { return plain.FileName(name) }

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

// padded fills a text up to a number of columns of a terminal.
func padded(text string, columns int) string { return runewidth.FillRight(text, columns) }

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
func (a *app) printJSON(value any) error { return a.encode(value, "  ") }

// printJSONLine is printJSON on one line.
func (a *app) printJSONLine(value any) error { return a.encode(value, "") }

// encode writes a value as JSON. That may contain most control characters of Unicode as they are; they are escaped, for a person may read
// it, too.
func (a *app) encode(value any, indent string) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", indent)
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
