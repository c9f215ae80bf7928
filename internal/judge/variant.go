package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// variant is one input: the uploads and options of a user.
type variant struct {
	name    string // family/property
	kind    string // of the workflow
	config  option.Config
	uploads []userFile
	effort  effort
	// shows is a pattern that matches the results or the output of the program if the upload in question had an effect:
	// Bakta ignores some files without a message. Empty: the effect is not visible.
	shows string
}

// userFile is a file of a user.
type userFile struct {
	kind    string
	name    string // the program gets the file under this name if our start refuses it
	content []byte
}

// effort selects the steps of Bakta that are run. Fewer steps take less time; a variant has the effort that its fault
// needs.
type effort int

const (
	genes effort = iota // coding sequences, gaps and all exports but the plot
	quick               // the import of the genome, gaps and the exports
	tools               // these, and searches by other programs, which read the names of sequences
	whole               // everything
)

// skipped returns the steps to skip in addition to those that the variant skips.
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
			return nil, fmt.Errorf("two variants have the name %s", v.name)
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

// showing returns the variant with a pattern that shows its effect.
func (v variant) showing(pattern string) variant {
	v.shows = pattern
	return v
}
