package submit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/docker/go-units"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// inputs inspects every upload of the workflow that the job uses, and returns the inputs of the run and the warnings. The
// required uploads come first in the catalogue and are inspected last, when the files that they have to fit are known. Of
// several refusals the caller gets the one about the first upload in the catalogue.
//
// The bytes of an upload go one way from here: an input pins them (size and ETag), lib/stage brings exactly these
// (upload.Prepare rewrites them for the program) and the program's row in lib/program names the file on the command line.
func (f *Function) inputs(
	ctx context.Context,
	id string,
	w workflow.Workflow,
	api int,
	config option.Config,
) ([]job.Input, []job.Warning, error) {
	select {
	case f.looks <- struct{}{}:
		defer func() { <-f.looks }()
	case <-ctx.Done():
		return nil, nil, job.Errorf(job.Exhausted, "too many jobs are started at the moment; please try again later").Because(ctx.Err())
	}
	var inputs []job.Input
	var refusal error
	inspection := w.NewInspection(config)
	for _, u := range slices.Backward(w.Uploads) {
		need := needOf(u, api, config.Use)
		if need == unused {
			continue
		}
		input, err := f.input(ctx, id, u, inspection)
		blank := errors.Is(err, upload.ErrBlank)
		switch {
		case err == nil:
			inputs = append(inputs, input)
		case blank || job.Is(err, job.NotFound):
			if err := need.without(u.Upload, blank); err != nil {
				refusal = err
			}
		case job.Is(err, job.Invalid):
			refusal = err
		default:
			return nil, nil, err
		}
	}
	slices.Reverse(inputs)
	return inputs, inspection.Warnings(), refusal
}

// input inspects one upload and pins it.
func (f *Function) input(ctx context.Context, id string, u workflow.Upload, inspection *upload.Inspection) (job.Input, error) {
	// One request says whether the object exists, has its size and its ETag, and brings as much of it as is read.
	content, file, err := f.deps.Files.Open(ctx, job.UploadKey(id, u.Kind), "")
	if err != nil {
		return job.Input{}, err
	}
	defer content.Close()
	if err := f.fits(u, file.Size); err != nil {
		return job.Input{}, err
	}
	name, err := inspection.Inspect(u.Kind, content)
	if err != nil {
		return job.Input{}, fmt.Errorf("%s: %w", u.Kind, err)
	}
	return job.Input{Kind: u.Kind, Size: file.Size, ETag: file.ETag, Name: name}, nil
}

// fits returns an error for an upload that is larger than this deployment allows.
func (f *Function) fits(u workflow.Upload, size int64) error {
	limit := f.maxSize(u)
	if size <= limit {
		return nil
	}
	return job.Errorf(
		job.Invalid,
		"%s: the file has %s; at most %s are allowed",
		u.Label,
		units.BytesSize(float64(size)),
		units.BytesSize(float64(limit)),
	)
}

// maxSize is how many bytes an upload may have.
func (f *Function) maxSize(u workflow.Upload) int64 {
	if l, ok := f.deps.MaxSizes[u.Kind]; ok {
		return min(u.MaxSize, l)
	}
	return u.MaxSize
}

// need is how much a job needs an upload.
type need int

const (
	unused   need = iota // whatever was uploaded
	optional             // it is used if it has content
	promised             // the caller said that it is used
	required             // by the workflow
)

// needOf returns how much a job needs an upload that is started by a version of the API, with what the configuration says of
// the use of uploads. Jobs that the first version starts use only the uploads that it has links for.
func needOf(u workflow.Upload, api int, use map[string]bool) need {
	used, said := use[u.Kind]
	switch {
	case u.Required:
		return required
	case api == 1 && u.LinkV1 == "", said && !used:
		return unused
	case used:
		return promised
	}
	return optional
}

// without returns why a job can't go on without an upload that is not there, or is blank. It is nil if the job can.
func (n need) without(u upload.Upload, blank bool) error {
	switch {
	case n < promised, n == promised && blank && u.BlankIsNone:
		return nil
	case blank:
		return job.Errorf(job.Invalid, "%s: the uploaded file is empty; upload it again, then start the job again", u.Label)
	}
	return job.Errorf(job.Invalid, "%s: the file was not uploaded; send it to its upload link, then start the job again", u.Label)
}
