package workflow

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const annotationFile = "annotation"

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
	case blank(head) && err == io.EOF && !u.partial():
		if u.ending == "" {
			return "", ErrBlank
		}
		return "", refuse("The annotation is a compressed file (%s) with nothing in it; upload the JSON file that Bakta wrote.", u.ending)
	default:
		if err = notAnnotation(head); err == nil {
			err = readAnnotation(in)
		}
		if err == nil {
			err = u.failure(annotationFile) // behind the end of the JSON
		}
	}
	if errors.Is(err, errJSONEnd) {
		if err = u.failure(annotationFile); err == nil && !u.partial() {
			err = refuse("The annotation breaks off before the end of the JSON; upload the whole file.")
		}
	}
	if err != nil {
		return "", err
	}
	return "annotation.json" + u.ending, nil
}

const annotationAdvice = "annotate the genome with Bakta, and upload the JSON file of that"

// notAnnotation says what a file is that does not begin as a JSON file of Bakta.
func notAnnotation(head []byte) error {
	start := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(start) == 0 || start[0] == '{':
		return nil
	case bytes.HasPrefix(start, []byte(utf8BOM)):
		return refuse("The annotation begins with a byte order mark (BOM), which Baktfold can't read; upload the file as Bakta wrote it.")
	}
	what := guess(head)
	switch {
	case start[0] == '>':
		what = "seems to be a FASTA file"
	case what == "" || start[0] == '[':
		what = "begins with " + shownByte(start[0]) + " and is no JSON file of Bakta"
	default:
		what = "seems to be " + what
	}
	return refuse("The annotation %s; upload the JSON file that Bakta wrote of a genome. To annotate the genome itself, choose a workflow that takes it.", what)
}

// maxFeatureValues is how many values are kept of a feature or sequence, while it is looked at. Bakta writes some for
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
	*jsonScanner
	found  map[string]jsonKind // the outermost members that matter
	ids    map[string]int64    // of sequences, and their lengths
	many   bool                // there are more than are remembered
	bytes  int                 // that the remembered ids have
	places map[string]*place   // what is known of the sequences that features are on
	placed int                 // bytes that their ids have
	named  string              // the member that says on which: "sequence", or "contig" up to Bakta 1.9

	fault    error  // the first that a feature or a sequence has
	table    bool   // the genome's translation table is named
	foreign  bool   // it was made by another program than Bakta
	noEvalue string // the first RNA without an expectation value, which it is asked for if Bakta made it
}

// readAnnotation reads an annotation.
func readAnnotation(r io.Reader) error {
	a := annotation{jsonScanner: newJSONScanner(r, annotationFile), found: make(map[string]jsonKind), ids: make(map[string]int64), places: make(map[string]*place)}
	if _, err := a.next(); err != nil { // the brace
		return err
	}
	if err := a.object(a.member); err != nil {
		if errors.Is(err, errJSONEnd) && a.fault != nil && a.found["genome"] == jsonObject {
			return a.fault // whatever comes behind
		}
		return err
	}
	if err := a.end(); err != nil {
		return err
	}
	return a.verdict()
}

// member takes a member of the outermost object.
func (a *annotation) member(name string, first byte) error {
	switch name {
	case "genome":
		v, err := a.keep(first, maxFeatureValues)
		if err != nil {
			return err
		}
		a.found[name] = v.kind
		a.table = v.member("translation_table").kind != jsonNone && v.member("translation_table").kind != jsonNull
		if o := (object{called: "genome", line: a.line, jsonValue: v}); v.kind == jsonObject && a.fault == nil {
			if a.fault = o.check("strain", needsAny); a.fault == nil {
				a.fault = o.check("taxon", mayBeText)
			}
		}
	case "version":
		v, err := a.keep(first, maxFeatureValues)
		if err != nil {
			return err
		}
		if v.kind != jsonObject {
			return refuse("The annotation's version is no JSON object, which Baktfold needs; %s.", annotationAdvice)
		}
		a.foreign = v.member("bakta").kind == jsonNone
	case "features":
		return a.list(name, first, a.feature)
	case "sequences":
		return a.list(name, first, a.sequence)
	default:
		return a.skip(first)
	}
	return nil
}

// list takes a list of objects.
func (a *annotation) list(name string, first byte, each func(number int, v jsonValue) error) error {
	if first != '[' {
		return refuse("The annotation's %s are no list, in line %d; %s.", name, a.line, annotationAdvice)
	}
	a.found[name] = jsonArray
	return a.array(func(index int, first byte) error {
		v, err := a.keep(first, maxFeatureValues)
		if err != nil {
			return err
		}
		if v.kind != jsonObject {
			return refuse("The annotation's %s have something other than an object in line %d, in place %d; %s.", name, a.line, index+1, annotationAdvice)
		}
		if err := each(index+1, v); a.fault == nil {
			a.fault = err // which of a file of proteins says nothing
		}
		return nil
	})
}

// verdict says what is missing in a whole annotation.
func (a *annotation) verdict() error {
	kind := func(name string) jsonKind { return a.found[name] }
	switch {
	case kind("genome") == jsonNone && kind("features") != jsonNone && kind("sequences") == jsonNone:
		return refuse("The annotation is one of proteins without a genome, from which Baktfold can't go on here; %s.", annotationAdvice)
	case kind("genome") != jsonObject || kind("features") == jsonNone || kind("sequences") == jsonNone:
		return refuse("The annotation is no JSON file that Bakta writes of a genome: it has no genome, features or sequences; %s.", annotationAdvice)
	case a.fault != nil:
		return a.fault
	case !a.table:
		return refuse("The annotation does not name the genome's translation table, which Baktfold needs; %s.", annotationAdvice)
	case a.noEvalue != "" && !a.foreign:
		return refuse("The annotation's %s has no evalue, which Baktfold needs; %s.", a.noEvalue, annotationAdvice)
	case len(a.ids) == 0:
		return refuse("The annotation has no sequences; %s.", annotationAdvice)
	}
	for id, p := range a.places {
		switch length, ok := a.ids[id]; {
		case !ok && !a.many:
			return refuse("The annotation's %s is on the sequence %s, which the file does not have; %s.", p.feature, shown(id), annotationAdvice)
		case ok && p.start > length:
			return refuse("The annotation's %s goes on over the end of the sequence %s, and begins behind it; %s.", p.edge, shown(id), annotationAdvice)
		}
	}
	return nil
}

// object is an object of an annotation that is looked at.
type object struct {
	called string
	line   int
	jsonValue
}

// wrong says what Baktfold can't do without.
func (o object) wrong(name, needs string) error {
	is := "is " + o.member(name).shown()
	if o.member(name).kind == jsonNone {
		is = "is missing"
	}
	return refuse("The annotation's %s, which ends in line %d, can't be read by Baktfold: its %s %s, and has to be %s; upload the file as Bakta wrote it.", o.called, o.line, name, is, needs)
}

// shown says what a value is.
func (v jsonValue) shown() string {
	switch v.kind {
	case jsonNull:
		return "null"
	case jsonBool:
		return "true or false"
	case jsonNumber:
		return v.text
	case jsonString:
		return shown(v.text)
	case jsonArray:
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
		v := o.member(name)
		texts := v.kind == jsonArray && !slices.ContainsFunc(v.items, func(item jsonValue) bool { return item.kind != jsonString })
		ok, needs := false, ""
		switch n {
		case needsAny:
			ok, needs = v.kind != jsonNone, "there"
		case needsText:
			ok, needs = v.kind == jsonString, "text"
		case needsWhole:
			_, ok = v.whole()
			needs = "a whole number"
		case needsNumber:
			ok, needs = v.kind == jsonNumber, "a number"
		case mayBeText:
			ok, needs = v.kind == jsonNone || v.kind == jsonNull || v.kind == jsonString, "text, null or left out"
		case mayBeTexts:
			ok, needs = v.kind == jsonNone || texts, "a list of texts, or left out"
		case needsTexts:
			ok, needs = texts, "a list of texts"
		case mayBeObject:
			ok, needs = v.kind == jsonNone || v.kind == jsonObject, "an object, or left out"
		case mayBeList:
			ok, needs = v.kind == jsonNone || v.kind == jsonArray, "a list, or left out"
		case mayBeHits:
			ok, needs = v.kind != jsonNumber && v.kind != jsonBool, "a list"
		case mayBeClass, needsClass:
			ok, needs = v.kind == jsonNull || v.kind == jsonArray && len(v.items) >= 2 || n == mayBeClass && v.kind == jsonNone, "null or a list of a name and an id"
		case mayBePositions:
			ok, needs = v.kind == jsonNone || v.kind == jsonArray && len(v.items) >= 2, "a list of two positions, or left out"
		}
		if !ok {
			return o.wrong(name, needs)
		}
	}
	return nil
}

// inner returns an object that is a member.
func (o object) inner(name string) object {
	return object{called: name + " of the " + o.called, line: o.line, jsonValue: o.member(name)}
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
func (a *annotation) feature(number int, v jsonValue) error {
	kind := v.member("type").text
	o := object{called: fmt.Sprintf("feature %d", number), line: a.line, jsonValue: v}
	if locus := v.member("locus"); locus.kind == jsonString {
		o.called += " (" + shown(locus.text) + ")"
	} else if start, ok := v.member("start").whole(); ok {
		o.called += " (at " + strconv.FormatInt(start, 10) + ")"
	}
	if v.member("type").kind != jsonString || !slices.Contains(featureTypes, kind) {
		return o.wrong("type", "one that Bakta writes")
	}
	if id := v.member("id"); id.kind != jsonNone && id.kind != jsonString {
		return o.wrong("id", "text, or left out")
	}
	if v.member("discarded").kind != jsonNone && kind != "cds" {
		return nil
	}
	if a.named == "" {
		a.named = "sequence"
		if v.member("sequence").kind == jsonNone && v.member("contig").kind != jsonNone {
			a.named = "contig"
		}
	}
	if err := o.check(a.named, needsText); err != nil {
		return err
	}
	if a.named == "contig" && v.member("sequence").kind != jsonNone {
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
		if inner := o.inner(r.types); inner.kind == jsonObject {
			if err := inner.check(r.names, r.need); err != nil {
				return err
			}
		}
	}
	if err := o.protein(kind); err != nil {
		return err
	}
	start, _ := v.member("start").whole()
	stop, _ := v.member("stop").whole()
	edge := v.member("edge").kind != jsonNone
	switch {
	case start < 1:
		return o.wrong("start", "1 or more")
	case stop < 0 || stop < start-1 && !edge:
		return o.wrong("stop", "behind its start")
	}
	if (kind == "rRNA" || kind == "ncRNA") && v.member("evalue").kind == jsonNone && a.noEvalue == "" {
		a.noEvalue = o.called
	}
	for _, reference := range v.member("db_xrefs").items {
		if reference.text == "RFAM" {
			return o.wrong("db_xrefs", "of the form database:id each")
		}
	}
	id := v.member(a.named).text
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
	hypothetical, found := o.member("hypothetical").kind != jsonNone, o.member("baktfold").kind != jsonNone
	if inner := o.inner("signal-peptide"); inner.kind == jsonObject {
		start, _ := inner.member("start").whole()
		if stop, _ := inner.member("stop").whole(); stop < start-1 {
			return inner.wrong("stop", "behind its start")
		}
	}
	if !hypothetical && !found {
		return nil
	}
	names := "locus"
	if kind == "cds" && hypothetical {
		names += " id" // in place of loci that are there twice; and the product is written anew
	} else {
		names += " product"
	}
	if o.member("length").kind == jsonNone {
		names += " nt"
	}
	return o.check(names, needsText)
}

// sequence takes a sequence.
func (a *annotation) sequence(number int, v jsonValue) error {
	o := object{called: fmt.Sprintf("sequence %d", number), line: a.line, jsonValue: v}
	id := v.member("id").text
	if v.member("id").kind == jsonString {
		o.called += " (" + shown(id) + ")"
	}
	nt := "nt"
	if v.member(nt).kind == jsonNone && v.member("sequence").kind != jsonNone {
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
	length, _ := v.member("length").whole()
	_, known := a.ids[id]
	switch topology := v.member("topology").text; {
	case topology != "linear" && topology != "circular" && topology != "":
		return o.wrong("topology", "linear or circular")
	case length != int64(v.member(nt).size):
		return o.wrong("length", strconv.Itoa(v.member(nt).size)+", as many letters as it has")
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
