package job

import (
	"strings"
	"testing"
)

func TestRerun(t *testing.T) {
	t.Parallel()
	const (
		id     = "123e4567-e89b-42d3-a456-426614174000"
		secret = "0123456789abcdefghijABCDEFGHIJ01"
		key    = "5b1e6a4c-8d0f-4f6e-9a57-1f0c2d3e4b5a"
	)
	rerun := func(id, secret, key string) (string, string) {
		t.Helper()
		newID, newSecret, err := Rerun(id, secret, key)
		if err != nil {
			t.Fatal(err)
		}
		if parsed, err := ParseID(newID); err != nil || parsed != newID || newID[14] != '4' || !strings.ContainsRune("89ab", rune(newID[19])) {
			t.Errorf("%q is not a UUID of version 4: %v", newID, err)
		}
		if len(newSecret) != secretLength || strings.Trim(newSecret, secretAlphabet) != "" {
			t.Errorf("%q is not a secret", newSecret)
		}
		return newID, newSecret
	}
	firstID, firstSecret := rerun(id, secret, key)
	// Computed by another implementation of HKDF. Never to be changed: a call may be repeated after an upgrade of the server.
	if firstID != "26a847ba-3dff-40b4-8fd5-963cb86a06b3" || firstSecret != "JSpaFT97ctJUirBbvNpss3o4Dcmy0Ge6" {
		t.Errorf("the job of the request is %s with the secret %s", firstID, firstSecret)
	}
	if againID, againSecret := rerun(id, secret, key); againID != firstID || againSecret != firstSecret {
		t.Error("the same request makes another job")
	}
	ids, secrets := map[string]bool{firstID: true}, map[string]bool{firstSecret: true}
	for _, other := range [][3]string{
		{"223e4567-e89b-42d3-a456-426614174000", secret, key}, {id, NewSecret(), key}, {id, secret, key + "x"}, {id, secret, key[1:]},
		{id, "", key}, {firstID, firstSecret, key},
	} {
		newID, newSecret := rerun(other[0], other[1], other[2])
		if ids[newID] || secrets[newSecret] {
			t.Errorf("%q makes a job that another request makes", other)
		}
		ids[newID], secrets[newSecret] = true, true
	}
}

// The characters of derived secrets are as likely as those of random ones.
func TestRerunIsUnbiased(t *testing.T) {
	t.Parallel()
	count := make(map[rune]int)
	id, secret := "123e4567-e89b-42d3-a456-426614174000", NewSecret()
	for range 2000 {
		var err error
		if id, secret, err = Rerun(id, secret, "a key of some length"); err != nil {
			t.Fatal(err)
		}
		for _, c := range secret {
			count[c]++
		}
	}
	for _, c := range secretAlphabet {
		if n := count[c]; n < 850 || n > 1220 {
			t.Errorf("%q occurs %d times in 64,000, want about 1,032", c, n)
		}
	}
}

func TestCheckRequestKey(t *testing.T) {
	t.Parallel()
	for key, valid := range map[string]bool{
		strings.Repeat("a", 15): false, strings.Repeat("a", 16): true, strings.Repeat("~", 128): true, strings.Repeat("!", 129): false,
		"": false, "0123456789 abcdef": false, "0123456789abcde\n": false, "0123456789abcde\x7f": false, "0123456789abcdeé": false,
		"5b1e6a4c-8d0f-4f6e-9a57-1f0c2d3e4b5a": true,
	} {
		if err := CheckRequestKey(key); (err == nil) != valid || err != nil && !Is(err, Invalid) {
			t.Errorf("%q: %v", key, err)
		}
	}
}
