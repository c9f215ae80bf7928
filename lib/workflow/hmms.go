package workflow

import (
	"bufio"
	"bytes"
	"io"
	"strconv"
	"strings"
)

const hmmsFile = "HMMs file"

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
		return refuse("The HMMs file breaks off inside the profile that begins in line %d; upload the whole file, whose last line is \"//\".", p.line)
	case !some && t.packed:
		return refuse("The HMMs file is a compressed file with nothing in it; upload the file with the profiles.")
	case !some:
		return ErrBlank
	}
	return out.Flush()
}

// profile is a profile HMM as it is read.
type profile struct {
	open bool // it has begun and not ended
	body bool // behind its header
	line int  // where it begins
	tags map[string]string
	node int // of the model, that was read last
}

// take takes the next line.
func (p *profile) take(line []byte, number int) error {
	fields := strings.Fields(string(line[:min(len(line), 4096)]))
	switch {
	case !p.open && bytes.HasPrefix(line, []byte("HMMER3/")):
		*p = profile{open: true, line: number, tags: make(map[string]string)}
		return nil
	case !p.open:
		return notHMM(line, number)
	case p.body:
		return p.model(fields, number)
	case len(fields) == 0:
		return nil
	case fields[0] == "HMM":
		p.body = true
		return p.header()
	case fields[0] == "//":
		return refuse("The HMMs file has a profile without a model in line %d; upload the whole file.", p.line)
	}
	for _, t := range hmmTags { // no others are remembered: a file may have any number of them
		if t.tag == fields[0] {
			p.tags[t.tag] = strings.Join(fields[1:], " ")
		}
	}
	return nil
}

// model takes a line of a profile's model: for each node one that begins with its number, and two that begin with a
// probability.
func (p *profile) model(fields []string, number int) error {
	switch {
	case len(fields) == 0:
		return nil
	case fields[0] == "//":
		if leng, err := strconv.Atoi(p.tags["LENG"]); err != nil || leng != p.node {
			return refuse("The HMMs file has a profile in line %d whose model has %d nodes, and not the %s that its LENG says; upload the file as HMMER wrote it.", p.line, p.node, shown(p.tags["LENG"]))
		}
		p.open = false
		return nil
	case strings.HasPrefix(fields[0], "HMMER3/"):
		return refuse("The HMMs file has a profile that begins in line %d before the one above it ended with \"//\"; upload the whole file.", number)
	}
	switch first := fields[0]; {
	case first == strconv.Itoa(p.node+1):
		p.node++
	case first == "COMPO" || first == "m->m" || first == "*" || strings.Contains(first, ".") && only(first, "0123456789."):
	default:
		return refuse("The HMMs file has %s in line %d, where node %d of the profile in line %d has to be; upload the file as HMMER wrote it.", shown(first), number, p.node+1, p.line)
	}
	return nil
}

// header refuses a profile whose header lacks what Bakta needs.
func (p *profile) header() error {
	name := shown(p.tags["NAME"])
	for _, t := range hmmTags {
		if p.tags[t.tag] == "" {
			return refuse("The HMMs file has a profile %s in line %d without %s (a line %s), which Bakta needs; add it.", name, p.line, t.what, t.tag)
		}
	}
	if !strings.EqualFold(p.tags["ALPH"], "amino") {
		return refuse("The HMMs file has a profile %s in line %d of the alphabet %s; Bakta takes profiles of proteins (amino).", name, p.line, shown(p.tags["ALPH"]))
	}
	cutoffs := strings.Fields(strings.ReplaceAll(p.tags["TC"], ";", " "))
	for _, c := range cutoffs {
		if _, err := strconv.ParseFloat(c, 64); err != nil {
			cutoffs = nil
		}
	}
	if len(cutoffs) < 2 {
		return refuse("The HMMs file has a profile %s in line %d with the trusted cutoffs %s (a line TC); write two numbers.", name, p.line, shown(p.tags["TC"]))
	}
	return nil
}

// notHMM says what is wrong with a line where a profile has to begin.
func notHMM(line []byte, number int) error {
	const advice = "upload profiles as HMMER3 text, as hmmbuild writes them"
	switch what := guess(line); {
	case bytes.HasPrefix(line, []byte("HMMER2")):
		return refuse("The HMMs file has a profile of HMMER2 in line %d; convert it with hmmconvert.", number)
	case line[0] == '>':
		return refuse("The HMMs file seems to be a FASTA file; %s.", advice)
	case number == 1 && what != "":
		return refuse("The HMMs file seems to be %s; %s.", what, advice)
	}
	return refuse("The HMMs file has in line %d no beginning of a profile (HMMER3/f); %s.", number, advice)
}
