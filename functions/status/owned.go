package status

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/lib/caller"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// The number of jobs on a page of a caller's own jobs.
const (
	defaultPage = 50
	maxPage     = 200
)

// Own is what a caller asks of the list of its own jobs.
type Own struct {
	States    []job.State // empty: any
	Workflow  string      // empty: any
	Prefix    string      // of the name; empty: any
	PageSize  int         // how many jobs at most; 0: 50. 200 of more than 200
	PageToken string      // of the page before; empty: the first page
}

// Own returns a page of the caller's own jobs, the newest first, and the token of the next page, which is empty on the last one.
func (f *Function) Own(ctx context.Context, o Own) (page []job.Job, next string, err error) {
	which := job.Owned{Owner: caller.From(ctx).Subject, States: o.States, Workflow: o.Workflow, Prefix: o.Prefix}
	switch {
	case which.Owner == "" && f.deps.Access.Issuer == "":
		return nil, "", job.Errorf(job.BadToken, "this server has no login, so jobs have no owners; list jobs by their ids and secrets")
	case which.Owner == "":
		return nil, "", job.Errorf(job.BadToken, "a list of own jobs needs a bearer token; log in, for example with bakta-web login")
	case o.PageSize < 0:
		return nil, "", job.Errorf(job.Invalid, "page_size: the number of jobs must not be negative")
	case len(o.Prefix) > job.MaxNameBytes || !utf8.ValidString(o.Prefix):
		return nil, "", job.Errorf(job.Invalid, "name: at most %d bytes of UTF-8 text are allowed", job.MaxNameBytes)
	}
	if which.After, err = positionOf(o.PageToken); err != nil {
		return nil, "", err
	}
	size := o.PageSize
	if size == 0 {
		size = defaultPage
	}
	size = min(size, maxPage)
	// One more than the page has, to know whether it is the last one.
	page, err = f.deps.Jobs.Owned(ctx, which, size+1)
	if err != nil || len(page) <= size {
		return page, "", err
	}
	last := page[size-1]
	next, err = tokenOf(job.Position{Created: last.Created, ID: last.ID})
	return page[:size], next, err
}

// A page's token is the position of the last job of the page before: milliseconds since 1970, and an id.
const positionBytes = 8 + 16

func tokenOf(p job.Position) (string, error) {
	id, err := uuid.Parse(p.ID)
	if err != nil {
		return "", err
	}
	token := binary.BigEndian.AppendUint64(make([]byte, 0, positionBytes), uint64(p.Created.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(token, id[:]...)), nil
}

func positionOf(token string) (job.Position, error) {
	if token == "" {
		return job.Position{}, nil
	}
	read, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(read) != positionBytes {
		return job.Position{}, job.Errorf(
			job.Invalid,
			"page_token: it is not a next_page_token of this server; leave it out to begin with the newest job",
		)
	}
	id, err := uuid.FromBytes(read[8:])
	created := time.UnixMilli(int64(binary.BigEndian.Uint64(read))).UTC() //nolint:gosec // any time is a position
	return job.Position{Created: created, ID: id.String()}, err
}
