package option

import (
	"reflect"
	"slices"
	"strings"
)

// Config holds every option of every workflow: one field has one meaning and one spelling, whichever version of the API the
// caller speaks. The zero value of a field means that the option was not given. Its JSON form (Encode) is canonical and is
// stored with the job.
type Config struct {
	// Use has, by upload kind, whether the caller promised (true) or declined (false) an optional upload. An upload of a
	// kind that is absent is used if it has content.
	Use map[string]bool `json:"use,omitempty"`

	TranslationTable  int    `json:"translation_table,omitempty"`
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
	LocusTagIncrement int    `json:"locus_tag_increment,omitempty"`
	Compliant         bool   `json:"compliant,omitempty"`
	Meta              bool   `json:"meta,omitempty"`

	// Skip holds the steps that are left out, of Steps, each once and in their order.
	Skip []string `json:"skip,omitempty"`
}

// The derm types.
const (
	DermUnknown = "unknown"
	Monoderm    = "monoderm"
	Diderm      = "diderm"
)

// Option is a row of the table of options. Validation, Bakta's command line, both versions of the API, the flags of
// `bakta-web submit` and the tables of the documents go by it.
type Option struct {
	// Name is the option's name in Config's JSON and its field in the second version of the API. A step's name is "skip_"
	// and the step.
	Name string
	// V1 is its field in the proto file of the API's first version. It is empty if that version does not have the option.
	V1 string
	// Flag is Bakta's flag without its dashes, which `bakta-web submit` has, too.
	Flag string
	Kind Kind
	// Choices are all valid values, if there are few.
	Choices []Choice
	// Implied is a number that Bakta uses if it has no flag; for this number no flag is passed, since older versions of Bakta
	// do not have the flag. 0 if there is none.
	Implied int64
	// Default is what Bakta does without the option, as its flag has it, for people. It may be empty.
	Default string
	// Help describes the flag in a line. The word between backquotes stands for the value.
	Help string
	// Rule describes the valid values in a line, for the documents. It is empty for any text in one line and for a Switch.
	Rule string
	// Pattern is a regular expression that each valid text matches as a whole, if the rule is one. The check may refuse more.
	Pattern string

	check func(c Config) string // what is wrong with the option in a configuration, or nothing
}

// Kind is the kind of an option's value.
type Kind int

// Kinds of values.
const (
	Text   Kind = iota + 1 // one line of text; empty is not given
	Number                 // an integer; 0 is not given
	Switch                 // on, or not given
	Step                   // a switch that leaves out a step
)

// Choice is a value that an option may have.
type Choice struct {
	Value string // in Config, as a text
	Flag  string // as Bakta's flag has it
}

// Value is the value of an option: the member that the option's Kind has.
type Value struct {
	Text   string
	Number int64
	On     bool // of a Switch and a Step
}

// skip begins the names of steps.
const skip = "skip_"

// Table returns the table of options, in the order of Bakta's help (1.12.2, bakta/utils.py, parse_arguments). The caller may
// change what it gets.
func Table() []Option {
	return []Option{
		{
			Name: "min_contig_length", V1: "minContigLength", Flag: "min-contig-length", Kind: Number,
			Implied: 1, Default: "1; 200 with --compliant",
			Help: "leave out sequences of less than `N` base pairs", Rule: "at least 1", check: minContigLength,
		},
		{Name: "genus", V1: "genus", Flag: "genus", Kind: Text, Help: "`genus`, for example Escherichia", check: genus},
		{Name: "species", V1: "species", Flag: "species", Kind: Text, Help: "`species`, for example coli", check: species},
		{Name: "strain", V1: "strain", Flag: "strain", Kind: Text, Help: "`strain`, for example Sakai", check: strain},
		{
			Name: "plasmid", V1: "plasmid", Flag: "plasmid", Kind: Text, Help: "`name` of the plasmid, for a genome that is a plasmid: p… or " +
				"unnamed…",
			Rule:    "`p` and 1 to 19 of letters, digits, `.`, `_`; or `unnamed` and up to 3 digits",
			Pattern: `p[A-Za-z0-9._]{1,19}|unnamed[0-9]{0,3}`, check: plasmid,
		},
		{Name: "complete_genome", V1: "completeGenome", Flag: "complete", Kind: Switch, Help: "all sequences are complete replicons"},
		{
			Name: "translation_table", V1: "translationalTable", Flag: "translation-table", Kind: Number,
			Choices: same("4", "11", "25"), Default: "11",
			Help: "translation `table`: 4, 11 or 25",
		},
		{
			Name: "derm_type", V1: "dermType", Flag: "gram", Kind: Text,
			Choices: []Choice{{DermUnknown, "?"}, {Monoderm, "+"}, {Diderm, "-"}}, Default: "?",
			Help: "cell envelope by its `sign`: + (monoderm), - (diderm) or ? (unknown)",
			Rule: "`UNKNOWN`, `MONODERM` or `DIDERM`; in the second version `unknown`, `monoderm` or `diderm`",
		},
		{
			Name: "locus", V1: "locus", Flag: "locus", Kind: Text, Help: "`prefix` of the sequences' new ids",
			Rule: "1 to 20 of letters, digits, `_.:*#-`", Pattern: `[A-Za-z0-9_.:*#-]{1,20}`, check: locus,
		},
		{
			Name: "locus_tag", V1: "locus_tag", Flag: "locus-tag", Kind: Text, Help: "`prefix` of the features' locus tags",
			Rule:    "1 to 24 of letters, digits, `_.-`; compliant: 3 to 12 capitals and digits, beginning with a capital",
			Pattern: `[A-Za-z0-9_.-]{1,24}`, check: locusTag,
		},
		{
			Name: "locus_tag_increment", Flag: "locus-tag-increment", Kind: Number, Choices: same("1", "5", "10"), Implied: 1, Default: "1",
			Help: "count locus tags by `N`: 1, 5 or 10",
		},
		{
			Name: "keep_contig_headers",
			V1:   "keepContigHeaders",
			Flag: "keep-contig-headers",
			Kind: Switch,
			Help: "keep the ids of the sequences",
		},
		{Name: "compliant", V1: "compliant", Flag: "compliant", Kind: Switch, Help: "make the result acceptable to the public databases"},
		{Name: "meta", Flag: "meta", Kind: Switch, Help: "find genes as in a metagenome"},
		step("trna", "tRNAs"),
		step("tmrna", "tmRNAs"),
		step("rrna", "rRNAs"),
		step("ncrna", "ncRNAs"),
		step("ncrna_region", "ncRNA regions"),
		step("crispr", "CRISPR arrays"),
		step("cds", "coding sequences"),
		step("pseudo", "pseudogenes"),
		step("sorf", "small open reading frames"),
		step("gap", "gaps"),
		step("ori", "origins of replication and transfer"),
		step("filter", "the filter of overlapping features"),
		step("plot", "the circular plots"),
	}
}

// step returns the option that leaves out a step.
func step(name, what string) Option {
	return Option{Name: skip + name, Flag: strings.ReplaceAll(skip+name, "_", "-"), Kind: Step, Help: "leave out " + what}
}

// same returns choices that the flag has as Config does.
func same(values ...string) []Choice {
	choices := make([]Choice, len(values))
	for i, v := range values {
		choices[i] = Choice{v, v}
	}
	return choices
}

// Steps returns the steps that can be left out, in the order in which Bakta does them.
func Steps() []string {
	var steps []string
	for _, o := range Table() {
		if o.Kind == Step {
			steps = append(steps, o.step())
		}
	}
	return steps
}

func (o Option) step() string { return strings.TrimPrefix(o.Name, skip) }

// Get returns the option's value in a configuration.
func (o Option) Get(c Config) Value {
	if o.Kind == Step {
		return Value{On: slices.Contains(c.Skip, o.step())}
	}
	field := o.field(&c)
	switch o.Kind {
	case Text:
		return Value{Text: field.String()}
	case Number:
		return Value{Number: field.Int()}
	}
	return Value{On: field.Bool()}
}

// Set sets the option's value in a configuration.
func (o Option) Set(c *Config, v Value) {
	switch o.Kind {
	case Step:
		c.Skip = slices.DeleteFunc(slices.Clone(c.Skip), func(s string) bool { return s == o.step() })
		if v.On {
			c.Skip = append(c.Skip, o.step())
		}
	case Text:
		o.field(c).SetString(v.Text)
	case Number:
		o.field(c).SetInt(v.Number)
	default:
		o.field(c).SetBool(v.On)
	}
}

// field returns the option's field of a configuration. A test holds that there is one for each row.
func (o Option) field(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().Field(o.index())
}

// index is the place of the option's field among those of Config; a step's is that of Skip.
func (o Option) index() int {
	name := o.Name
	if o.Kind == Step {
		name = "skip"
	}
	config := reflect.TypeFor[Config]()
	for i := range config.NumField() {
		if tag, _, _ := strings.Cut(config.Field(i).Tag.Get("json"), ","); tag == name {
			return i
		}
	}
	panic("lib/option: Config has no field for the option " + o.Name)
}
