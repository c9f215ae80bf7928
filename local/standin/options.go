package standin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/pflag"
)

// options is a parsed command line.
type options struct {
	genome, db, prefix, output, tmpDir             string
	genus, species, strain, plasmid, gram          string
	locus, locusTag                                string
	prodigalTF, replicons, regions, proteins, hmms string
	minLength, table, increment, threads           int
	force, completeGenome, keepHeaders, compliant  bool
	help, version                                  bool
	skip                                           map[string]*bool // by the name after --skip-
	flags                                          *pflag.FlagSet
}

// newOptions declares Bakta's command line.
func newOptions() *options {
	o := &options{flags: pflag.NewFlagSet("bakta", pflag.ContinueOnError), skip: map[string]*bool{}}
	f := o.flags
	f.SortFlags = false
	number := func(value *int, preset int, name, short, usage string, choices ...string) {
		*value = preset
		f.VarP(&limited{number: value, choices: choices}, name, short, usage)
	}
	f.StringVarP(&o.db, "db", "d", "", "database directory; none is needed, none is read")
	number(&o.minLength, 1, "min-contig-length", "m", "minimum sequence length (200 in compliant mode)")
	f.StringVarP(&o.prefix, "prefix", "p", "", "prefix of the output files")
	f.StringVarP(&o.output, "output", "o", ".", "output directory")
	f.BoolVarP(&o.force, "force", "f", false, "write to an existing output directory")
	f.StringVar(&o.genus, "genus", "", "genus name")
	f.StringVar(&o.species, "species", "", "species name")
	f.StringVar(&o.strain, "strain", "", "strain name")
	f.StringVar(&o.plasmid, "plasmid", "", "plasmid name")
	f.BoolVar(&o.completeGenome, "complete", false, "all sequences are complete replicons")
	f.StringVar(&o.prodigalTF, "prodigal-tf", "", "Prodigal training file (checked, not used)")
	number(&o.table, 11, "translation-table", "", "translation table: 11, 4 or 25", "11", "4", "25")
	o.gram = "?"
	f.Var(&limited{text: &o.gram, choices: []string{"+", "-", "?"}}, "gram", "Gram type: +, - or ?")
	f.StringVar(&o.locus, "locus", "", "prefix of sequence ids")
	f.StringVar(&o.locusTag, "locus-tag", "", "prefix of locus tags")
	number(&o.increment, 1, "locus-tag-increment", "", "locus tag increment: 1, 5 or 10", "1", "5", "10")
	f.BoolVar(&o.keepHeaders, "keep-contig-headers", false, "keep the sequences' ids")
	f.BoolVar(&o.compliant, "compliant", false, "INSDC compliance")
	f.StringVarP(&o.replicons, "replicons", "r", "", "replicon table")
	f.StringVar(&o.regions, "regions", "", "pre-annotated regions (checked, not used)")
	f.StringVar(&o.proteins, "proteins", "", "trusted proteins (checked, not used)")
	f.StringVar(&o.hmms, "hmms", "", "trusted HMMs (checked, not used)")
	f.Bool("meta", false, "accepted, not used")
	f.Bool("partial", false, "accepted, not used")
	for _, name := range strings.Fields("trna tmrna rrna ncrna ncrna-region crispr cds pseudo sorf gap ori filter plot") {
		o.skip[name] = f.Bool("skip-"+name, false, "skip this step")
	}
	f.BoolVarP(&o.help, "help", "h", false, "show this help")
	f.BoolP("verbose", "v", false, "accepted, not used")
	f.Bool("debug", false, "accepted, not used")
	number(&o.threads, 0, "threads", "t", "number of threads (0: all)")
	f.StringVar(&o.tmpDir, "tmp-dir", "", "directory for temporary files (must exist, not used)")
	f.BoolVar(&o.version, "version", false, "show the version")
	return o
}

// limited is an option's value that is an integer, or one of some choices, or both.
type limited struct {
	text    *string
	number  *int
	choices []string
}

func (l *limited) Set(s string) error {
	shown := "'" + s + "'"
	if l.number != nil {
		n, err := strconv.Atoi(s)
		if err != nil {
			return errors.New("invalid int value: " + shown)
		}
		*l.number, shown = n, s
	}
	if len(l.choices) > 0 && !slices.Contains(l.choices, s) {
		return fmt.Errorf("invalid choice: %s (choose from %s)", shown, strings.Join(l.choices, ", "))
	}
	if l.text != nil {
		*l.text = s
	}
	return nil
}

func (l *limited) String() string { return "" }
func (l *limited) Type() string   { return "value" }

// parse reads a command line the way Python's argparse does, and refuses it with exit status 2.
func parse(args []string) (*options, error) {
	o := newOptions()
	err := o.valuesGiven(args)
	if err == nil {
		err = o.flags.Parse(args)
	}
	var invalid *pflag.InvalidValueError
	switch {
	case o.help || o.version:
		return o, nil
	case errors.As(err, &invalid):
		err = fmt.Errorf("argument --%s: %w", invalid.GetFlag().Name, invalid.Unwrap())
	case err == nil && o.flags.NArg() == 0:
		err = errors.New("the following arguments are required: <genome>")
	case err == nil && o.flags.NArg() > 1:
		err = fmt.Errorf("unrecognized arguments: %s", strings.Join(o.flags.Args()[1:], " "))
	}
	if err != nil {
		return nil, &failure{2, "usage: bakta [OPTIONS] <genome>\nbakta: error: " + err.Error()}
	}
	o.genome = o.flags.Arg(0)
	return o, nil
}

// valuesGiven refuses a value that begins with a dash and does not stand behind "=": pflag would take it,
// argparse does not, and a caller that gets this wrong must fail here as it would with Bakta.
func (o *options) valuesGiven(args []string) error {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		var f *pflag.Flag
		if name, long := strings.CutPrefix(args[i], "--"); long {
			f = o.flags.Lookup(name)
		} else if len(args[i]) == 2 && args[i][0] == '-' {
			f = o.flags.ShorthandLookup(args[i][1:])
		}
		if f == nil || f.Value.Type() == "bool" {
			continue
		}
		if i++; i == len(args) || dashed.MatchString(args[i]) {
			return fmt.Errorf("argument --%s: expected one argument", f.Name)
		}
	}
	return nil
}

var (
	dashed         = regexp.MustCompile(`^-[^0-9.]`) // a negative number is a value
	plasmidName    = regexp.MustCompile(`^(p[a-zA-Z0-9._]{1,19}|unnamed[0-9]{0,3})$`)
	locusPrefix    = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,20}$`)
	locusTagPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,24}$`)
	compliantTag   = regexp.MustCompile(`^[A-Z][A-Z0-9]{2,11}$`)
	compliantID    = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,25}$`)
)

// prepareOutput makes the output directory, or sees to it that an existing one may be written to.
func (o *options) prepareOutput() error {
	if o.prefix == "" {
		o.prefix = strings.TrimSuffix(filepath.Base(o.genome), filepath.Ext(o.genome))
	}
	if _, err := os.Stat(o.output); err != nil {
		if os.MkdirAll(o.output, 0o777) != nil {
			return fail("ERROR: could not resolve or create output directory (%s)!", o.output)
		}
		return nil
	}
	here, _ := os.Getwd()
	if there, _ := filepath.Abs(o.output); !o.force && there != here {
		return fail("ERROR: output path (%s) already exists! Either provide a non-existent new path or force overwriting it via '--force'", o.output)
	}
	return nil
}

// check refuses what Bakta refuses before it reads the genome, in its order and its words.
func (o *options) check() error {
	given := o.flags.Changed
	for _, value := range []*string{&o.genus, &o.species, &o.strain, &o.plasmid} {
		*value = strings.TrimSpace(*value)
	}
	tag, wrong, hint := locusTagPrefix, "invalid", "Locus tag prefixes must contain between 1 and 24 alphanumeric characters or '_.-' signs."
	if o.compliant {
		tag, wrong, hint = compliantTag, "INSDC-incompliant", "INSDC Locus tag prefixes must contain between 3 and 12 alphanumeric uppercase characters and start with a letter."
	}
	cpus := runtime.NumCPU() // of the affinity mask, as Bakta counts: a cgroup's limit is invisible here
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{o.threads < 0, fmt.Sprintf("wrong argument (%d) for 'threads' parameter! Value must be larger than/equal to 0.", o.threads)},
		{o.threads > cpus, fmt.Sprintf("wrong argument (%d) for 'threads' parameter! More threads requested (%[1]d) than available (%d).", o.threads, cpus)},
		{o.db != "" && !isDir(o.db), "wrong database path! --db=" + o.db},
		{given("tmp-dir") && !isDir(o.tmpDir), "dedicated temporary directory (" + o.tmpDir + ") does not exist!"},
		{!hasContent(o.genome), "genome file (" + o.genome + ") not valid!"},
		{o.minLength <= 0, fmt.Sprintf("wrong argument (%d) for 'min- contig-length' parameter! Value must be larger than 0", o.minLength)},
		{given("genus") && o.genus == "", "empty 'genus' parameter!"},
		{given("species") && o.species == "", "empty 'species' parameter!"},
		{given("strain") && o.strain == "", "empty 'strain' parameter!"},
		{given("plasmid") && o.plasmid == "", "empty 'plasmid' parameter!"},
		{strings.Contains(strings.ToLower(o.plasmid), "plasmid"), "wrong 'plasmid' parameter! The plasmid name mustn't contain the word 'plasmid'."},
		{o.plasmid != "" && !plasmidName.MatchString(o.plasmid), "wrong 'plasmid' name! Plasmid names must either be named as 'unnamed', 'unnamed1', ... or start with a lower 'p', contain only digits, dots, underscores and letters, and are limited to 20 characters in total."},
		{given("prodigal-tf") && !hasContent(o.prodigalTF), "Prodigal training file (" + o.prodigalTF + ") not valid!"},
		{given("locus") && o.locus == "", "empty 'locus' parameter!"},
		{strings.Contains(o.locus, " "), "whitespace character (" + o.locus + ") in 'locus' parameter!"},
		{given("locus") && !locusPrefix.MatchString(o.locus), "invalid 'locus' parameter (" + o.locus + ")!\nLocus prefixes must contain between 1 and 20 alphanumeric or '_.:*#-' characters."},
		{given("locus-tag") && o.locusTag == "", "empty 'locus-tag' parameter!"},
		{strings.Contains(o.locusTag, " "), "whitespace character (" + o.locusTag + ") in 'locus-tag' parameter!"},
		{given("locus-tag") && !tag.MatchString(o.locusTag), wrong + " 'locus-tag' parameter (" + o.locusTag + ")!\n" + hint},
		{given("replicons") && !hasContent(o.replicons), "replicon table file (" + o.replicons + ") not valid!"},
		{given("proteins") && !hasContent(o.proteins), "user proteins file (" + o.proteins + ") not valid!"},
		{given("hmms") && !hasContent(o.hmms), "HMM file (" + o.hmms + ") not valid!"},
		{given("regions") && !hasContent(o.regions), "regions file (" + o.regions + ") not valid!"},
	} {
		if rule.broken {
			return fail("ERROR: %s", rule.text)
		}
	}
	if o.compliant {
		o.minLength = 200
	}
	if o.genus != "" {
		first := []rune(o.genus)[0]
		o.genus = string(unicode.ToUpper(first)) + strings.ToLower(strings.TrimPrefix(o.genus, string(first)))
	}
	o.species = strings.ToLower(o.species)
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// hasContent reports whether the file can be read and is not empty.
func hasContent(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	return err == nil && info.Size() > 0
}
