// Package job defines an annotation job: its identity, its states, its outcomes and the errors that callers get. It does no I/O and imports
// only the standard library, so that every other package can use its terms.
package job

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"
)

// Job is a job as it is stored. The zero value of an optional field means "not yet".
type Job struct {
	ID         string    // a UUID in lower case, public
	SecretHash []byte    // SHA-256 of the secret, which only the owner knows
	Name       string    // given by the user, any text of at most MaxNameBytes
	Batch      string    // the batch that its owner made it a part of, see ValidBatch; empty for none
	RerunOf    string    // id of the job that this one runs again, which may be gone; empty for none
	Owner      string    // key of the subject whose token it was made with, see lib/access; empty if it was made without one
	Workflow   string    // kind of a workflow of the catalogue
	API        int       // version of the API that created it; 0 means 1, in documents from before the second version
	State      State     //
	Created    time.Time //
	Started    time.Time // when it was started; zero before
	Began      time.Time // when the first stage of this Run began; zero before, and in documents of older versions
	Updated    time.Time // when the state last changed, or progress of the run was recorded
	Expires    time.Time // when the sweep may remove it
	Due        time.Time // when the sweep must check it next

	Start   *Start   // configuration and inputs; nil before the start
	Run     int      // number of the current run, from 1; 0 before the start
	RunName string   // name of the runner's object of this Run; empty while the launch is owed
	Stages  []Stage  // progress of the workflow's stages in this Run, in the order of the catalogue
	Results []File   // the result files of a succeeded job, or the partial results of a failed one
	Logs    []File   // stored logs by stage, after the run ended
	Failure *Failure // why it failed; nil otherwise
	Owed    []Effect // what an ended job still owes, in the order in which it is done
	Blocked Blocked  // since when its run is seen to be blocked; zero if it is not, or if the runner knows since when

	Deliveries []Delivery // messages about the end of the job, with what became of them
}

// Start is what a job was started with. The first start writes it, and it never changes, except for Waits.
type Start struct {
	Config []byte  // configuration as canonical JSON; equal bytes mean the same start
	Inputs []Input // the uploads that the job uses, pinned
	Trace  string  // W3C trace context (traceparent) of the call that started it; empty if it was not traced

	Warnings []Warning // about the uploads

	Notify *Notify // nil: no notification was asked for

	// Caller is the key of who started it, see lib/limit; empty where callers have no limits. Waits means that the caller's runs were as
	// many as may be launched at once, so that no run is launched before it is the job's turn. Otherwise the job has its turn already.
	Caller string
	Waits  bool
}

// Warning is something in an upload that the workflow can process, but probably not as intended.
type Warning struct {
	Code    string // its kind, a word for programs
	Upload  string // upload kind of the catalogue
	Message string // what is wrong and what to do, for people
}

// Input is an upload at the time of the start. The upload link is still valid after the start, so the ETag is pinned: the job reads this
// content or fails.
type Input struct {
	Kind string `json:"kind"` // upload kind of the catalogue
	Size int64  `json:"size"` // bytes
	ETag string `json:"etag"` // as S3 returns it, without quotes
	Name string `json:"name"` // file name for the workflow, with the ending of the content's format
}

// File is a stored object of a job's outcome.
type File struct {
	Name string `json:"name"` // the ending of a result ("gff3"), or the stage of a log
	Key  string `json:"key"`  // object key, relative to the configured base key
	Size int64  `json:"size"` // bytes
	ETag string `json:"etag"` // as S3 returns it, without quotes
}

// Stage is the progress of one stage of a run.
type Stage struct {
	Name   string      `json:"name"`
	Status StageStatus `json:"status"`
}

// StageStatus is the state of one stage.
type StageStatus string

// The states of a stage.
const (
	StagePending   StageStatus = "pending"
	StageRunning   StageStatus = "running"
	StageSucceeded StageStatus = "succeeded"
	StageFailed    StageStatus = "failed"
)

// Known reports whether s is one of these states.
func (s StageStatus) Known() bool {
	switch s {
	case StagePending, StageRunning, StageSucceeded, StageFailed:
		return true
	}
	return false
}

// MaxNameBytes bounds the name of a job.
const MaxNameBytes = 1024

// MaxBatchLength bounds the name of a batch, in characters.
const MaxBatchLength = 64

// ValidBatch reports whether text is empty or the name of a batch: at most MaxBatchLength letters and digits of ASCII and, but not as the
// first character, dots, underscores and hyphens. So it needs no quoting on a command line, as a file name, in a table or in a log.
func ValidBatch(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c == '.' || c == '_' || c == '-'):
		default:
			return false
		}
	}
	return len(text) <= MaxBatchLength
}

// MaxRuns is how many runs a job may have: the first one, and another one whenever a run vanished without an outcome (its object was
// deleted by hand, or its node was lost).
const MaxRuns = 3

// UploadGrace is how long an upload may take after its link has expired: a store checks the link only when the upload begins. A job that
// was not started is kept, and may be started, for this time after its links have expired.
const UploadGrace = 15 * time.Minute

const (
	secretLength   = 32
	secretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// NewSecret returns a new secret of 32 letters and digits (190 bits). It contains no other characters, because clients put it into query
// strings without encoding it.
func NewSecret() string {
	secret := make([]byte, 0, secretLength)
	var random [2 * secretLength]byte
	for len(secret) < secretLength {
		rand.Read(random[:]) // never fails, see crypto/rand
		secret = appendLetters(secret, random[:])
	}
	return string(secret)
}

// appendLetters appends the characters of a secret that random bytes stand for, until it is complete.
func appendLetters(secret, random []byte) []byte {
	for _, b := range random {
		// 248 is the largest multiple of 62, the length of the alphabet, in a byte. Larger bytes would make some characters more
		// likely than others.
		if b < 248 && len(secret) < secretLength {
			secret = append(secret, secretAlphabet[b%62])
		}
	}
	return secret
}

// HashSecret returns the hash of a secret, which is stored instead of it.
func HashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// Opens reports whether the secret is this job's, in constant time.
func (j Job) Opens(secret string) bool {
	h := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(j.SecretHash, h[:]) == 1
}

// Waits reports whether the job waits for the turn of its caller: no run of it may be launched yet.
func (j Job) Waits() bool {
	return j.State.Active() && j.RunName == "" && j.Start != nil && j.Start.Waits
}

// Input returns the pinned input of that kind.
func (j Job) Input(kind string) (Input, bool) {
	if j.Start != nil {
		for _, in := range j.Start.Inputs {
			if in.Kind == kind {
				return in, true
			}
		}
	}
	return Input{}, false
}

// ParseID reads the id of a job from a client: a UUID in its canonical form, in upper or lower case. It returns the id in lower case, as it
// is stored, or an Invalid error.
func ParseID(s string) (string, error) {
	if len(s) == 36 {
		ok := true
		for i := range len(s) {
			switch c := s[i]; i {
			case 8, 13, 18, 23:
				ok = ok && c == '-'
			default:
				ok = ok && (c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F')
			}
		}
		if ok {
			return strings.ToLower(s), nil
		}
	}
	return "", Errorf(Invalid, "this is not the id of a job; an id looks like 123e4567-e89b-42d3-a456-426614174000")
}

// Key is what a caller has to open a job with.
type Key struct {
	Secret     string
	Subject    string // of the caller's token; empty without one
	OwnersOnly bool   // the secret of a job that has an owner opens it for no other caller
}

// Authorise returns nil if the key opens this job, otherwise the error for the caller. A job that is being deleted counts as not
// existing. The error does not depend on whether the job has an owner, or, where the secret alone is not enough, on the secret.
func (j Job) Authorise(k Key) error {
	opens := j.Opens(k.Secret)
	owned := j.Owner != "" && j.Owner == k.Subject
	switch {
	case j.State == Deleting:
		return Errorf(NotFound, "there is no such job; it may have been deleted or have expired")
	case owned, opens && (j.Owner == "" || !k.OwnersOnly):
		return nil
	case k.OwnersOnly:
		return Errorf(WrongSecret, "the job is not this caller's")
	}
	return Errorf(WrongSecret, "the secret is not this job's")
}
