package standin

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bebop/poly/io/genbank"
)

// record puts a sequence into the GenBank library's model. EMBL has the same feature table.
func (a *annotation) record(s *sequence) genbank.Genbank {
	quote := func(value string) string { return strings.ReplaceAll(value, `"`, `""`) } // the table's rule
	taxon := cmp.Or(a.taxon(), ".")
	source := map[string]string{"mol_type": "genomic DNA"}
	if a.taxon() != "" {
		source["organism"] = quote(taxon)
	}
	if a.strain != "" {
		source["strain"] = quote(a.strain)
	}
	if s.Type == "plasmid" {
		source["plasmid"] = quote(cmp.Or(s.Name, "unnamed"))
	}
	r := genbank.Genbank{Sequence: strings.ToLower(s.NT), Meta: genbank.Meta{
		Definition: strings.TrimSpace(a.taxon() + " " + s.Type + " " + s.ID), Accession: s.ID, Version: s.ID, Keywords: ".", Source: taxon, Organism: taxon,
		Other: map[string]string{"COMMENT": strings.TrimSpace(comment(""))},
	}}
	add := func(kind string, f *feature, attributes map[string]string) {
		at := genbank.Location{Start: f.Start - 1, End: f.Stop, Complement: f.Strand == "-"}
		r.Features = append(r.Features, genbank.Feature{Type: kind, Location: at, Attributes: attributes})
	}
	add("source", &feature{Start: 1, Stop: s.Length}, source)
	for _, f := range s.features {
		switch {
		case f.Type == "gap":
			add("gap", f, map[string]string{"estimated_length": strconv.Itoa(f.Length)})
			continue
		case f.coding == nil: // what a real Bakta found
			add("misc_feature", f, map[string]string{"note": f.Type})
			continue
		}
		add("gene", f, map[string]string{"locus_tag": f.Locus})
		add("CDS", f, map[string]string{
			"locus_tag": f.Locus, "product": quote(f.Product), "codon_start": "1", "transl_table": strconv.Itoa(a.table),
			"protein_id": "gnl|" + Name + "|" + f.Locus, "inference": "ab initio prediction:" + Name,
			"translation": wrap(f.AA),
		})
	}
	return r
}

// wrap breaks a translation so that no line of the feature table is longer than 80 characters: the library
// writes values as they are.
func wrap(aa string) string {
	const indent, first, more = "\n                     ", 44, 58
	var b strings.Builder
	for width := first; len(aa) > width; width = more {
		b.WriteString(aa[:width] + indent)
		aa = aa[width:]
	}
	return b.String() + aa
}

// writeGenBank writes a record for each sequence. The library's LOCUS line lacks the columns that readers go
// by, so it gets one that has them.
func (a *annotation) writeGenBank(w io.Writer) error {
	for _, s := range a.sequences {
		text, err := genbank.Build(a.record(s))
		if err != nil {
			return err
		}
		_, body, _ := strings.Cut(string(text), "\n")
		gap := max(1, 28-len(s.ID)-len(strconv.Itoa(s.Length)))
		fmt.Fprintf(w, "LOCUS       %s%*s%d bp    DNA     %-8s BCT %s\n%s",
			s.ID, gap, "", s.Length, s.Topology, strings.ToUpper(a.end.Format("02-Jan-2006")), body)
	}
	return nil
}

// writeEMBL writes a record for each sequence. No library writes EMBL; its feature table is GenBank's with
// another margin.
func (a *annotation) writeEMBL(w io.Writer) error {
	for _, s := range a.sequences {
		r := a.record(s)
		fmt.Fprintf(w, "ID   %s; SV 1; %s; DNA; STD; PRO; %d BP.\nXX\nAC   %[1]s;\nXX\n", s.ID, s.Topology, s.Length)
		fmt.Fprintf(w, "DE   %s\nXX\nOS   %s\nOC   .\nXX\n%sXX\n", r.Meta.Definition, r.Meta.Organism, comment("CC   "))
		fmt.Fprint(w, "FH   Key             Location/Qualifiers\nFH\n")
		for _, f := range r.Features {
			for line := range strings.Lines(genbank.BuildFeatureString(f)) {
				fmt.Fprint(w, "FT"+line[2:])
			}
		}
		n := map[rune]int{}
		for _, base := range r.Sequence {
			n[base]++
		}
		other := s.Length - n['a'] - n['c'] - n['g'] - n['t']
		fmt.Fprintf(w, "XX\nSQ   Sequence %d BP; %d A; %d C; %d G; %d T; %d other;\n", s.Length, n['a'], n['c'], n['g'], n['t'], other)
		for i := 0; i < s.Length; i += 60 {
			line := r.Sequence[i:min(i+60, s.Length)]
			var blocks strings.Builder
			for j := 0; j < len(line); j += 10 {
				blocks.WriteString(line[j:min(j+10, len(line))] + " ")
			}
			fmt.Fprintf(w, "     %-66s%9d\n", blocks.String(), i+len(line))
		}
		fmt.Fprint(w, "//\n")
	}
	return nil
}
