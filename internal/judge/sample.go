package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// sample is a made-up piece of a genome, with coding sequences that Bakta finds.
type sample struct {
	dna     string
	forward gene // on the forward strand
	reverse gene // on the reverse strand
	special gene // on the forward strand, with the codon TGA in it, for selenocysteine
}

// gene is the location of a coding sequence with its stop codon, in base pairs from 1, and its protein.
type gene struct {
	start, stop int
	protein     string
}

// codons contains the most frequent codon of Escherichia coli for each amino acid; U is selenocysteine.
var codons = map[byte]string{
	'A': "GCG", 'C': "TGC", 'D': "GAT", 'E': "GAA", 'F': "TTT", 'G': "GGC", 'H': "CAT", 'I': "ATT", 'K': "AAA", 'L': "CTG", 'M': "ATG",
	'N': "AAC", 'P': "CCG", 'Q': "CAG", 'R': "CGT", 'S': "AGC", 'T': "ACC", 'V': "GTG", 'W': "TGG", 'Y': "TAT", 'U': "TGA",
}

const aminoAcids = "ACDEFGHIKLMNPQRSTVWY"

// newSample returns the sample, always the same.
func newSample() sample {
	random := rand.New(rand.NewPCG(1, 2))
	protein := func(length int) string {
		b := []byte{'M'}
		for len(b) < length {
			b = append(b, aminoAcids[random.IntN(len(aminoAcids))])
		}
		return string(b)
	}
	between := func() string {
		var b strings.Builder
		for range 8 {
			b.WriteString("TTAACTAGTTAG") // stops in all frames
			for range 4 {
				b.WriteByte("ACGT"[random.IntN(4)])
			}
		}
		return b.String()
	}
	const promoter = "TTGACAATTAATCATCGGCTCGTATAATGTGTGGAAATAAGGAGGTTTTAT"
	var s sample
	s.forward.protein, s.reverse.protein = protein(140), protein(120)
	s.special.protein = protein(60) + "U" + protein(60)[1:]
	s.dna = between() + promoter
	place := func(g *gene, dna string) {
		g.start = len(s.dna) + 1
		s.dna += dna
		g.stop = len(s.dna)
	}
	place(&s.forward, coding(s.forward.protein))
	s.dna += between() + strings.Repeat("N", 20) // a gap, which is a feature, too
	place(&s.reverse, complement(coding(s.reverse.protein)))
	s.dna += complement(promoter) + between() + promoter
	place(&s.special, coding(s.special.protein))
	s.dna += between()
	return s
}

// coding returns DNA that codes for a protein, with a stop codon.
func coding(protein string) string {
	var b strings.Builder
	for i := range len(protein) {
		b.WriteString(codons[protein[i]])
	}
	return b.String() + "TAA"
}

// complement returns the other strand.
func complement(dna string) string {
	b := []byte(dna)
	for i, c := range b {
		b[i] = "TGCA"[strings.IndexByte("ACGT", c)]
	}
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return string(b)
}

// fasta returns the sample with that header.
func (s sample) fasta(header string) string { return ">" + header + "\n" + wrapped(s.dna) }

// wrapped returns a sequence in lines.
func wrapped(sequence string) string {
	const width = 60
	var b strings.Builder
	for len(sequence) > width {
		b.WriteString(sequence[:width] + "\n")
		sequence = sequence[width:]
	}
	return b.String() + sequence + "\n"
}

// span returns a location in a GenBank record.
func (g gene) span() string { return fmt.Sprintf("%d..%d", g.start, g.stop) }

// gff returns a line of a coding sequence on the forward or the reverse strand.
func (g gene) gff(id, strand string) string {
	return fmt.Sprintf("%s\tjudge\tCDS\t%d\t%d\t.\t%s\t0\tID=a\n", id, g.start, g.stop, strand)
}

// record returns a GenBank record of the sample.
func (s sample) record(id, features string) string {
	return s.recordWith(fmt.Sprintf("LOCUS       %-16s %11d bp    DNA     linear   BCT 01-JAN-2026", id, len(s.dna)), id, id, features)
}

// recordWith returns a GenBank record with that LOCUS line. An empty accession or version leaves its line empty.
func (s sample) recordWith(locus, accession, version, features string) string {
	return locus + "\nDEFINITION  made up.\nACCESSION   " + accession + "\nVERSION     " + version +
		"\nFEATURES             Location/Qualifiers\n" + feature("source", fmt.Sprintf("1..%d", len(s.dna)), `/organism="x"`) + features +
		s.origin() + "//\n"
}

// origin returns the sequence part of a GenBank record.
func (s sample) origin() string {
	b := strings.Builder{}
	b.WriteString("ORIGIN\n")
	for at := 0; at < len(s.dna); at += 60 {
		fmt.Fprintf(&b, "%9d", at+1)
		line := strings.ToLower(s.dna[at:min(at+60, len(s.dna))])
		for len(line) > 0 {
			n := min(10, len(line))
			b.WriteString(" " + line[:n])
			line = line[n:]
		}
		b.WriteString("\n")
	}
	return b.String()
}

// feature returns a feature of a GenBank record.
func feature(key, location string, qualifiers ...string) string {
	b := fmt.Sprintf("     %-16s%s\n", key, location)
	for _, q := range qualifiers {
		const width = 58
		for len(q) > width {
			b += strings.Repeat(" ", 21) + q[:width] + "\n"
			q = q[width:]
		}
		b += strings.Repeat(" ", 21) + q + "\n"
	}
	return b
}

// cds returns a coding sequence of a GenBank record with all qualifiers that Bakta requires.
func (g gene) cds(location string, more ...string) string {
	return feature(
		"CDS",
		location,
		append([]string{`/locus_tag="A_1"`, `/product="what we know"`, `/translation="` + g.protein + `"`}, more...)...)
}

// hmm returns a profile of a protein in HMMER's text format, with those lines in its header. The numbers are not from an
// alignment: each position has its own amino acid with a probability close to 1.
func hmm(protein string, header ...string) string {
	var b strings.Builder
	b.WriteString("HMMER3/f [3.4 | Aug 2023]\n")
	for _, line := range header {
		b.WriteString(line + "\n")
	}
	const background = "2.99573 "
	row := strings.TrimSpace(strings.Repeat(background, len(aminoAcids)))
	const transitions = "0.01467 4.62483 5.34718 0.61958 0.77255 0.48576 0.95510"
	b.WriteString("STATS LOCAL MSV       -8.0 0.71\nSTATS LOCAL VITERBI   -8.5 0.71\nSTATS LOCAL FORWARD   -4.0 0.71\n")
	b.WriteString("HMM     A C D E F G H I K L M N P Q R S T V W Y\n        m->m m->i m->d i->m i->i d->m d->d\n")
	b.WriteString("  COMPO " + row + "\n        " + row + "\n        0.01467 4.62483 5.34718 0.61958 0.77255 0.00000 *\n")
	for i := range len(protein) {
		fmt.Fprintf(&b, "  %d", i+1)
		for j := range len(aminoAcids) {
			if aminoAcids[j] == protein[i] {
				b.WriteString(" 0.09982")
			} else {
				b.WriteString(" 5.29832")
			}
		}
		fmt.Fprintf(&b, " %d %c - - -\n          %s\n          ", i+1, protein[i], row)
		if i == len(protein)-1 {
			b.WriteString("0.00985 4.62483 * 0.61958 0.77255 0.00000 *\n")
		} else {
			b.WriteString(transitions + "\n")
		}
	}
	return b.String() + "//\n"
}
