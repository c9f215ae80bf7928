package standin

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/shenwei356/bio/seq"
	"github.com/shenwei356/bio/seqio/fastx"
)

// export writes the result files in Bakta's order.
func (a *annotation) export() error {
	a.end = time.Now()
	where, err := filepath.Abs(a.dir)
	if err != nil {
		return err
	}
	a.printf("")
	if err := a.step("Export annotation results to: %s", where); err != nil {
		return err
	}
	plot, cds := !*a.skip["plot"], !*a.skip["cds"]
	for _, f := range []struct {
		ending, step string
		wanted       bool
		write        func(io.Writer) error
	}{
		{"tsv", "human readable TSV...", true, a.writeTSV},
		{"gff3", "GFF3...", true, a.writeGFF},
		{"gbff", "INSDC GenBank & EMBL...", true, a.writeGenBank},
		{"embl", "", true, a.writeEMBL},
		{"fna", "genome sequences...", true, a.writeFNA},
		{"ffn", "feature nucleotide sequences...", true, a.writeFFN},
		{"faa", "translated CDS sequences...", true, a.writeFAA},
		{"inference.tsv", "feature inferences...", true, a.writeInferences},
		{"png", "circular genome plot...", plot, a.writePNG},
		{"svg", "", plot, a.writeSVG},
		{"hypotheticals.tsv", "hypothetical TSV...", cds, a.writeHypotheticals},
		{"hypotheticals.faa", "translated hypothetical CDS sequences...", cds, a.writeFAA},
		{"json", "machine readable JSON...", !a.plays(failPartial), a.writeJSON},
		{"txt", "Genome and annotation summary...", true, a.writeSummary},
	} {
		if !f.wanted {
			if f.ending == "png" {
				a.printf("\tskip generation of circular genome plot...")
			}
			continue
		}
		if f.step != "" {
			a.printf("\t%s", f.step)
		}
		if err := writeFile(a.path(f.ending), f.write); err != nil {
			return err
		}
		a.logf("wrote %s", a.path(f.ending))
	}
	a.finished()
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<16) // remembers its first error, so that writers of lines may ignore theirs
	err = write(w)
	if flushed := w.Flush(); err == nil {
		err = flushed
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// comment is the head of the text formats, each line behind the margin.
func comment(margin string) string {
	return strings.Join([]string{margin + notice, "Software: " + Name + " v" + Version, "Database: none"}, "\n"+margin) + "\n"
}

// eachCDS calls do for every coding sequence.
func (a *annotation) eachCDS(do func(*feature)) error {
	for _, s := range a.sequences {
		for _, f := range s.features {
			if f.coding != nil {
				do(f)
			}
		}
	}
	return nil
}

func (a *annotation) writeTSV(w io.Writer) error {
	fmt.Fprint(w, comment("# "), "#Sequence Id\tType\tStart\tStop\tStrand\tLocus Tag\tGene\tProduct\tDbXrefs\n")
	for _, s := range a.sequences {
		for _, f := range s.features {
			kind, product := f.Type, ""
			switch {
			case f.coding != nil:
				product = f.Product
			case f.Type == "gap" && f.Length >= 100:
				kind = "assembly_gap"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t\t%s\t\n", f.Sequence, kind, f.Start, f.Stop, f.Strand, f.Locus, product)
		}
	}
	return nil
}

const inferenceHead = "#Sequence Id\tType\tStart\tStop\tStrand\tLocus Tag\tScore\tEvalue\tQuery Cov\tSubject Cov\tId\tAccession\n"

func (a *annotation) writeInferences(w io.Writer) error {
	fmt.Fprint(w, comment("# "), inferenceHead)
	return a.eachCDS(func(f *feature) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t-\t-\t-\t-\t-\t-\n", f.Sequence, f.Type, f.Start, f.Stop, f.Strand, f.Locus)
	})
}

func (a *annotation) writeHypotheticals(w io.Writer) error {
	fmt.Fprint(w, comment("#"), "#Sequence Id\tStart\tStop\tStrand\tLocus Tag\tMol Weight [kDa]\tIso El. Point\tPfam hits\tDbxrefs\n")
	return a.eachCDS(func(f *feature) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\tNA\tNA\t\t\n", f.Sequence, f.Start, f.Stop, f.Strand, f.Locus)
	})
}

// writeGFF writes GFF3, with the sequences unless the INSDC's rules are asked for, which have no place for them.
func (a *annotation) writeGFF(w io.Writer) error {
	fmt.Fprintln(w, "##gff-version 3")
	if taxon := a.taxon(); taxon != "" {
		fmt.Fprintf(w, "# organism %s\n", taxon)
	}
	fmt.Fprint(w, comment("# "))
	escape := strings.NewReplacer("%", "%25", ";", "%3B", "=", "%3D", "&", "%26", ",", "%2C", "\t", "%09").Replace
	row := func(f *feature, kind, phase, attributes string) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t.\t%s\t%s\t%s\n", f.Sequence, Name, kind, f.Start, f.Stop, f.Strand, phase, attributes)
	}
	for _, s := range a.sequences {
		fmt.Fprintf(w, "##sequence-region %s 1 %d\n", s.ID, s.Length)
		attributes := fmt.Sprintf("ID=%s;Name=%[1]s", escape(s.ID))
		if s.Topology == "circular" {
			attributes += ";Is_circular=true"
		}
		row(&feature{Sequence: s.ID, Start: 1, Stop: s.Length, Strand: "+"}, "region", ".", attributes)
		for _, f := range s.features {
			if f.coding == nil {
				name := f.Type // of a feature that a real Bakta found
				if f.Type == "gap" {
					name = fmt.Sprintf("gap (%d bp)", f.Length)
				}
				row(f, f.Type, ".", fmt.Sprintf("ID=%s;Name=%s", f.ID, name))
				continue
			}
			product := escape(f.Product)
			attributes := fmt.Sprintf("ID=%s;Name=%s;locus_tag=%[1]s;product=%[2]s", f.Locus, product)
			if a.compliant {
				row(f, "gene", ".", fmt.Sprintf("ID=%s_gene;locus_tag=%[1]s", f.Locus))
				attributes += ";Parent=" + f.Locus + "_gene"
			}
			row(f, "CDS", "0", attributes)
		}
	}
	if a.compliant {
		return nil
	}
	fmt.Fprintln(w, "##FASTA")
	for _, s := range a.sequences {
		writeFASTA(w, s.ID, s.NT, 60)
	}
	return nil
}

func (a *annotation) writeFNA(w io.Writer) error {
	for _, s := range a.sequences {
		writeFASTA(w, s.ID+" "+s.Description, s.NT, 60)
	}
	return nil
}

func (a *annotation) writeFFN(w io.Writer) error {
	return a.eachCDS(func(f *feature) { writeFASTA(w, f.Locus+" "+f.Product, f.NT, 0) })
}

func (a *annotation) writeFAA(w io.Writer) error {
	return a.eachCDS(func(f *feature) { writeFASTA(w, f.Locus+" "+f.Product, f.AA, 0) })
}

func writeFASTA(w io.Writer, header, letters string, width int) {
	r := fastx.Record{Name: []byte(header), Seq: &seq.Seq{Alphabet: seq.Unlimit, Seq: []byte(letters)}}
	w.Write(r.Format(width))
}

// taxon is the organism's name, as far as it is known.
func (a *annotation) taxon() string {
	return strings.Join(strings.Fields(a.genus+" "+a.species+" "+a.strain), " ")
}

// writeJSON writes what the web UI's viewer reads, under Bakta's keys. "note" and "tool" are the stand-in's own.
func (a *annotation) writeJSON(w io.Writer) error {
	orNull := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	genome := map[string]any{
		"genus": orNull(a.genus), "species": orNull(a.species), "strain": orNull(a.strain), "taxon": orNull(a.taxon()),
		"complete": a.complete, "gram": a.gram, "translation_table": a.table,
	}
	if a.plasmid != "" {
		genome["plasmid"] = a.plasmid
	}
	features := []*feature{}
	for _, s := range a.sequences {
		features = append(features, s.features...)
	}
	return writeJSON(w, struct {
		Genome    map[string]any    `json:"genome"`
		Stats     stats             `json:"stats"`
		Features  []*feature        `json:"features"`
		Sequences []*sequence       `json:"sequences"`
		Run       map[string]string `json:"run"`
		Version   map[string]any    `json:"version"`
	}{
		genome, a.stats, features, a.sequences,
		map[string]string{
			"start": a.start.Format(time.DateTime), "end": a.end.Format(time.DateTime),
			"duration": fmt.Sprintf("%.2f min", a.end.Sub(a.start).Minutes()), "note": notice,
		},
		version(nil),
	})
}

// writeSummary writes the summary, in the lines of Bakta's.
func (a *annotation) writeSummary(w io.Writer) error {
	s := a.stats
	fmt.Fprintf(w, "Sequence(s):\nLength: %d\nCount: %d\nGC: %.1f\nN50: %d\nN90: %d\nN ratio: %.1f\ncoding density: %.1f\n",
		s.Size, len(a.sequences), 100*s.GC, s.N50, s.N90, 100*s.NRatio, 100*s.CodingRatio)
	fmt.Fprint(w, "\nAnnotation:\ntRNAs: 0\ntmRNAs: 0\nrRNAs: 0\nncRNAs: 0\nncRNA regions: 0\nCRISPR arrays: 0\n")
	fmt.Fprintf(w, "CDSs: %d\npseudogenes: 0\nhypotheticals: %[1]d\nsORFs: 0\ngaps: %d\noriCs: 0\noriVs: 0\noriTs: 0\n", s.cdss, s.gaps)
	fmt.Fprint(w, "\nBakta:\n"+comment(""))
	return nil
}
