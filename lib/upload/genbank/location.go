package genbank

import (
	"fmt"
	"strconv"
	"strings"
)

// Location is where a GenBank feature lies, as Biopython reads it (Bio/SeqFeature.py of Biopython 1.88), which Bakta
// goes by.
type Location struct {
	Complement bool   // of all parts
	joined     bool   // the parts are joined; if not, there is one
	Parts      []part // in the order in which they are written
}

// part is a piece of a sequence.
type part struct {
	Complement  bool
	before      string // the start: "<" or ">" if it lies somewhere before or behind that place
	Start       int64  // in base pairs, from 1
	after       string // the end, in the same way
	End         int64  // the last base pair
	singleplace bool   // it is written as one place
}

// ParseLocation reads a location on a sequence of that length, in base pairs; 0 if that is not known. The error is why
// it can't, in words that go on after the location.
func ParseLocation(text string, length int64, circular bool) (Location, error) {
	text = strings.Join(strings.Fields(text), "")
	var l Location
	inner, ok := enclosed(text, "complement")
	if ok {
		l.Complement, text = true, inner
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
			if l.Complement {
				return l, fmt.Errorf("is a complement of a complement")
			}
			piece = inner
		}
		p, err := parsePart(piece)
		if err != nil {
			return l, err
		}
		p.Complement = complement
		switch {
		case p.End >= p.Start:
			l.Parts = append(l.Parts, p)
		case circular && length > 0 && p.Start <= length:
			// It goes on over the end of a circular sequence, and is written as if it didn't.
			one, two := p, p
			one.End, one.after, two.Start, two.before = length, "", 1, ""
			if complement && l.joined {
				one, two = two, one
			}
			l.joined = true
			l.Parts = append(l.Parts, one, two)
		case circular:
			return l, fmt.Errorf("ends before it starts, and does not start on the sequence")
		default:
			return l, fmt.Errorf("ends before it starts, and its LOCUS line does not say that the sequence is circular")
		}
	}
	if !l.joined && l.Parts[0].Complement {
		return Location{
			Complement: true,
			Parts:      []part{{before: l.Parts[0].before, Start: l.Parts[0].Start, after: l.Parts[0].after, End: l.Parts[0].End}},
		}, nil
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
	p.before, p.Start, first = place(from)
	p.after, p.End, second = place(to)
	switch {
	case !first || !second:
		return p, fmt.Errorf("can't be read; write it with numbers, \"..\", join and complement")
	case p.Start < 1:
		return p, fmt.Errorf("begins before the first base pair, which is 1")
	}
	return p, nil
}

// Partial reports whether Bakta takes the feature for one that begins or ends outside of the sequence.
func (l Location) Partial() bool {
	first, last := l.Parts[0], l.Parts[0]
	for _, p := range l.Parts {
		if p.Start < first.Start {
			first = p
		}
		if p.End > last.End {
			last = p
		}
	}
	return first.before == "<" || last.after == ">"
}

// Span returns the first and the last base pair of all parts.
func (l Location) Span() (start, end int64) {
	start, end = l.Parts[0].Start, l.Parts[0].End
	for _, p := range l.Parts {
		start, end = min(start, p.Start), max(end, p.End)
	}
	return start, end
}

// String returns the location as Biopython surely reads it.
func (l Location) String() string {
	parts := make([]string, len(l.Parts))
	for i, p := range l.Parts {
		parts[i] = p.before + strconv.FormatInt(p.Start, 10)
		if !p.singleplace {
			parts[i] += ".." + p.after + strconv.FormatInt(p.End, 10)
		}
		if p.Complement {
			parts[i] = "complement(" + parts[i] + ")"
		}
	}
	text := strings.Join(parts, ",")
	if l.joined {
		text = "join(" + text + ")"
	}
	if l.Complement {
		text = "complement(" + text + ")"
	}
	return text
}
