// Package baktfold has the row of Baktfold, which finds functions of proteins by their structures where Bakta found none.
package baktfold

import (
	"errors"
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// Name is the name of the program.
const Name = "baktfold"

// Program returns the row of Baktfold.
func Program() program.Program {
	const (
		tools = "baktfold/utils/external_tools.py"
		fold  = "baktfold/features/predict_3Di.py"
	)
	failedTool := program.Match(
		`^ERROR: Error calling `,
		program.Source{File: tools, Text: "Error calling {tool.command_as_str} (return code"},
	)
	cause := func(own bool, expression, advice string, sources ...program.Source) program.Cause {
		return program.Cause{Pattern: program.Match(expression, sources...), Code: job.Internal, Advice: advice, Own: own}
	}
	const config = "baktfold/bakta/config.py"
	return program.Program{
		Name: Name, Title: "Baktfold", Key: "Baktfold", VersionKey: "Baktfold", DatabaseVersionKey: "BaktfoldDB",
		Release: "0.3.0", Version: []string{"--version"},
		Help: "the `program` Baktfold", Install: "conda install -c conda-forge -c bioconda baktfold", GPU: true,
		Database:  &program.Database{Variable: "PHOLD_DBDIR", Download: "baktfold install", File: "baktfold.db"},
		Arguments: arguments,
		Env: []string{
			// Without it, Python buffers some kilobytes of output, and progress comes late.
			"PYTHONUNBUFFERED=1",
			// The library with which Baktfold loads its model asks the model's publisher for a newer one, and waits where there
			// is no network. The model is in the database.
			"HF_HUB_OFFLINE=1",
		},
		Steps: steps(),
		Read:  read,
		Faults: []program.Cause{
			cause(false, `'threads' parameter`, program.NotYours, program.Source{File: config, Text: "for 'threads' parameter!"}),
			cause(false, `Foldseek not found|could not be executed|Wrong \S+ version installed`, program.MissingTool,
				program.Source{File: "baktfold/utils/validation.py", Text: "Foldseek not found."}),
			// The other words are those of the libraries transformers and huggingface_hub, which load the model.
			cause(false, `Model loading failed|huggingface|We couldn't connect|LocalEntryNotFoundError`,
				"The models of this installation are damaged or incomplete. "+program.NotYours,
				program.Source{File: fold, Text: "Model loading failed with error"}),
			{Pattern: failedTool, Code: job.Internal, Advice: "A tool that it started failed. " + program.NotYours},
			cause(true, `(?i)\bdatabase\b|\bdb version`, program.BrokenDatabase,
				program.Source{File: "baktfold/databases/db.py", Text: "baktfold database not found."}),
			cause(
				true,
				`[Oo]utput (path|directory)|temporary directory`,
				program.NotYours,
				program.Source{File: config, Text: "ERROR: output path"},
			),
			cause(true, `file +not (valid|readable)!`, "The file could not be read where the program runs. "+program.NotYours,
				program.Source{File: config, Text: "not readable!"}),
		},
		Idle: &program.Idle{
			// The progress bar of no predictions at all: Baktfold hands a tool an empty file then.
			Output: program.Match(`Predicting 3Di: 0it`, program.Source{File: fold, Text: `desc=f"Predicting 3Di"`}),
			Words:  failedTool,
			Message: "had nothing to do: no protein of the annotation is without a function. " +
				"The annotation by Bakta is complete without it.",
		},
	}
}

// arguments returns Baktfold's arguments. It deletes its output directory and creates it again, and has its temporary files
// there. Its prefix must not be the name of one of its databases.
func arguments(r program.Run) ([]string, error) {
	annotation := r.Inputs[upload.BaktaJSON]
	if annotation == "" {
		return nil, errors.New("the annotation by Bakta is missing")
	}
	args := program.Arguments{"run"}
	args.Value("input", annotation)
	args.Value("output", r.Output)
	args.Value("prefix", program.ResultPrefix)
	args.Value("database", r.Environment.Database)
	args.Value("threads", strconv.Itoa(r.Environment.Threads))
	args.Flag("force", true)
	args.Flag("cpu", !r.Environment.GPU)
	return args, nil
}

// databases are searched in this order (baktfold/subcommands/compare.py).
func databases() []string { return []string{"swissprot", "AFDBClusters", "pdb", "cath"} }

// structures begins the name of the step that searches a database.
const structures = "search structures in "

// search begins the line of a search; the command behind it has the paths of the database.
const search = "Started running foldseek search "

func steps() []program.Line {
	steps := []program.Line{
		{File: "baktfold/utils/util.py", Texts: []string{"You are running baktfold run"}, Built: true}, // "baktfold {subcommand}"
		{File: "baktfold/io/json_in.py", Texts: []string{"Parsing annotations from input: "}, Open: true},
		{File: "baktfold/subcommands/predict.py", Texts: []string{"Predicting 3Di sequences using ProstT5"}},
		{File: "baktfold/features/predict_3Di.py", Texts: []string{"Beginning ProstT5 predictions"}},
	}
	for _, db := range databases() {
		steps = append(steps, program.Line{File: "baktfold/utils/external_tools.py", Texts: []string{structures + db}, Built: true})
	}
	return append(steps,
		program.Line{File: "baktfold/bakta/pstc.py", Texts: []string{"Looking up PSTC descriptions"}},
		program.Line{File: "baktfold/__init__.py", Texts: []string{"writing baktfold outputs"}},
		program.Line{File: "baktfold/utils/util.py", Texts: []string{"baktfold run has finished"}, Built: true},
	)
}

// read returns the step of a search for the line that it begins with.
func read(line string) string {
	command, ok := strings.CutPrefix(line, search)
	if !ok {
		return line
	}
	for _, db := range databases() {
		if strings.Contains(command, "/"+db+" ") || strings.Contains(command, "/"+db+"_gpu ") {
			return structures + db
		}
	}
	return line
}
