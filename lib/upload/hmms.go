package upload

import (
	"bufio"
	"bytes"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

const hmmsFile = "profile HMMs file"

// hmmTags are the lines of a profile that Bakta can't do without, and what they hold.
var hmmTags = []struct{ tag, what string }{
	{"NAME", "a name"},
	{"ACC", "an accession"},
	{"DESC", "a description"},
	{"LENG", "a length"},
	{"ALPH", "an alphabet"},
	{"TC", "trusted cutoffs"},
}

// readHMMs reads a file of profile HMMs in HMMER's text format and writes it as Bakta surely reads it. Bakta
// crashes at a profile without a description or trusted cutoffs, and at anything other than such profiles of
// proteins.
func readHMMs(r io.Reader, to io.Writer) error {
	t := openText(r, maxHMMs, hmmsFile)
	defer t.close()
	out := bufio.NewWriter(to)
	var p profile
	some := false
	for {
		line, more := t.next()
		if !more {
			break
		}
		if !p.open && len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := p.take(line, t.number); err != nil {
			return err
		}
		some = true
		out.Write(line)
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
	}
	switch err := t.failure(); {
	case err != nil:
		return err
	case p.open:
		return refuse(
			"The profile HMMs file ends inside the profile that begins in line %d; upload the whole file, whose last line is \"//\".",
			p.line,
		)
	case !some && t.packed:
		return refuse("The profile HMMs file is a compressed file with nothing in it; upload the file with the profiles.")
	case !some:
		return ErrBlank
	}
	return out.Flush()
}

// profile is a profile HMM as it is read. What it asks for is what the reader of HMMER asks for (p7_hmmfile.c of
// HMMER 3.4, by way of pyhmmer), and Bakta of what that read.
type profile struct {
	open   bool // it has begun and not ended
	line   int  // where it begins
	format byte // of its text, the letter behind "HMMER3/"
	tags   map[string]string
	stats  map[string]bool // the distributions of scores that it was calibrated for
	next   modelRow        // of the model, that is read next; none in the header
	node   int             // of the model, that was read last
}

// modelRow is a line of a profile's model. Each node has one with the scores of matches, which begins with its number, one
// of insertions and one of transitions; node 0 has the latter two alone.
type modelRow int

const (
	noRow       modelRow = iota
	legend               // of the transitions; it is not read
	composition          // of the whole model, or the insertions of node 0
	insertion
	transition
	match // or the end
)

// Numbers in the rows of a profile of proteins.
const (
	emissions   = 20
	transitions = 7
)

// take takes the next line.
func (p *profile) take(line []byte, number int) error {
	fields := strings.Fields(string(line[:min(len(line), 4096)]))
	switch {
	case bytes.IndexByte(line, 0) >= 0:
		return refuse("The profile HMMs file has a NUL character in line %d; upload the file as HMMER wrote it.", number)
	case !p.open && bytes.HasPrefix(line, []byte("HMMER3/")):
		letter := strings.TrimPrefix(fields[0], "HMMER3/")
		if len(letter) != 1 || letter < "a" || letter > "f" {
			return refuse("The profile HMMs file has a profile in line %d of the format %s, which Bakta can't read; convert it with hmmconvert "+
				"of HMMER 3.", number, job.Quote(fields[0]))
		}
		*p = profile{open: true, line: number, format: letter[0], tags: make(map[string]string), stats: make(map[string]bool)}
		return nil
	case !p.open:
		return notHMM(line, number)
	case len(fields) == 0:
		return nil
	case p.next != noRow:
		return p.model(fields, number)
	case fields[0] == "HMM":
		p.next = legend
		return p.header()
	case fields[0] == "//":
		return refuse("The profile HMMs file has a profile without a model in line %d; upload the whole file.", p.line)
	}
	return p.tag(fields[0], fields[1:], number)
}

// tag takes a line of the header.
func (p *profile) tag(tag string, values []string, number int) error {
	for _, t := range hmmTags { // no others are remembered: a file may have any number of them
		if t.tag == tag {
			p.tags[t.tag] = strings.Join(values, " ")
		}
	}
	wrong := func(needs string) error {
		return refuse("The profile HMMs file has the line %s in line %d, which needs %s; write that, or upload the file as HMMER wrote it.",
			job.Quote(strings.TrimSpace(tag+" "+strings.Join(values, " "))), number, needs)
	}
	switch tag {
	case "TC", "GA", "NC":
		if len(values) < 2 || tag == "TC" && (!score(values[0]) || !score(values[1])) { // Bakta goes by TC alone
			return wrong("two numbers with white space between them, such as " + tag + " 25.00 25.00")
		}
	case "RF", "MM", "CONS", "CS", "MAP":
		if len(values) == 0 || !strings.EqualFold(values[0], "yes") && !strings.EqualFold(values[0], "no") {
			return wrong("yes or no")
		}
		if tag == "CONS" && strings.EqualFold(values[0], "yes") {
			p.tags[tag] = values[0]
		}
	case "LENG", "NSEQ", "MAXL":
		if len(values) == 0 || !atLeast(values[0], 1) {
			return wrong("a number of 1 or more")
		}
	case "EFFN":
		if len(values) == 0 || !atLeast(values[0], math.SmallestNonzeroFloat32) {
			return wrong("a number above 0")
		}
	case "DATE":
		if len(values) == 0 {
			return wrong("a date")
		}
	case "COM":
		if len(values) < 2 {
			return wrong("a number and a command")
		}
	case "STATS":
		kinds := "MSV VITERBI FORWARD"
		if p.format == 'a' {
			kinds = "VLAMBDA VMU FTAU"
		}
		if len(values) < 3 || !strings.EqualFold(values[0], "LOCAL") || !slices.Contains(strings.Fields(kinds), strings.ToUpper(values[1])) ||
			p.format != 'a' && len(values) < 4 || slices.ContainsFunc(values[2:min(len(values), 4)], func(v string) bool { return !score(v) }) {
			return wrong("LOCAL, one of " + strings.ReplaceAll(kinds, " ", ", ") + ", and numbers")
		}
		p.stats[strings.ToUpper(values[1])] = true
	}
	return nil
}

// score reports whether a text is a number, which may have a semicolon behind it.
func score(text string) bool {
	f, err := strconv.ParseFloat(strings.TrimSuffix(text, ";"), 64)
	return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

func atLeast(text string, least float64) bool {
	f, err := strconv.ParseFloat(text, 64)
	return err == nil && f >= least && !math.IsInf(f, 0)
}

// header refuses a profile whose header lacks what Bakta needs.
func (p *profile) header() error {
	name := job.Quote(p.tags["NAME"])
	for _, t := range hmmTags {
		if p.tags[t.tag] == "" {
			return refuse(
				"The profile HMMs file has a profile %s in line %d without %s (a line %s), which Bakta needs; add it.",
				name,
				p.line,
				t.what,
				t.tag,
			)
		}
	}
	switch {
	case !strings.EqualFold(p.tags["ALPH"], "amino"):
		return refuse(
			"The profile HMMs file has a profile %s in line %d of the alphabet %s; Bakta takes profiles of proteins (amino).",
			name,
			p.line,
			job.Quote(p.tags["ALPH"]),
		)
	case len(p.stats) < 3:
		return refuse("The profile HMMs file has a profile %s in line %d that is not calibrated (three lines STATS), and finds nothing; "+
			"build it with hmmbuild of HMMER 3.", name, p.line)
	case p.format >= 'e' && p.tags["CONS"] == "":
		return refuse("The profile HMMs file has a profile %s in line %d without a consensus (a line CONS yes), which Bakta needs; build it "+
			"again with hmmbuild.", name, p.line)
	}
	return nil
}

// model takes a line of a profile's model.
func (p *profile) model(fields []string, number int) error {
	first := fields[0]
	switch {
	case first == "//" && (p.next == match || p.node == 0):
		if leng, err := strconv.Atoi(p.tags["LENG"]); err != nil || leng != p.node {
			return refuse("The profile HMMs file has a profile in line %d whose model has %d nodes, and not the %s that its LENG says; upload "+
				"the file as HMMER wrote it.", p.line, p.node, job.Quote(p.tags["LENG"]))
		}
		p.open = false
		return nil
	case strings.HasPrefix(first, "HMMER3/"):
		return refuse("The profile HMMs file has a profile that begins in line %d before the one above it ended with \"//\"; upload the "+
			"whole file.", number)
	}
	read := p.next
	if read == composition && first != "COMPO" {
		read = insertion
	}
	needs, annotated := emissions, 0
	switch read {
	case legend:
		p.next = composition
		return nil
	case composition:
		p.next, fields = insertion, fields[1:]
	case insertion:
		p.next = transition
	case transition:
		p.next, needs = match, transitions
	case match:
		if first != strconv.Itoa(p.node+1) {
			return refuse("The profile HMMs file has %s in line %d, where node %d of the profile in line %d is expected; upload the file as HMMER "+
				"wrote it.", job.Quote(first), number, p.node+1, p.line)
		}
		p.node++
		p.next, fields = insertion, fields[1:]
		annotated = 3 // the column of the alignment, and two marks of it; newer formats have one and two more
		if p.format >= 'e' {
			annotated += int(p.format-'e') + 1
		}
	}
	if len(fields) < needs+annotated {
		return refuse(
			"The profile HMMs file has %d values in line %d, where the profile in line %d needs %d; upload the file as HMMER wrote it.",
			len(fields),
			number,
			p.line,
			needs+annotated,
		)
	}
	for _, f := range fields[:needs] {
		if f != "*" && (!score(f) || strings.HasSuffix(f, ";")) {
			return refuse(
				"The profile HMMs file has %s in line %d, where a number is expected; upload the file as HMMER wrote it.",
				job.Quote(f),
				number,
			)
		}
	}
	return nil
}

// notHMM says what is wrong with a line where a profile has to begin.
func notHMM(line []byte, number int) error {
	const advice = "upload profiles as HMMER3 text, as hmmbuild writes them"
	switch what := guess(line); {
	case bytes.HasPrefix(line, []byte("HMMER2")):
		return refuse("The profile HMMs file has a profile of HMMER2 in line %d; convert it with hmmconvert.", number)
	case line[0] == '>':
		return refuse("The profile HMMs file seems to be a FASTA file; %s.", advice)
	case number == 1 && what != "":
		return refuse("The profile HMMs file seems to be %s; %s.", what, advice)
	}
	return refuse("The profile HMMs file has in line %d no beginning of a profile (HMMER3/f); %s.", number, advice)
}
