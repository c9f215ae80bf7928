package standin

import (
	"fmt"
	"io"
	"strings"
)

// proteins plays bakta_proteins. The lines are those of bakta/proteins.py of version 1.12.2.
func (r *run) proteins() error {
	a := &annotation{Features: []*feature{}}
	read := func() error {
		if err := r.step("Parse protein sequences..."); err != nil {
			return err
		}
		err := readFASTA(r.input, func(id, description, residues string) error {
			aa := strings.TrimSuffix(residues, "*")
			if aa == "" || strings.Trim(aa, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				return fmt.Errorf("protein %q is empty or contains characters that are not amino acids", id)
			}
			f := newFeature(aa)
			f.ID, f.Locus, f.Description, f.Length = id, id, description, len(aa)
			a.Features = append(a.Features, f)
			return nil
		})
		if err != nil {
			r.printf("reading %s: %v", r.input, err)
			return fail("ERROR: wrong file format or unallowed characters in amino acid sequences!")
		}
		r.printf("\timported: %d", len(a.Features))
		return nil
	}
	annotate := func() error {
		for _, line := range []string{"\nStart annotation...", "\tlookup annotations...", "\tconduct expert systems..."} {
			if err := r.step(line); err != nil {
				return err
			}
		}
		if err := r.playFailure(); err != nil {
			return err
		}
		return r.step("\tcombine annotations and mark hypotheticals...")
	}
	export := func() error {
		if err := r.step("\nExport annotation results to: " + r.dir); err != nil {
			return err
		}
		return r.write([]file{
			{"tsv", func(w io.Writer) error {
				return a.table(w, "ID\tLength\tGene\tProduct\tEC\tGO\tCOG\tRefSeq\tUniParc\tUniRef", func(f *feature) string {
					return fmt.Sprintf("%s\t%d\t\t%s\t\t\t\t\t\t", f.ID, f.Length, f.Product)
				})
			}},
			{"inference.tsv", a.writeInferences},
			{"json", func(w io.Writer) error {
				return writeJSON(w, map[string]any{"features": a.Features, "version": version()})
			}},
			{"hypotheticals.tsv", func(w io.Writer) error {
				return a.table(w, "ID\tLength\tMol Weight [kDa]\tIso El. Point\tPfam hits", func(f *feature) string {
					return fmt.Sprintf("%s\t%d\tNA\tNA\t", f.ID, f.Length)
				})
			}},
			{"faa", a.writeFAA},
		})
	}
	return r.logged(read, annotate, export)
}
