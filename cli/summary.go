package cli

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/ag-computational-bio/bakta-web-backend/cli/annotation"
)

// printSummary shows people what was annotated.
func printSummary(out io.Writer, s annotation.Summary) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if s.Note != "" {
		fmt.Fprintf(out, "NOTE: %s\n", shown(s.Note))
	}
	by := fmt.Sprintf("%s, database %s", shown(s.Tool), orUnknown(s.Database))
	if s.Baktfold != "" {
		by += "; Baktfold " + shown(s.Baktfold)
	}
	fmt.Fprintf(w, "annotated by\t%s\n", by)
	if s.Sequences == 0 { // there is no genome
		fmt.Fprintf(w, "proteins\t%s, of which %s hypothetical\n", thousands(int64(s.Features["cds"])), thousands(int64(s.Hypo)))
		return w.Flush()
	}
	if s.Organism != "" {
		fmt.Fprintf(w, "organism\t%s\n", shown(s.Organism))
	}
	plural := "s"
	if s.Sequences == 1 {
		plural = ""
	}
	fmt.Fprintf(w, "genome\t%s bp in %s sequence%s, N50 %s bp\n", thousands(s.Size), thousands(int64(s.Sequences)), plural, thousands(s.N50))
	fmt.Fprintf(w, "GC\t%.1f %%\n", 100*s.GC)
	fmt.Fprintf(w, "coding density\t%.1f %%\n", 100*s.Coding)
	for _, kind := range annotation.Kinds {
		count := s.Features[kind[0]]
		switch {
		case kind[0] == "cds":
			fmt.Fprintf(
				w,
				"%s\t%s, of which %s hypothetical and %s pseudogenes\n",
				kind[1],
				thousands(int64(count)),
				thousands(int64(s.Hypo)),
				thousands(int64(s.Pseudo)),
			)
		case count > 0:
			fmt.Fprintf(w, "%s\t%s\n", kind[1], thousands(int64(count)))
		}
	}
	return w.Flush()
}
