package workflow

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

// NewProgress returns the progress of a run of that workflow, before its first step. The progress of a
// workflow that is not in the catalogue never moves.
func NewProgress(kind string) *Progress {
	p := &Progress{}
	w, _ := Lookup(kind)
	for _, s := range w.Stages {
		lines := programSteps(s.Program)
		known := stageSteps{title: s.Title, first: p.total, steps: make(map[string]int)}
		for i, alternatives := range lines {
			for _, l := range alternatives {
				known.steps[l] = i + 1
			}
		}
		p.total += len(lines)
		p.stages = append(p.stages, known)
	}
	return p
}

// StepOf returns the step that a whole log has come to, if it has come to one.
func StepOf(kind, log string) (Step, bool) {
	p := NewProgress(kind)
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

// programSteps returns the lines by which a program tells its steps, in order. A step may be told in several
// ways: Bakta says so when it skips one.
func programSteps(program string) [][]string {
	switch program {
	case ProgramBakta:
		return baktaSteps()
	case ProgramBaktaProteins:
		return proteinsSteps()
	case ProgramBaktfold:
		return baktfoldSteps()
	}
	return nil
}

func baktaSteps() [][]string {
	return [][]string{
		{"Parse genome sequences..."},
		{"Start annotation..."},
		{"predict tRNAs...", "skip tRNA prediction..."},
		{"predict tmRNAs...", "skip tmRNA prediction..."},
		{"predict rRNAs...", "skip rRNA prediction..."},
		{"predict ncRNAs...", "skip ncRNA prediction..."},
		{"predict ncRNA regions...", "skip ncRNA region prediction..."},
		{"predict CRISPR arrays...", "skip CRISPR array prediction..."},
		{"predict & annotate CDSs...", "skip CDS prediction..."},
		{"detect & annotate sORF...", "skip sORF prediction..."},
		{"detect gaps...", "skip gap annotation..."},
		{"detect oriCs/oriVs..."},
		{"detect oriTs...", "skip oriC/T annotation..."},
		{"apply feature overlap filters...", "skip feature overlap filters..."},
		{"select features and create locus tags..."},
		{"improve annotations..."},
		{"Genome statistics:"},
		{"annotation summary:"},
		{baktaExport},
		{baktaDone},
	}
}

func proteinsSteps() [][]string {
	return [][]string{
		{"Parse protein sequences..."},
		{"Start annotation..."},
		{"\tlookup annotations..."},
		{"\tconduct expert systems..."},
		{"\tcombine annotations and mark hypotheticals..."},
		{baktaExport},
		{baktaDone},
	}
}

func baktfoldSteps() [][]string {
	steps := [][]string{
		{"You are running baktfold run"},
		{baktfoldParse},
		{"Predicting 3Di sequences using ProstT5"},
		{"Beginning ProstT5 predictions"},
	}
	for _, db := range foldseekDatabases() {
		steps = append(steps, []string{foldseekStep + db})
	}
	return append(steps, []string{"Looking up PSTC descriptions"}, []string{"writing baktfold outputs"}, []string{"baktfold run has finished"})
}
