package upload

import (
	"fmt"
	"io"
	"slices"
)

// Kinds of uploads.
const (
	GenomeFASTA          = "genome_fasta"
	ProdigalTrainingFile = "prodigal_training_file"
	RepliconsTable       = "replicons_table"
	RegionsFile          = "regions_file"
	TrustedProteinsFile  = "trusted_proteins_file"
	HMMsFile             = "hmms_file"
	ProteinFASTA         = "protein_fasta"
	BaktaJSON            = "bakta_json"
)

// Upload is a row of the table of uploads. The catalogue of workflows says which workflow takes which of them.
type Upload struct {
	// Kind is the name in the second version of the API, in the keys of objects and in stored jobs.
	Kind string
	// Label is the name for people, everywhere: in refusals, in the messages of a run and on the command line.
	Label string
	// Short is the label as `bakta-web workflows` lists it for a required upload: "a genome (FASTA)".
	Short string
	// MaxSize is the largest upload, in bytes. A deployment may allow less: programs hold what they read in memory several
	// times over.
	MaxSize int64

	// Sequences says that a deployment's limit for genomes is one for this upload, too.
	Sequences bool

	// Flag is Bakta's flag for the file without its dashes, which `bakta-web submit` has, too. It is empty for the file that a
	// program is about.
	Flag string
	// Help describes the flag in a line. The word between backquotes stands for the value.
	Help string
	// Rule describes the format in a line, for the documents.
	Rule string

	// Use is the field of a configuration in the second version of the API that says whether the upload is used. It is empty
	// for a required upload.
	Use string
	// UseV1 is the same in the first version. Unlike in the second, an upload that it says nothing of is used if it has
	// content.
	UseV1 string
	// LinkV1 is the field of a new job in the first version of the API that has the upload's link. Uploads without one are
	// not used by jobs that this version starts.
	LinkV1 string

	// BlankIsNone says that clients promise the upload and then send an empty file in place of none.
	BlankIsNone bool
	// Coding says that Bakta ignores the file if it does not predict coding sequences.
	Coding bool

	inspect func(i *Inspection, content io.Reader) (name string, err error)
	prepare func(to io.Writer, from io.Reader) error // nil: the file is copied
}

// Table returns the table of uploads, the required ones of a workflow before those that may be added to them. The caller may
// change what it gets.
func Table() []Upload {
	return []Upload{
		{
			Kind: GenomeFASTA, Label: "genome", Short: "a genome (FASTA)", LinkV1: "uploadLinkFasta",
			MaxSize: 1 << 30, Sequences: true, // a metagenome; the largest bacterial genome that is known has 16 million bases
			Rule:    "FASTA, plain or compressed with gzip, bzip2, xz or zstd",
			inspect: (*Inspection).genome,
		},
		{
			Kind: ProteinFASTA, Label: "protein FASTA", Short: "proteins (FASTA)",
			MaxSize: maxProteins, Sequences: true,
			Rule:    "FASTA, plain or compressed with gzip, bzip2, xz or zstd",
			inspect: (*Inspection).proteins,
		},
		{
			Kind: BaktaJSON, Label: "Bakta annotation (JSON)", Short: "an annotation (Bakta's JSON)",
			MaxSize: maxJSON,
			Rule:    "the JSON file that Bakta wrote of a genome",
			inspect: func(_ *Inspection, content io.Reader) (string, error) { return inspectAnnotation(content) },
		},
		{
			Kind: ProdigalTrainingFile, Label: "Prodigal training file", Flag: "prodigal-tf",
			Use: "use_prodigal_training_file", UseV1: "hasProdigal", LinkV1: "uploadLinkProdigal",
			MaxSize: 10 << 20, // the file has half a mebibyte
			Help:    "Prodigal training `file`",
			Rule:    "a Prodigal training file",
			inspect: func(_ *Inspection, content io.Reader) (string, error) {
				return "training.trn", inspectTraining(content)
			},
		},
		{
			Kind: RepliconsTable, Label: "replicon table", Flag: "replicons",
			Use: "use_replicons", UseV1: "hasReplicons", LinkV1: "uploadLinkReplicons",
			MaxSize: maxReplicon, BlankIsNone: true,
			Help:    "table of replicons, a CSV or TSV `file`: id, new id, type, topology, name",
			Rule:    "a replicon table: five columns, separated by commas or tabs",
			inspect: (*Inspection).repliconTable, prepare: prepareReplicons,
		},
		{
			Kind: RegionsFile, Label: "regions file", Flag: "regions", Use: "use_regions", Coding: true,
			MaxSize: maxRegions,
			Help:    "`file` of coding sequences that are known, GFF3 or GenBank",
			Rule:    "GFF3 or GenBank, with coding sequences of the genome's own sequences",
			inspect: (*Inspection).regionsFile, prepare: prepareRegions,
		},
		{
			Kind: TrustedProteinsFile, Label: "trusted proteins", Flag: "proteins", Use: "use_trusted_proteins", Coding: true,
			MaxSize: maxTrusted,
			Help:    "`file` of proteins whose annotation is trusted, FASTA or GenBank",
			Rule:    "FASTA with Bakta's descriptions (`gene~~~product~~~dbxrefs`), or GenBank",
			inspect: func(_ *Inspection, content io.Reader) (string, error) { return readTrusted(content, io.Discard) },
			prepare: prepareTrusted,
		},
		{
			Kind: HMMsFile, Label: "profile HMMs", Flag: "hmms", Use: "use_hmms", Coding: true,
			MaxSize: maxHMMs,
			Help:    "`file` of profile HMMs that are trusted, as HMMER writes it",
			Rule:    "HMMER's text format; each profile with ACC, DESC and TC",
			inspect: func(_ *Inspection, content io.Reader) (string, error) {
				return "profiles.hmm", readHMMs(content, io.Discard)
			},
			prepare: func(to io.Writer, from io.Reader) error { return readHMMs(from, to) },
		},
	}
}

// The largest uploads of formats whose readers have to know it, in bytes.
const (
	maxReplicon = 2 << 20   // some ten thousand sequences
	maxRegions  = 64 << 20  // a large genome's GenBank file, with its sequence
	maxTrusted  = 64 << 20  // a hundred thousand proteins
	maxHMMs     = 256 << 20 // some thousand profiles
	maxProteins = 256 << 20 // half a million proteins
	maxJSON     = 512 << 20 // three times what a genome of 16 million bases has
)

// Lookup returns the row of that kind.
func Lookup(kind string) (Upload, bool) {
	all := Table()
	i := slices.IndexFunc(all, func(u Upload) bool { return u.Kind == kind })
	if i < 0 {
		return Upload{}, false
	}
	return all[i], true
}

// Label returns the name for people of a kind of upload, and the kind itself if it is not known.
func Label(kind string) string {
	if u, ok := Lookup(kind); ok {
		return u.Label
	}
	return kind
}

// MaxSizes returns the largest uploads in bytes by kind, where a deployment's limit for genomes is one.
func MaxSizes(genome int64) map[string]int64 {
	sizes := make(map[string]int64)
	for _, u := range Table() {
		if u.Sequences {
			sizes[u.Kind] = genome
		}
	}
	return sizes
}

// Prepare copies an upload to where a program reads it, in a form that the program reads without fail: tables, regions,
// trusted proteins and profiles are rewritten, other files are copied. It accepts what Inspect accepted, and reads the upload
// to its end.
func Prepare(kind string, to io.Writer, from io.Reader) error {
	u, ok := Lookup(kind)
	if !ok {
		return fmt.Errorf("preparing an upload: the kind %q is not known", kind)
	}
	if u.prepare == nil {
		_, err := io.Copy(to, from)
		return err
	}
	if err := u.prepare(to, from); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, from)
	return err
}

func prepareRegions(to io.Writer, from io.Reader) error {
	_, err := readRegions(from, to)
	return err
}

func prepareTrusted(to io.Writer, from io.Reader) error {
	_, err := readTrusted(from, to)
	return err
}
