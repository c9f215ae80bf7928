package job

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// Bounds of a request key, in characters.
const (
	minRequestKey = 16 // of a secret, see Rerun
	maxRequestKey = 128
)

// CheckRequestKey returns an Invalid error if a caller's request key is not valid: 16 to 128 visible ASCII characters.
func CheckRequestKey(key string) error {
	ok := len(key) >= minRequestKey && len(key) <= maxRequestKey
	for i := range len(key) {
		ok = ok && key[i] > ' ' && key[i] < 0x7f
	}
	if !ok {
		return Errorf(Invalid, "request_key: %d to %d letters, digits or punctuation marks are required; send a new random UUID for each new "+
			"job, and the same one to repeat a call", minRequestKey, maxRequestKey)
	}
	return nil
}

// rerunInfo separates this use of a secret from any other. It must never change: a repeated call has to find its job.
const rerunInfo = "bakta-web rerun 1 "

// Rerun returns the id and the secret of the new job that runs another one again. The id of that one is in lower case, and
// the key has passed CheckRequestKey.
//
// Both are derived from what the caller sends, so that the same call returns the same job if its answer was lost. They can't
// be random: only the hash of a secret is stored, so a random one could not be returned twice. HKDF (RFC 5869) of the old
// secret makes them as hard to guess as that secret is, and says nothing about it. Whoever knows the old secret also needs
// the request key to derive the new one.
func Rerun(id, secret, requestKey string) (newID, newSecret string, err error) {
	key, err := hkdf.Extract(sha256.New, []byte(secret), nil)
	if err != nil {
		return "", "", err
	}
	// An id has a fixed length, so each pair of an id and a key has an info of its own.
	info := rerunInfo + id + requestKey
	u, err := hkdf.Expand(sha256.New, key, info+" id", 16)
	if err != nil {
		return "", "", err
	}
	// Version 4 and variant 1: a UUID of random numbers, as every other id.
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80
	h := hex.EncodeToString(u)
	newID = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]

	made := make([]byte, 0, secretLength)
	for part := byte('0'); len(made) < secretLength; part++ { // once, almost always
		random, err := hkdf.Expand(sha256.New, key, info+" secret "+string(part), 2*secretLength)
		if err != nil {
			return "", "", err
		}
		made = appendLetters(made, random)
	}
	return newID, string(made), nil
}

// OwnerSecret is what Rerun derives from for the owner of a job, who need not have its secret: a secret that only the server can know, and
// that is the same in each call. It must never change, as rerunInfo.
func (j Job) OwnerSecret() string {
	mac := hmac.New(sha256.New, j.SecretHash)
	mac.Write([]byte("bakta-web rerun of an owner 1 " + j.Owner))
	return hex.EncodeToString(mac.Sum(nil))
}
