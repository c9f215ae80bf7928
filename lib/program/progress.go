package program

import (
	"bytes"
	"strings"
)

// Step is where a workflow is, read off the output of its stages' programs.
type Step struct {
	Number int    // from 1
	Of     int    // how many steps all stages have
	Name   string // in the program's words, for people: "predict tRNAs"
}

// Progress reads the output of a workflow's stages as it comes, and knows the step that it has come to. It
// passes over whatever it does not know, so it can be fed what else the programs say, and what they say on
// both their streams.
type Progress struct {
	stages []stageSteps
	total  int
	stage  int // index of the stage that speaks
	number int // the latest step of all stages, from 1; 0 before the first
	name   string
	line   []byte // the beginning of a line whose end has not come yet
	skip   bool   // the line is too long to say anything
}

// stageSteps are the steps of one stage.
type stageSteps struct {
	title string
	first int            // number of its first step, less one
	steps map[string]int // by what a line begins with
}

// maxLine bounds the lines that are looked at, in bytes.
const maxLine = 4096

// StageSteps are the steps of one stage: lines of its program's output, in order. A step has several lines where the program
// words it in several ways.
type StageSteps struct {
	Title string // the name of the stage for people, with which its log begins
	Steps [][]string
}

// NewProgress returns the progress of stages that run one after the other, before its first step.
func NewProgress(stages []StageSteps) *Progress {
	p := &Progress{}
	for _, s := range stages {
		known := stageSteps{title: s.Title, first: p.total, steps: make(map[string]int)}
		for i, alternatives := range s.Steps {
			for _, l := range alternatives {
				known.steps[l] = i + 1
			}
		}
		p.total += len(s.Steps)
		p.stages = append(p.stages, known)
	}
	return p
}

// ReadAll takes a whole log, and returns the step that it has come to, if it has come to one.
func (p *Progress) ReadAll(log string) (Step, bool) {
	p.Write([]byte(log))
	p.endLine()
	return p.Step()
}

// Step returns the step that the output has come to. It is false before the first.
func (p *Progress) Step() (Step, bool) {
	return Step{Number: p.number, Of: p.total, Name: p.name}, p.number > 0
}

// Write takes the next piece of output, which may end anywhere. It never fails.
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

// endLine looks at a line that is whole.
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
	key := stepLine(line)
	if at, ok := s.steps[key]; ok && s.first+at > p.number {
		p.number, p.name = s.first+at, strings.Trim(key, ".: \t")
	}
}

// stepLine returns what tells a step, out of a line of a program's output: without what comes before it in a log, and
// without what differs from run to run.
func stepLine(line string) string {
	if m := logLine.FindStringSubmatch(line); m != nil {
		line = m[2]
	}
	if search, ok := strings.CutPrefix(line, foldseekSearch); ok {
		for _, db := range foldseekDatabases() {
			if strings.Contains(search, "/"+db+" ") || strings.Contains(search, "/"+db+"_gpu ") {
				return foldseekStep + db
			}
		}
	}
	for _, variable := range []string{baktaExport, baktaDone, baktfoldParse} {
		if strings.HasPrefix(line, variable) {
			return variable
		}
	}
	return line
}

// What lines begin with that end with something variable.
const (
	baktaExport    = "Export annotation results to: "
	baktaDone      = "Annotation successfully finished in "
	baktfoldParse  = "Parsing annotations from input: "
	foldseekSearch = "Started running foldseek search "
)

// foldseekStep begins the name of a search in one of Baktfold's databases.
const foldseekStep = "search structures in "

// foldseekDatabases are searched in this order.
func foldseekDatabases() []string { return []string{"swissprot", "AFDBClusters", "pdb", "cath"} }
