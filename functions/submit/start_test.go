package submit_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/functions/submit"
	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// created is a store that has one job, which was created.
type created struct {
	submit.Jobs
	submitted bool
}

const secret = "0123456789abcdefghijABCDEFGHIJ01"

func (c *created) Get(_ context.Context, id string) (job.Job, error) {
	return job.Job{ID: id, SecretHash: job.HashSecret(secret), Workflow: workflow.Bakta, State: job.Created}, nil
}

func (c *created) Submit(context.Context, string, job.Start, []job.Stage, time.Time, time.Time, time.Time) (bool, error) {
	c.submitted = true
	return false, job.Errorf(job.Unavailable, "this is far enough")
}

// huge is a storage whose files are of sizes that no test wants to upload.
type huge struct {
	submit.Files
	sizes map[string]int64 // by upload kind
}

func (h huge) Stat(_ context.Context, key string) (job.File, error) {
	size, ok := h.sizes[key[strings.LastIndexByte(key, '/')+1:]]
	if !ok {
		return job.File{}, job.Errorf(job.NotFound, "there is no such file")
	}
	return job.File{Key: key, Size: size, ETag: "e"}, nil
}

func (h huge) Open(_ context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	file, err := h.Stat(context.Background(), key)
	return io.NopCloser(strings.NewReader(">a\nACGTACGT\n")), file, err
}

func TestUploadsTooLarge(t *testing.T) {
	const id = "123e4567-e89b-42d3-a456-426614174000"
	const gib, mib = 1 << 30, 1 << 20
	for _, tt := range []struct {
		name    string
		sizes   map[string]int64
		limits  map[string]int64
		refused []string // words of the refusal; none: the job is submitted
	}{
		{"the largest genome", map[string]int64{upload.GenomeFASTA: gib}, nil, nil},
		{"a genome too large", map[string]int64{upload.GenomeFASTA: gib + 1}, nil, []string{"genome", "at most 1GiB"}},
		{"the largest that the deployment takes", map[string]int64{upload.GenomeFASTA: 16 * mib}, map[string]int64{upload.GenomeFASTA: 16 * mib},
			nil},
		{"one byte more", map[string]int64{upload.GenomeFASTA: 16*mib + 1}, map[string]int64{upload.GenomeFASTA: 16 * mib},
			[]string{"genome", "at most 16MiB"}},
		{"a deployment can't allow more than is possible", map[string]int64{upload.GenomeFASTA: gib + 1},
			map[string]int64{upload.GenomeFASTA: 2 * gib}, []string{"genome", "at most 1GiB"}},
		{"a table too large", map[string]int64{upload.GenomeFASTA: 12, upload.RepliconsTable: 2*mib + 1}, nil,
			[]string{"replicon table", "at most 2MiB"}},
		{"a training file too large", map[string]int64{upload.GenomeFASTA: 12, upload.ProdigalTrainingFile: 10*mib + 1}, nil,
			[]string{"Prodigal training file", "at most 10MiB"}},
	} {
		jobs := &created{}
		f, err := submit.New(submit.Deps{
			Jobs: jobs, Files: huge{sizes: tt.sizes}, Launcher: launcher{}, Offered: workflow.Catalogue(), MaxSizes: tt.limits,
			Retention: time.Hour, UploadTTL: time.Hour, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.Start(t.Context(), submit.Start{API: 1, ID: id, Secret: secret, Workflow: workflow.Bakta})
		if len(tt.refused) == 0 {
			if !jobs.submitted {
				t.Errorf("%s: %v", tt.name, err)
			}
			continue
		}
		if jobs.submitted || !job.Is(err, job.Invalid) {
			t.Errorf("%s: submitted %t, %v", tt.name, jobs.submitted, err)
			continue
		}
		for _, words := range tt.refused {
			if !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %q is not in %v", tt.name, words, err)
			}
		}
	}
}

type launcher struct{ submit.Launcher }

// slow is a storage that answers when it is opened.
type slow struct {
	huge
	asked, open chan struct{}
}

func (s slow) Open(ctx context.Context, key, etag string) (io.ReadCloser, job.File, error) {
	s.asked <- struct{}{}
	<-s.open
	return s.huge.Open(ctx, key, etag)
}

// While as many starts look at uploads as may, another one waits, for as long as its caller does.
func TestLooks(t *testing.T) {
	t.Parallel()
	files := slow{huge{sizes: map[string]int64{upload.GenomeFASTA: 12}}, make(chan struct{}, 100), make(chan struct{})}
	f, err := submit.New(submit.Deps{
		Jobs: &created{}, Files: files, Launcher: launcher{}, Offered: workflow.Catalogue(),
		Retention: time.Hour, UploadTTL: time.Hour, Now: time.Now, Log: slog.New(slog.DiscardHandler), Looks: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	start := func(ctx context.Context) error {
		_, err := f.Start(ctx, submit.Start{ID: "123e4567-e89b-42d3-a456-426614174000", Secret: secret, Workflow: workflow.Bakta})
		return err
	}
	first := make(chan error, 1)
	go func() { first <- start(t.Context()) }()
	<-files.asked
	hasty, cancel := context.WithCancel(t.Context())
	cancel()
	if err := start(hasty); !job.Is(err, job.Exhausted) {
		t.Errorf("a start while another one looks: %v", err)
	}
	close(files.open)
	if err := <-first; !job.Is(err, job.Unavailable) { // all that this store says
		t.Errorf("the first: %v", err)
	}
	if err := start(t.Context()); !job.Is(err, job.Unavailable) {
		t.Errorf("a start after it: %v", err)
	}
}
