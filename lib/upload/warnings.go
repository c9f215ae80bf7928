package upload

import (
	"bytes"
	"fmt"
	"math"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Codes of warnings about what Bakta can work with, but probably not as it is meant.
const (
	warnSmall       = "small_genome"       // a few base pairs in all
	warnComplete    = "taken_for_complete" // a sequence whose description says the contrary
	warnDraft       = "many_replicons"     // more sequences than complete genomes have are said to be complete
	warnCutGene     = "cut_gene"           // a circular sequence begins inside a gene
	warnPassed      = "passed_over"        // what follows the compressed data
	warnUnusedTable = "unused_table"       // no row of the replicon table counts
	warnSkipped     = "skipped_regions"    // Bakta imports none of the regions, or not all
	warnAmbiguous   = "ambiguous_regions"  // regions lie on a sequence whose name another one has, too
	warnUnused      = "unused_file"        // of a step that is skipped
)

const (
	// smallGenome is the size below which a genome is too small for a gene of usual length, in base pairs. The smallest
	// plasmids known have some hundred more.
	smallGenome = 500
	// manyReplicons is how many sequences no complete genome of a bacterium has.
	manyReplicons = 30
	// maxWarnings bounds the warnings of one kind about single sequences.
	maxWarnings = 3
)

// Warnings returns what the user should know about the inspected uploads, although the programs can read them. It is empty if
// there is nothing.
func (i *Inspection) Warnings() []job.Warning { return i.warnings }

// warn adds a warning about an upload.
func (i *Inspection) warn(code, upload, format string, args ...any) {
	i.warnings = append(i.warnings, job.Warning{Code: code, Upload: upload, Message: fmt.Sprintf(format, args...)})
}

// warnOfGenome adds the warnings about a genome that was read.
func (i *Inspection) warnOfGenome(g genome) {
	if !g.all {
		return
	}
	names := g.named(i.config, i.replicons)
	var size int64
	used := false
	for _, n := range names {
		size += n.bases
		_, listed := i.replicons[n.id]
		used = used || listed
	}
	if size < smallGenome {
		i.warn(warnSmall, GenomeFASTA, "The genome has no more than %d base pairs that are annotated, which is too little for a usual gene; "+
			"is it the whole genome?", size)
	}
	if i.config.CompleteGenome && len(names) > manyReplicons {
		i.warn(warnDraft, GenomeFASTA, "All of the genome's %d sequences are annotated as complete, circular replicons, as the configuration "+
			"says; say that only of a genome without gaps.", len(names))
	}
	lone := i.config.Plasmid != "" && g.count == 1
	if len(i.replicons) > 0 && (lone || !used) {
		why := "none of its original ids is the name of a sequence that is annotated; use the names up to the first white space"
		if lone {
			why = "the genome has one sequence, and the configuration says which plasmid it is"
		}
		i.warn(warnUnusedTable, RepliconsTable, "The replicon table has no effect: %s.", why)
	}
	doubtful, cut := 0, 0
	for _, n := range names {
		_, listed := i.replicons[n.id]
		if n.doubtful && !listed && !i.config.CompleteGenome && !lone {
			if doubtful++; doubtful <= maxWarnings {
				i.warn(warnComplete, GenomeFASTA, "Bakta takes the sequence %s (line %d) for a complete, circular replicon because of the word "+
					"\"complete\" or \"circular=true\" in its header, which seems to say the contrary; change the header, or list the sequence as a "+
					"contig in a replicon table.", job.Quote(n.id), n.line)
			}
		}
		if n.cut {
			if cut++; cut <= maxWarnings {
				i.warn(warnCutGene, GenomeFASTA, "The circular sequence %s (line %d) seems to begin inside a gene, between two bases of a codon; "+
					"Bakta annotates the gene as two incomplete ones. Rotate the sequence to begin elsewhere.", job.Quote(n.id), n.line)
			}
		}
	}
}

// endsSize is how much of both ends of a circular sequence is searched for a gene that crosses them, in bases.
const endsSize = 3000

// ends are the beginning and the end of a sequence.
type ends struct {
	first []byte
	last  []byte // at least the last bases
}

// take takes the next bases, with gaps or without.
func (e *ends) take(piece []byte) {
	if bytes.ContainsAny(piece, " \t-") {
		piece = bytes.Map(func(c rune) rune {
			if c == ' ' || c == '\t' || c == '-' {
				return -1
			}
			return c
		}, piece)
	}
	if n := endsSize - len(e.first); n > 0 {
		e.first = append(e.first, piece[:min(n, len(piece))]...)
	}
	if len(piece) > endsSize {
		piece = piece[len(piece)-endsSize:]
	}
	if len(e.last)+len(piece) > 8*endsSize {
		e.last = append(e.last[:0], e.last[max(0, len(e.last)-endsSize):]...)
	}
	e.last = append(e.last, piece...)
}

// cutGene reports whether a gene seems to go on over the ends of a circular sequence of that many letters in a way that
// Bakta can't put together: it does so only where the sequence begins with a whole codon (features/cds.py, create_cdss).
// A reading frame counts as a gene if chance makes one so long, on either side of the ends, with one in a hundred: in a
// sequence rich in G and C stops are rare, and long frames say little.
func (e *ends) cutGene(letters int64, translationTable int) bool {
	size := int(min(endsSize, letters/2))
	first, last := e.first[:min(size, len(e.first))], e.last[max(0, len(e.last)-size):]
	both := bytes.ToUpper(append(append([]byte(nil), last...), first...))
	share := func(letters string) float64 {
		n := 0
		for _, c := range both {
			if bytes.IndexByte([]byte(letters), c) >= 0 {
				n++
			}
		}
		return float64(n) / float64(max(1, len(both))) / float64(len(letters))
	}
	at, gc := share("AT"), share("GC") // of each letter, on both strands alike
	stop := at * at * at               // TAA
	stop += at * at * gc               // TAG
	if translationTable != 4 && translationTable != 25 {
		stop += at * at * gc // TGA
	}
	need := 3 * max(60, int(math.Ceil(-math.Log(0.01)/stop)))
	if stop == 0 || need > size {
		return false
	}
	return openAcross(both, len(last), need, translationTable) || openAcross(complement(both), len(first), need, translationTable)
}

// openAcross reports whether a reading frame goes on for at least as many letters as are needed on both sides of a
// position inside one of its codons, from a start codon on.
func openAcross(s []byte, position, need, translationTable int) bool {
	for frame := 1; frame <= 2; frame++ {
		codon := position - frame // which holds the position
		right := codon
		for right+3 <= len(s) && !stops(s[right:right+3], translationTable) {
			right += 3
		}
		if right-position < need {
			continue
		}
		for left := codon - 3; left >= 0 && !stops(s[left:left+3], translationTable); left -= 3 {
			if position-left >= need && starts(s[left:left+3]) {
				return true
			}
		}
	}
	return false
}

func stops(codon []byte, translationTable int) bool {
	switch string(codon) {
	case "TAA", "TAG":
		return true
	case "TGA":
		return translationTable != 4 && translationTable != 25
	}
	return false
}

func starts(codon []byte) bool {
	switch string(codon) {
	case "ATG", "GTG", "TTG":
		return true
	}
	return false
}

// complement returns the other strand. Letters that stand for several stay as they are.
func complement(s []byte) []byte {
	other := make([]byte, len(s))
	for i, c := range s {
		switch c {
		case 'A':
			c = 'T'
		case 'T':
			c = 'A'
		case 'C':
			c = 'G'
		case 'G':
			c = 'C'
		}
		other[len(s)-1-i] = c
	}
	return other
}
