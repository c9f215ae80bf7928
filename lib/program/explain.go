package program

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
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
	notYours       = "This is not a fault of your data; please tell the operators."
	brokenDatabase = "The database of this installation is not as it has to be. " + notYours
	likelyOOM      = "Most likely it needed more memory than it is allowed. " + notYours
)

// Explain says why a program failed, in words that the job's owner understands.
//
// The owner's input is named as the reason only where the program itself refused it. A program that crashed, or said
// nothing, may have met an input that it can't handle, but that is no fault that its owner could mend.
func Explain(x Exit) job.Failure {
	f := job.Failure{Stage: x.Stage, Code: job.Internal}
	why := reason(x.Stderr)
	if why.words == "" {
		why = reason(x.Stdout)
	}
	why.words = forInstallers.ReplaceAllString(why.words, "")
	signal := x.Signal
	if signal == "" {
		signal = signals[x.Code-128] // what a program in between, such as a shell, says of its child
	}
	tool := toolSignal(why)
	if signal == "" && tool == "SIGKILL" {
		signal = tool
	}
	switch {
	case x.OutOfMemory || memoryError.MatchString(why.own()):
		f.Code = job.OutOfMemory
		f.Message = fmt.Sprintf("%s ran out of memory. A genome of fewer or shorter sequences needs less; if this one has to be annotated as it is, please tell the operators.", x.Title)
	case signal == "SIGKILL":
		killed := x.Title
		if m := baktaTool.FindStringSubmatch(why.words); m != nil && x.Signal == "" {
			killed = "A tool that " + x.Title + " started, " + m[1] + ","
		}
		f.Message = fmt.Sprintf("%s was killed (SIGKILL). %s", killed, likelyOOM)
	case signal == "SIGTERM" || signal == "SIGINT" || signal == "SIGHUP":
		f.Message = fmt.Sprintf("%s was told to end before it was done (%s). %s", x.Title, signal, notYours)
	case signal != "":
		f.Message = fmt.Sprintf("%s crashed (%s). Please tell the operators; if you gave a Prodigal training file, try without it.", x.Title, signal)
	case x.Code == 126 || x.Code == 127:
		f.Code = job.BadImage
		f.Message = sentences(fmt.Sprintf("%s could not be started (exit code %d)", x.Title, x.Code), cmp.Or(why.words, shellSays(x.Stderr)), notYours)
	case why.words == "":
		f.Message = fmt.Sprintf("%s ended with exit code %d and did not say why. Its log may show how far it came; please tell the operators.", x.Title, x.Code)
	default:
		var advice string
		f.Code, advice = classify(x.Code, why, tool)
		verb := "ended with an error"
		if why.crash {
			verb = "crashed"
		}
		f.Message = sentences(x.Title+" "+verb, why.words, advice)
	}
	if f.Code == job.Internal && signal == "" && nothingToDo.Match(x.Stderr) && baktfoldTool.MatchString(why.words) {
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
	// A tool that Bakta, Baktfold or Python's subprocess started ended with that code: below zero it is a signal.
	toolCode = regexp.MustCompile(`\b(?:error|return|exit) (?:code|status):? (-?\d+)\b`)
	// The same as Python's subprocess words it.
	toolDied = regexp.MustCompile(`died with <Signals\.(SIG[A-Z]+): \d+>`)
	// An error of a tool that Bakta started, with its name; of one that Baktfold did.
	baktaTool    = regexp.MustCompile(`^Exception: ([\w-]+) error! error code: `)
	baktfoldTool = regexp.MustCompile(`^ERROR: Error calling `)
	// What Bakta advises to who installed it, also where its database is as it has to be. It names a path of this machine.
	forInstallers = regexp.MustCompile(`\.? Please, try 'amrfinder_update\b.*? internal database\.?`)

	memoryError = regexp.MustCompile(`(?:^|[ (.])(?:[\w.]*MemoryError|(?:[\w.]+\.)?AllocationError)(?:[:;) ]|$)|Cannot allocate memory|[Cc]an't allocate memory|std::bad_alloc|CUDA out of memory`)
	usageError  = regexp.MustCompile(`^(bakta(_proteins)?: error|Error|Usage):`)
	// The progress bar of predictions that are none, for there is no protein without a function.
	nothingToDo = regexp.MustCompile(`Predicting 3Di: 0it`)
	// What a shell, or what starts a container, says of a program that can't be started.
	shellLine = regexp.MustCompile(`(?m)^.*(?:not found|No such file or directory|Permission denied|cannot execute|Exec format error|cannot open shared object file).*$`)
	// What programs put between brackets and quotes is not their own words: names of files and of sequences.
	others = regexp.MustCompile("\\([^)]*\\)|'[^']*'|\"[^\"]*\"|`[^`]*`|\\w+=\\S+")
)

// own returns the program's own words, without names of files and sequences.
func (w said) own() string { return others.ReplaceAllString(w.all, "") }

// toolSignal returns the signal that ended a tool below the program, empty if none did.
func toolSignal(why said) string {
	if m := toolDied.FindStringSubmatch(why.all); m != nil {
		return m[1]
	}
	if m := toolCode.FindStringSubmatch(why.all); m != nil {
		code, err := strconv.Atoi(m[1])
		if err == nil && code < 0 {
			return signals[-code]
		}
		return signals[code-128] // a shell in between
	}
	return ""
}

// shellSays returns the last line of a shell that could not start the program.
func shellSays(stderr []byte) string {
	if all := shellLine.FindAll(stderr, -1); len(all) > 0 {
		return job.Words(string(all[len(all)-1]), maxReason)
	}
	return ""
}

// cause is a class of reasons, known by words in them.
type cause struct {
	words  *regexp.Regexp
	code   job.FailureCode
	advice string
}

// refusals are what the programs say of an input that they refuse. They are looked through in order.
var refusals = []cause{
	{regexp.MustCompile(`wrong genome file format!`), job.BadInput,
		"Each sequence of the genome needs a header line that begins with \">\" and below it letters of nucleotides (A, C, G, T, N and the other IUPAC codes); compressed files must be complete."},
	{regexp.MustCompile(`no valid sequences`), job.BadInput,
		"All sequences are shorter than the minimum length, which is 200 with INSDC compliance, or there are none."},
	{regexp.MustCompile(`wrong replicon table file format!`), job.BadInput,
		"It needs five columns in every line, separated by tabs or commas."},
	{regexp.MustCompile(`prodigal training file: file=`), job.BadInput, "Leave the training file out, or upload the file that \"prodigal -t\" wrote."},
	{regexp.MustCompile(`unallowed characters in amino acid sequences`), job.BadInput,
		"Each protein needs a header line that begins with \">\" and below it letters of amino acids, with at most one asterisk at the end; compressed files must be complete."},
	{regexp.MustCompile(`regions/features file GFF3 format not valid!`), job.BadInput,
		"Each line needs nine fields with tabs between them, and the first names a sequence of the genome, up to the first white space, that is not left out for its length."},
	{regexp.MustCompile(`regions/features file .* format not valid!`), job.BadInput,
		"Each record needs a LOCUS line with a name and a length and the VERSION of a sequence of the genome that is not left out for its length, and each coding sequence a location that can be read."},
	{regexp.MustCompile(`User proteins file GenBank format not valid!`), job.BadInput,
		"Each record needs a LOCUS line with a name and a length, and each coding sequence a locus_tag, a product and a translation."},
	{regexp.MustCompile(`User proteins file .* format not valid!`), job.BadInput,
		"Headers of trusted proteins look like " + upload.TrustedHeader + "."},
	{regexp.MustCompile(`duplicated sequence id`), job.BadInput,
		"Give each sequence a name of its own, or do without the original sequence headers."},
	{regexp.MustCompile(`INSDC compliance failed!`), job.BadInput,
		"Shorten the sequence's name, or do without the original sequence headers or INSDC compliance."},
}

// faults are what is the operator's business, in the order in which they are looked through. The first group is told by
// all of a program's words, the second by its own alone, without names of files and sequences: those may hold any word.
var (
	faults = []cause{
		{regexp.MustCompile(`No space left on device|Disk quota exceeded`), job.Internal, "The disk is full. " + notYours},
		{regexp.MustCompile(`'threads' parameter`), job.Internal, notYours},
		{regexp.MustCompile(`not found or not executable|Foldseek not found|could not be executed|Wrong \S+ version installed|Could not detect/read \S+ version|No module named|cannot open shared object`), job.Internal,
			"A tool is missing in this installation. " + notYours},
		{regexp.MustCompile(`Model loading failed|huggingface|We couldn't connect|LocalEntryNotFoundError`), job.Internal,
			"The models of this installation are not as they have to be. " + notYours},
		{baktfoldTool, job.Internal, "A tool that it started failed. " + notYours},
		{regexp.MustCompile(`SQL error!|\bsqlite3\.`), job.Internal, brokenDatabase},
		{regexp.MustCompile(`BrokenProcessPool`), job.Internal, "A part of it was killed. " + likelyOOM},
	}
	installation = []cause{
		{regexp.MustCompile(`(?i)\bdatabase\b|\bdb version`), job.Internal, brokenDatabase},
		{regexp.MustCompile(`[Oo]utput (path|directory)|temporary directory`), job.Internal, notYours},
		{regexp.MustCompile(`file +not (valid|readable)!`), job.Internal, "The file could not be read where the program runs. " + notYours},
	}
)

// classify tells the user's faults from the operator's. What nobody knows is the user's if the program says it
// by itself, for then it refused something, and the operator's if it is a crash. Tool is the signal that ended a tool
// below the program, if one did.
func classify(exit int, why said, tool string) (job.FailureCode, string) {
	const usage = 2 // of Python's argument parsers; options were validated, so this is not the program that is expected
	const either = "It may be an input that %s can't handle, or a fault of the installation; please tell the operators."
	if exit == usage && usageError.MatchString(why.words) {
		return job.Internal, "The program does not take the options that it is started with. " + notYours
	}
	if !why.crash {
		if c, ok := find(refusals, why.words); ok {
			return c.code, c.advice
		}
	}
	if m := baktaTool.FindStringSubmatch(why.words); m != nil {
		// Bakta looked at its tools and at all parts of its database before it began, and the same tool may have done
		// well with every other genome.
		failed := fmt.Sprintf("A tool that it started, %s, failed. ", m[1])
		if tool != "" {
			failed = fmt.Sprintf("A tool that it started, %s, crashed (%s). ", m[1], tool)
		}
		return job.Internal, failed + fmt.Sprintf(either, "the tool")
	}
	if c, ok := find(faults, why.all); ok {
		return c.code, c.advice
	}
	if c, ok := find(installation, why.own()); ok {
		return c.code, c.advice
	}
	if why.crash || why.crashed || !errorLine.MatchString(why.words) {
		return job.Internal, fmt.Sprintf(either, "the program")
	}
	return job.BadInput, ""
}

// find returns the first of the causes whose words stand there.
func find(causes []cause, words string) (cause, bool) {
	for _, c := range causes {
		if c.words.MatchString(words) {
			return c, true
		}
	}
	return cause{}, false
}
