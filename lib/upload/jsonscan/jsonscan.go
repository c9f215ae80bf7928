// Package jsonscan reads large JSON files in constant memory, by the grammar of Python's module json.
package jsonscan

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Scanner reads JSON piece by piece, to its end and without keeping it, by the grammar of Python's module json, with
// which Baktfold reads it: text in UTF-8; NaN and Infinity are numbers; of members with the same name the last counts.
type Scanner struct {
	called string // what people call the file
	in     *bufio.Reader
	Line   int   // from 1
	at     int64 // bytes that were read
	start  int64 // those before the line
	depth  int
	left   int // values that may be kept yet, of what is read at the moment
}

const (
	maxDepth  = 100  // Python's reader gives up at some thousand
	maxNumber = 1000 // bytes; Python refuses integers of more than 4300 digits
	maxString = 256  // bytes of a string that are kept
)

// Kind is the kind of a JSON value, the first byte of its text: true and false are 't', all numbers '0'.
type Kind byte

// Kinds of values.
const (
	None   Kind = 0 // there is no value
	Null   Kind = 'n'
	Bool   Kind = 't'
	Number Kind = '0'
	String Kind = '"'
	Array  Kind = '['
	Object Kind = '{'
)

// Value is a JSON value as far as it is kept.
type Value struct {
	Kind    Kind
	Text    string // of a number; of a string its beginning
	Size    int    // bytes that the string has in the file
	Items   []Value
	members map[string]Value
}

// Member returns the member of that name, of kind None if there is none.
func (v Value) Member(name string) Value { return v.members[name] }

// Whole returns a number that is an integer.
func (v Value) Whole() (int64, bool) {
	n, err := strconv.ParseInt(v.Text, 10, 64)
	return n, err == nil && v.Kind == Number
}

// ErrEnd is why a file can't be read further: it ends, or can't be decompressed further.
var ErrEnd = errors.New("the JSON is incomplete")

// New returns a scanner of a file that people call as is said.
func New(r io.Reader, called string) *Scanner {
	return &Scanner{called: called, in: bufio.NewReaderSize(r, 64<<10), Line: 1}
}

// wrong says that the file is no JSON, where, and why.
func (s *Scanner) wrong(format string, args ...any) error {
	return refuse(
		"The %s is not JSON in line %d at byte %d: %s; upload the file as Bakta wrote it.",
		s.called,
		s.Line,
		s.at-s.start,
		fmt.Sprintf(format, args...),
	)
}

func (s *Scanner) byte() (byte, error) {
	c, err := s.in.ReadByte()
	if err != nil {
		return 0, ErrEnd
	}
	s.at++
	return c, nil
}

func (s *Scanner) back() {
	s.in.UnreadByte() // of a byte that was read just now
	s.at--
}

// Next returns the next byte that is not white space.
func (s *Scanner) Next() (byte, error) {
	for {
		switch c, err := s.byte(); {
		case err != nil:
			return 0, err
		case c == '\n':
			s.Line++
			s.start = s.at
		case c != ' ' && c != '\t' && c != '\r':
			return c, nil
		}
	}
}

// End reports what is wrong behind the outermost value.
func (s *Scanner) End() error {
	c, err := s.Next()
	if err != nil {
		return nil
	}
	return s.wrong("there is %s after the end of the JSON", QuoteByte(c))
}

// QuoteByte returns a byte for a message.
func QuoteByte(c byte) string {
	if c < utf8.RuneSelf {
		return strconv.QuoteRune(rune(c))
	}
	return fmt.Sprintf("the byte 0x%02x", c)
}

// Object reads an object behind its brace. Each reads the value of a member, which begins with the byte first.
func (s *Scanner) Object(each func(name string, first byte) error) error {
	if s.depth++; s.depth > maxDepth {
		return s.wrong("it is more than %d levels deep", maxDepth)
	}
	defer func() { s.depth-- }()
	for found := false; ; found = true {
		c, err := s.Next()
		switch {
		case err != nil:
			return err
		case c == '}' && !found:
			return nil
		case c != '"':
			return s.wrong("there is %s where the name of a member is expected, in quotes", QuoteByte(c))
		}
		name, _, err := s.str(true)
		if err != nil {
			return err
		}
		if c, err = s.Next(); err != nil {
			return err
		} else if c != ':' {
			return s.wrong("there is %s where a colon is expected, after the name %s", QuoteByte(c), job.Quote(name))
		}
		if c, err = s.Next(); err != nil {
			return err
		}
		if err := each(name, c); err != nil {
			return err
		}
		if done, err := s.separator('}'); done || err != nil {
			return err
		}
	}
}

// Array reads an array behind its bracket. Each reads an element, which begins with the byte first.
func (s *Scanner) Array(each func(index int, first byte) error) error {
	if s.depth++; s.depth > maxDepth {
		return s.wrong("it is more than %d levels deep", maxDepth)
	}
	defer func() { s.depth-- }()
	for i := 0; ; i++ {
		c, err := s.Next()
		switch {
		case err != nil:
			return err
		case c == ']' && i == 0:
			return nil
		}
		if err := each(i, c); err != nil {
			return err
		}
		if done, err := s.separator(']'); done || err != nil {
			return err
		}
	}
}

// separator reads what is behind a value, and reports whether that is the end.
func (s *Scanner) separator(closing byte) (done bool, err error) {
	switch c, err := s.Next(); {
	case err != nil:
		return false, err
	case c == closing:
		return true, nil
	case c != ',':
		return false, s.wrong("there is %s where a comma or %s is expected", QuoteByte(c), QuoteByte(closing))
	}
	return false, nil
}

// Skip reads a value that begins with the byte first.
func (s *Scanner) Skip(first byte) error {
	_, err := s.value(first, false)
	return err
}

// Keep reads a value that begins with the byte first, and keeps at most the number of values below it that is said.
func (s *Scanner) Keep(first byte, values int) (Value, error) {
	s.left = values
	return s.value(first, true)
}

func (s *Scanner) value(first byte, keep bool) (v Value, err error) {
	if keep {
		if s.left--; s.left < 0 {
			return v, refuse("The %s has too many values in one place, in line %d; check that it is the right file.", s.called, s.Line)
		}
	}
	switch {
	case first == '"':
		v.Kind = String
		v.Text, v.Size, err = s.str(keep)
	case first == '{':
		v.Kind = Object
		if keep {
			v.members = make(map[string]Value)
		}
		err = s.Object(func(name string, first byte) error {
			m, err := s.value(first, keep)
			if keep {
				v.members[name] = m
			}
			return err
		})
	case first == '[':
		v.Kind = Array
		err = s.Array(func(_ int, first byte) error {
			m, err := s.value(first, keep)
			if keep {
				v.Items = append(v.Items, m)
			}
			return err
		})
	case first == '-' || first >= '0' && first <= '9':
		v.Kind = Number
		v.Text, err = s.number(first)
	case first == 't':
		v.Kind, err = Bool, s.word("true")
	case first == 'f':
		v.Kind, err = Bool, s.word("false")
	case first == 'n':
		v.Kind, err = Null, s.word("null")
	case first == 'N':
		v.Kind, v.Text, err = Number, "NaN", s.word("NaN")
	case first == 'I':
		v.Kind, v.Text, err = Number, "Infinity", s.word("Infinity")
	default:
		err = s.wrong("there is %s where a value is expected", QuoteByte(first))
	}
	return v, err
}

// word reads the rest of a word whose first letter was read.
func (s *Scanner) word(word string) error {
	for i := 1; i < len(word); i++ {
		c, err := s.byte()
		if err != nil {
			return err
		}
		if c != word[i] {
			return s.wrong("there is %s where %s is expected", QuoteByte(c), word)
		}
	}
	return nil
}

// number reads the rest of a number.
func (s *Scanner) number(first byte) (string, error) {
	text := []byte{first}
	for {
		c, err := s.byte()
		if err != nil {
			return "", err // a file does not end with a number
		}
		if !strings.ContainsRune("0123456789.eE+-", rune(c)) {
			if c == 'I' && string(text) == "-" {
				return "-Infinity", s.word("Infinity")
			}
			s.back()
			break
		}
		if text = append(text, c); len(text) > maxNumber {
			return "", s.wrong("there is a number of more than %d digits", maxNumber)
		}
	}
	if !json.Valid(text) {
		return "", s.wrong("%s is not a number", job.Quote(string(text)))
	}
	return string(text), nil
}

// plain says of each byte whether it stands for itself in a string, and is not part of a longer character.
var plain = func() (plain [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}()

// str reads a string behind its first quote, and returns its beginning if it is to be kept, and how many bytes it has.
func (s *Scanner) str(keep bool) (text string, size int, err error) {
	var kept []byte
	escaped := false
	add := func(b []byte) {
		if room := maxString - len(kept); keep && len(kept) == size {
			kept = append(kept, b[:min(len(b), room)]...)
		}
		size += len(b)
	}
	for {
		if _, err := s.in.Peek(1); err != nil {
			return "", 0, ErrEnd
		}
		b, _ := s.in.Peek(s.in.Buffered())
		n := 0
		for n < len(b) && plain[b[n]] {
			n++
		}
		add(b[:n])
		s.in.Discard(n)
		s.at += int64(n)
		if n == len(b) {
			continue
		}
		switch c := b[n]; {
		case c == '"':
			s.byte()
			if escaped && len(kept) == size {
				var whole string
				if json.Unmarshal([]byte(`"`+string(kept)+`"`), &whole) == nil {
					return whole, size, nil
				}
			}
			return string(kept), size, nil
		case c == '\\':
			escaped = true
			escape, err := s.escape()
			if err != nil {
				return "", 0, err
			}
			add(escape)
		case c < ' ':
			s.at++
			return "", 0, s.wrong("there is the control character %s in a string", QuoteByte(c))
		default:
			character, _ := s.in.Peek(utf8.UTFMax)
			r, size := utf8.DecodeRune(character)
			if r == utf8.RuneError && size <= 1 {
				s.at++
				return "", 0, refuse(
					"The %s is not UTF-8 text in line %d at byte %d (0x%02x), which Baktfold can't read; save it as UTF-8.",
					s.called,
					s.Line,
					s.at-s.start,
					c,
				)
			}
			add(character[:size])
			s.in.Discard(size)
			s.at += int64(size)
		}
	}
}

// escape reads an escape in a string, from its backslash on.
func (s *Scanner) escape() ([]byte, error) {
	text := make([]byte, 0, 6)
	for length := 2; len(text) < length; {
		c, err := s.byte()
		if err != nil {
			return nil, err
		}
		text = append(text, c)
		switch i := len(text) - 1; {
		case i == 1 && c == 'u':
			length = 6
		case i == 1 && strings.IndexByte(`"\/bfnrt`, c) < 0,
			i > 1 && !(c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'):
			return nil, s.wrong("%s is not an escape in a string", job.Quote(string(text)))
		}
	}
	return text, nil
}

func refuse(format string, args ...any) error { return job.Errorf(job.Invalid, format, args...) }
