package workflow

import (
	"fmt"
	"math/bits"
	"path"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Class groups runs that take about the same time on the same deployment: those of one workflow whose main inputs have about the
// same size. The main input is the upload that the workflow requires: the genome, for example.
type Class struct {
	Workflow string
	Format   string // the ending of the main input's name. A compressed file has several times its size
	Size     int    // binary logarithm of the main input's size in bytes, rounded up
}

// ClassOf returns the class of a job's runs. It is false for a job that was not started, or whose workflow is not in the catalogue.
func ClassOf(j job.Job) (Class, bool) {
	w, ok := Lookup(j.Workflow)
	if !ok {
		return Class{}, false
	}
	for _, u := range w.Uploads {
		if in, pinned := j.Input(u.Kind); u.Required && pinned {
			return Class{Workflow: j.Workflow, Format: path.Ext(in.Name), Size: bits.Len64(uint64(max(in.Size, 1) - 1))}, true
		}
	}
	return Class{}, false
}

// Near returns the classes of the next smaller and the next larger inputs.
func (c Class) Near() []Class {
	smaller, larger := c, c
	smaller.Size--
	larger.Size++
	return []Class{smaller, larger}
}

// String returns the name of the class in the store.
func (c Class) String() string { return fmt.Sprintf("%s %s 2^%d", c.Workflow, c.Format, c.Size) }
