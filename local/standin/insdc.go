package standin

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/bebop/poly/io/genbank"
)

// record puts a sequence into the model of the GenBank library. EMBL has the same feature table.
func (a *annotation) record(s *sequence) genbank.Genbank {
	quote := func(value string) string { return strings.ReplaceAll(value, `"`, `""`) } // the feature table's rule
	taxon := cmp.Or(a.Genome.taxon(), ".")
	r := genbank.Genbank{Sequence: strings.ToLower(s.NT), Meta: genbank.Meta{
		Definition: s.Type + " " + s.ID, Accession: s.ID, Version: s.ID, Keywords: ".", Source: taxon, Organism: taxon,
		Other: map[string]string{"COMMENT": strings.TrimSpace(comment(""))},
	}}
	add := func(kind string, start, stop int, strand string, attributes map[string]string) {
		at := genbank.Location{Start: start - 1, End: stop, Complement: strand == "-"}
		r.Features = append(r.Features, genbank.Feature{Type: kind, Location: at, Attributes: attributes})
	}
	add("source", 1, s.Length, "+", map[string]string{"mol_type": "genomic DNA", "organism": quote(taxon)})
	for _, f := range a.Features {
		switch {
		case f.Sequence != s.ID:
		case f.Type == "cds":
			add("CDS", f.Start, f.Stop, f.Strand, map[string]string{"locus_tag": f.Locus, "product": quote(f.Product), "codon_start": "1",
				"transl_table": strconv.Itoa(a.Genome.Table), "translation": wrap(f.AA)})
		default:
			add("misc_feature", f.Start, f.Stop, f.Strand, map[string]string{"note": f.Type})
		}
	}
	return r
}

// wrap breaks a translation into lines of at most 80 columns of the feature table. The library writes values as they are.
func wrap(aa string) string {
	var b strings.Builder
	for width := 44; len(aa) > width; width = 58 {
		b.WriteString(aa[:width] + "\n" + strings.Repeat(" ", 21))
		aa = aa[width:]
	}
	return b.String() + aa
}

// writeGenBank writes a record for each sequence, with a LOCUS line of its own: readers find the values of that line by
// their columns, which the library's (v0.31.1, io/genbank/genbank.go) does not keep.
func (a *annotation) writeGenBank(w io.Writer) error {
	for _, s := range a.Sequences {
		text, err := genbank.Build(a.record(s))
		if err != nil {
			return err
		}
		_, body, _ := strings.Cut(string(text), "\n")
		fmt.Fprintf(w, "LOCUS       %s %*d bp    DNA     %-8s BCT %s\n%s", s.ID, max(1, 27-len(s.ID)), s.Length, s.Topology,
			strings.ToUpper(time.Now().Format("02-Jan-2006")), body)
	}
	return nil
}

// writeEMBL writes a record for each sequence. The library does not write EMBL, but its feature table is GenBank's with
// another margin.
func (a *annotation) writeEMBL(w io.Writer) error {
	for _, s := range a.Sequences {
		r := a.record(s)
		fmt.Fprintf(w, "ID   %s; SV 1; %s; DNA; STD; PRO; %d BP.\nXX\nAC   %[1]s;\nXX\n", s.ID, s.Topology, s.Length)
		fmt.Fprintf(w, "DE   %s\nXX\nOS   %s\nXX\n%sXX\n", r.Meta.Definition, r.Meta.Organism, comment("CC   "))
		fmt.Fprint(w, "FH   Key             Location/Qualifiers\nFH\n")
		for _, f := range r.Features {
			for line := range strings.Lines(genbank.BuildFeatureString(f)) {
				fmt.Fprint(w, "FT"+line[2:])
			}
		}
		fmt.Fprintf(w, "XX\nSQ   Sequence %d BP;\n", s.Length)
		for i := 0; i < s.Length; i += 60 {
			end := min(i+60, s.Length)
			fmt.Fprintf(w, "     %-66s%9d\n", r.Sequence[i:end], end)
		}
		fmt.Fprint(w, "//\n")
	}
	return nil
}
