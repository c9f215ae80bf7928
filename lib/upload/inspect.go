// Package upload has the files that users upload: it reads their formats, refuses what the programs would fail with, and
// prepares the files for the programs. It is pure: bytes in, verdict out.
package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// ErrBlank is the error of Inspect for an upload that has only white space. Clients upload such files in place of none.
var ErrBlank = errors.New("the file is empty")

// Inspect reads an upload as far as is needed to know that the programs can read it, and returns the file name that the
// programs need: they go by its ending before they read the content. It refuses what they would refuse with a job.Invalid
// error, which names the file and says what to do, or with ErrBlank. An error of the reader is returned wrapped.
//
// A genome is read as far as maxScanned, decompressed; a fault behind that shows when the program runs. Other files are read
// to their end.
func Inspect(kind string, content io.Reader, c option.Config) (name string, err error) {
	return NewInspection(c).Inspect(kind, content)
}

// headSize is how much of a file is read to see what it is, in bytes, decompressed.
const headSize = 64 << 10

// Inspection inspects the uploads of one job, and whether they fit together. Regions and the replicon table are compared with
// the genome that is inspected after them.
type Inspection struct {
	Baktfold bool // Baktfold reads what Bakta makes of the uploads, and can't read all of that

	config    option.Config
	regions   *regions
	replicons map[string]replicon // by the ids of their sequences
	warnings  []job.Warning
	contents  func() Contents // of the file that was inspected last; nil before
}

// NewInspection returns an inspection of the uploads of a job with that normalised configuration.
func NewInspection(c option.Config) *Inspection { return &Inspection{config: c} }

// Inspect does what the function of that name does, and remembers what the next uploads are compared with.
func (i *Inspection) Inspect(kind string, content io.Reader) (name string, err error) {
	u, ok := Lookup(kind)
	if !ok {
		return "", fmt.Errorf("inspecting an upload: the kind %q is not known", kind)
	}
	// Bakta ignores these files without a message. It ignores a training file, too, but users do not expect that one in the
	// results.
	if u.Coding && slices.Contains(i.config.Skip, "cds") {
		i.warn(warnUnused, kind, "The %s: Bakta reads the file when it predicts coding sequences, and these are skipped, so it has no effect.",
			u.Label)
	}
	return u.inspect(i, content)
}

func (i *Inspection) repliconTable(content io.Reader) (string, error) {
	table, err := inspectReplicons(content)
	i.replicons = table
	return "replicons.tsv", err
}

func (i *Inspection) regionsFile(content io.Reader) (string, error) {
	r, err := readRegions(content, io.Discard)
	if err != nil {
		return "", err
	}
	if r.slips > 0 && i.Baktfold {
		// baktfold/io/gff.py of 0.3.0 asks each exception of Bakta's for a codon, and slippage has none.
		return "", refuse("The regions file has a coding sequence in line %d with /ribosomal_slippage, and Baktfold can't read what Bakta "+
			"writes for it; "+
			"remove that line, or annotate the genome without Baktfold.", r.slips)
	}
	i.regions = &r
	return r.name, nil
}

func prepareReplicons(to io.Writer, from io.Reader) error {
	content, err := readAll(from, maxReplicon, repliconTable)
	if err != nil {
		return err
	}
	rows, err := parseReplicons(content)
	if err != nil {
		return err
	}
	_, err = to.Write(formatReplicons(rows))
	return err
}

// readAll reads a whole upload that is called what is said, unless it is longer than the limit.
func readAll(r io.Reader, limit int64, called string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, readingError(err)
	}
	if int64(len(content)) > limit {
		return nil, refuse("The %s has more than %d bytes, which is too much; check that it is the right file.", called, limit)
	}
	return content, nil
}

// blank reports whether there is nothing but white space. A byte order mark is nothing, too.
func blank(b []byte) bool { return len(bytes.TrimSpace(bytes.TrimPrefix(b, []byte(utf8BOM)))) == 0 }

func readingError(err error) error { return fmt.Errorf("reading the upload: %w", err) }

func refuse(format string, args ...any) error { return job.Errorf(job.Invalid, format, args...) }
