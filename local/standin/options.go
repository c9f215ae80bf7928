package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"unicode"
)

// output is where the files of a run go, which all of Bakta's programs are told in the same way.
type output struct {
	dir, prefix string
	force       bool
}

// flags declares the options.
func (o *output) flags(p *argparse) {
	p.StringVarP(&o.prefix, "prefix", "p", "", "prefix of the output files")
	p.StringVarP(&o.dir, "output", "o", ".", "output directory")
	p.BoolVarP(&o.force, "force", "f", false, "write to an existing output directory")
}

func (o *output) path(ending string) string { return filepath.Join(o.dir, o.prefix+"."+ending) }

// prepare makes the output directory, or sees to it that an existing one may be written to. Without a prefix the
// files are named after the input.
func (o *output) prepare(input string) error {
	if o.prefix == "" {
		o.prefix = strings.TrimSuffix(filepath.Base(input), filepath.Ext(input))
	}
	if _, err := os.Stat(o.dir); err != nil {
		if os.MkdirAll(o.dir, 0o777) != nil {
			return fail("ERROR: could not resolve or create output directory (%s)!", o.dir)
		}
		return nil
	}
	here, _ := os.Getwd()
	if there, _ := filepath.Abs(o.dir); !o.force && there != here {
		return fail("ERROR: output path (%s) already exists! Either provide a non-existent new path or force overwriting it via '--force'", o.dir)
	}
	return nil
}

// options is Bakta's command line.
type options struct {
	output
	genome, db, tmpDir                             string
	genus, species, strain, plasmid, gram          string
	locus, locusTag                                string
	prodigalTF, replicons, regions, proteins, hmms string
	minLength, table, increment, threads           int
	completeGenome, keepHeaders, compliant         bool
	skip                                           map[string]*bool // by the name after --skip-
	line                                           *argparse
}

// newOptions declares Bakta's command line.
func newOptions() *options {
	p := newArgparse("bakta", "<genome>")
	o := &options{line: p, skip: map[string]*bool{}}
	p.StringVarP(&o.db, "db", "d", "", "database directory; none is needed, none is read")
	p.number(&o.minLength, 1, "min-contig-length", "m", "minimum sequence length (200 in compliant mode)")
	o.flags(p)
	p.StringVar(&o.genus, "genus", "", "genus name")
	p.StringVar(&o.species, "species", "", "species name")
	p.StringVar(&o.strain, "strain", "", "strain name")
	p.StringVar(&o.plasmid, "plasmid", "", "plasmid name")
	p.BoolVar(&o.completeGenome, "complete", false, "all sequences are complete replicons")
	p.StringVar(&o.prodigalTF, "prodigal-tf", "", "Prodigal training file (checked, not used)")
	p.number(&o.table, 11, "translation-table", "", "translation table: 11, 4 or 25", "11", "4", "25")
	o.gram = "?"
	p.Var(&limited{text: &o.gram, choices: []string{"+", "-", "?"}}, "gram", "Gram type: +, - or ?")
	p.StringVar(&o.locus, "locus", "", "prefix of sequence ids")
	p.StringVar(&o.locusTag, "locus-tag", "", "prefix of locus tags")
	p.number(&o.increment, 1, "locus-tag-increment", "", "locus tag increment: 1, 5 or 10", "1", "5", "10")
	p.BoolVar(&o.keepHeaders, "keep-contig-headers", false, "keep the sequences' ids")
	p.BoolVar(&o.compliant, "compliant", false, "INSDC compliance")
	p.StringVarP(&o.replicons, "replicons", "r", "", "replicon table")
	p.StringVar(&o.regions, "regions", "", "coding sequences that are known: GFF3 or GenBank by the name's ending, else unused")
	p.StringVar(&o.proteins, "proteins", "", "trusted proteins (checked, not used)")
	p.StringVar(&o.hmms, "hmms", "", "trusted HMMs (checked, not used)")
	p.Bool("meta", false, "accepted, not used")
	p.Bool("partial", false, "accepted, not used")
	for _, name := range strings.Fields("trna tmrna rrna ncrna ncrna-region crispr cds pseudo sorf gap ori filter plot") {
		o.skip[name] = p.Bool("skip-"+name, false, "skip this step")
	}
	p.general(&o.threads, &o.tmpDir, "")
	return o
}

var (
	plasmidName    = regexp.MustCompile(`^(p[a-zA-Z0-9._]{1,19}|unnamed[0-9]{0,3})$`)
	locusPrefix    = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,20}$`)
	locusTagPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,24}$`)
	compliantTag   = regexp.MustCompile(`^[A-Z][A-Z0-9]{2,11}$`)
	compliantID    = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,25}$`)
)

// check refuses what Bakta refuses before it reads the genome, in its order and its words.
func (o *options) check() error {
	given := o.line.Changed
	for _, value := range []*string{&o.genus, &o.species, &o.strain, &o.plasmid} {
		*value = strings.TrimSpace(*value)
	}
	tag, wrong, hint := locusTagPrefix, "invalid", "Locus tag prefixes must contain between 1 and 24 alphanumeric characters or '_.-' signs."
	if o.compliant {
		tag, wrong, hint = compliantTag, "INSDC-incompliant", "INSDC Locus tag prefixes must contain between 3 and 12 alphanumeric uppercase characters and start with a letter."
	}
	err := firstBroken(append(threadRules(o.threads),
		databaseRule(o.db),
		rule{given("tmp-dir") && !isDir(o.tmpDir), "dedicated temporary directory (" + o.tmpDir + ") does not exist!"},
		rule{!hasContent(o.genome), "genome file (" + o.genome + ") not valid!"},
		rule{o.minLength <= 0, fmt.Sprintf("wrong argument (%d) for 'min- contig-length' parameter! Value must be larger than 0", o.minLength)},
		rule{given("genus") && o.genus == "", "empty 'genus' parameter!"},
		rule{given("species") && o.species == "", "empty 'species' parameter!"},
		rule{given("strain") && o.strain == "", "empty 'strain' parameter!"},
		rule{given("plasmid") && o.plasmid == "", "empty 'plasmid' parameter!"},
		rule{strings.Contains(strings.ToLower(o.plasmid), "plasmid"), "wrong 'plasmid' parameter! The plasmid name mustn't contain the word 'plasmid'."},
		rule{o.plasmid != "" && !plasmidName.MatchString(o.plasmid), "wrong 'plasmid' name! Plasmid names must either be named as 'unnamed', 'unnamed1', ... or start with a lower 'p', contain only digits, dots, underscores and letters, and are limited to 20 characters in total."},
		rule{given("prodigal-tf") && !hasContent(o.prodigalTF), "Prodigal training file (" + o.prodigalTF + ") not valid!"},
		rule{given("locus") && o.locus == "", "empty 'locus' parameter!"},
		rule{strings.Contains(o.locus, " "), "whitespace character (" + o.locus + ") in 'locus' parameter!"},
		rule{given("locus") && !locusPrefix.MatchString(o.locus), "invalid 'locus' parameter (" + o.locus + ")!\nLocus prefixes must contain between 1 and 20 alphanumeric or '_.:*#-' characters."},
		rule{given("locus-tag") && o.locusTag == "", "empty 'locus-tag' parameter!"},
		rule{strings.Contains(o.locusTag, " "), "whitespace character (" + o.locusTag + ") in 'locus-tag' parameter!"},
		rule{given("locus-tag") && !tag.MatchString(o.locusTag), wrong + " 'locus-tag' parameter (" + o.locusTag + ")!\n" + hint},
		rule{given("replicons") && !hasContent(o.replicons), "replicon table file (" + o.replicons + ") not valid!"},
		rule{given("proteins") && !hasContent(o.proteins), "user proteins file (" + o.proteins + ") not valid!"},
		rule{given("hmms") && !hasContent(o.hmms), "HMM file (" + o.hmms + ") not valid!"},
		rule{given("regions") && !hasContent(o.regions), "regions file (" + o.regions + ") not valid!"},
	)...)
	if err != nil {
		return err
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

// rule is something that a command line must not break, and what Bakta says if it does.
type rule struct {
	broken bool
	text   string
}

func firstBroken(rules ...rule) error {
	for _, r := range rules {
		if r.broken {
			return fail("ERROR: %s", r.text)
		}
	}
	return nil
}

func databaseRule(dir string) rule {
	return rule{dir != "" && !isDir(dir), "wrong database path! --db=" + dir}
}

// threadRules go by the processors of the affinity mask, as Bakta does: a cgroup's limit is invisible here.
func threadRules(n int) []rule {
	most := runtime.NumCPU()
	return []rule{
		{n < 0, fmt.Sprintf("wrong argument (%d) for 'threads' parameter! Value must be larger than/equal to 0.", n)},
		{n > most, fmt.Sprintf("wrong argument (%d) for 'threads' parameter! More threads requested (%[1]d) than available (%d).", n, most)},
	}
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
