package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/cli/batch"
)

// nameColumns is the width of the names of samples on a terminal.
const nameColumns = 24

// frame returns the lines that show how a batch goes: one for each sample that something happens to, and a total. They fit into a number of
// columns and rows.
func (p *progress) frame(views []batch.View, columns, rows int) []string {
	now := time.Now()
	var lines []string
	for _, state := range []batch.State{batch.Running, batch.Uploading, batch.Downloading, batch.Checking} {
		for _, v := range views {
			if v.State == state {
				lines = append(lines, sampleLine(v, now))
			}
		}
	}
	if most := max(1, rows-1); len(lines) > most {
		more := len(lines) - (most - 1)
		lines = append(lines[:most-1], fmt.Sprintf("… and %d more", more))
	}
	lines = append(lines, p.totalLine(views, now))
	for i, line := range lines {
		lines[i] = clipped(line, columns)
	}
	return lines
}

// sampleLine shows what happens to a sample.
func sampleLine(v batch.View, now time.Time) string {
	text := padded(clipped(shown(v.Name), nameColumns), nameColumns) + "  "
	switch v.State {
	case batch.Checking:
		return text + "checking"
	case batch.Downloading:
		return text + "downloading"
	case batch.Uploading:
		return text + fmt.Sprintf("uploading %s of %s", bytesText(v.Sent), bytesText(v.Size))
	}
	text += "running " + clock(now.Sub(v.Since))
	if at := v.Status.Progress; at != nil {
		text += fmt.Sprintf("  step %d of %d  %s", at.Step, at.Steps, shown(at.Text))
	} else if v.Status.Stage != "" {
		text += "  " + shown(v.Status.Stage)
	}
	return text
}

// totalLine shows how many samples came how far, since when, and until when it goes on.
func (p *progress) totalLine(views []batch.View, now time.Time) string {
	states := make(map[batch.State]int)
	end, known := time.Time{}, true // known: of all
	for _, v := range views {
		states[v.State]++
		if v.State.Settled() {
			continue
		}
		if e := v.Status.Expected; e != nil && !e.End.IsZero() {
			if e.End.After(end) {
				end = e.End
			}
		} else if v.State != batch.Downloading {
			known = false
		}
	}
	parts := []string{fmt.Sprintf("%d of %d done", states[batch.Succeeded]+states[batch.Submitted], len(views))}
	for _, part := range []struct {
		n    int
		what string
	}{
		{states[batch.Unable], "failed"}, {states[batch.Running], "running"}, {states[batch.Queued], "queued"},
		{states[batch.Uploading] + states[batch.Checking], "uploading"}, {states[batch.Downloading], "downloading"},
		{states[batch.Waiting], "to send"},
	} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.what))
		}
	}
	text := strings.Join(parts, ", ") + "  " + clock(now.Sub(p.began))
	if known && !end.IsZero() {
		text += "  ends about " + clockTime(end, now)
	}
	return text
}

// clock writes a duration as a clock shows it.
func clock(d time.Duration) string {
	seconds := int(d.Seconds())
	if seconds < 3600 {
		return fmt.Sprintf("%02d:%02d", seconds/60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
}

// clockTime writes a time of today, or of another day.
func clockTime(t, now time.Time) string {
	if t.Local().YearDay() == now.Local().YearDay() {
		return t.Local().Format("15:04")
	}
	return t.Local().Format("Jan 2 15:04")
}
