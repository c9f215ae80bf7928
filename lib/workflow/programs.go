package workflow

import (
	"slices"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/baktfold"
)

// Programs returns the rows of all programs that stages run.
func Programs() []program.Program {
	return []program.Program{bakta.Program(), bakta.Proteins(), baktfold.Program()}
}

// Program returns the row of the program of that name.
func Program(name string) (program.Program, bool) {
	all := Programs()
	i := slices.IndexFunc(all, func(p program.Program) bool { return p.Name == name })
	if i < 0 {
		return program.Program{}, false
	}
	return all[i], true
}

// Explain returns why the program of the stage that x names failed, in words that the job's owner understands.
func Explain(x program.Exit) job.Failure {
	for _, w := range Catalogue() {
		for _, s := range w.Stages {
			if s.Name == x.Stage {
				p, _ := Program(s.Program)
				return p.Explain(x)
			}
		}
	}
	return program.Program{}.Explain(x) // a stage of another version of the backend
}
