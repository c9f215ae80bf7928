// Package job says what an annotation job is: its identity, the states it moves through, the ways it can
// end and the errors that a caller is told. It does no I/O and imports nothing but the standard library, so
// that every other package can speak in its words.
package job

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"
)

// Job is what the backend remembers of one job. The zero values of the optional parts mean "not yet".
type Job struct {
	ID         string    // a UUID in lower case, public
	SecretHash []byte    // SHA-256 of the secret; the secret itself is known to its owner alone
	Name       string    // what the user called it, any text of at most MaxNameBytes
	Workflow   string    // kind of a workflow of the catalogue
	API        int       // version of the API that made it; 0 is 1: once there was no other
	State      State     //
	Created    time.Time //
	Started    time.Time // when it was submitted; zero before
	Updated    time.Time // when the state changed last, or a look at the run was recorded
	Expires    time.Time // from when on the sweep may remove it
	Due        time.Time // when the sweep has to look at it next

	Start   *Start   // what it was started with; nil before
	Run     int      // number of the run that counts, from 1; 0 before the start
	RunName string   // what the runner calls the object of this Run; empty while the launch is owed
	Stages  []Stage  // progress of the workflow's stages in this Run, in the catalogue's order
	Results []File   // the result files of a succeeded job, and those that a failed one kept
	Logs    []File   // stored logs by stage, once the run ended
	Failure *Failure // why it failed; nil otherwise
	Owed    []Effect // what an ended job still owes, in the order in which it is done
}

// Start is what a job was started with. It is written once, by the start that won.
type Start struct {
	Config []byte  // the workflow's configuration as canonical JSON: two starts are the same if these bytes are
	Inputs []Input // the uploads that the job uses, pinned
	Trace  string  // W3C trace context (traceparent) of the call that started it; empty if it was not traced

	Warnings []Warning // what was seen of the uploads that the workflow can work with, but probably not as it is meant
}

// Warning is something about an upload that a user should know before the job has run.
type Warning struct {
	Code    string // a word for programs, which says of what kind it is
	Upload  string // upload kind of the catalogue
	Message string // what it is and what to do about it, in words
}

// Input is an upload as it was when the job was started. The upload link outlives the start, so the ETag is
// pinned: a job reads this content or fails, never another one.
type Input struct {
	Kind string `json:"kind"` // upload kind of the catalogue
	Size int64  `json:"size"` // bytes
	ETag string `json:"etag"` // as S3 gives it, without quotes
	Name string `json:"name"` // file name under which the workflow wants it; its ending says what the content is
}

// File is one stored object that belongs to a job's outcome.
type File struct {
	Name string `json:"name"` // the ending of a result ("gff3"), or the stage of a log
	Key  string `json:"key"`  // object key, relative to the configured base key
	Size int64  `json:"size"` // bytes
	ETag string `json:"etag"` // as S3 gives it, without quotes
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

// Known reports whether it is one of these states.
func (s StageStatus) Known() bool {
	switch s {
	case StagePending, StageRunning, StageSucceeded, StageFailed:
		return true
	}
	return false
}

// MaxNameBytes bounds the name of a job.
const MaxNameBytes = 1024

// MaxRuns is how often a job is launched before it is given up: the first time, and again when its run
// vanished without an outcome (its object was deleted by hand, its machine went away).
const MaxRuns = 3

// UploadGrace is how long after the end of its link an upload may still be on its way: a store looks at a link when
// the upload begins. So long a job that was not started is kept, and may be started, when its links have ended.
const UploadGrace = 15 * time.Minute

const (
	secretLength   = 32
	secretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

// NewSecret returns a new secret of 32 letters and digits (190 bits). Clients put it into query strings
// without encoding it, so it holds nothing else.
func NewSecret() string {
	// 248 is the largest multiple of the alphabet's 62 that a byte can hold: bytes above it would make some
	// letters likelier than others.
	secret := make([]byte, 0, secretLength)
	var random [2 * secretLength]byte
	for {
		rand.Read(random[:]) // never fails, see crypto/rand
		for _, b := range random {
			if b < 248 {
				if secret = append(secret, secretAlphabet[b%62]); len(secret) == secretLength {
					return string(secret)
				}
			}
		}
	}
}

// HashSecret returns what is stored of a secret.
func HashSecret(secret string) []byte {
	h := sha256.Sum256([]byte(secret))
	return h[:]
}

// Opens reports whether the secret is this job's, in constant time.
func (j Job) Opens(secret string) bool {
	h := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(j.SecretHash, h[:]) == 1
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

// ParseID reads the id of a job as a client wrote it: a UUID in its canonical form, in any letter case. It
// returns the form under which jobs are stored, or an Invalid error.
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
	return "", Errorf(Invalid, "this is not the id of a job: it has to look like 123e4567-e89b-42d3-a456-426614174000")
}

// Authorise returns nil if the secret opens the job, and otherwise the error that its caller is told. A job
// that is being deleted is gone for everybody.
func (j Job) Authorise(secret string) error {
	switch {
	case j.State == Deleting:
		return Errorf(NotFound, "there is no such job; it may have been deleted or have expired")
	case !j.Opens(secret):
		return Errorf(WrongSecret, "the secret is not the one of this job")
	}
	return nil
}
