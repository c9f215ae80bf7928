package local_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	length int64 // Content-Length; -1 if there is none
}

// must fails the test unless the answer is a 200 that looks like the pattern; see unlike.
func (a answer) must(t *testing.T, pattern string) answer {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	if diff := unlike(pattern, a.body); diff != "" {
		t.Fatal(diff)
	}
	return a
}

// refused holds that the answer is a refusal with that status and code, whose message matches.
func (a answer) refused(t *testing.T, status, code int, message string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d", a.status, status)
	}
	if diff := unlike(refusal(code, message), a.body); diff != "" {
		t.Error(diff)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

// refusal is the pattern of an error with that code of gRPC, whose message matches.
func refusal(code int, message string) string {
	quoted, err := json.Marshal("<~" + message + ">")
	if err != nil {
		panic(err) // no text does that
	}
	return fmt.Sprintf(`{"code":%d,"message":%s,"details":[]}`, code, quoted)
}

// unlike compares JSON with a pattern: JSON with the same keys and values, in which a text such as "<time>"
// stands for any text of that kind, "<~…>" for any that matches, and "<any>" for any value. It returns what differs, or nothing.
func unlike(pattern, got string) string {
	var want, have any
	for _, read := range []struct {
		text string
		into *any
	}{{pattern, &want}, {got, &have}} {
		d := json.NewDecoder(strings.NewReader(read.text))
		d.UseNumber()
		if err := d.Decode(read.into); err != nil {
			return fmt.Sprintf("%v in %q", err, read.text)
		}
		if _, err := d.Token(); err != io.EOF {
			return fmt.Sprintf("something follows in %q", read.text)
		}
	}
	return cmp.Diff(want, unify(want, have))
}

// kinds of texts in patterns.
var kinds = map[string]*regexp.Regexp{
	"<id>":     regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
	"<secret>": regexp.MustCompile(`^[A-Za-z0-9]{32,}$`), // it goes into queries as it is
	"<link>":   regexp.MustCompile(`^http://127\.0\.0\.1:[0-9]+/\S+[?&]X-Amz-Signature=[0-9a-f]{64}\b`),
	"<time>":   regexp.MustCompile(`^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$`),
	"<text>":   regexp.MustCompile(`\S`),
}

// unify returns a value in which every text that the pattern allows is replaced by the pattern.
func unify(pattern, v any) any {
	switch p := pattern.(type) {
	case string:
		if p == "<any>" {
			return p
		}
		text, ok := v.(string)
		kind := kinds[p]
		if expression, found := strings.CutPrefix(p, "<~"); found {
			kind = regexp.MustCompile(`(?s)` + strings.TrimSuffix(expression, ">"))
		}
		if ok && kind != nil && kind.MatchString(text) {
			return p
		}
	case map[string]any:
		if fields, ok := v.(map[string]any); ok {
			unified := make(map[string]any, len(fields))
			for name, field := range fields {
				unified[name] = unify(p[name], field)
			}
			return unified
		}
	case []any:
		if items, ok := v.([]any); ok && len(items) == len(p) {
			unified := make([]any, len(items))
			for i := range items {
				unified[i] = unify(p[i], items[i])
			}
			return unified
		}
	}
	return v
}
