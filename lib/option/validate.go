package option

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Violation is a rule that an option breaks.
type Violation struct {
	Field   string // the option's name in Config's JSON, or the kind of an upload that Use names
	Problem string // what is wrong and what to do, without the option's name
}

// Violations are all rules that a configuration breaks, in the order of Config's fields.
type Violations []Violation

// Error names the options. It is for the log: callers are told Message.
func (v Violations) Error() string {
	names := make([]string, len(v))
	for i := range v {
		names[i] = v[i].Field
	}
	return "refused options: " + strings.Join(names, ", ")
}

// Message tells a caller about all violations. Options that spelling knows are called what it says.
func (v Violations) Message(spelling map[string]string) string {
	parts := make([]string, len(v))
	for i := range v {
		name, ok := spelling[v[i].Field]
		if !ok {
			name = v[i].Field
		}
		parts[i] = name + ": " + v[i].Problem
	}
	return strings.Join(parts, "; ")
}

// Err returns the violations as an error, or nil if there are none.
func (v Violations) Err() error {
	if len(v) == 0 {
		return nil
	}
	return job.Errorf(job.Invalid, "%s", v.Message(nil)).Because(v)
}

// Respell returns a validation error in which options are called what a caller calls them: spelling maps names
// of Config's JSON, and kinds of uploads, to names of an API. Other errors are returned as they are.
func Respell(err error, spelling map[string]string) error {
	var v Violations
	if !errors.As(err, &v) {
		return err
	}
	return job.Errorf(job.Invalid, "%s", v.Message(spelling)).Because(v)
}

// maxText bounds texts for which Bakta has no bound, in characters. A run's description has to hold them, and
// no name of an organism comes near.
const maxText = 200

// These are Bakta's, but for \d, which is any script's digit there and a digit that files can hold here.
var (
	plasmidName    = regexp.MustCompile(`^(p[a-zA-Z0-9._]{1,19}|unnamed[0-9]{0,3})$`)
	locusPrefix    = regexp.MustCompile(`^[A-Za-z0-9_.:*#-]{1,20}$`)
	locusTagPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,24}$`)
	insdcLocusTag  = regexp.MustCompile(`^[A-Z][A-Z0-9]{2,11}$`)
)

// Check returns the rules that the options of a normalised configuration break. Use is checked by the workflow, which
// says what may be uploaded.
func (c Config) Check() Violations {
	var v Violations
	for _, rule := range []struct {
		field   string
		problem string
	}{
		{"translation_table", translationTable(c.TranslationTable)},
		{"min_contig_length", minContigLength(c.MinContigLength)},
		{"derm_type", dermType(c.DermType)},
		{"genus", freeText(c.Genus)},
		{"species", freeText(c.Species)},
		{"strain", freeText(c.Strain)},
		{"plasmid", plasmid(c.Plasmid)},
		{"locus", locus(c.Locus)},
		{"locus_tag", locusTag(c.LocusTag, c.Compliant)},
		{"locus_tag_increment", locusTagIncrement(c.LocusTagIncrement)},
		{"skip", steps(c.Skip)},
	} {
		if rule.problem != "" {
			v = append(v, Violation{rule.field, rule.problem})
		}
	}
	// Genus and species stand in one line.
	for _, line := range []struct{ field, text string }{{"genus", c.Genus}, {"species", c.Species}, {"species", c.Genus + c.Species}, {"strain", c.Strain}} {
		named := slices.ContainsFunc(v, func(other Violation) bool {
			return other.Field == line.field || other.Field == "genus" && line.field == "species"
		})
		if !named && Formula(line.text, c) {
			v = append(v, Violation{line.field, "the character $ stands there more than once, and Bakta's plot takes what is between for a formula; use another character, or skip the plot"})
		}
	}
	return v
}

// The rules below return what is wrong and what to do, or nothing. Zero values were not given.

func translationTable(table int) string {
	switch table {
	case 0, 4, 11, 25:
		return ""
	}
	return fmt.Sprintf("%d is no translation table that Bakta knows; choose 4, 11 or 25", table)
}

func minContigLength(n int64) string {
	if n < 0 {
		return fmt.Sprintf("%d is no length; give 1 or more base pairs", n)
	}
	return ""
}

func dermType(derm string) string {
	switch derm {
	case "", DermUnknown, Monoderm, Diderm:
		return ""
	}
	return fmt.Sprintf("%s is no derm type; choose %s, %s or %s", job.Quote(derm), DermUnknown, Monoderm, Diderm)
}

// freeText is the rule for free text. Control characters can't be passed on a command line (NUL), or end up in
// files whose lines they break.
func freeText(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "this is not UTF-8 text; type it anew"
	case strings.ContainsFunc(s, job.Control):
		return fmt.Sprintf("%s holds a control character, such as a line break; remove it", job.Quote(s))
	case utf8.RuneCountInString(s) > maxText:
		return fmt.Sprintf("the text has %d characters; use at most %d", utf8.RuneCountInString(s), maxText)
	}
	return ""
}

// Formula reports whether the plot would take a part of a text for a formula (matplotlib's mathtext), and most likely fail
// to read it at the end of the run.
func Formula(text string, c Config) bool {
	return strings.Count(text, "$") > 1 && !slices.Contains(c.Skip, "plot")
}

func plasmid(name string) string {
	switch {
	case name == "":
		return ""
	case strings.Contains(strings.ToLower(name), "plasmid"):
		return fmt.Sprintf("%s holds the word \"plasmid\", which a plasmid's name must not; leave the word out", job.Quote(name))
	case !plasmidName.MatchString(name):
		return fmt.Sprintf("%s is no name of a plasmid; use \"unnamed\" with at most three digits after it, or \"p\" with 1 to 19 letters, digits, dots or underscores after it", job.Quote(name))
	}
	return ""
}

func locus(prefix string) string {
	if prefix == "" || locusPrefix.MatchString(prefix) {
		return ""
	}
	return fmt.Sprintf("%s is no prefix of sequence names; use 1 to 20 letters, digits or characters of _.:*#-", job.Quote(prefix))
}

func locusTag(prefix string, compliant bool) string {
	switch {
	case prefix == "":
		return ""
	case compliant && !insdcLocusTag.MatchString(prefix):
		return fmt.Sprintf("%s is no prefix of locus tags for an INSDC-compliant annotation; use 3 to 12 upper-case letters and digits, beginning with a letter", job.Quote(prefix))
	case !locusTagPrefix.MatchString(prefix):
		return fmt.Sprintf("%s is no prefix of locus tags; use 1 to 24 letters, digits or characters of _.-", job.Quote(prefix))
	}
	return ""
}

func locusTagIncrement(n int) string {
	switch n {
	case 0, 1, 5, 10:
		return ""
	}
	return fmt.Sprintf("locus tags can't be counted by %d; choose 1, 5 or 10", n)
}

func steps(skip []string) string {
	for _, s := range skip {
		if !slices.Contains(Steps(), s) {
			return fmt.Sprintf("%s is no step that can be skipped; choose of %s", job.Quote(s), strings.Join(Steps(), ", "))
		}
	}
	return ""
}
