package program

import (
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
)

// said is what a program's output says about why the program ended.
type said struct {
	words   string // on one line of at most maxReason bytes; empty if nothing says why
	crash   bool   // the words are of a crash: an uncaught exception, an abort
	crashed bool   // there was an exception before, even if the words are the program's own
	all     string // with the words of all exceptions that led to this one
}

// reason finds what says why a program ended in the end of what it printed. Output holds much that says nothing of the
// kind, and it may well come last, so only two things count: a line by which the program itself says that it is an
// error, and the exception under a traceback. The last of them is what ended the program.
//
// Tracebacks that ended nothing are passed over: those of an error in logging, of exceptions that Python ignores in
// destructors and at its exit, and (if there is anything else) those that ended a thread or a process below the program.
func reason(output []byte, name string) said {
	s := scanner{lines: readLines(output, name), name: name}
	var last, weak *said
	crashed := false
	for s.more() {
		line := s.line()
		switch {
		case ignored().MatchString(line.text):
			s.at++
			s.skipIgnored()
		case elsewhere().MatchString(line.text):
			s.at++
			s.blank()
			if s.traceback() {
				weak = s.chain()
			}
		case s.traceback():
			if found := s.chain(); found != nil {
				last, crashed = found, true
			}
		case abort().MatchString(line.text), line.level == "" && exception().MatchString(line.text):
			words := s.message()
			last, crashed = &said{words: words, crash: true, all: words}, true
			s.skipStacks()
		case line.saysError(name):
			words := s.message()
			last = &said{words: words, all: words}
		default:
			s.at++
		}
	}
	if last == nil {
		last = weak
	}
	if last == nil {
		return said{}
	}
	return said{
		words:   job.Words(last.words, maxReason),
		crash:   last.crash,
		crashed: crashed || last.crash,
		all:     job.Words(last.all, 4*maxReason),
	}
}

var (
	// A line of Baktfold's log, which may stand behind what is left of a progress bar.
	logLine = compiled(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? \| ([A-Z]+) +\| \S+ - (.*)$`)

	tracebackStart = compiled(`^\W*Traceback \(most recent call last\)`)
	groupStart     = compiled(`^ *\+ Exception Group Traceback \(most recent call last\)`)
	frame          = compiled(`^(?:> |\s*)File "([^"]*)", line (\d+)(?:, in (.*))?$`)
	// What stands between two tracebacks of which the first led to the second.
	direct   = "The above exception was the direct cause of the following exception:"
	handling = "During handling of the above exception, another exception occurred:"
	// The exception of a process below the program, which comes with that process's own traceback as its text.
	remote = compiled(`^[\w.]*RemoteTraceback:$`)

	// Before tracebacks of exceptions that ended nothing.
	ignored = compiled(
		`^(?:--- Logging error ---$|Exception ignored (?:in|while)\b|Error in (?:atexit|sys\.excepthook|sys\.unraisablehook)\b)`,
	)
	// Behind the traceback of an error in logging.
	callStack = "Call stack:"
	// Before tracebacks of exceptions that ended a thread or another process.
	elsewhere = compiled(`^(?:Exception in thread |(?:Fork|Spawn|ForkServer)?Process \S+:$)`)
	// An exception whose traceback is cut off, or that a program prints without one.
	exception = compiled(`^(?:(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Exit|Interrupt|Expired)|Exception)(?::|$)`)
	// What Python and the run-time libraries of C++ and Rust print before they abort.
	abort = compiled(
		`^(?:Fatal Python error: |terminate called |thread '.*' panicked at ` +
			`|free\(\): |double free or corruption|malloc\(\): |munmap_chunk\(\): )`,
	)

	// An error in the words of the program that ends with it. Python's argparse says "NAME: error: …", too (saysError).
	errorLine = compiled(`^(?:ERROR|Error)\b`)
	// Conda's own line about a program that it ran, which comes after the program's and says nothing.
	wrapper = compiled(`^ERROR conda\.`)

	// Lines that belong to no message that stands before them: logs, warnings, progress, and what shells say.
	noise = compiled(`^(?:DEBUG|INFO|NOTICE|WARN|WARNING|CRITICAL)\b` +
		`|(?:^|\s)[\w.]*Warning:` +
		`|^\[?\d{4}-\d\d-\d\d[ T]|^\[?\d\d:\d\d:\d\d\b` +
		`|^ERROR\b|^(?:error|critical|warning) +libmamba\b` +
		`|^(?:\S*/\S+|\w*sh): (?:line )?\d+: ` +
		`|^(?:Killed|Terminated|Aborted|Hangup|Segmentation fault|Bus error|Illegal instruction|Floating point exception|Broken pipe)\b` +
		`|^Fontconfig\b|^Matplotlib\b` +
		`|\d+%\||\d+it \[`)
)

// outputLine is a line as it shows: without colours, and without what a log puts before it.
type outputLine struct {
	text  string
	level string // of the log that the line is of, empty for none
}

// saysError reports whether a text is an error in the words of the program of that name.
func saysError(text, name string) bool {
	return errorLine().MatchString(text) || name != "" && strings.HasPrefix(text, name+": error:")
}

// saysError reports whether a line begins an error message.
func (l outputLine) saysError(name string) bool {
	if l.level != "" {
		return l.level == "ERROR" || l.level == "CRITICAL"
	}
	return saysError(l.text, name) && !wrapper().MatchString(l.text)
}

// readLines splits output into lines.
func readLines(output []byte, name string) []outputLine {
	var lines []outputLine
	for text := range strings.Lines(strings.ToValidUTF8(string(output), "\uFFFD")) {
		text = strings.TrimRightFunc(text, unicode.IsSpace)
		if i := strings.LastIndexByte(text, '\r'); i >= 0 {
			text = text[i+1:] // it overwrote what came before
		}
		line := outputLine{text: colours().ReplaceAllString(text, "")}
		if m := logLine().FindStringSubmatch(line.text); m != nil {
			line.level, line.text = m[1], m[2]
			if line.saysError(name) {
				line.text = "ERROR: " + strings.TrimPrefix(line.text, "ERROR: ")
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// lastLine returns the last line of an output that may tell something: no log, warning, progress, or line of a shell. It is empty if
// there is none.
func lastLine(output []byte, name string) string {
	for _, line := range slices.Backward(readLines(output, name)) {
		if text := strings.TrimSpace(line.text); text != "" && line.level == "" && !noise().MatchString(text) {
			return job.Words(text, maxReason)
		}
	}
	return ""
}

var colours = compiled(`\x1b\[[0-9;?]*[A-Za-z]`)

// scanner reads lines from the first to the last.
type scanner struct {
	name  string // of the program
	lines []outputLine
	at    int
}

func (s *scanner) more() bool       { return s.at < len(s.lines) }
func (s *scanner) line() outputLine { return s.lines[s.at] }

// text returns the line's text, and an empty one behind the last line.
func (s *scanner) text() string {
	if !s.more() {
		return ""
	}
	return s.lines[s.at].text
}

// blank passes over blank lines, and the quotes around the traceback of another process.
func (s *scanner) blank() {
	for s.more() && (s.text() == "" || s.text() == `"""` || remote().MatchString(s.text())) {
		s.at++
	}
}

// traceback reports whether a traceback begins here, or goes on whose beginning is cut off.
func (s *scanner) traceback() bool {
	text := s.text()
	return tracebackStart().MatchString(text) || frame().MatchString(text) || groupStart().MatchString(text) || remote().MatchString(text)
}

// chain reads a traceback and those that follow from it. The last exception is what ended the program; the first is
// what began it, and stands behind the last: which of the two says more differs. (Where a library wraps another's error
// it is the last, where cleaning up fails after an error it is the first.) Nil if no exception is named.
func (s *scanner) chain() *said {
	var links []string
	how := "caused by"
	for {
		s.blank()
		if words := s.exception(); words != "" {
			links = append(links, words)
		}
		here := s.at
		s.blank()
		text := s.text()
		if text != direct && text != handling {
			s.at = here
			break
		}
		if text == handling {
			how = "while handling"
		}
		s.at++
		s.blank()
		if !s.traceback() {
			break
		}
	}
	if len(links) == 0 {
		return nil
	}
	first, last := links[0], links[len(links)-1]
	words := last
	if first != last {
		words = last + " (" + how + " " + first + ")"
	}
	return &said{words: words, crash: true, all: words + " " + strings.Join(links, " ")}
}

// exception reads one traceback and returns the exception under it, with the lines of its message.
func (s *scanner) exception() string {
	if groupStart().MatchString(s.text()) {
		return s.group()
	}
	where := ""
	for first := true; s.more(); first = false {
		text := s.text()
		if m := frame().FindStringSubmatch(text); m != nil {
			where = path.Base(m[1]) + ", line " + m[2]
			if m[3] != "" {
				where += ", in " + m[3]
			}
		} else if !(first && tracebackStart().MatchString(text)) && text != "" && !strings.ContainsRune(" \t│╭╰❱", []rune(text)[0]) {
			break
		}
		s.at++
	}
	if text := s.text(); text == "" || text == direct || text == handling || tracebackStart().MatchString(text) {
		return "" // the exception itself is missing
	}
	name, message, _ := strings.Cut(s.text(), ":")
	words := s.message()
	if strings.TrimSpace(message) == "" && words == strings.TrimSpace(s.lines[s.at-1].text) && where != "" {
		return name + " (" + where + ")" // there is nothing but where it was
	}
	return words
}

// group reads the traceback of a group of exceptions, in whose margin all its lines stand, and returns those that are no
// groups themselves.
func (s *scanner) group() string {
	var groups, single []string
	frames := false
	for ; s.more(); s.at++ {
		margin := strings.TrimLeft(s.text(), " ")
		text, ok := strings.CutPrefix(margin, "| ")
		switch {
		case strings.HasPrefix(margin, "+"):
			frames = true // an exception that was never raised has none, and follows at once
			continue
		case !ok && margin != "|":
			return strings.Join(append(single, groups...), "; ")
		case tracebackStart().MatchString(text):
			frames = true
			continue
		case !frames || text == "" || strings.HasPrefix(text, " "):
			continue
		}
		frames = false
		if strings.HasSuffix(text, " sub-exception)") || strings.HasSuffix(text, " sub-exceptions)") {
			groups = append(groups, text)
		} else {
			single = append(single, text)
		}
	}
	return strings.Join(append(single, groups...), "; ")
}

// maxMessage is how many lines of a message are read.
const maxMessage = 8

// message returns the line that a message begins with, and those after it that are its own.
func (s *scanner) message() string {
	lines := []string{s.text()}
	for s.at++; s.more() && len(lines) < maxMessage; s.at++ {
		line := s.line()
		if line.text == "" || line.text == `"""` || line.text == callStack || line.level != "" || s.ends(line.text) {
			break
		}
		lines = append(lines, line.text)
	}
	return strings.TrimSpace(strings.Join(lines, " "))
}

// ends reports whether a line belongs to no message that stands before it.
func (s *scanner) ends(text string) bool {
	argparse := saysError(text, s.name) && !errorLine().MatchString(text)
	return argparse || noise().MatchString(text) || s.traceback() || ignored().MatchString(text) || elsewhere().MatchString(text) ||
		abort().MatchString(text)
}

// skipIgnored passes over the tracebacks, or the lone exception, of an error that ended nothing.
func (s *scanner) skipIgnored() {
	switch {
	case s.traceback():
		s.chain()
	case exception().MatchString(s.text()):
		s.message()
	}
	if s.text() == callStack {
		for s.at++; s.more(); s.at++ {
			text := s.text()
			if !strings.HasPrefix(text, " ") && !strings.HasPrefix(text, "Message: ") && !strings.HasPrefix(text, "Arguments: ") {
				break
			}
		}
	}
}

// skipStacks passes over the stacks of all threads that Python prints before it aborts.
func (s *scanner) skipStacks() {
	for s.more() {
		text := s.text()
		if text != "" && !strings.HasPrefix(text, " ") && !strings.HasSuffix(text, "(most recent call first):") &&
			!strings.HasPrefix(text, "Extension modules: ") {
			return
		}
		s.at++
	}
}
