package workflow

// Config holds every option of every workflow, after the API's versions were read into it: one field has one
// meaning and one spelling here. The zero value of a field means that the option was not given. Its JSON form
// (EncodeConfig) is canonical and stored with the job.
type Config struct {
	// Use says, by upload kind, whether the caller promised (true) or declined (false) an optional upload.
	// A kind that is absent leaves it to the upload: content is used, nothing is not.
	Use map[string]bool `json:"use,omitempty"`

	TranslationTable  int    `json:"translation_table,omitempty"` // 4, 11 or 25
	CompleteGenome    bool   `json:"complete_genome,omitempty"`
	KeepContigHeaders bool   `json:"keep_contig_headers,omitempty"`
	MinContigLength   int64  `json:"min_contig_length,omitempty"` // base pairs
	DermType          string `json:"derm_type,omitempty"`         // DermUnknown, Monoderm, Diderm
	Genus             string `json:"genus,omitempty"`
	Species           string `json:"species,omitempty"`
	Strain            string `json:"strain,omitempty"`
	Plasmid           string `json:"plasmid,omitempty"`
	Locus             string `json:"locus,omitempty"`
	LocusTag          string `json:"locus_tag,omitempty"`
	Compliant         bool   `json:"compliant,omitempty"`
}

// The derm types.
const (
	DermUnknown = "unknown"
	Monoderm    = "monoderm"
	Diderm      = "diderm"
)
