package option

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Violation is a rule that an option breaks.
type Violation struct {
	Field   string // the option's name, "skip" for the steps, or the kind of an upload that Use names
	Problem string // what is wrong and what to do, without the option's name
}

// Violations are all rules that a configuration breaks, in the order of Config's fields.
type Violations []Violation

// Error names the options, for the log. Callers get Message.
func (v Violations) Error() string {
	names := make([]string, len(v))
	for i := range v {
		names[i] = v[i].Field
	}
	return "refused options: " + strings.Join(names, ", ")
}

// Message describes all violations to a caller. Spelling has names for options that the caller knows by another name.
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

// Respell returns a validation error with the caller's names of options: spelling maps the names of fields of violations to
// names of an API. Other errors are returned unchanged.
func Respell(err error, spelling map[string]string) error {
	var v Violations
	if !errors.As(err, &v) {
		return err
	}
	return job.Errorf(job.Invalid, "%s", v.Message(spelling)).Because(v)
}

// maxText bounds texts for which Bakta has no bound, in characters. The description of a run has to hold them, and the names
// of organisms are much shorter.
const maxText = 200

// insdcLocusTag is the form of a locus tag in an INSDC-compliant annotation. This and the patterns of the table are those of
// Bakta 1.12.2 (bakta/constants.py), with one difference: the digits of other scripts are excluded here.
var insdcLocusTag = regexp.MustCompile(`^[A-Z][A-Z0-9]{2,11}$`)

// Check returns the rules that the options of a normalised configuration break. The workflow checks Use, since it knows what
// may be uploaded.
func (c Config) Check() Violations {
	var v Violations
	all := Table()
	slices.SortStableFunc(all, func(a, b Option) int { return a.index() - b.index() }) // clients know the order
	for _, o := range all {
		if problem := o.problem(c); problem != "" {
			v = append(v, Violation{o.Name, problem})
		}
	}
	if problem := steps(c.Skip); problem != "" {
		v = append(v, Violation{"skip", problem})
	}
	return append(v, formulas(c, v)...)
}

// problem returns what is wrong with an option in a configuration and what to do, or nothing.
func (o Option) problem(c Config) string {
	v := o.Get(c)
	switch {
	case o.Kind == Text && v.Text == "", o.Kind == Number && v.Number == 0:
		return ""
	case o.Kind == Text && len(o.Choices) > 0 && !o.chooses(v.Text):
		return fmt.Sprintf("%s is not valid; choose %s", job.Quote(v.Text), o.choices())
	case o.Kind == Number && len(o.Choices) > 0 && !o.chooses(strconv.FormatInt(v.Number, 10)):
		return fmt.Sprintf("%d is not valid; choose %s", v.Number, o.choices())
	case o.check != nil:
		return o.check(c)
	}
	return ""
}

// chooses reports whether a value is one of the choices.
func (o Option) chooses(value string) bool {
	return slices.ContainsFunc(o.Choices, func(c Choice) bool { return c.Value == value })
}

// choices lists the choices: "4, 11 or 25".
func (o Option) choices() string {
	values := make([]string, len(o.Choices))
	for i, c := range o.Choices {
		values[i] = c.Value
	}
	last := len(values) - 1
	return strings.Join(values[:last], ", ") + " or " + values[last]
}

// patterns keeps the compiled patterns of options, by name: each start checks several.
var patterns sync.Map

// matches reports whether a text fits the pattern of the option of that name.
func matches(name, text string) bool {
	if p, ok := patterns.Load(name); ok {
		return p.(*regexp.Regexp).MatchString(text)
	}
	for _, o := range Table() {
		if o.Name == name {
			p := regexp.MustCompile("^(?:" + o.Pattern + ")$")
			patterns.Store(name, p)
			return p.MatchString(text)
		}
	}
	return false
}

// The rules of single options: each returns what is wrong and what to do, or nothing. The option is given.

func minContigLength(c Config) string {
	if c.MinContigLength < 0 {
		return fmt.Sprintf("%d is not a valid length; give 1 or more base pairs", c.MinContigLength)
	}
	return ""
}

func genus(c Config) string   { return line(c.Genus) }
func species(c Config) string { return line(c.Species) }
func strain(c Config) string  { return line(c.Strain) }

// line is the rule for free text. A command line can't hold NUL, and other control characters break lines of result files.
func line(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "this is not UTF-8 text; type it again"
	case strings.ContainsFunc(s, job.Control):
		return fmt.Sprintf("%s has a control character, such as a line break; remove it", job.Quote(s))
	case utf8.RuneCountInString(s) > maxText:
		return fmt.Sprintf("the text has %d characters; use at most %d", utf8.RuneCountInString(s), maxText)
	}
	return ""
}

func plasmid(c Config) string {
	switch {
	case strings.Contains(strings.ToLower(c.Plasmid), "plasmid"):
		return fmt.Sprintf(
			"%s has the word \"plasmid\", which Bakta refuses in the name of a plasmid; leave the word out",
			job.Quote(c.Plasmid),
		)
	case !matches("plasmid", c.Plasmid):
		return fmt.Sprintf("%s is not a valid plasmid name; use \"unnamed\" and up to three digits, or \"p\" and 1 to 19 letters, digits, "+
			"dots or underscores",
			job.Quote(c.Plasmid))
	}
	return ""
}

func locus(c Config) string {
	if !matches("locus", c.Locus) {
		return fmt.Sprintf(
			"%s is not a valid prefix of sequence names; use 1 to 20 letters, digits or characters of _.:*#-",
			job.Quote(c.Locus),
		)
	}
	return ""
}

func locusTag(c Config) string {
	switch {
	case c.Compliant && !insdcLocusTag.MatchString(c.LocusTag):
		return fmt.Sprintf("%s is not a valid prefix of locus tags in an INSDC-compliant annotation; "+
			"use 3 to 12 upper-case letters and digits, beginning with a letter", job.Quote(c.LocusTag))
	case !matches("locus_tag", c.LocusTag):
		return fmt.Sprintf("%s is not a valid prefix of locus tags; use 1 to 24 letters, digits or characters of _.-", job.Quote(c.LocusTag))
	}
	return ""
}

func steps(skipped []string) string {
	known := Steps()
	for _, s := range skipped {
		if !slices.Contains(known, s) {
			return fmt.Sprintf("%s is not a step that can be left out; choose from %s", job.Quote(s), strings.Join(known, ", "))
		}
	}
	return ""
}

// formulas returns the texts that Bakta's plot would read as formulas. Genus and species stand in one line of it. A text that
// breaks another rule is not named again.
func formulas(c Config, found Violations) Violations {
	var v Violations
	for _, line := range []struct{ field, text string }{
		{"genus", c.Genus}, {"species", c.Species}, {"species", c.Genus + c.Species}, {"strain", c.Strain},
	} {
		named := slices.ContainsFunc(slices.Concat(found, v), func(other Violation) bool {
			return other.Field == line.field || other.Field == "genus" && line.field == "species"
		})
		if !named && c.Formula(line.text) {
			v = append(v, Violation{line.field, "the text has more than one character $, and Bakta's plot reads what is between them as a " +
				"formula; " +
				"use another character, or skip the plot"})
		}
	}
	return v
}

// Formula reports whether the plot would read a part of a text as a formula (matplotlib's mathtext). That fails, most likely,
// and ends the run after hours.
func (c Config) Formula(text string) bool {
	return strings.Count(text, "$") > 1 && !slices.Contains(c.Skip, "plot")
}
