package standin

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// file is a result file.
type file struct {
	ending string
	write  func(io.Writer) error
}

// genomeFiles are the files that both Bakta and Baktfold write of a genome.
func (a *annotation) genomeFiles() []file {
	return []file{
		{"tsv", a.writeTSV}, {"gff3", a.writeGFF}, {"gbff", a.writeGenBank}, {"embl", a.writeEMBL}, {"fna", a.writeFNA}, {"ffn", a.writeFFN},
		{"faa", a.writeFAA}, {"inference.tsv", a.writeInferences},
	}
}

// write writes result files, without the JSON file if that failure is to be played.
func (r *run) write(files []file) error {
	for _, f := range files {
		if f.ending == "json" && r.asked() == failPartial {
			continue
		}
		out, err := os.Create(r.path(f.ending))
		if err != nil {
			return err
		}
		w := bufio.NewWriter(out) // keeps its first error, so that writers of lines may ignore theirs
		if err := errors.Join(f.write(w), w.Flush(), out.Close()); err != nil {
			return fmt.Errorf("writing %s: %w", out.Name(), err)
		}
	}
	return nil
}

// comment is the head of the text formats, each line behind the margin.
func comment(margin string) string {
	return strings.Join([]string{margin + notice, "Software: " + Name + " v" + Version, "Database: none"}, "\n"+margin) + "\n"
}

// table writes a line for each feature.
func (a *annotation) table(w io.Writer, head string, line func(*feature) string) error {
	_, err := fmt.Fprint(w, comment("# "), head, "\n")
	for _, f := range a.Features {
		fmt.Fprintln(w, line(f))
	}
	return err
}

// place is where a feature is, in the first columns of tables.
func (f *feature) place() string {
	return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%s", f.Sequence, f.Type, f.Start, f.Stop, f.Strand, f.Locus)
}

func (a *annotation) writeTSV(w io.Writer) error {
	head := "#Sequence Id\tType\tStart\tStop\tStrand\tLocus Tag\tGene\tProduct\tDbXrefs"
	return a.table(w, head, func(f *feature) string { return f.place() + "\t\t" + f.Product + "\t" })
}

func (a *annotation) writeInferences(w io.Writer) error {
	head := "#Sequence Id\tType\tStart\tStop\tStrand\tLocus Tag\tScore\tEvalue\tQuery Cov\tSubject Cov\tId\tAccession"
	return a.table(w, head, func(f *feature) string { return f.place() + strings.Repeat("\t-", 6) })
}

func (a *annotation) writeHypotheticals(w io.Writer) error {
	head := "#Sequence Id\tStart\tStop\tStrand\tLocus Tag\tMol Weight [kDa]\tIso El. Point\tPfam hits\tDbxrefs"
	return a.table(w, head, func(f *feature) string {
		return fmt.Sprintf("%s\t%d\t%d\t%s\t%s\tNA\tNA\t\t", f.Sequence, f.Start, f.Stop, f.Strand, f.Locus)
	})
}

func (a *annotation) writeGFF(w io.Writer) error {
	fmt.Fprint(w, "##gff-version 3\n", comment("# "))
	escape := strings.NewReplacer("%", "%25", ";", "%3B", "=", "%3D", "&", "%26", ",", "%2C", "\t", "%09").Replace
	for _, s := range a.Sequences {
		fmt.Fprintf(w, "##sequence-region %s 1 %d\n", s.ID, s.Length)
		for _, f := range a.Features {
			if f.Sequence != s.ID {
				continue
			}
			kind, phase := f.Type, "."
			if kind == "cds" {
				kind, phase = "CDS", "0"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t.\t%s\t%s\tID=%s;locus_tag=%s;product=%s\n",
				s.ID, Name, kind, f.Start, f.Stop, f.Strand, phase, f.ID, f.Locus, escape(f.Product))
		}
	}
	fmt.Fprintln(w, "##FASTA")
	return a.writeFNA(w)
}

func (a *annotation) writeFNA(w io.Writer) error {
	for _, s := range a.Sequences {
		writeFASTA(w, s.ID+" "+s.Description, s.NT, 60)
	}
	return nil
}

func (a *annotation) writeFFN(w io.Writer) error {
	for _, f := range a.Features {
		if f.NT != "" {
			writeFASTA(w, f.Locus+" "+f.Product, f.NT, 0)
		}
	}
	return nil
}

func (a *annotation) writeFAA(w io.Writer) error {
	for _, f := range a.Features {
		if f.AA != "" {
			writeFASTA(w, f.Locus+" "+f.Product, f.AA, 0)
		}
	}
	return nil
}

// writeFASTA writes a record, in lines of that width; 0 means one line.
func writeFASTA(w io.Writer, header, residues string, width int) {
	fmt.Fprintf(w, ">%s\n", header)
	if width == 0 {
		width = len(residues)
	}
	for len(residues) > 0 {
		line := residues[:min(width, len(residues))]
		residues = residues[len(line):]
		fmt.Fprintln(w, line)
	}
}

func (a *annotation) writeJSON(w io.Writer) error { return writeJSON(w, a) }

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(value)
}

// writeSummary writes the summary, in lines of Bakta's form.
func (a *annotation) writeSummary(w io.Writer) error {
	s := a.Stats
	_, err := fmt.Fprintf(w, "Sequence(s):\nLength: %d\nCount: %d\nGC: %.1f\nN50: %d\nN90: %d\nN ratio: %.1f\ncoding density: %.1f\n\n"+
		"Annotation:\nCDSs: %d\nhypotheticals: %[8]d\n\nBakta:\n%s",
		s.Size, len(a.Sequences), 100*s.GC, s.N50, s.N90, 100*s.NRatio, 100*s.Coding, len(a.Features), comment(""))
	return err
}
