package upload

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

// The largest uploads, in bytes. Programs hold what they read in memory several times over, so a deployment
// will want less than what is allowed here: the largest bacterial genome known has 16 million letters, and a
// gibibyte is what a metagenome may come to.
const (
	MaxGenome   = 1 << 30
	MaxTraining = 10 << 20  // the file has half a mebibyte
	MaxReplicon = 2 << 20   // some ten thousand sequences
	MaxRegions  = 64 << 20  // a large genome's GenBank file, its sequence included
	MaxTrusted  = 64 << 20  // a hundred thousand proteins
	MaxHMMs     = 256 << 20 // some thousand profiles
	MaxProteins = 256 << 20 // half a million proteins
	MaxJSON     = 512 << 20 // of a genome of 16 million letters it has a third of that
)
