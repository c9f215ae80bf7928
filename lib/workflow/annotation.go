package workflow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strconv"

	"github.com/klauspost/compress/zstd"
)

// maxAnnotation is how much of an annotation is looked at, in bytes, decompressed: all of a usual genome's. A fault
// behind that shows when the program runs.
const maxAnnotation = 64 << 20

// errSeen is why the reading of an annotation stopped early.
var errSeen = errors.New("enough was seen")

// inspectAnnotation looks at the JSON file that Bakta writes of a genome and returns the name of its file. Baktfold
// needs of it genome.translation_table, features and sequences; without them it ends, some time into its run.
func inspectAnnotation(r io.Reader) (string, error) {
	src := &source{r: r, left: math.MaxInt64}
	content, ending, closer, err := decompress(bufio.NewReaderSize(src, 64<<10))
	defer closer()
	name := "annotation.json" + ending
	a := annotation{left: maxAnnotation}
	if err == nil {
		_, err = io.Copy(&a, content)
	}
	switch {
	case src.err != nil:
		return "", readingError(src.err)
	case a.err == nil && (errors.Is(err, errUnseen) || errors.Is(err, zstd.ErrWindowSizeExceeded)), ending == ".xz" && err == nil && !a.over:
		return name, nil // not decompressed here, or not to the end
	case a.err != nil:
		return "", a.err
	case errors.Is(err, errSeen):
		return name, nil
	case err != nil:
		return "", refuse("The annotation is a compressed file (%s) that is damaged or incomplete; compress and upload it again.", ending)
	case !a.begun && ending == "":
		return "", ErrBlank
	case !a.begun:
		return "", refuse("The annotation is a compressed file (%s) with nothing in it; upload the JSON file that Bakta wrote.", ending)
	case !a.over:
		return "", refuse("The annotation breaks off before the end of the JSON; upload the whole file.")
	}
	return name, nil
}

// annotation looks at the JSON that is written to it: at the members of the outermost object, and at the whole of
// the one called genome. It takes no memory for the rest, and does not look for every fault that JSON can have.
type annotation struct {
	left  int64 // bytes that are looked at yet
	begun bool  // something other than white space came
	over  bool  // the outermost object has ended
	err   error // what is wrong with it

	depth  int
	quoted bool            // in a string
	escape bool            // behind a backslash in it
	naming bool            // the next string of the outermost object is a key
	key    []byte          // the key of the member that is read
	genome []byte          // the text of that member's value
	found  map[string]bool // keys of the outermost object that matter
}

// Bounds of what is remembered, in bytes.
const (
	maxKey         = 64
	maxGenomeBlock = 64 << 10
)

func (a *annotation) Write(b []byte) (int, error) {
	for i := 0; i < len(b); i++ {
		if a.err = a.take(b[i]); a.err != nil {
			return i, errSeen
		}
		if a.quoted && !a.escape && a.depth > 1 && string(a.key) != "genome" {
			// Most of the file are long strings, of which only the end matters.
			if skip := bytes.IndexAny(b[i+1:], `"\`); skip > 0 {
				i += skip
			} else if skip < 0 {
				break
			}
		}
	}
	if a.left -= int64(len(b)); a.left <= 0 && !a.over {
		return len(b), errSeen
	}
	return len(b), nil
}

// take takes the next byte.
func (a *annotation) take(c byte) error {
	switch {
	case !a.begun:
		return a.begin(c)
	case a.over:
		if !space(c) {
			return refuse("The annotation has something behind the end of the JSON; upload the file as Bakta wrote it.")
		}
		return nil
	case string(a.key) == "genome" && !a.naming && len(a.genome) < maxGenomeBlock && !(a.depth == 1 && !a.quoted && (c == ',' || c == '}')):
		a.genome = append(a.genome, c)
	}
	switch {
	case a.escape:
		a.escape = false
	case a.quoted && c == '\\':
		a.escape = true
	case a.quoted && c == '"':
		a.quoted = false
		if a.depth == 1 && a.naming {
			a.naming = false
			switch key := string(a.key); key { // no others are remembered: there may be any number of them
			case "genome", "features", "sequences":
				a.found[key] = true
			}
		}
		return nil
	case a.quoted:
	case c == '"':
		a.quoted = true
		if a.depth == 1 && a.naming {
			a.key = a.key[:0]
		}
		return nil
	case c == '{' || c == '[':
		a.depth++
	case c == '}' || c == ']':
		if a.depth--; a.depth == 0 {
			a.over = true
			return a.verdict()
		}
	case c == ',' && a.depth == 1:
		a.naming = true
	}
	if a.quoted && a.depth == 1 && a.naming && len(a.key) < maxKey {
		a.key = append(a.key, c)
	}
	return nil
}

// begin takes the first bytes.
func (a *annotation) begin(c byte) error {
	switch {
	case space(c):
	case c == '{':
		a.begun, a.naming, a.depth, a.found = true, true, 1, make(map[string]bool)
	case c == utf8BOM[0]:
		return refuse("The annotation begins with a byte order mark (BOM), which Baktfold can't read; upload the file as Bakta wrote it.")
	default:
		what := "begins with " + strconv.QuoteRune(rune(c)) + " and is no JSON file of Bakta"
		if c == '>' {
			what = "seems to be a FASTA file"
		}
		return refuse("The annotation %s; upload the JSON file that Bakta wrote of a genome. To annotate the genome itself, choose a workflow that takes it.", what)
	}
	return nil
}

// verdict says what is missing in a whole annotation.
func (a *annotation) verdict() error {
	const advice = "annotate the genome with Bakta, and upload the JSON file of that"
	switch {
	case !a.found["genome"] && a.found["features"] && !a.found["sequences"]:
		return refuse("The annotation is one of proteins without a genome, from which Baktfold can't go on here; %s.", advice)
	case !a.found["genome"] || !a.found["features"] || !a.found["sequences"]:
		return refuse("The annotation is no JSON file that Bakta writes of a genome: it has no genome, features or sequences; %s.", advice)
	}
	_, text, _ := bytes.Cut(a.genome, []byte(":"))
	var genome struct {
		TranslationTable any `json:"translation_table"`
	}
	if len(a.genome) < maxGenomeBlock && (json.Unmarshal(text, &genome) != nil || genome.TranslationTable == nil) {
		return refuse("The annotation does not name the genome's translation table, which Baktfold needs; %s.", advice)
	}
	return nil
}

func space(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
