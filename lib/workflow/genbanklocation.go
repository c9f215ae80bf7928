package workflow

import (
	"fmt"
	"strconv"
	"strings"
)

// location is where a GenBank feature lies, as Biopython reads it (Bio/SeqFeature.py of Biopython 1.88), which Bakta
// goes by.
type location struct {
	complement bool   // of all parts
	joined     bool   // the parts are joined; if not, there is one
	parts      []part // in the order in which they are written
}

// part is a piece of a sequence.
type part struct {
	complement  bool
	before      string // the start: "<" or ">" if it lies somewhere before or behind that place
	start       int64  // in base pairs, from 1
	after       string // the end, in the same way
	end         int64  // the last base pair
	singleplace bool   // it is written as one place
}

// parseLocation reads a location on a sequence of that length, in base pairs; 0 if that is not known. The error is why
// it can't, in words that go on after the location.
func parseLocation(text string, length int64, circular bool) (location, error) {
	text = strings.Join(strings.Fields(text), "")
	var l location
	inner, ok := enclosed(text, "complement")
	if ok {
		l.complement, text = true, inner
	}
	pieces := []string{text}
	for _, operator := range []string{"join", "order"} {
		if inner, ok := enclosed(text, operator); ok {
			l.joined, pieces = true, strings.Split(inner, ",")
		}
	}
	for _, piece := range pieces {
		inner, complement := enclosed(piece, "complement")
		if complement {
			if l.complement {
				return l, fmt.Errorf("is a complement of a complement")
			}
			piece = inner
		}
		p, err := parsePart(piece)
		if err != nil {
			return l, err
		}
		p.complement = complement
		switch {
		case p.end >= p.start:
			l.parts = append(l.parts, p)
		case circular && length > 0 && p.start <= length:
			// It goes on over the end of a circular sequence, and is written as if it didn't.
			one, two := p, p
			one.end, one.after, two.start, two.before = length, "", 1, ""
			if complement && l.joined {
				one, two = two, one
			}
			l.joined = true
			l.parts = append(l.parts, one, two)
		case circular:
			return l, fmt.Errorf("ends before it starts, and does not start on the sequence")
		default:
			return l, fmt.Errorf("ends before it starts, and its LOCUS line does not say that the sequence is circular")
		}
	}
	if !l.joined && l.parts[0].complement {
		return location{complement: true, parts: []part{{before: l.parts[0].before, start: l.parts[0].start, after: l.parts[0].after, end: l.parts[0].end}}}, nil
	}
	return l, nil
}

// enclosed returns what stands between the brackets behind a word.
func enclosed(text, word string) (string, bool) {
	if rest, ok := strings.CutPrefix(text, word+"("); ok && strings.HasSuffix(rest, ")") {
		return rest[:len(rest)-1], true
	}
	return text, false
}

func parsePart(text string) (p part, err error) {
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		from, to, p.singleplace = text, text, true
	}
	place := func(text string) (mark string, n int64, ok bool) {
		if text != "" && (text[0] == '<' || text[0] == '>') {
			mark, text = text[:1], text[1:]
		}
		n, err := strconv.ParseInt(text, 10, 64)
		return mark, n, err == nil && only(text, "0123456789")
	}
	var first, second bool
	p.before, p.start, first = place(from)
	p.after, p.end, second = place(to)
	switch {
	case !first || !second:
		return p, fmt.Errorf("can't be read; write it with numbers, \"..\", join and complement")
	case p.start < 1:
		return p, fmt.Errorf("begins before the first base pair, which is 1")
	}
	return p, nil
}

// partial reports whether Bakta takes the feature for one that begins or ends outside of the sequence.
func (l location) partial() bool {
	first, last := l.parts[0], l.parts[0]
	for _, p := range l.parts {
		if p.start < first.start {
			first = p
		}
		if p.end > last.end {
			last = p
		}
	}
	return first.before == "<" || last.after == ">"
}

// span returns the first and the last base pair of all parts.
func (l location) span() (start, end int64) {
	start, end = l.parts[0].start, l.parts[0].end
	for _, p := range l.parts {
		start, end = min(start, p.start), max(end, p.end)
	}
	return start, end
}

// String returns the location as Biopython surely reads it.
func (l location) String() string {
	parts := make([]string, len(l.parts))
	for i, p := range l.parts {
		parts[i] = p.before + strconv.FormatInt(p.start, 10)
		if !p.singleplace {
			parts[i] += ".." + p.after + strconv.FormatInt(p.end, 10)
		}
		if p.complement {
			parts[i] = "complement(" + parts[i] + ")"
		}
	}
	text := strings.Join(parts, ",")
	if l.joined {
		text = "join(" + text + ")"
	}
	if l.complement {
		text = "complement(" + text + ")"
	}
	return text
}
