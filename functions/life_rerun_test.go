package functions_test

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// A life may be that of a job that runs another one again. It begins without a document: calls with one request key make it,
// copy its upload and start it, side by side and killed between all steps, while the old job may be deleted and its upload
// replaced. What follows is the same as in any other life.

const (
	requestKey = "the-request-key-of-all-calls"
	rerunLimit = 25 * time.Second // how long such a call may last
	oldGenus   = "Escherichia"
)

// again is what a rerun has beside the new job.
type again struct {
	old      *job.Job
	secret   string         // of the new job
	copies   map[string]int // how often an object was the target of a copy
	made     bool           // the new job's document was there
	answered bool           // a call was answered with success
	replaced bool           // the old upload is another one now
	deleted  bool           // the old job is

	repeated, waited, orphaned, refused bool // what happened to calls, see count
}

// rerunEvents are what some lives have to meet with.
func rerunEvents() []string {
	return []string{"answered", "interrupted between copy and start", "kept waiting", "answered without the old job", "refused"}
}

// count counts a life by what happened in it.
func (a *again) count(lives map[string]int) {
	if a == nil {
		return
	}
	for event, happened := range map[string]bool{
		"answered": a.answered, "interrupted between copy and start": a.repeated, "kept waiting": a.waited,
		"answered without the old job": a.orphaned, "refused": a.refused,
	} {
		if happened {
			lives[event]++
		}
	}
}

// runAgain makes the job of this life the rerun of another one, which has ended.
func (l *life) runAgain() {
	old := *l.doc
	old.ID = strings.Replace(l.id, "-8000-", "-9000-", 1)
	config, err := option.Encode(option.Config{Genus: oldGenus}.Normalise())
	if err != nil {
		panic(err)
	}
	input := job.Input{Kind: upload.GenomeFASTA, Size: int64(len(genome)), ETag: etag([]byte(genome)), Name: "genome.fna"}
	old.State, old.Run, old.Start = job.Failed, 1, &job.Start{Config: config, Inputs: []job.Input{input}}
	l.again = &again{old: &old, copies: make(map[string]int)}
	l.objects = map[string][]byte{job.UploadKey(old.ID, upload.GenomeFASTA): []byte(genome)}
	l.doc = nil
	if l.id, l.again.secret, err = job.Rerun(old.ID, secret, requestKey); err != nil {
		panic(err)
	}
}

// secretOf returns the secret of the life's job.
func (l *life) secretOf() string {
	if l.again != nil {
		return l.again.secret
	}
	return secret
}

// startable reports whether a further start belongs to this life. After a rerun's job is removed, the same request would
// make it again, which is another life.
func (l *life) startable() bool { return l.again == nil || !l.again.made || l.doc != nil }

func (l *life) isOld(key string) bool {
	return l.again != nil && strings.HasPrefix(key, job.Prefix(l.again.old.ID))
}

// changeOld deletes the old job or replaces its upload.
func (l *life) changeOld() {
	key := job.UploadKey(l.again.old.ID, upload.GenomeFASTA)
	if _, ok := l.objects[key]; ok && l.rand.IntN(2) == 0 {
		l.logf("the old job's upload is replaced")
		l.objects[key], l.again.replaced = []byte(genome+"ACGT\n"), true
		return
	}
	l.logf("the old job is deleted")
	old := *l.again.old
	old.State, old.Start = job.Deleting, nil
	l.again.old, l.again.deleted = &old, true
	delete(l.objects, key)
}

// rerun starts a call that runs the old job again.
func (l *life) rerun() {
	var config *option.Config
	genus := oldGenus
	if n := l.rand.IntN(3); n > 0 {
		genus = []string{oldGenus, "Salmonella"}[n-1]
		config = &option.Config{Genus: genus}
	}
	l.call("rerun", func(ctx context.Context) {
		f := must(l.functions("rerun").Submit())
		got, err := f.Rerun(ctx, submit.Rerun{ID: l.again.old.ID, Secret: secret, RequestKey: requestKey, Config: config,
			Notify: l.asks()})
		l.logf("rerun with %s answers %s %v", genus, got.ID, err)
		encoded, _ := option.Encode(option.Config{Genus: genus}.Normalise())
		switch {
		case err == nil && (got.ID != l.id || got.Secret != l.again.secret):
			l.faultf("the call answers with another job: %s", got.ID)
		case err == nil && (config != nil || !l.again.deleted) && l.doc != nil && l.doc.Start != nil &&
			!bytes.Equal(l.doc.Start.Config, encoded): // without the old job, its configuration is not known any more
			l.faultf("the job was started with %s, and the call answers success", l.doc.Start.Config)
		case err == nil:
			l.again.orphaned = l.again.orphaned || l.again.deleted && l.acknowledged
			l.acknowledged, l.again.answered = true, true
			l.started(got.Start)
		case job.Is(err, job.Unavailable): // and nothing is known
		case job.Is(err, job.NotFound) && (l.again.deleted || l.unwanted), // the old job, or the new one, was deleted meanwhile
			job.Is(err, job.NotReady) && (l.again.replaced || l.again.deleted),
			job.Is(err, job.AlreadyExists):
			l.again.refused = true
		default:
			l.faultf("rerun answers %v", err)
		}
	})
	l.actors[len(l.actors)-1].limit = rerunLimit
}

// checkCopies holds that a started job has the content that the old job was started with, under the ETag that is pinned.
func (l *life) checkCopies() {
	if l.again == nil || l.doc == nil || l.doc.Start == nil {
		return
	}
	key := job.UploadKey(l.id, upload.GenomeFASTA)
	if string(l.objects[key]) != genome {
		l.faultf("the new job was started with %q", l.objects[key])
	}
	if in, ok := l.doc.Input(upload.GenomeFASTA); !ok || in.ETag != l.etag(key) {
		l.faultf("the new job was started with the ETag %q, and its upload has %q", in.ETag, l.etag(key))
	}
}

func (m jobsModel) getOld() (j job.Job, err error) {
	away := m.act(func() { j = *m.again.old }, "read the old document")
	return j, away
}

func (m jobsModel) Insert(_ context.Context, j job.Job) error {
	var err error
	away := m.act(func() {
		switch {
		case j.ID != m.id:
			m.faultf("another job is made, %s", j.ID)
		case m.doc == nil:
			m.doc, m.again.made = &j, true
			// An answer that never came can't have shown the job. A request that is repeated after days, when the job was not started
			// and is forgotten, makes it anew: for its user it begins here.
			if !m.acknowledged {
				m.shown = nil
			}
		case !bytes.Equal(m.doc.SecretHash, j.SecretHash):
			err = job.Errorf(job.AlreadyExists, "another job has this id")
		}
	}, "insert the document of %s, %s", j.ID, j.Workflow)
	if away != nil {
		return away
	}
	return err
}

func (m jobsModel) Unstarted(context.Context, time.Time, int) (int, error) { return 0, nil }

func (m filesModel) Copy(_ context.Context, from, tag, to string) (file job.File, err error) {
	away := m.act(func() {
		content, ok := m.objects[from]
		switch {
		case !ok:
			err = missing(from)
		case m.etag(from) != tag:
			err = job.Errorf(job.NotReady, "it was replaced")
		default:
			m.again.repeated = m.again.repeated || m.again.copies[to] > 0
			m.objects[to] = content
			m.again.copies[to]++
			file = job.File{Key: to, Size: int64(len(content)), ETag: m.etag(to)}
		}
	}, "copy %s", from)
	m.check()
	if away != nil {
		return job.File{}, away
	}
	return file, err
}
