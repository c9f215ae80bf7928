package workflow_test

import (
	"fmt"
	"path"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// layout places a run's files below a directory.
type layout string

func (l layout) Input(name string) string   { return path.Join(string(l), "in", name) }
func (l layout) Output(stage string) string { return path.Join(string(l), "out", stage) }
func (l layout) Temp() string               { return path.Join(string(l), "tmp") }

// From a user's options and upload to the command line.
func Example() {
	w, _ := workflow.Lookup(workflow.Bakta)
	config := option.Config{Genus: " Escherichia ", DermType: option.Diderm}.Normalise()
	if err := w.Validate(config); err != nil {
		fmt.Println(err)
		return
	}
	name, err := upload.Inspect(upload.GenomeFASTA, strings.NewReader(">contig1\nACGT\n"), config)
	if err != nil {
		fmt.Println(err)
		return
	}
	inputs := []job.Input{{Kind: upload.GenomeFASTA, Name: name}}
	env := program.Environment{Command: []string{"bakta"}, Database: "/db", Threads: 4}
	for _, stage := range w.Stages {
		command, err := stage.Command(config, inputs, layout("/run"), env)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(strings.Join(command.Argv, "\n  "))
	}
	// Output:
	// bakta
	//   --db=/db
	//   --output=/run/out/bakta
	//   --prefix=result
	//   --force
	//   --tmp-dir=/run/tmp
	//   --threads=4
	//   --genus=Escherichia
	//   --gram=-
	//   /run/in/genome.fna
}

// A program's output tells its steps, and why it failed.
func ExampleProgress() {
	p := workflow.NewProgress(workflow.Bakta)
	fmt.Fprintln(p, "predict tRNAs...")
	step, _ := p.Step()
	fmt.Printf("%d of %d: %s\n", step.Number, step.Of, step.Name)

	failure := workflow.Explain(
		program.Exit{Stage: "bakta", Title: "Bakta", Code: 1, Stderr: []byte("ERROR: Detected duplicated sequence " +
			"id! Sequence ID (a) occures multiple times!\n")},
	)
	fmt.Println(failure.Code)
	fmt.Println(strings.ReplaceAll(failure.Message, "! ", "!\n"))
	// Output:
	// 3 of 20: predict tRNAs
	// bad_input
	// Bakta ended with an error: ERROR: Detected duplicated sequence id!
	// Sequence ID (a) occures multiple times!
	// Give each sequence a name of its own, or do not keep the original sequence headers.
}
