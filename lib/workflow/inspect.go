package workflow

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// ErrBlank is what Inspect returns of an upload that holds nothing but white space. Clients upload such files
// in place of none.
var ErrBlank = errors.New("the file is empty")

// Inspect looks at an upload as far as is needed to know that the programs can read it, and returns the name
// under which they want it: they go by a name's ending before they look at the content. What they would refuse
// is a job.Invalid error that names the file and says what to do, or ErrBlank. An error of the reader is
// returned as it is, wrapped.
//
// A genome is read only as far as its first headSize bytes, decompressed, take; a fault behind those shows when
// the program runs. The other files are small and are read to their end.
func Inspect(kind string, content io.Reader, c Config) (name string, err error) {
	switch kind {
	case GenomeFASTA:
		return inspectGenome(content, c)
	case ProdigalTrainingFile:
		return "training.trn", inspectTraining(content)
	case RepliconsTable:
		return "replicons.tsv", inspectReplicons(content, c)
	}
	return "", fmt.Errorf("inspecting an upload: %q is no kind of upload", kind)
}

// Prepare copies an upload to where a program reads it, in the form that the program surely takes: a replicon
// table is written anew, all else is copied as it is. What Inspect accepted, Prepare does.
func Prepare(kind string, to io.Writer, from io.Reader) error {
	if kind != RepliconsTable {
		_, err := io.Copy(to, from)
		return err
	}
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
