package standin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/shenwei356/xopen"
)

// foldVersion is what the stand-in writes where Baktfold writes its version.
const foldVersion = "0.3.0+stand-in"

// baktfold plays baktfold run. It finds nothing, and passes the annotation on as it came, with what Baktfold adds to it.
func (r *run) baktfold() error {
	if r.is("force") { // Baktfold empties its output directory, whatever is there
		if err := errors.Join(os.RemoveAll(r.dir), os.MkdirAll(r.dir, 0o777)); err != nil {
			return err
		}
	}
	r.printf("%s", notice)
	if err := r.say("You are running baktfold run", "Parsing annotations from input: "+r.input); err != nil {
		return err
	}
	document, a, err := readAnnotation(r.input)
	if err != nil {
		return fail("%s", logLine("ERROR", fmt.Sprintf("ERROR: annotation file %s not valid! %v", r.input, err)))
	}
	if err := r.say("Predicting 3Di sequences using ProstT5", "Beginning ProstT5 predictions"); err != nil {
		return err
	}
	if err := r.playFailure(); err != nil {
		return err
	}
	for _, database := range []string{"swissprot", "AFDBClusters", "pdb", "cath"} {
		if err := r.say("Started running foldseek search query /database/" + database + " result temp"); err != nil {
			return err
		}
	}
	if err := r.say("Looking up PSTC descriptions", "writing baktfold outputs"); err != nil {
		return err
	}
	err = r.write(append(a.genomeFiles(), file{"summary.txt", a.writeFoldSummary},
		file{"json", func(w io.Writer) error { return writeJSON(w, document) }}))
	if err != nil {
		return err
	}
	return r.say("baktfold run has finished")
}

// say writes lines in the form of Baktfold's log, each a step, to the standard error.
func (r *run) say(lines ...string) error {
	for _, line := range lines {
		fmt.Fprintln(r.stderr, logLine("INFO", line))
		if err := r.pause(); err != nil {
			return err
		}
	}
	return nil
}

func logLine(level, text string) string {
	return fmt.Sprintf("%s | %-8s | baktfold.stand-in:run:1 - %s", time.Now().Format("2006-01-02 15:04:05.000"), level, text)
}

// readAnnotation reads a JSON file of Bakta: whole, with Baktfold's additions, and as far as the other files need it.
func readAnnotation(path string) (map[string]json.RawMessage, *annotation, error) {
	text, err := xopen.Ropen(path)
	if err != nil {
		return nil, nil, err
	}
	defer text.Close()
	content, err := io.ReadAll(text)
	if err != nil {
		return nil, nil, err
	}
	var document map[string]json.RawMessage
	a := &annotation{}
	if err := errors.Join(json.Unmarshal(content, &document), json.Unmarshal(content, a)); err != nil {
		return nil, nil, err
	}
	if document["genome"] == nil || document["features"] == nil || document["sequences"] == nil {
		return nil, nil, errors.New("genome, features or sequences are missing")
	}
	for _, s := range a.Sequences {
		s.NT = cmp.Or(s.NT, s.OldNT)
		s.Length = len(s.NT)
	}
	for _, f := range a.Features {
		f.Sequence = cmp.Or(f.Sequence, f.Contig)
	}
	if a.Version == nil {
		a.Version = map[string]any{}
	}
	a.Version["baktfold"], a.Version["baktfold_db"], a.Version["note"] = foldVersion, "0.0", notice
	document["version"], err = json.Marshal(a.Version)
	return document, a, err
}

func (a *annotation) writeFoldSummary(w io.Writer) error {
	count := map[string]int{}
	for _, f := range a.Features {
		count[f.Type]++
		if f.Hypothetical {
			count["hypothetical"]++
		}
	}
	_, err := fmt.Fprintf(w, "Annotation:\nCDS count: %d\nCDS remaining hypotheticals: %d\n\nBaktfold:\n%s",
		count["cds"], count["hypothetical"], comment(""))
	return err
}
