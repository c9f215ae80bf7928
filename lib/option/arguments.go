package option

import (
	"strconv"
	"strings"
)

// Arguments returns the options as Bakta's command line has them, without those that were not given. A value stands in one
// word with its flag: in a word of its own, one that begins with a dash would be taken for a flag.
func (c Config) Arguments() []string {
	var args []string
	value := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	flag := func(flag string, set bool) {
		if set {
			args = append(args, "--"+flag)
		}
	}
	if c.MinContigLength > 1 {
		value("min-contig-length", strconv.FormatInt(c.MinContigLength, 10))
	}
	value("genus", c.Genus)
	value("species", c.Species)
	value("strain", c.Strain)
	value("plasmid", c.Plasmid)
	flag("complete", c.CompleteGenome)
	if c.TranslationTable != 0 {
		value("translation-table", strconv.Itoa(c.TranslationTable))
	}
	switch c.DermType {
	case Monoderm:
		value("gram", "+")
	case Diderm:
		value("gram", "-")
	case DermUnknown:
		value("gram", "?")
	}
	value("locus", c.Locus)
	value("locus-tag", c.LocusTag)
	if n := c.LocusTagIncrement; n != 0 && n != 1 {
		value("locus-tag-increment", strconv.Itoa(c.LocusTagIncrement))
	}
	flag("keep-contig-headers", c.KeepContigHeaders)
	flag("compliant", c.Compliant)
	flag("meta", c.Meta)
	for _, step := range c.Skip {
		flag("skip-"+strings.ReplaceAll(step, "_", "-"), true)
	}
	return args
}
