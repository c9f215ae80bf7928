package jsonform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep a body may be nested. The API's messages need four levels.
const maxDepth = 32

// maxValues bounds how many values a body may hold, because a byte of text can take a hundred bytes of memory. A list of jobs that
// fills a body of 1 MiB has 35,000.
const maxValues = 50_000

// node is one value of a JSON text.
type node struct {
	kind   kind
	text   string           // of a string, or of a number as it was written
	truth  bool             // of a boolean
	fields map[string]*node // of an object
	items  []*node          // of an array
	raw    []byte           // as it was written
}

type kind string

const (
	object  kind = "an object"
	array   kind = "a list"
	text    kind = "a text"
	number  kind = "a number"
	boolean kind = "a boolean"
	null    kind = "null"
)

// given reports whether the value is given: forms send "" or null for fields that their users leave empty.
func (n *node) given() bool {
	return n != nil && n.kind != null && (n.kind != text || n.text != "")
}

// blank reports whether the value is a text of white space only.
func (n *node) blank() bool { return n.kind == text && strings.TrimSpace(n.text) == "" }

// parse reads a JSON text. Its errors are written for the client: they say where the text is wrong, and do not quote values.
func parse(data []byte) (*node, error) {
	switch encoding := otherEncoding(data); {
	case encoding != "":
		return nil, fmt.Errorf("the body is not JSON: it is encoded as %s; send it as UTF-8", encoding)
	case !utf8.Valid(data):
		return nil, errors.New("the body is not JSON: it is not encoded as UTF-8")
	}
	p := parser{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	root, err := p.value(1)
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); !errors.Is(err, io.EOF) {
		return nil, p.wrong("something follows after its end")
	}
	return root, nil
}

// otherEncoding returns the encoding of a text in UTF-16 or UTF-32; "" for every other text. JSON begins with two characters of
// ASCII, or is a single one, so the positions of zeros identify the encoding (RFC 4627, section 3).
func otherEncoding(data []byte) string {
	begin := func(bytes ...byte) bool { return len(data) >= len(bytes) && string(data[:len(bytes)]) == string(bytes) }
	zero := func(i int) bool { return i < len(data) && data[i] == 0 }
	switch {
	case begin(0xff, 0xfe, 0, 0) || begin(0, 0, 0xfe, 0xff) || zero(0) && zero(1) && zero(2) || zero(1) && zero(2) && zero(3):
		return "UTF-32"
	case begin(0xff, 0xfe) || begin(0xfe, 0xff) || len(data) > 1 && zero(0) != zero(1):
		return "UTF-16"
	}
	return ""
}

type parser struct {
	data   []byte
	dec    *json.Decoder
	values int // read so far
}

// wrong returns an error about the current position.
func (p *parser) wrong(what string) error {
	read := p.data[:min(p.dec.InputOffset(), int64(len(p.data)))]
	line := bytes.Count(read, []byte("\n")) + 1
	column := utf8.RuneCount(read[bytes.LastIndexByte(read, '\n')+1:]) + 1
	return fmt.Errorf("the body is not JSON: near line %d, column %d: %s", line, column, what)
}

func (p *parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, p.wrong("it ends too early")
	case errors.As(err, &syntax):
		return nil, p.wrong(syntax.Error())
	}
	return nil, p.wrong("it cannot be read")
}

func (p *parser) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, p.wrong(fmt.Sprintf("it is nested more than %d levels deep", maxDepth))
	}
	if p.values++; p.values > maxValues {
		return nil, p.wrong(fmt.Sprintf("it holds more than %d values", maxValues))
	}
	start := p.dec.InputOffset()
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	var n *node
	switch t := t.(type) {
	case json.Delim:
		if t == '{' {
			n, err = p.object(depth)
		} else {
			n, err = p.array(depth)
		}
		if err != nil {
			return nil, err
		}
	case string:
		n = &node{kind: text, text: t}
	case json.Number:
		n = &node{kind: number, text: t.String()}
	case bool:
		n = &node{kind: boolean, truth: t}
	default:
		n = &node{kind: null}
	}
	n.raw = bytes.TrimLeft(p.data[start:p.dec.InputOffset()], " \t\r\n,:")
	return n, nil
}

func (p *parser) object(depth int) (*node, error) {
	n := &node{kind: object, fields: make(map[string]*node)}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string) // the decoder accepts nothing else as a key
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if n.fields[key] != nil {
			return nil, p.wrong(fmt.Sprintf("%.40q is given twice", key))
		}
		n.fields[key] = v
	}
	_, err := p.token()
	return n, err
}

func (p *parser) array(depth int) (*node, error) {
	n := &node{kind: array}
	for p.dec.More() {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n.items = append(n.items, v)
	}
	_, err := p.token()
	return n, err
}
