package workflow

import (
	"slices"
	"sync"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/bakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program/baktfold"
)

// rows are made once: each compiles some dozen regular expressions, and a function that starts from zero reads its configuration,
// which asks for them again and again, before it serves.
var rows = sync.OnceValue(func() []program.Program {
	return []program.Program{bakta.Program(), bakta.Proteins(), baktfold.Program()}
})

// Programs returns the rows of all programs that stages run. The caller must not change what the rows refer to.
func Programs() []program.Program { return slices.Clone(rows()) }

// Program returns the row of the program of that name.
func Program(name string) (program.Program, bool) {
	all := rows()
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
