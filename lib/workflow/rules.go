package workflow

import (
	"maps"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/baktfold"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// upload returns the upload of that kind that the workflow takes.
func (w Workflow) upload(kind string) (Upload, bool) {
	for _, u := range w.Uploads {
		if u.Kind == kind {
			return u, true
		}
	}
	return Upload{}, false
}

// HasOptions reports whether the workflow has Bakta's options. All of them are about genomes.
func (w Workflow) HasOptions() bool {
	_, ok := w.upload(upload.GenomeFASTA)
	return ok
}

// Normalise returns a configuration as Config.Normalise does, with the options that the workflow has. Others are
// ignored, like unknown fields: clients send all options that they know to any workflow.
func (w Workflow) Normalise(c option.Config) option.Config {
	if !w.HasOptions() {
		c = option.Config{Use: c.Use}
	}
	c = c.Normalise()
	maps.DeleteFunc(c.Use, func(kind string, _ bool) bool {
		u, ok := w.upload(kind)
		return !ok || u.Required
	})
	if len(c.Use) == 0 {
		c.Use = nil
	}
	return c
}

// Validate reports all options of a normalised configuration that the workflow would fail with, as one
// job.Invalid error with Violations as its cause.
func (w Workflow) Validate(c option.Config) error {
	var v option.Violations
	for _, kind := range kindsOf(c.Use) {
		if _, ok := w.upload(kind); c.Use[kind] && !ok {
			v = append(v, option.Violation{Field: kind, Problem: "the workflow " + w.Kind + " does not accept this file; leave it out"})
		}
	}
	return append(v, c.Check()...).Err()
}

// NewInspection returns an inspection of the uploads of a job of this workflow with that normalised configuration.
func (w Workflow) NewInspection(c option.Config) *upload.Inspection {
	i := upload.NewInspection(c)
	i.Baktfold = slices.ContainsFunc(w.Stages, func(s Stage) bool { return s.Program == baktfold.Name })
	return i
}

// kindsOf returns the kinds in a fixed order.
func kindsOf(use map[string]bool) []string {
	kinds := make([]string, 0, len(use))
	for kind := range use {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	return kinds
}
