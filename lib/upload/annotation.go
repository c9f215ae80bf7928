package upload

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/jsonscan"
)

const annotationFile = "Bakta annotation"

// inspectAnnotation reads the JSON file that Bakta writes of a genome to its end and returns the name of its file. What
// Baktfold would crash at is refused: it takes what it needs of each feature for granted, and finds that it is missing
// when it writes its results, after it has predicted all structures.
func inspectAnnotation(r io.Reader) (string, error) {
	u := openUnpacked(r, maxJSON)
	defer u.close()
	in := bufio.NewReaderSize(u, headSize)
	head, err := in.Peek(headSize)
	switch {
	case u.broken() && len(head) == 0:
		err = u.failure(annotationFile)
	case blank(head) && errors.Is(err, io.EOF) && !u.partial():
		if u.ending == "" {
			return "", ErrBlank
		}
		return "", refuse("The Bakta annotation is a compressed file (%s) with nothing in it; upload the JSON file that Bakta wrote.", u.ending)
	default:
		if err = notAnnotation(head); err == nil {
			err = readAnnotation(in)
		}
		if err == nil {
			err = u.failure(annotationFile) // after the end of the JSON
		}
	}
	if errors.Is(err, jsonscan.ErrEnd) {
		if err = u.failure(annotationFile); err == nil && !u.partial() {
			err = refuse("The Bakta annotation ends before the end of the JSON; upload the whole file.")
		}
	}
	if err != nil {
		return "", err
	}
	return "annotation.json" + u.ending, nil
}

const annotationAdvice = "annotate the genome with Bakta, and upload the JSON file of that annotation"

// notAnnotation says what a file is that does not begin as a JSON file of Bakta.
func notAnnotation(head []byte) error {
	start := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(start) == 0 || start[0] == '{':
		return nil
	case bytes.HasPrefix(start, []byte(utf8BOM)):
		return refuse("The Bakta annotation begins with a byte order mark (BOM), which Baktfold can't read; upload the file as Bakta wrote it.")
	}
	what := guess(head)
	switch {
	case start[0] == '>':
		what = "seems to be a FASTA file"
	case what == "" || start[0] == '[':
		what = "begins with " + jsonscan.QuoteByte(start[0]) + " and is not a JSON file of Bakta"
	default:
		what = "seems to be " + what
	}
	return refuse("The Bakta annotation %s; upload the JSON file that Bakta wrote of a genome. To annotate the genome itself, choose a "+
		"workflow that takes it.", what)
}

// maxFeatureValues is how many values are kept of a feature or sequence, while it is checked. Bakta writes some for
// each repeat of a CRISPR array.
const maxFeatureValues = 20_000

// place is a sequence that features are on.
type place struct {
	feature string // the first
	edge    string // the one that goes on over the sequence's end and begins last
	start   int64  // where that begins
}

// annotation is what has to be remembered of an annotation.
type annotation struct {
	*jsonscan.Scanner
	found  map[string]jsonscan.Kind // the outermost members that matter
	ids    map[string]int64         // of sequences, and their lengths
	many   bool                     // there are more than are remembered
	bytes  int                      // that the remembered ids have
	places map[string]*place        // what is known of the sequences that features are on
	placed int                      // bytes that their ids have
	named  string                   // the member that says on which: "sequence", or "contig" up to Bakta 1.9

	fault    error  // the first that a feature or a sequence has
	table    bool   // the genome's translation table is named
	foreign  bool   // it was made by another program than Bakta
	noEvalue string // the first RNA without an expectation value, which it is asked for if Bakta made it
}

// readAnnotation reads an annotation.
func readAnnotation(r io.Reader) error {
	a := annotation{
		Scanner: jsonscan.New(r, annotationFile),
		found:   make(map[string]jsonscan.Kind),
		ids:     make(map[string]int64),
		places:  make(map[string]*place),
	}
	if _, err := a.Next(); err != nil { // the brace
		return err
	}
	if err := a.Object(a.member); err != nil {
		if errors.Is(err, jsonscan.ErrEnd) && a.fault != nil && a.found["genome"] == jsonscan.Object {
			return a.fault // whatever comes behind
		}
		return err
	}
	if err := a.End(); err != nil {
		return err
	}
	return a.verdict()
}

// member takes a member of the outermost object.
func (a *annotation) member(name string, first byte) error {
	switch name {
	case "genome":
		v, err := a.Keep(first, maxFeatureValues)
		if err != nil {
			return err
		}
		a.found[name] = v.Kind
		a.table = v.Member("translation_table").Kind != jsonscan.None && v.Member("translation_table").Kind != jsonscan.Null
		if o := (object{called: "genome", line: a.Line, Value: v}); v.Kind == jsonscan.Object && a.fault == nil {
			if a.fault = o.check("strain", needsAny); a.fault == nil {
				a.fault = o.check("taxon", mayBeText)
			}
		}
	case "version":
		v, err := a.Keep(first, maxFeatureValues)
		if err != nil {
			return err
		}
		if v.Kind != jsonscan.Object {
			return refuse("The Bakta annotation's version is not a JSON object, which Baktfold needs; %s.", annotationAdvice)
		}
		a.foreign = v.Member("bakta").Kind == jsonscan.None
	case "features":
		return a.list(name, first, a.feature)
	case "sequences":
		return a.list(name, first, a.sequence)
	default:
		return a.Skip(first)
	}
	return nil
}

// list takes a list of objects.
func (a *annotation) list(name string, first byte, each func(number int, v jsonscan.Value) error) error {
	if first != '[' {
		return refuse("The Bakta annotation's %s are not a list, in line %d; %s.", name, a.Line, annotationAdvice)
	}
	a.found[name] = jsonscan.Array
	return a.Array(func(index int, first byte) error {
		v, err := a.Keep(first, maxFeatureValues)
		if err != nil {
			return err
		}
		if v.Kind != jsonscan.Object {
			return refuse(
				"The Bakta annotation's %s have something other than an object in line %d, in place %d; %s.",
				name,
				a.Line,
				index+1,
				annotationAdvice,
			)
		}
		if err := each(index+1, v); a.fault == nil {
			a.fault = err // which of a file of proteins says nothing
		}
		return nil
	})
}

// verdict says what is missing in a whole annotation.
func (a *annotation) verdict() error {
	kind := func(name string) jsonscan.Kind { return a.found[name] }
	switch {
	case kind("genome") == jsonscan.None && kind("features") != jsonscan.None && kind("sequences") == jsonscan.None:
		return refuse("The Bakta annotation is of proteins without a genome, which Baktfold can't extend here; %s.", annotationAdvice)
	case kind("genome") != jsonscan.Object || kind("features") == jsonscan.None || kind("sequences") == jsonscan.None:
		return refuse(
			"The Bakta annotation is not a JSON file that Bakta writes for a genome: it has no genome, features or sequences; %s.",
			annotationAdvice,
		)
	case a.fault != nil:
		return a.fault
	case !a.table:
		return refuse("The Bakta annotation does not name the genome's translation table, which Baktfold needs; %s.", annotationAdvice)
	case a.noEvalue != "" && !a.foreign:
		return refuse("The Bakta annotation's %s has no evalue, which Baktfold needs; %s.", a.noEvalue, annotationAdvice)
	case len(a.ids) == 0:
		return refuse("The Bakta annotation has no sequences; %s.", annotationAdvice)
	}
	for id, p := range a.places {
		switch length, ok := a.ids[id]; {
		case !ok && !a.many:
			return refuse(
				"The Bakta annotation's %s is on the sequence %s, which the file does not have; %s.",
				p.feature,
				job.Quote(id),
				annotationAdvice,
			)
		case ok && p.start > length:
			return refuse(
				"The Bakta annotation's %s crosses the end of the sequence %s, but begins after it; %s.",
				p.edge,
				job.Quote(id),
				annotationAdvice,
			)
		}
	}
	return nil
}

// object is an object of an annotation that is checked.
type object struct {
	called string
	line   int
	jsonscan.Value
}

// wrong refuses an object whose member Baktfold can't read; needs describes a valid value.
func (o object) wrong(name, needs string) error {
	is := "is " + valueText(o.Member(name))
	if o.Member(name).Kind == jsonscan.None {
		is = "is missing"
	}
	return refuse("The Bakta annotation's %s, which ends in line %d, can't be read by Baktfold: its %s %s, and must be %s; upload the "+
		"file as Bakta wrote it.", o.called, o.line, name, is, needs)
}

// valueText says what a value is.
func valueText(v jsonscan.Value) string {
	switch v.Kind {
	case jsonscan.Null:
		return "null"
	case jsonscan.Bool:
		return "true or false"
	case jsonscan.Number:
		return v.Text
	case jsonscan.String:
		return job.Quote(v.Text)
	case jsonscan.Array:
		return "a list"
	}
	return "an object"
}

// need is what Baktfold needs of a member.
type need int

const (
	needsAny       need = iota // it is there, if only null
	needsText                  // a string
	needsWhole                 // an integer
	needsNumber                // a number
	mayBeText                  // a string, null, or not there
	mayBeTexts                 // a list of strings, or not there
	needsTexts                 // a list of strings
	mayBeObject                // an object, or not there
	mayBeList                  // a list, or not there
	mayBeHits                  // a list, an object, text, null, or not there
	mayBeClass                 // null, a list of two, or not there
	needsClass                 // null or a list of two
	mayBePositions             // a list of two or more, or not there
)

// check refuses members that are not what is needed.
func (o object) check(names string, n need) error {
	for _, name := range strings.Fields(names) {
		v := o.Member(name)
		texts := v.Kind == jsonscan.Array &&
			!slices.ContainsFunc(v.Items, func(item jsonscan.Value) bool { return item.Kind != jsonscan.String })
		ok, needs := false, ""
		switch n {
		case needsAny:
			ok, needs = v.Kind != jsonscan.None, "there"
		case needsText:
			ok, needs = v.Kind == jsonscan.String, "text"
		case needsWhole:
			_, ok = v.Whole()
			needs = "a whole number"
		case needsNumber:
			ok, needs = v.Kind == jsonscan.Number, "a number"
		case mayBeText:
			ok, needs = v.Kind == jsonscan.None || v.Kind == jsonscan.Null || v.Kind == jsonscan.String, "text, null or left out"
		case mayBeTexts:
			ok, needs = v.Kind == jsonscan.None || texts, "a list of texts, or left out"
		case needsTexts:
			ok, needs = texts, "a list of texts"
		case mayBeObject:
			ok, needs = v.Kind == jsonscan.None || v.Kind == jsonscan.Object, "an object, or left out"
		case mayBeList:
			ok, needs = v.Kind == jsonscan.None || v.Kind == jsonscan.Array, "a list, or left out"
		case mayBeHits:
			ok, needs = v.Kind != jsonscan.Number && v.Kind != jsonscan.Bool, "a list"
		case mayBeClass, needsClass:
			ok, needs = v.Kind == jsonscan.Null || v.Kind == jsonscan.Array && len(v.Items) >= 2 ||
				n == mayBeClass && v.Kind == jsonscan.None, "null or a list of a name and an id"
		case mayBePositions:
			ok, needs = v.Kind == jsonscan.None || v.Kind == jsonscan.Array && len(v.Items) >= 2, "a list of two positions, or left out"
		}
		if !ok {
			return o.wrong(name, needs)
		}
	}
	return nil
}

// inner returns an object that is a member.
func (o object) inner(name string) object {
	return object{called: name + " of the " + o.called, line: o.line, Value: o.Member(name)}
}

// requirement is what Baktfold needs of features of some types: those of the members' names that are there, or all.
type requirement struct {
	types string // with spaces between; empty for all
	names string
	need  need
}

// requirements are those of the commands that are used here (baktfold.run, and io/tsv.py, gff.py, insdc.py and fasta.py,
// of Baktfold 0.3.0).
var requirements = []requirement{
	{"", "start stop", needsWhole},
	{"", "strand", needsText},
	{"", "gene product", mayBeText},
	{"", "db_xrefs", mayBeTexts},
	{"cds sorf", "locus aa", needsText},
	{"cds sorf", "product", needsAny},
	{"cds sorf", "ups ips psc pscc pseudogene exception signal-peptide", mayBeObject},
	{"tRNA tmRNA rRNA ncRNA", "locus product", needsAny},
	{"tRNA", "anti_codon_pos", mayBePositions},
	{"tmRNA", "tag", mayBeObject},
	{"crispr", "spacers repeat", mayBeList},
	{"cds", "pstc", mayBeHits},
	{"rRNA ncRNA ncRNA-region", "db_xrefs", needsTexts},
	{"ncRNA", "class", mayBeClass},
	{"ncRNA-region", "class", needsClass},
	{"ncRNA-region", "evalue", needsAny},
	{"ncRNA-region crispr oriC oriV oriT", "id product", needsAny},
	{"gap", "id", needsAny},
	{"gap", "length", needsNumber},
	{"tRNA tmRNA rRNA ncRNA ncRNA-region crispr cds sorf oriC oriV oriT", "nt", needsAny},
}

// innerRequirements are those of objects that are members.
var innerRequirements = []requirement{
	{"pseudogene", "paralog description", needsAny},
	{"exception", "type aa start stop codon_position", needsAny},
	{"signal-peptide", "score", needsNumber},
	{"signal-peptide", "start stop", needsWhole},
	{"tag", "aa start stop", needsAny},
}

// featureTypes are those that Baktfold can write, of those that Bakta knows.
var featureTypes = strings.Fields("tRNA tmRNA rRNA ncRNA ncRNA-region crispr cds sorf gap oriC oriV oriT gene mRNA")

// feature takes a feature.
func (a *annotation) feature(number int, v jsonscan.Value) error {
	kind := v.Member("type").Text
	o := object{called: fmt.Sprintf("feature %d", number), line: a.Line, Value: v}
	if locus := v.Member("locus"); locus.Kind == jsonscan.String {
		o.called += " (" + job.Quote(locus.Text) + ")"
	} else if start, ok := v.Member("start").Whole(); ok {
		o.called += " (at " + strconv.FormatInt(start, 10) + ")"
	}
	if v.Member("type").Kind != jsonscan.String || !slices.Contains(featureTypes, kind) {
		return o.wrong("type", "one that Bakta writes")
	}
	if id := v.Member("id"); id.Kind != jsonscan.None && id.Kind != jsonscan.String {
		return o.wrong("id", "text, or left out")
	}
	if v.Member("discarded").Kind != jsonscan.None && kind != "cds" {
		return nil
	}
	if a.named == "" {
		a.named = "sequence"
		if v.Member("sequence").Kind == jsonscan.None && v.Member("contig").Kind != jsonscan.None {
			a.named = "contig"
		}
	}
	if err := o.check(a.named, needsText); err != nil {
		return err
	}
	if a.named == "contig" && v.Member("sequence").Kind != jsonscan.None {
		return o.wrong("sequence", "left out, as of the features before it")
	}
	for _, r := range requirements {
		if r.types == "" || slices.Contains(strings.Fields(r.types), kind) {
			if err := o.check(r.names, r.need); err != nil {
				return err
			}
		}
	}
	for _, r := range innerRequirements {
		if inner := o.inner(r.types); inner.Kind == jsonscan.Object {
			if err := inner.check(r.names, r.need); err != nil {
				return err
			}
		}
	}
	if err := o.protein(kind); err != nil {
		return err
	}
	start, _ := v.Member("start").Whole()
	stop, _ := v.Member("stop").Whole()
	edge := v.Member("edge").Kind != jsonscan.None
	switch {
	case start < 1:
		return o.wrong("start", "1 or more")
	case stop < 0 || stop < start-1 && !edge:
		return o.wrong("stop", "behind its start")
	}
	if (kind == "rRNA" || kind == "ncRNA") && v.Member("evalue").Kind == jsonscan.None && a.noEvalue == "" {
		a.noEvalue = o.called
	}
	for _, reference := range v.Member("db_xrefs").Items {
		if reference.Text == "RFAM" {
			return o.wrong("db_xrefs", "of the form database:id each")
		}
	}
	id := v.Member(a.named).Text
	p := a.places[id]
	if p == nil && len(a.places) < maxSequences && a.placed+len(id) <= maxIDs {
		a.placed += len(id)
		p = &place{feature: o.called}
		a.places[id] = p
	}
	if edge && p != nil && start > p.start {
		p.edge, p.start = o.called, start
	}
	return nil
}

// protein refuses what Baktfold can't list as a protein without a function, or as one that it found a function for.
func (o object) protein(kind string) error {
	hypothetical, found := o.Member("hypothetical").Kind != jsonscan.None, o.Member("baktfold").Kind != jsonscan.None
	if inner := o.inner("signal-peptide"); inner.Kind == jsonscan.Object {
		start, _ := inner.Member("start").Whole()
		if stop, _ := inner.Member("stop").Whole(); stop < start-1 {
			return inner.wrong("stop", "behind its start")
		}
	}
	if !hypothetical && !found {
		return nil
	}
	names := "locus"
	if kind == "cds" && hypothetical {
		names += " id" // in place of loci that are there twice; and the product is rewritten
	} else {
		names += " product"
	}
	if o.Member("length").Kind == jsonscan.None {
		names += " nt"
	}
	return o.check(names, needsText)
}

// sequence takes a sequence.
func (a *annotation) sequence(number int, v jsonscan.Value) error {
	o := object{called: fmt.Sprintf("sequence %d", number), line: a.Line, Value: v}
	id := v.Member("id").Text
	if v.Member("id").Kind == jsonscan.String {
		o.called += " (" + job.Quote(id) + ")"
	}
	nt := "nt"
	if v.Member(nt).Kind == jsonscan.None && v.Member("sequence").Kind != jsonscan.None {
		nt = "sequence"
	}
	for _, r := range []requirement{
		{names: "id " + nt, need: needsText},
		{names: "length", need: needsWhole},
		{names: "topology", need: needsText},
		{names: "type complete description", need: needsAny},
		{names: "name", need: mayBeText},
	} {
		if err := o.check(r.names, r.need); err != nil {
			return err
		}
	}
	length, _ := v.Member("length").Whole()
	_, known := a.ids[id]
	switch topology := v.Member("topology").Text; {
	case topology != "linear" && topology != "circular" && topology != "":
		return o.wrong("topology", "linear or circular")
	case length != int64(v.Member(nt).Size):
		return o.wrong("length", strconv.Itoa(v.Member(nt).Size)+", the number of its bases")
	case id == "" || strings.ContainsAny(id, " \t;"):
		return o.wrong("id", "a name without spaces and semicolons")
	case known:
		return o.wrong("id", "another than those of the sequences before it")
	case len(a.ids) < maxSequences && a.bytes+len(id) <= maxIDs:
		a.bytes += len(id)
		a.ids[id] = length
	default:
		a.many = true
	}
	return nil
}
