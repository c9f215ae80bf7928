// Package upload has the files that users upload: it reads their formats, refuses what the programs would fail with, and
// prepares the files for the programs. It is pure: bytes in, verdict out.
package upload

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// ErrBlank is what Inspect returns of an upload that holds nothing but white space. Clients upload such files
// in place of none.
var ErrBlank = errors.New("the file is empty")

// Inspect looks at an upload as far as is needed to know that the programs can read it, and returns the name
// under which they want it: they go by a name's ending before they look at the content. What they would refuse
// is a job.Invalid error that names the file and says what to do, or ErrBlank. An error of the reader is
// returned as it is, wrapped.
//
// A genome is read only as far as maxScanned, decompressed; a fault behind that shows when the program runs. The other
// files are read to their end.
func Inspect(kind string, content io.Reader, c option.Config) (name string, err error) {
	return NewInspection(c).Inspect(kind, content)
}

// headSize is how much of a file is read to see what it is, in bytes, decompressed.
const headSize = 64 << 10

// Inspection looks at the uploads of one job, and whether they go together. Regions and the replicon table are compared
// with the genome that is looked at after them.
type Inspection struct {
	Baktfold bool // Baktfold goes on from what Bakta makes of the uploads, and can't read all of that

	config    option.Config
	regions   *regions
	replicons map[string]replicon // by the ids of their sequences
	warnings  []job.Warning
}

// NewInspection returns an inspection of the uploads of a job with that normalised configuration.
func NewInspection(c option.Config) *Inspection { return &Inspection{config: c} }

// Inspect does what the function of that name does, and remembers what matters for the uploads that come after.
func (i *Inspection) Inspect(kind string, content io.Reader) (name string, err error) {
	if err := i.useless(kind); err != nil {
		return "", err
	}
	switch kind {
	case GenomeFASTA:
		return i.genome(content)
	case ProdigalTrainingFile:
		return "training.trn", inspectTraining(content)
	case RepliconsTable:
		table, err := inspectReplicons(content)
		i.replicons = table
		return "replicons.tsv", err
	case RegionsFile:
		r, err := readRegions(content, io.Discard)
		if err != nil {
			return "", err
		}
		if r.slips > 0 && i.Baktfold {
			// baktfold/io/gff.py of 0.3.0 asks each exception of Bakta's for a codon, and slippage has none.
			return "", refuse("The regions file has a coding sequence in line %d with /ribosomal_slippage, of which Baktfold can't read what Bakta writes; remove that line, or annotate the genome without Baktfold.", r.slips)
		}
		i.regions = &r
		return r.name, nil
	case TrustedProteinsFile:
		return readTrusted(content, io.Discard)
	case HMMsFile:
		return "profiles.hmm", readHMMs(content, io.Discard)
	case ProteinFASTA:
		return inspectProteins(content)
	case BaktaJSON:
		return inspectAnnotation(content)
	}
	return "", fmt.Errorf("inspecting an upload: %q is no kind of upload", kind)
}

// useless refuses files that Bakta passes over without a word as it is told to run. A training file is passed over,
// too, but it is no part of what a user wants to see in the outcome.
func (i *Inspection) useless(kind string) error {
	switch kind {
	case RegionsFile, TrustedProteinsFile, HMMsFile:
		if slices.Contains(i.config.Skip, "cds") {
			return refuse("The %s is about coding sequences, and those are skipped; leave the file out, or don't skip the step cds.", strings.ReplaceAll(kind, "_", " "))
		}
	}
	return nil
}

// Prepare copies an upload to where a program reads it, in the form that the program surely takes: tables, regions,
// trusted proteins and profiles are written anew, all else is copied as it is. What Inspect accepted, Prepare does.
// It reads the upload to its end.
func Prepare(kind string, to io.Writer, from io.Reader) error {
	var err error
	switch kind {
	case RepliconsTable:
		return prepareReplicons(to, from)
	case RegionsFile:
		_, err = readRegions(from, to)
	case TrustedProteinsFile:
		_, err = readTrusted(from, to)
	case HMMsFile:
		err = readHMMs(from, to)
	default:
		_, err = io.Copy(to, from)
		return err
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, from)
	return err
}

func prepareReplicons(to io.Writer, from io.Reader) error {
	content, err := readAll(from, MaxReplicon, repliconTable)
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
