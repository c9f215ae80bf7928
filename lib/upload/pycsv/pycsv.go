// Package pycsv guesses the dialects of tables and reads their rows as Python's module csv does, with which Bakta reads them.
package pycsv

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dialect is how a table's fields are separated and quoted.
type Dialect struct {
	Separator byte
	Quote     byte
	Doubled   bool // a quote inside a quoted field is written twice
	SkipSpace bool // blanks before a field are not part of it
}

// Sniffed is how many characters Bakta guesses a table's dialect from.
const Sniffed = 1024

// Sniff guesses the dialect of a table as Bakta does, with Python's csv.Sniffer (3.11, csv.py) and the separators comma
// and tab. It is the zero dialect if there is none. Line ends have to be line feeds, and the text UTF-8.
func Sniff(content []byte) Dialect {
	sample := string(content[:min(len(content), Sniffed*utf8.UTFMax)])
	for i, n := 0, 0; i < len(sample); n++ {
		if n == Sniffed {
			sample = sample[:i]
			break
		}
		_, size := utf8.DecodeRuneInString(sample[i:])
		i += size
	}
	d := sniffQuoted(sample)
	if d.Separator == 0 {
		d.Separator, d.SkipSpace = sniffEven(sample)
	}
	if d.Separator == 0 {
		return Dialect{}
	}
	if d.Quote == 0 {
		d.Quote = '"'
	}
	return d
}

// A quotedMatch is a quoted text with what stands around it.
type quotedMatch struct {
	quote byte
	delim string // a character; empty if there is none, or the pattern has none
	space bool   // a blank stands beside it
}

// sniffQuoted guesses by quoted texts between separators. The dialect has no quote if there are no quoted texts, and no
// separator if none of those that are known stands beside one.
func sniffQuoted(sample string) Dialect {
	var matches []quotedMatch
	for pattern := range 4 {
		if matches = findQuoted(sample, pattern); len(matches) > 0 {
			break
		}
	}
	// Of those that are equally frequent, the first counts.
	var quotes, delims counts
	spaces := 0
	for _, m := range matches {
		quotes.add(string(m.quote))
		if m.delim == "," || m.delim == "\t" {
			delims.add(m.delim)
		}
		if m.space {
			spaces++
		}
	}
	var d Dialect
	if quote, n := quotes.most(); n > 0 {
		d.Quote = quote[0]
	} else {
		return d
	}
	if separator, n := delims.most(); n > 0 {
		d.Separator, d.SkipSpace = separator[0], n == spaces
	}
	d.Doubled = d.doubledIn(sample)
	return d
}

// counts counts texts in the order in which they come.
type counts struct {
	texts []string
	n     []int
}

func (c *counts) add(text string) {
	for i, t := range c.texts {
		if t == text {
			c.n[i]++
			return
		}
	}
	c.texts, c.n = append(c.texts, text), append(c.n, 1)
}

// most returns the first of the most frequent texts, and how often it came.
func (c *counts) most() (string, int) {
	text, n := "", 0
	for i, t := range c.texts {
		if c.n[i] > n {
			text, n = t, c.n[i]
		}
	}
	return text, n
}

// findQuoted finds what one of the sniffer's four patterns matches, one behind the other: a quoted text between two
// equal separators, at the beginning of a line before a separator, at the end of a line behind one, or alone in its
// line. Between quotes anything may stand, line ends included, but no more than has to.
func findQuoted(s string, pattern int) []quotedMatch {
	const between, first, last = 0, 1, 2
	var found []quotedMatch
	for at := 0; at < len(s); {
		m, end := quotedMatch{}, -1
		size := 1
		if pattern == between || pattern == last {
			var c rune
			c, size = utf8.DecodeRuneInString(s[at:])
			if c != '\n' && c != '"' && c != '\'' && !pythonWord(c) {
				m.delim = s[at : at+size]
				if m.space = strings.HasPrefix(s[at+size:], " "); m.space {
					end = quotedEnd(s, at+size+1, pattern, &m)
				}
				if end < 0 {
					m.space = false
					end = quotedEnd(s, at+size, pattern, &m)
				}
			}
		} else {
			if at == 0 || s[at-1] == '\n' { // the beginning of a line
				end = quotedEnd(s, at, pattern, &m)
			}
			if end < 0 && s[at] == '\n' {
				end = quotedEnd(s, at+1, pattern, &m)
			}
		}
		if end < 0 {
			at += size
			continue
		}
		found = append(found, m)
		at = max(end, at+1)
	}
	return found
}

// quotedEnd returns where a match ends whose quoted text begins here, or -1, and sets what it finds behind that.
func quotedEnd(s string, at, pattern int, m *quotedMatch) int {
	if at >= len(s) || s[at] != '"' && s[at] != '\'' {
		return -1
	}
	m.quote = s[at]
	for i := at + 1; i < len(s); i++ {
		if s[i] != m.quote {
			continue
		}
		rest := s[i+1:]
		switch pattern {
		case 0:
			if strings.HasPrefix(rest, m.delim) {
				return i + 1 + len(m.delim)
			}
		case 1:
			c, size := utf8.DecodeRuneInString(rest)
			if size > 0 && c != '\n' && c != '"' && c != '\'' && !pythonWord(c) {
				m.delim = rest[:size]
				end := i + 1 + size
				if m.space = strings.HasPrefix(s[end:], " "); m.space {
					end++
				}
				return end
			}
		default: // "$" comes before the line feed in the pattern, and takes nothing
			if rest == "" || rest[0] == '\n' {
				return i + 1
			}
		}
	}
	return -1
}

// pythonWord reports whether a character is one of a word in a regular expression of Python.
func pythonWord(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

// doubledIn reports whether a field has a quote inside.
func (d Dialect) doubledIn(s string) bool {
	// The pattern is, with ^ and $ at lines: (separator|^)\W*Q[^separator\n]*Q[^separator\n]*Q\W*(separator|$)
	if d.Separator == 0 { // what stands around the quotes is empty, then
		for line := range strings.Lines(s) {
			if strings.Count(line, string(d.Quote)) >= 3 {
				return true
			}
		}
		return false
	}
	for from := 0; from <= len(s); from++ {
		at := from
		switch {
		case from < len(s) && s[from] == d.Separator:
			if d.doubledFrom(s, from+1) {
				return true
			}
			continue
		case from == 0 || s[from-1] == '\n':
			at = from
		default:
			continue
		}
		if d.doubledFrom(s, at) {
			return true
		}
	}
	return false
}

// doubledFrom reports whether three quotes follow as doubledIn has it.
func (d Dialect) doubledFrom(s string, at int) bool {
	for i := at; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if s[i] == d.Quote && d.threeQuotes(s, i) {
			return true
		}
		if pythonWord(c) {
			return false
		}
		i += size
	}
	return false
}

// threeQuotes reports whether a field's part that begins with a quote here has two more, and behind the last of those a
// separator or the end of a line, with no word between.
func (d Dialect) threeQuotes(s string, at int) bool {
	end := at
	for end < len(s) && s[end] != d.Separator && s[end] != '\n' {
		end++
	}
	n := 0
	for i := at; i < end; i++ {
		if s[i] != d.Quote {
			continue
		}
		if n++; n < 3 {
			continue
		}
		for j := i + 1; ; {
			if j == len(s) || s[j] == d.Separator || s[j] == '\n' {
				return true
			}
			c, size := utf8.DecodeRuneInString(s[j:])
			if pythonWord(c) {
				break
			}
			j += size
		}
	}
	return false
}

// sniffEven guesses the separator by how evenly characters are spread over the lines. Lines are taken in tens, until
// one of the separators stands out.
func sniffEven(sample string) (separator byte, skipSpace bool) {
	lines := strings.FieldsFunc(sample, func(c rune) bool { return c == '\n' })
	const separators = "\t," // in the order of their codes
	const chunk = 10
	frequencies := [len(separators)]frequency{}
	size := min(chunk, len(lines))
	for start, iteration := 0, 1; start < len(lines); start, iteration = start+size, iteration+1 {
		for _, line := range lines[start:min(start+size, len(lines))] {
			for i := range frequencies {
				frequencies[i].add(strings.Count(line, separators[i:i+1]))
			}
		}
		total := float64(min(size*iteration, len(lines)))
		var found []byte
		for consistency := 1.0; len(found) == 0 && consistency >= 0.9; consistency -= 0.01 {
			for i := range frequencies {
				if n, weight := frequencies[i].mode(); n > 0 && weight > 0 && float64(weight)/total >= consistency {
					found = append(found, separators[i])
				}
			}
		}
		switch {
		case len(found) == 1:
			return found[0], allSpaced(lines[0], found[0])
		case len(found) > 1 && start+size >= len(lines):
			return ',', allSpaced(lines[0], ',') // which is preferred
		}
	}
	return 0, false
}

// allSpaced reports whether a blank follows each separator of a line.
func allSpaced(line string, separator byte) bool {
	s := string(separator)
	return strings.Count(line, s) == strings.Count(line, s+" ")
}

// frequency counts in how many lines a character comes how often.
type frequency struct {
	times []int // in the order in which they came
	lines []int
}

func (f *frequency) add(times int) {
	for i, t := range f.times {
		if t == times {
			f.lines[i]++
			return
		}
	}
	f.times, f.lines = append(f.times, times), append(f.lines, 1)
}

// mode returns how often the character comes in most lines, and by how many lines those are more than the others.
func (f *frequency) mode() (times, weight int) {
	best, sum := 0, 0
	for i, n := range f.lines {
		sum += n
		if n > f.lines[best] {
			best = i
		}
	}
	return f.times[best], 2*f.lines[best] - sum
}

// maxRowFields bounds the fields of a row that are kept. There are as many as are counted, then.
const maxRowFields = 1000

// Read splits a text into rows of fields as Python's csv module does, and hands each on until an error. The fields are
// not to be kept. Line ends have to be line feeds.
func (d Dialect) Read(content []byte, each func(Row) error) error {
	if d.Separator == 0 {
		return nil
	}
	var r Row
	var field []byte
	const (
		begin = iota // of a field
		plain
		quoted
		behind // a quote in a quoted field
	)
	state, number, started := begin, 1, false
	save := func() {
		if len(r.Fields) < maxRowFields {
			r.Fields = append(r.Fields, string(bytes.ToValidUTF8(field, nil)))
		}
		field, state = field[:0], begin
	}
	end := func() error {
		save()
		err := each(r)
		r.Fields, started = r.Fields[:0], false
		return err
	}
	for _, c := range content {
		if !started && c == '\n' {
			number++
			continue
		}
		if !started {
			r.Line, started = number, true
		}
		if c == '\n' {
			number++
		}
		switch {
		case state == quoted && c != d.Quote:
			field = append(field, c)
		case state == quoted && d.Doubled:
			state = behind
		case state == quoted:
			state = plain
		case c == '\n':
			if err := end(); err != nil {
				return err
			}
		case c == d.Separator:
			save()
		case state == behind && c == d.Quote:
			field, state = append(field, c), quoted
		case state == begin && c == d.Quote:
			state = quoted
		case state == begin && c == ' ' && d.SkipSpace:
		default:
			field, state = append(field, c), plain
		}
	}
	if started {
		return end()
	}
	return nil
}

// Row is a row of a table: its fields, and the line that it begins in.
type Row struct {
	Line   int
	Fields []string
}
