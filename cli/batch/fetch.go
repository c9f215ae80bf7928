package batch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"

	"github.com/ag-computational-bio/bakta-web-backend/cli/annotation"
	"github.com/ag-computational-bio/bakta-web-backend/cli/resultfiles"
	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// fetchAll fetches the results of jobs, of one after the other.
func (b *Batch) fetchAll(ctx context.Context) error {
	for {
		it := b.next(&b.ready)
		if it == nil {
			return nil
		}
		began := time.Now()
		err := b.fetch(ctx, it)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		if it.passes(err) && !b.absent(err, began) {
			b.mu.Lock()
			b.ready = append(b.ready, it)
			b.mu.Unlock()
			continue
		}
		// The job stays recorded as started, so the next call fetches its results.
		b.fail(it, "the results could not be fetched: %v", err)
		var unrecorded *recordError
		if errors.As(err, &unrecorded) || b.absent(err, began) {
			return err
		}
	}
}

// recordError is a failure to record something.
type recordError struct{ error }

func (e *recordError) Unwrap() error { return e.error }

// fetch puts the results of a job into its folder. Files are fetched aside, to a place that the next call finds if this one is interrupted:
// it keeps those that are complete.
func (b *Batch) fetch(ctx context.Context, it *item) error {
	ref := client.Ref{ID: it.job.ID, Secret: it.job.Secret}
	result, err := b.o.Client.Result(ctx, ref, false)
	if err != nil {
		return err
	}
	b.answered()
	aside := filepath.Join(b.o.Out, ledgerFolder, "incomplete", it.job.ID)
	if err := os.MkdirAll(aside, 0o777); err != nil {
		return err
	}
	names, from := resultfiles.Names(it.Folder, result.Files)
	sizes, err := b.download(ctx, it, names, from, aside)
	if err != nil {
		return err
	}
	var facts *annotation.Summary
	if name := it.Folder + ".json"; slices.Contains(names, name) {
		s, err := annotation.Read(filepath.Join(aside, name))
		if err != nil {
			return err
		}
		facts = &s
	}
	if err := b.place(it, names, aside); err != nil {
		return err
	}
	seconds := b.seconds(ctx, it, it.view.Status)
	err = b.put(ctx, it, func(j *Job) {
		j.Phase, j.Reason, j.Folder, j.Files, j.Before = Done, "", it.Folder, sizes, nil
		j.Facts, j.Seconds = facts, seconds
	})
	if err != nil {
		return &recordError{err}
	}
	os.RemoveAll(aside) // empty, and nothing that counts
	b.change(it, func(v *View) { v.State, v.Earlier = Succeeded, false })
	return nil
}

// download fetches files, and returns their sizes in bytes by name. Complete ones that are there already are kept.
func (b *Batch) download(ctx context.Context, it *item, names []string, from map[string]string, aside string) (map[string]int64, error) {
	left, err := os.ReadDir(aside)
	if err != nil {
		return nil, err
	}
	sizes, total := make(map[string]int64), int64(0)
	for _, file := range left {
		info, err := file.Info()
		switch {
		case err != nil:
			return nil, err
		case slices.Contains(names, file.Name()):
			sizes[file.Name()] = info.Size()
			total += info.Size()
		case strings.HasSuffix(file.Name(), ".part"): // of an interrupted call, whose rest has another name
			if err := os.Remove(filepath.Join(aside, file.Name())); err != nil {
				return nil, err
			}
		}
	}
	for _, name := range names {
		if _, ok := sizes[name]; ok {
			continue
		}
		size, err := b.o.Client.WithMaxDownload(b.o.MaxDownload-total).Download(ctx, from[name], filepath.Join(aside, name), nil)
		if errors.Is(err, client.ErrTooLarge) {
			os.RemoveAll(aside)
			return nil, fmt.Errorf("they have more than the %s that --max-download allows; allow more", units.HumanSize(float64(b.o.MaxDownload)))
		}
		if err != nil {
			return nil, err
		}
		b.answered()
		sizes[name] = size
		total += size
	}
	return sizes, nil
}

// place moves the results into the folder of the sample. Results that an earlier job of the sample left there are replaced.
func (b *Batch) place(it *item, names []string, aside string) error {
	folder := filepath.Join(b.o.Out, it.Folder)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	own := it.job.left()
	var inputs []string
	for _, f := range it.Files {
		inputs = append(inputs, f.Path)
	}
	err := resultfiles.Place(aside, folder, names, inputs, func(name string) bool {
		info, err := os.Stat(filepath.Join(folder, name))
		return b.o.Force || err == nil && own[name] == info.Size()
	})
	if err != nil {
		return err
	}
	// What the earlier job left besides would belong to neither.
	for name, size := range own {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && info.Size() == size && !slices.Contains(names, name) {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
