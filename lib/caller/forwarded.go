package caller

import "strings"

// Both fields are lists, and both are read from the right. Proxies append well-formed entries, so reading from the right is well
// defined up to the first of them, whatever stands left of it. Reading from the left is not: a quotation mark that a client opens
// and does not close would take the entries of the proxies into the client's own.

// lastEntry cuts the last entry of a list off, at its last comma. more is false if there is no other entry.
func lastEntry(list string) (entry, rest string, more bool) {
	i := strings.LastIndexByte(list, ',')
	return strings.Trim(list[i+1:], " \t"), list[:max(i, 0)], i >= 0
}

// lastElement is lastEntry for a list whose entries may hold commas in quoted strings (RFC 7239, section 4).
func lastElement(list string) (element, rest string, more bool) {
	quoted := false
	for i := len(list) - 1; i >= 0; i-- {
		switch list[i] {
		case '"':
			if !quoted || !escaped(list, i) {
				quoted = !quoted
			}
		case ',':
			if !quoted {
				return strings.Trim(list[i+1:], " \t"), list[:i], true
			}
		}
	}
	return strings.Trim(list, " \t"), "", false
}

// escaped reports whether an odd number of backslashes precedes a character.
func escaped(text string, at int) bool {
	before := strings.TrimRight(text[:at], `\`)
	return (at-len(before))%2 == 1
}

// forOf returns the value of the parameter "for" of an element; "" if it has none, or if the element is malformed.
func forOf(element string) string {
	for element != "" {
		name, rest, ok := strings.Cut(element, "=")
		if !ok {
			return ""
		}
		value, rest, ok := value(rest)
		if !ok {
			return ""
		}
		if strings.EqualFold(strings.Trim(name, " \t;"), "for") {
			return value
		}
		element = rest
	}
	return ""
}

// value reads a token or a quoted string, and returns what follows the semicolon after it.
func value(text string) (value, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		value, rest, _ = strings.Cut(text, ";")
		return strings.Trim(value, " \t"), rest, true
	}
	var plain strings.Builder
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			plain.WriteByte(text[i])
		case text[i] == '"':
			_, rest, _ = strings.Cut(text[i+1:], ";")
			return plain.String(), rest, true
		default:
			plain.WriteByte(text[i])
		}
	}
	return "", "", false
}

// host returns what stands before the port: in "192.0.2.1:80", "[2001:db8::1]:80" and "[2001:db8::1]". An IPv6 address without
// brackets has no port. A port is not checked: it may be an obfuscated identifier (RFC 7239, section 6).
func host(text string) string {
	if inside, ok := strings.CutPrefix(text, "["); ok {
		inside, after, closed := strings.Cut(inside, "]")
		if !closed || after != "" && after[0] != ':' {
			return ""
		}
		return inside
	}
	if address, port, ok := strings.Cut(text, ":"); ok && !strings.Contains(port, ":") {
		return address
	}
	return text
}
