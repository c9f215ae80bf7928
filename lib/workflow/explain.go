package workflow

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Exit is how a stage's program ended that did not succeed.
type Exit struct {
	Stage  string // name of the stage
	Title  string // the stage's name for people
	Code   int    // exit code; whatever it is if a signal ended the program
	Signal string // name of the signal that ended it, such as "SIGKILL"; empty if it exited by itself
	// OutOfMemory is set by a caller who knows that something of the run was killed at its limit of memory.
	// From within a run that looks like any other SIGKILL.
	OutOfMemory bool
	Stdout      []byte // the end of what it printed; looked at only if there is nothing in Stderr
	Stderr      []byte // the end of it; 32 KiB are plenty
}

// maxReason bounds how much of a program's own words is shown, in bytes.
const maxReason = 1000

const (
	notYours  = "This is not a fault of your data; please tell the operators."
	likelyOOM = "Most likely it needed more memory than it is allowed. " + notYours
)

// Explain says why a program failed, in words that the job's owner understands.
func Explain(x Exit) job.Failure {
	f := job.Failure{Stage: x.Stage, Code: job.Internal}
	reason := Reason(x.Stderr)
	if reason == "" {
		reason = Reason(x.Stdout)
	}
	signal := x.Signal
	if signal == "" {
		signal = signals[x.Code-128] // what a program in between, such as a shell, says of its child
	}
	if signal == "" && childKilled.MatchString(reason) {
		signal = "SIGKILL"
	}
	switch {
	case x.OutOfMemory || memoryError.MatchString(reason):
		f.Code = job.OutOfMemory
		f.Message = fmt.Sprintf("%s ran out of memory. A genome of fewer or shorter sequences needs less; if this one has to be annotated as it is, please tell the operators.", x.Title)
	case signal == "SIGKILL":
		f.Message = fmt.Sprintf("%s was killed (SIGKILL). %s", x.Title, likelyOOM)
	case signal == "SIGTERM" || signal == "SIGINT" || signal == "SIGHUP":
		f.Message = fmt.Sprintf("%s was told to end before it was done (%s). %s", x.Title, signal, notYours)
	case signal != "":
		f.Message = fmt.Sprintf("%s crashed (%s). Please tell the operators; if you gave a Prodigal training file, try without it.", x.Title, signal)
	case x.Code == 126 || x.Code == 127:
		f.Code = job.BadImage
		f.Message = sentences(fmt.Sprintf("%s could not be started (exit code %d)", x.Title, x.Code), reason, notYours)
	case reason == "":
		f.Message = fmt.Sprintf("%s ended with exit code %d and did not say why. %s", x.Title, x.Code, notYours)
	default:
		var advice string
		f.Code, advice = classify(x.Code, reason)
		verb := "ended with an error"
		if crash.MatchString(reason) {
			verb = "crashed"
		}
		f.Message = sentences(x.Title+" "+verb, reason, advice)
	}
	if f.Code == job.Internal && signal == "" && nothingToDo.Match(x.Stderr) && toolFailed.MatchString(reason) {
		// It predicts nothing, and then hands a tool nothing. That is the input's, and no fault of anybody.
		f.Code = job.BadInput
		f.Message = x.Title + " had nothing to do: no protein of the annotation is without a function. The annotation by Bakta is complete without it."
	}
	return f
}

// sentences puts a program's own words behind what is said of it, and advice behind both.
func sentences(what, reason, advice string) string {
	if reason != "" {
		what += ": " + reason
	}
	if advice == "" {
		return what
	}
	if !strings.HasSuffix(what, ".") && !strings.HasSuffix(what, "!") {
		what += "."
	}
	return what + " " + advice
}

var signals = map[int]string{
	1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL",
	11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
}

var (
	// A tool that Bakta or Baktfold started was killed by signal 9.
	childKilled = regexp.MustCompile(`(error|return) code:? -9\b`)
	memoryError = regexp.MustCompile(`^(numpy\S*)?MemoryError\b|Cannot allocate memory|std::bad_alloc|CUDA out of memory`)
	usageError  = regexp.MustCompile(`^(bakta(_proteins)?: error|Error|Usage):`)
	// A line of Baktfold's log, which may stand behind what is left of a progress bar.
	logLine = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \| ([A-Z]+) +\| \S+ - (.*)$`)
	// The progress bar of predictions that are none, for there is no protein without a function.
	nothingToDo = regexp.MustCompile(`Predicting 3Di: 0it`)
	// A tool that Bakta or Baktfold started failed.
	toolFailed = regexp.MustCompile(`^ERROR: Error calling `)
	// The last line of a Python traceback.
	crash = regexp.MustCompile(`^([A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)|Exception)(:|$)`)
)

// cause is a class of reasons, known by words in them.
type cause struct {
	words  *regexp.Regexp
	code   job.FailureCode
	advice string
}

// causes are looked through in order. All but the advice to users is the operator's business.
var causes = []cause{
	{regexp.MustCompile(`No space left on device|Disk quota exceeded`), job.Internal, "The disk is full. " + notYours},
	{regexp.MustCompile(`(?i)\bdatabase\b|\bdb version|SQL error|sqlite3\.`), job.Internal,
		"The database of this installation is not as it has to be. " + notYours},
	{regexp.MustCompile(`'threads' parameter`), job.Internal, notYours},
	{regexp.MustCompile(`not found or not executable|Foldseek not found|could not be executed|Wrong \S+ version installed|Could not detect/read \S+ version|No module named|cannot open shared object`), job.Internal,
		"A tool is missing in this installation. " + notYours},
	{regexp.MustCompile(`Model loading failed|huggingface|We couldn't connect|LocalEntryNotFoundError`), job.Internal,
		"The models of this installation are not as they have to be. " + notYours},
	{toolFailed, job.Internal, "A tool that it started failed. " + notYours},
	{regexp.MustCompile(`[Oo]utput (path|directory)|temporary directory`), job.Internal, notYours},
	{regexp.MustCompile(`file \(.*\) not (valid|readable)!`), job.Internal, "The file could not be read where the program runs. " + notYours},

	{regexp.MustCompile(`wrong genome file format!`), job.BadInput,
		"Each sequence of the genome needs a header line that begins with \">\" and below it letters of nucleotides (A, C, G, T, N and the other IUPAC codes); compressed files must be complete."},
	{regexp.MustCompile(`no valid sequences`), job.BadInput,
		"All sequences are shorter than the minimum length, which is 200 with INSDC compliance, or there are none."},
	{regexp.MustCompile(`wrong replicon table file format!`), job.BadInput,
		"It needs five columns in every line, separated by tabs or commas."},
	{regexp.MustCompile(`prodigal training file`), job.BadInput, "Leave the training file out, or upload the file that \"prodigal -t\" wrote."},
	{regexp.MustCompile(`unallowed characters in amino acid sequences`), job.BadInput,
		"Each protein needs a header line that begins with \">\" and below it letters of amino acids, with at most one asterisk at the end; compressed files must be complete."},
	{regexp.MustCompile(`regions/features file GFF3 format not valid!`), job.BadInput,
		"Each line needs nine fields with tabs between them, and the first names a sequence of the genome, up to the first white space, that is not left out for its length."},
	{regexp.MustCompile(`regions/features file .* format not valid!`), job.BadInput,
		"Each record needs a LOCUS line with a name and a length and the VERSION of a sequence of the genome that is not left out for its length, and each coding sequence a location that can be read."},
	{regexp.MustCompile(`User proteins file GenBank format not valid!`), job.BadInput,
		"Each record needs a LOCUS line with a name and a length, and each coding sequence a locus_tag, a product and a translation."},
	{regexp.MustCompile(`User proteins file .* format not valid!`), job.BadInput,
		"Headers of trusted proteins look like " + trustedHeader + "."},
	{regexp.MustCompile(`duplicated sequence id`), job.BadInput,
		"Give each sequence a name of its own, or do without the original sequence headers."},
	{regexp.MustCompile(`INSDC compliance failed!`), job.BadInput,
		"Shorten the sequence's name, or do without the original sequence headers or INSDC compliance."},
}

// classify tells the user's faults from the operator's. What nobody knows is the user's if the program says it
// by itself, for then it refused something, and the operator's if it is a crash.
func classify(exit int, reason string) (job.FailureCode, string) {
	const usage = 2 // of Python's argument parsers; options were validated, so this is not the program that is expected
	if exit == usage && usageError.MatchString(reason) {
		return job.Internal, "The program does not take the options that it is started with. " + notYours
	}
	for _, c := range causes {
		if c.words.MatchString(reason) {
			return c.code, c.advice
		}
	}
	if crash.MatchString(reason) {
		return job.Internal, "It may be an input that the program can't handle, or a fault of the program; please tell the operators."
	}
	return job.BadInput, ""
}

// Reason returns the program's own last words about why it failed, out of the end of what it printed: the last
// line that says it is an error, with the lines after it; else the last line of a traceback; else the last
// line. It is one line of at most maxReason bytes, empty if there are no words.
func Reason(output []byte) string {
	var lines []string
	for line := range strings.Lines(strings.ToValidUTF8(string(output), "\uFFFD")) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if m := logLine.FindStringSubmatch(line); m != nil {
			line = m[2]
			if m[1] == "ERROR" || m[1] == "CRITICAL" {
				line = "ERROR: " + strings.TrimPrefix(line, "ERROR: ")
			}
		}
		lines = append(lines, line)
	}
	at := -1
	for i, line := range lines {
		if saysError(line) {
			at = i
		}
	}
	var said []string
	if at >= 0 {
		said = append(said, lines[at])
		for _, line := range lines[at+1:] {
			if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "Traceback ") {
				break
			}
			said = append(said, line)
		}
	} else {
		for i := len(lines) - 1; i >= 0 && len(said) == 0; i-- {
			if strings.TrimSpace(lines[i]) != "" {
				said = append(said, lines[i])
			}
		}
	}
	return clean(strings.Join(said, " "))
}

// saysError reports whether a line begins an error message. Conda's own line about a program that it ran, which
// comes after the program's, says nothing.
func saysError(line string) bool {
	for _, start := range []string{"ERROR", "Error", "bakta: error", "bakta_proteins: error"} {
		if strings.HasPrefix(line, start) {
			return !strings.HasPrefix(line, "ERROR conda.")
		}
	}
	return false
}

// escapes are the codes by which programs colour a terminal.
var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`)

// clean makes a program's words fit for a message.
func clean(s string) string {
	s = escapes.ReplaceAllString(s, "")
	s = strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxReason {
		return s
	}
	cut := maxReason - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
