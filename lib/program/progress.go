package program

import (
	"bytes"
	"strings"
)

// Step is how far the stages of a workflow are, by the output of their programs.
type Step struct {
	Number int    // from 1
	Of     int    // how many steps all stages have
	Name   string // in the program's words, for people: "predict tRNAs"
}

// Progress reads the output of stages as it comes, and knows the step that it has reached. It ignores what it does not know, so
// it can read both streams of the programs, and all that they print.
type Progress struct {
	stages []stageSteps
	total  int
	stage  int // index of the stage that prints
	number int // the latest step of all stages, from 1; 0 before the first
	name   string
	line   []byte // the beginning of a line whose end has not come yet
	skip   bool   // the line is longer than maxLine
}

// stageSteps are the steps of one stage.
type stageSteps struct {
	title string
	first int            // number of its first step, less one
	steps map[string]int // by line
	open  []string       // those lines that others begin with
	read  func(line string) string
}

// maxLine bounds the lines that are read, in bytes.
const maxLine = 4096

// Titled is the program of a stage, and the stage's name for people, with which its log begins.
type Titled struct {
	Title   string
	Program Program
}

// NewProgress returns the progress of stages that run one after the other, before its first step.
func NewProgress(stages []Titled) *Progress {
	p := &Progress{}
	for _, s := range stages {
		known := stageSteps{title: s.Title, first: p.total, steps: make(map[string]int), read: s.Program.Read}
		for i, line := range s.Program.Steps {
			for _, text := range line.Texts {
				known.steps[text] = i + 1
				if line.Open {
					known.open = append(known.open, text)
				}
			}
		}
		p.total += len(s.Program.Steps)
		p.stages = append(p.stages, known)
	}
	return p
}

// ReadAll reads a whole log, and returns the step that it has reached, if any.
func (p *Progress) ReadAll(log string) (Step, bool) {
	p.Write([]byte(log))
	p.endLine()
	return p.Step()
}

// Step returns the step that the output has reached. It is false before the first.
func (p *Progress) Step() (Step, bool) {
	return Step{Number: p.number, Of: p.total, Name: p.name}, p.number > 0
}

// Write reads the next piece of output, which may end anywhere. It never fails.
func (p *Progress) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		line, rest, ended := bytes.Cut(b, []byte("\n"))
		if len(p.line)+len(line) > maxLine {
			p.skip = true
		}
		if !p.skip {
			p.line = append(p.line, line...)
		}
		if ended {
			p.endLine()
		}
		b = rest
	}
	return n, nil
}

// endLine reads a line that is complete.
func (p *Progress) endLine() {
	line, skip := strings.TrimRight(string(p.line), " \r"), p.skip
	p.line, p.skip = p.line[:0], false
	if skip {
		return
	}
	// A stage's log begins with its title. When it comes again, the stage was run again.
	for i, s := range p.stages {
		if strings.HasPrefix(line, s.title+" Command: ") {
			p.stage, p.number, p.name = i, s.first, ""
			if i > 0 {
				p.name = s.title
			}
			return
		}
	}
	if p.stage >= len(p.stages) {
		return
	}
	s := p.stages[p.stage]
	key := s.key(line)
	if at, ok := s.steps[key]; ok && s.first+at > p.number {
		p.number, p.name = s.first+at, strings.Trim(key, ".: \t")
	}
}

// key returns what a line stands for among the lines of the steps: without what comes before it in a log, and without what
// differs from run to run.
func (s stageSteps) key(line string) string {
	if m := logLine().FindStringSubmatch(line); m != nil {
		line = m[2]
	}
	for _, text := range s.open {
		if strings.HasPrefix(line, text) {
			return text
		}
	}
	if s.read != nil {
		return s.read(line)
	}
	return line
}
