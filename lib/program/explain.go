package program

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// Exit is how a stage's program ended that did not succeed.
type Exit struct {
	Stage  string // name of the stage
	Title  string // the stage's name for people
	Code   int    // exit code; whatever it is if a signal ended the program
	Signal string // name of the signal that ended it, such as "SIGKILL"; empty if it exited
	// OutOfMemory is set by a caller who knows that something of the run was killed at its limit of memory.
	// From within a run that looks like any other SIGKILL.
	OutOfMemory bool
	Stdout      []byte // the end of what it printed; read only if there is nothing in Stderr
	Stderr      []byte // the end of it; 32 KiB are plenty
}

// maxReason bounds how much of a program's own words is shown, in bytes.
const maxReason = 1000

const likelyOOM = "Most likely it needed more memory than it is allowed. " + NotYours

// Explain returns why a program failed, in words that the job's owner understands.
//
// It names the owner's input as the cause only if the program itself refused it. A program that crashed, or did not say why,
// may have met an input that it can't handle, but the owner could not correct that.
func (p Program) Explain(x Exit) job.Failure {
	f := job.Failure{Stage: x.Stage, Code: job.Internal}
	why := reason(x.Stderr, p.Name)
	if why.words == "" {
		why = reason(x.Stdout, p.Name)
	}
	if p.Omit != nil {
		why.words = p.Omit.Expression().ReplaceAllString(why.words, "")
	}
	signal := x.Signal
	if signal == "" {
		signal = signals[x.Code-128] // as a program in between, such as a shell, reports its child's
	}
	tool := toolSignal(why)
	if signal == "" && tool == "SIGKILL" {
		signal = tool
	}
	switch {
	case x.OutOfMemory || memoryError().MatchString(why.own()):
		f.Code = job.OutOfMemory
		f.Message = fmt.Sprintf("%s ran out of memory. A genome of fewer or shorter sequences needs less; "+
			"if this one must be annotated as it is, please contact the operators.", x.Title)
	case signal == "SIGKILL":
		killed := x.Title
		if name := p.failedTool(why); name != "" && x.Signal == "" {
			killed = "A tool that " + x.Title + " started, " + name + ","
		}
		f.Message = fmt.Sprintf("%s was killed (SIGKILL). %s", killed, likelyOOM)
	case signal == "SIGTERM" || signal == "SIGINT" || signal == "SIGHUP":
		f.Message = fmt.Sprintf("%s was stopped before it was done (%s). %s", x.Title, signal, NotYours)
	case signal != "":
		f.Message = fmt.Sprintf("%s crashed (%s). Please contact the operators", x.Title, signal)
		if p.Crashed != "" {
			f.Message += "; " + p.Crashed
		}
		f.Message += "."
	case x.Code == 126 || x.Code == 127:
		f.Code = job.BadImage
		f.Message = sentences(fmt.Sprintf("%s could not be started (exit code %d)", x.Title, x.Code), cmp.Or(why.words, shellSays(x.Stderr)),
			NotYours)
	case why.words == "":
		what := fmt.Sprintf("%s ended with exit code %d and did not say why", x.Title, x.Code)
		last := lastLine(x.Stderr, p.Name)
		if last != "" {
			what += "; the last line that it wrote is"
		}
		f.Message = sentences(what, last, "Its log may show how far it came; please contact the operators.")
	default:
		var advice string
		f.Code, advice = p.classify(x.Code, why, tool)
		verb := "ended with an error"
		if why.crash {
			verb = "crashed"
		}
		f.Message = sentences(x.Title+" "+verb, why.words, advice)
	}
	if f.Code == job.Internal && signal == "" && p.Idle != nil && p.Idle.Output.Expression().Match(x.Stderr) &&
		p.Idle.Words.Expression().MatchString(why.words) {
		f.Code = job.BadInput
		f.Message = x.Title + " " + p.Idle.Message
	}
	return f
}

// failedTool returns the name of a tool that the program started and that failed, empty if none did.
func (p Program) failedTool(why said) string {
	if p.Tool == nil {
		return ""
	}
	if m := p.Tool.Expression().FindStringSubmatch(why.words); m != nil {
		return m[1]
	}
	return ""
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
	toolCode = compiled(`\b(?:error|return|exit) (?:code|status):? (-?\d+)\b`)
	// The same as Python's subprocess words it.
	toolDied = compiled(`died with <Signals\.(SIG[A-Z]+): \d+>`)

	memoryError = compiled(
		`(?:^|[ (.])(?:[\w.]*MemoryError|(?:[\w.]+\.)?AllocationError)(?:[:;) ]|$)` +
			`|Cannot allocate memory|[Cc]an't allocate memory|std::bad_alloc|CUDA out of memory`,
	)
	usageError = compiled(`^(Error|Usage):`)
	// What a shell, or what starts a container, says of a program that can't be started.
	shellLine = compiled(
		`(?m)^.*(?:not found|No such file or directory|Permission denied|cannot execute|Exec format error|cannot open shared object file).*$`,
	)
	// What programs put between brackets and quotes is not their own words: names of files and of sequences.
	others = compiled("\\([^)]*\\)|'[^']*'|\"[^\"]*\"|`[^`]*`|\\w+=\\S+")
)

// own returns the program's own words, without names of files and sequences.
func (w said) own() string { return others().ReplaceAllString(w.all, "") }

// toolSignal returns the signal that ended a tool below the program, empty if none did.
func toolSignal(why said) string {
	if m := toolDied().FindStringSubmatch(why.all); m != nil {
		return m[1]
	}
	if m := toolCode().FindStringSubmatch(why.all); m != nil {
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
	if all := shellLine().FindAll(stderr, -1); len(all) > 0 {
		return job.Words(string(all[len(all)-1]), maxReason)
	}
	return ""
}

// Causes that any program may have. Their words are those of Python and of the operating system.
func commonFaults() []Cause {
	return []Cause{
		{Pattern: Match(`No space left on device|Disk quota exceeded`), Code: job.Internal, Advice: "The disk is full. " + NotYours},
		{Pattern: Match(`No module named|cannot open shared object`), Code: job.Internal, Advice: MissingTool},
		{Pattern: Match(`\bsqlite3\.`), Code: job.Internal, Advice: BrokenDatabase},
		{Pattern: Match(`BrokenProcessPool`), Code: job.Internal, Advice: "A part of it was killed. " + likelyOOM},
	}
}

// classify distinguishes the faults of the user from those of the operator. An unknown cause is the user's fault if the program
// reports it as an error, which means that it refused something, and the operator's if it is a crash. Tool is the signal that
// ended a tool below the program, if one did.
func (p Program) classify(exit int, why said, tool string) (job.FailureCode, string) {
	const usage = 2 // of Python's argument parsers; options were validated, so this is another program than expected
	const either = "It may be an input that %s can't handle, or a fault of the installation; please contact the operators."
	if exit == usage && (usageError().MatchString(why.words) || strings.HasPrefix(why.words, p.Name+": error:")) {
		return job.Internal, "The program does not accept the options that it is started with. " + NotYours
	}
	if !why.crash {
		if c, ok := find(p.Refusals, why); ok {
			return c.Code, c.Advice
		}
	}
	if name := p.failedTool(why); name != "" {
		// Bakta checked its tools and its database before it began, and the same tool may have worked for every other genome.
		failed := fmt.Sprintf("A tool that it started, %s, failed. ", name)
		if tool != "" {
			failed = fmt.Sprintf("A tool that it started, %s, crashed (%s). ", name, tool)
		}
		return job.Internal, failed + fmt.Sprintf(either, "the tool")
	}
	faults := append(commonFaults(), p.Faults...)
	slices.SortStableFunc(faults, func(a, b Cause) int { // the program's whole words first
		switch {
		case a.Own == b.Own:
			return 0
		case b.Own:
			return -1
		}
		return 1
	})
	if c, ok := find(faults, why); ok {
		return c.Code, c.Advice
	}
	if why.crash || why.crashed || !saysError(why.words, p.Name) {
		return job.Internal, fmt.Sprintf(either, "the program")
	}
	return job.BadInput, ""
}

// find returns the first of the causes whose words are there.
func find(causes []Cause, why said) (Cause, bool) {
	for _, c := range causes {
		words := why.all
		switch {
		case c.Own:
			words = why.own()
		case c.Code == job.BadInput:
			words = why.words
		}
		if c.Expression().MatchString(words) {
			return c, true
		}
	}
	return Cause{}, false
}
