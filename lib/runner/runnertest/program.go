package runnertest

import (
	"fmt"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
)

// The stages of the suite's runs. In a cluster their images have /bin/sh, and sleep on the PATH.
const (
	FirstStage  = "first_stage"
	SecondStage = "second_stage"
)

// Program is what the first stage of a run does.
type Program string

// What the suite's runs do.
const (
	// Succeed reads the genome that was uploaded, prints working, and leaves a result.
	Succeed Program = "succeed"
	// Fail refuses its input.
	Fail Program = "fail"
	// Hang leaves a result, prints begun, and executes until it is killed: it ignores SIGTERM.
	Hang Program = "hang"
)

const (
	genome  = ">contig_1\nACGTACGT\n"
	working = "working"
	begun   = "begun"
	refusal = "ERROR: wrong genome file format!"
)

// scripts need nothing but a shell: an image may have no cat.
var scripts = map[Program]string{
	Succeed: `echo ` + working + `; while read -r line; do echo "$line"; done < %[1]s > %[2]s`,
	Fail:    `echo "` + refusal + `" >&2; exit 1`,
	Hang:    `trap '' TERM; echo result > %[2]s; echo ` + begun + `; while :; do sleep 1; done`,
}

// Specs returns what a run of a job of the suite does in that working directory. A fixture makes its runner with it.
func Specs(j job.Job, dir string) (stage.Spec, error) {
	script, ok := scripts[Program(j.Start.Config)]
	if !ok {
		return stage.Spec{}, fmt.Errorf("%q is not a program of the suite", j.Start.Config)
	}
	d := stage.Dir(dir)
	left := d.Output(FirstStage) + "/left.txt"
	if strings.Contains(script, "%") {
		script = fmt.Sprintf(script, d.Input(inputName), left)
	}
	copies := `while read -r line; do echo "$line"; done < ` + left + ` > ` + d.Output(SecondStage) + `/result.txt`
	return stage.Spec{
		Job: j.ID, Run: j.Run, Dir: dir, Inputs: j.Start.Inputs,
		Stages: []stage.Command{
			{Stage: FirstStage, Title: "First", Argv: []string{"/bin/sh", "-c", script}},
			{Stage: SecondStage, Title: "Second", Argv: []string{"/bin/sh", "-c", copies}},
		},
		Results: []stage.Expected{{Ending: "txt", Path: "out/" + SecondStage + "/result.txt", Required: true}},
	}, nil
}

// inputName is the name of the genome in a run's directory.
const inputName = "genome.fna"
