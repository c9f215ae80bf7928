package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// variant is one input: what a user uploads and asks for.
type variant struct {
	name    string // family/what is special about it
	kind    string // of the workflow
	config  option.Config
	uploads []userFile
	effort  effort
	// shows matches something in the results or the output of the program if the upload in question had an effect:
	// Bakta passes over some files without a word. Empty: its effect can't be seen.
	shows string
}

// userFile is a file as a user has it.
type userFile struct {
	kind    string
	name    string // goes to the program where our start refuses the file, and the program is asked about it as it is
	content []byte
}

// effort says which steps of Bakta are done. The fewer, the sooner it has a verdict; a variant is given the effort
// that its fault needs.
type effort int

const (
	genes effort = iota // coding sequences, gaps and all exports but the plot
	quick               // the import of the genome, gaps and the exports
	tools               // these and what other programs find in the sequences, which read their names
	whole               // everything
)

// skipped are the steps that are skipped on top of those that the variant skips itself.
func (e effort) skipped() []string {
	switch e {
	case genes:
		return []string{"trna", "tmrna", "rrna", "ncrna", "ncrna_region", "crispr", "sorf", "ori", "plot"}
	case tools:
		return []string{"cds", "sorf", "plot"}
	case quick:
		return slices.DeleteFunc(option.Steps(), func(step string) bool { return step == "gap" })
	}
	return nil
}

// catalogue returns all variants.
func catalogue(s sample, packed packed) ([]variant, error) {
	all := slices.Concat(
		genomeVariants(s), compressionVariants(s, packed), idVariants(s), optionVariants(s), repliconVariants(s),
		trainingVariants(s, packed), gffVariants(s), genbankVariants(s), trustedVariants(s), hmmVariants(s),
		proteinVariants(s), annotationVariants(s, packed),
	)
	slices.SortFunc(all, func(a, b variant) int { return strings.Compare(a.name, b.name) })
	seen := make(map[string]bool, len(all))
	for _, v := range all {
		if seen[v.name] {
			return nil, fmt.Errorf("two variants are called %s", v.name)
		}
		seen[v.name] = true
	}
	return all, nil
}

// genome returns a variant of Bakta with that genome and more uploads.
func genome(name string, config option.Config, e effort, fasta string, more ...userFile) variant {
	return variant{name: name, kind: workflow.Bakta, config: config, effort: e,
		uploads: append([]userFile{{upload.GenomeFASTA, "genome.fna", []byte(fasta)}}, more...)}
}

// showing returns the variant with what shows its effect.
func (v variant) showing(pattern string) variant {
	v.shows = pattern
	return v
}
