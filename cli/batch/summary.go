package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/google/renameio/v2"

	"github.com/ag-computational-bio/bakta-web-backend/cli/annotation"
)

// SummaryName is the name of the table of all samples in the output folder.
const SummaryName = "summary.tsv"

// MultiQCName is the name of the file in the output folder by which MultiQC leaves the names of samples whole, if it is started there. As
// it is set up, version 1.35 cuts a name before any of some 150 texts, such as ".contigs" and "_counts" (fn_clean_exts).
const MultiQCName = "multiqc_config.yaml"

const multiQC = `# For MultiQC, if it is started in this folder: names of samples are left whole.
fn_clean_exts: [{type: regex, pattern: "[.]txt$"}]
fn_clean_trim: []
`

// summaryPause is the shortest time between two versions of the table: thousands of rows are written whole each time.
const summaryPause = 2 * time.Second

// summarise keeps the table up to date until the batch ends.
func (b *Batch) summarise() error {
	if b.o.Out == "" {
		return nil
	}
	if err := b.writeMultiQC(); err != nil {
		return err
	}
	for more := true; more; more = b.awaitChange(time.Now().Add(summaryPause)) {
		if err := b.writeSummary(); err != nil {
			return err
		}
	}
	return nil
}

// writeMultiQC writes the file for MultiQC, unless there is one.
func (b *Batch) writeMultiQC() error {
	path := filepath.Join(b.o.Out, MultiQCName)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return renameio.WriteFile(path, []byte(multiQC), 0o644, renameio.WithTempDir(b.o.Out))
}

func (b *Batch) writeSummary() error {
	return renameio.WriteFile(filepath.Join(b.o.Out, SummaryName), b.summary(), 0o644, renameio.WithTempDir(b.o.Out))
}

// awaitChange waits for a change of the table, and until a time. It reports false when the batch ends.
func (b *Batch) awaitChange(at time.Time) bool {
	timer := time.AfterFunc(time.Until(at), func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wake.Broadcast()
	})
	defer timer.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.open > 0 && b.stopped == nil && (!b.changed || time.Now().Before(at)) {
		b.wake.Wait()
	}
	b.changed = false
	return b.open > 0 && b.stopped == nil
}

// columns are the columns of the table. They are documented, and stable: new ones are added at the end.
var columns = append(
	[]string{"name", "file", "job_id", "workflow", "state", "reason", "run_time_s", "bases", "contigs", "n50", "gc_percent",
		"coding_percent"},
	append(kindColumns(), "hypotheticals", "pseudogenes", "bakta", "database", "baktfold")...)

// kindColumns are the columns of kinds of features.
func kindColumns() []string {
	var names []string
	for _, kind := range annotation.Kinds {
		names = append(names, strings.ReplaceAll(strings.ToLower(kind[0]), "-", "_"))
	}
	return names
}

// summary returns the table: a row for each sample of this call, and for those of earlier calls in the same folder.
func (b *Batch) summary() []byte {
	var text bytes.Buffer
	text.WriteString(strings.Join(columns, "\t") + "\n")
	seen := make(map[string]bool)
	b.mu.Lock()
	views := make([]View, len(b.items))
	jobs := make([]Job, len(b.items))
	for i, it := range b.items {
		views[i], jobs[i] = it.view, it.recorded
		seen[it.Name] = true
	}
	b.mu.Unlock()
	for i, v := range views {
		// Until this call has come to a sample, what earlier ones have found of it holds: the call may end before.
		if known, ok := b.o.Record.Named(v.Name); ok && jobs[i].ID == "" && (v.State == Waiting || v.State == Checking) {
			text.WriteString(earlierRow(known))
			continue
		}
		text.WriteString(row(v, jobs[i]))
	}
	for _, job := range b.o.Record.All() {
		if !seen[job.Name] {
			text.WriteString(earlierRow(job))
		}
	}
	return text.Bytes()
}

// earlierRow returns the line of a sample that this call has not come to.
func earlierRow(job Job) string {
	return row(View{Name: job.Name, File: job.File, Workflow: job.Workflow, State: stateOf(job.Phase), Reason: job.Reason}, job)
}

// stateOf returns the state that the record of an earlier call says.
func stateOf(p Phase) State {
	switch p {
	case Done:
		return Succeeded
	case Failed, Dropped:
		return Unable
	}
	return Submitted
}

// row returns a line of the table. What is not known is empty.
func row(v View, job Job) string {
	cells := []string{v.Name, v.File, job.ID, v.Workflow, string(v.State), v.Reason, ""}
	if job.Seconds > 0 {
		cells[6] = strconv.FormatFloat(job.Seconds, 'f', 0, 64)
	}
	facts := job.Facts
	if facts == nil || v.State != Succeeded {
		cells = append(cells, make([]string, len(columns)-len(cells))...)
	} else {
		if facts.Sequences > 0 {
			cells = append(cells, fmt.Sprint(facts.Size), fmt.Sprint(facts.Sequences), fmt.Sprint(facts.N50), fmt.Sprintf("%.2f", 100*facts.GC),
				fmt.Sprintf("%.2f", 100*facts.Coding))
		} else {
			cells = append(cells, "", "", "", "", "") // proteins without a genome
		}
		for _, kind := range annotation.Kinds {
			cells = append(cells, fmt.Sprint(facts.Features[kind[0]]))
		}
		cells = append(cells, fmt.Sprint(facts.Hypo), fmt.Sprint(facts.Pseudo), facts.Version, facts.Database, facts.Baktfold)
	}
	for i, cell := range cells {
		cells[i] = inCell(cell)
	}
	return strings.Join(cells, "\t") + "\n"
}

// inCell makes a text fit for a cell: tabs and line breaks would begin another.
func inCell(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}
