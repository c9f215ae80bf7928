package job

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestStatesOnlyMoveDown holds the table of a job's life: no state is left for one above it or for itself,
// every state can be deleted, and nothing leaves deleting.
func TestStatesOnlyMoveDown(t *testing.T) {
	order := States()
	for i, from := range order {
		for k, to := range order {
			if k <= i && from.MayBecome(to) {
				t.Errorf("%s may become %s, which is not below it", from, to)
			}
		}
		if got, want := from.MayBecome(Deleting), from != Deleting; got != want {
			t.Errorf("%s may be deleted: %v, want %v", from, got, want)
		}
	}
	if got, want := Before(Succeeded), []State{Submitted, Running}; !slices.Equal(got, want) {
		t.Errorf("Before(succeeded) = %v, want %v", got, want)
	}
	if got, want := Before(Submitted), []State{Created}; !slices.Equal(got, want) {
		t.Errorf("Before(submitted) = %v, want %v", got, want)
	}
}

func TestNewSecretIsLettersAndDigits(t *testing.T) {
	count := make(map[rune]int)
	for range 2000 {
		s := NewSecret()
		if len(s) != 32 {
			t.Fatalf("secret of %d characters", len(s))
		}
		for _, c := range s {
			if !strings.ContainsRune(secretAlphabet, c) {
				t.Fatalf("secret %q holds %q", s, c)
			}
			count[c]++
		}
	}
	// 64,000 characters over 62: about 1,032 each. A biased choice (a byte modulo 62) gives the first eight
	// letters 25 % more.
	for _, c := range secretAlphabet {
		if n := count[c]; n < 850 || n > 1220 {
			t.Errorf("%q occurs %d times in 64,000, want about 1,032", c, n)
		}
	}
}

func TestAuthorise(t *testing.T) {
	secret := NewSecret()
	const ada, ben = "issuer:ada", "issuer:ben"
	tests := []struct {
		name  string
		state State
		owner string
		key   Key
		want  Code
	}{
		{"the secret", Running, "", Key{Secret: secret}, ""},
		{"another secret", Running, "", Key{Secret: NewSecret()}, WrongSecret},
		{"no secret", Running, "", Key{}, WrongSecret},
		{"no secret and a token, of a job without an owner", Running, "", Key{Subject: ada}, WrongSecret},
		{"the secret, of a job that is being deleted", Deleting, "", Key{Secret: secret}, NotFound},
		{"another secret, of a job that is being deleted", Deleting, "", Key{Secret: "x"}, NotFound},

		{"the owner", Running, ada, Key{Subject: ada}, ""},
		{"the owner with another secret", Running, ada, Key{Subject: ada, Secret: "x"}, ""},
		{"the owner, of a job that is being deleted", Deleting, ada, Key{Subject: ada}, NotFound},
		{"another caller", Running, ada, Key{Subject: ben}, WrongSecret},
		{"another caller with the secret", Running, ada, Key{Subject: ben, Secret: secret}, ""},
		{"no token, with the secret", Running, ada, Key{Secret: secret}, ""},
		{"no token", Running, ada, Key{}, WrongSecret},

		{"owners only: the owner", Running, ada, Key{Subject: ada, OwnersOnly: true}, ""},
		{"owners only: another caller", Running, ada, Key{Subject: ben, OwnersOnly: true}, WrongSecret},
		{"owners only: another caller with the secret", Running, ada, Key{Subject: ben, Secret: secret, OwnersOnly: true}, WrongSecret},
		{"owners only: no token, with the secret", Running, ada, Key{Secret: secret, OwnersOnly: true}, WrongSecret},
		{"owners only: the secret of a job without an owner", Running, "", Key{Subject: ben, Secret: secret, OwnersOnly: true}, ""},
		{"owners only: another secret of such a job", Running, "", Key{Subject: ben, Secret: "x", OwnersOnly: true}, WrongSecret},
	}
	messages := make(map[bool]map[string]bool)
	for _, tt := range tests {
		j := Job{State: tt.state, Owner: tt.owner, SecretHash: HashSecret(secret)}
		err := j.Authorise(tt.key)
		if got := CodeOf(err); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		if tt.want == WrongSecret {
			if messages[tt.key.OwnersOnly] == nil {
				messages[tt.key.OwnersOnly] = make(map[string]bool)
			}
			messages[tt.key.OwnersOnly][err.Error()] = true
		}
	}
	for only, texts := range messages {
		if len(texts) != 1 {
			t.Errorf("owners only %t: the texts tell jobs apart: %v", only, texts)
		}
	}
	if (Job{State: Running}).Authorise(Key{}) == nil {
		t.Error("a job without a stored secret opens")
	}
}

func TestValidBatch(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "a": true, "7": true, "2026-11-30_plate.3": true, "A..": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
		".": false, "..": false, "-a": false, "_a": false, "a b": false, "a/b": false, "a\n": false, "ä": false, "a\x00": false, "\xff": false,
	} {
		if got := ValidBatch(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestParseID(t *testing.T) {
	const id = "123e4567-e89b-42d3-a456-426614174000"
	tests := []struct{ in, want string }{
		{id, id},
		{strings.ToUpper(id), id},
		{"", ""},
		{id[:35], ""},
		{id + "0", ""},
		{"{" + id[1:35] + "}", ""},
		{strings.Replace(id, "e", "g", 1), ""},
		{strings.ReplaceAll(id, "-", "0"), ""},
		{`{"$ne": null}`, ""},
	}
	for _, tt := range tests {
		got, err := ParseID(tt.in)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("ParseID(%q) = %q, %v; want %q", tt.in, got, err, tt.want)
		}
		if err != nil && !Is(err, Invalid) {
			t.Errorf("ParseID(%q): code %q, want invalid", tt.in, CodeOf(err))
		}
	}
}

func TestObjectNames(t *testing.T) {
	const id = "123e4567-e89b-42d3-a456-426614174000"
	tests := []struct {
		name string
		ok   bool
	}{
		{ObjectName(id, 1), true},
		{ObjectName(id, 12), true},
		{ObjectName(id, 1) + "-x7k2p", true},
		{"bakta-" + id, false},
		{"bakta-" + id + "-", false},
		{"bakta-" + id + "-x", false},
		{"bakta-" + strings.ToUpper(id) + "-1", false},
		{"other-" + id + "-1", false},
		{"", false},
	}
	for _, tt := range tests {
		got, ok := ParseObjectName(tt.name)
		if ok != tt.ok || ok && got != id {
			t.Errorf("ParseObjectName(%q) = %q, %v; want %v", tt.name, got, ok, tt.ok)
		}
	}
	// A Kubernetes Job's name becomes a label value of its pods, which has at most 63 characters.
	if n := len(ObjectName(id, MaxRuns)); n > 63 {
		t.Errorf("an object's name has %d characters, at most 63 are allowed", n)
	}
}

func TestErrorKeepsTheCauseFromTheCaller(t *testing.T) {
	cause := errors.New("dial tcp: refused")
	err := fmt.Errorf("reading: %w", Errorf(Unavailable, "the store is away").Because(cause))
	if !Is(err, Unavailable) || !errors.Is(err, cause) {
		t.Errorf("%v: code %q; want unavailable, and the cause in the chain", err, CodeOf(err))
	}
	var e *Error
	if !errors.As(err, &e) || strings.Contains(e.Message, "dial") {
		t.Errorf("the message %q shows the cause", e.Message)
	}
	if Is(errors.New("x"), "") || Is(nil, "") {
		t.Error("no error has the empty code")
	}
}

func TestIsManifestKey(t *testing.T) {
	const id = "0d9f5f1c-5b0a-4a53-8f5e-1c5e2f1b7a10"
	for key, want := range map[string]bool{
		ManifestKey(id, 1):                           true,
		ManifestKey(id, 12):                          true,
		RunPrefix(id, 1) + "x/results/result.json":   false,
		RunPrefix(id, 1) + "x/results/manifest.json": false,
		Prefix(id) + "runs/one/manifest.json":        false,
		Prefix(id) + "runs/01/manifest.json":         false,
		"other/" + id + "/runs/1/manifest.json":      false,
		UploadKey(id, "fasta"):                       false,
		"manifest.json":                              false,
		"":                                           false,
	} {
		if got := IsManifestKey(key); got != want {
			t.Errorf("%q: %v, want %v", key, got, want)
		}
	}
}
