// Package bakta has the rows of Bakta's programs: bakta annotates genomes, bakta_proteins proteins.
package bakta

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/program"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// Names of the programs.
const (
	Name         = "bakta"
	ProteinsName = "bakta_proteins"
)

// release is the version of Bakta that the strings below come from.
const release = "1.12.2"

// Program returns the row of bakta.
func Program() program.Program {
	p := both()
	p.Name, p.Title, p.Key, p.VersionKey, p.DatabaseVersionKey = Name, "Bakta", "Bakta", "Tool", "DB"
	p.Help = "the `program` that annotates genomes"
	p.Install = "conda install -c conda-forge -c bioconda bakta"
	p.Database = &program.Database{Variable: "BAKTA_DB", Download: "bakta_db download", File: "version.json", Version: databaseVersion}
	p.Arguments = arguments
	p.Crashed = "if you gave a Prodigal training file, try without it"
	const file = "bakta/main.py"
	p.Steps = []program.Line{
		{File: file, Texts: []string{"Parse genome sequences..."}},
		{File: file, Texts: []string{"Start annotation..."}},
		{File: file, Texts: []string{"predict tRNAs...", "skip tRNA prediction..."}},
		{File: file, Texts: []string{"predict tmRNAs...", "skip tmRNA prediction..."}},
		{File: file, Texts: []string{"predict rRNAs...", "skip rRNA prediction..."}},
		{File: file, Texts: []string{"predict ncRNAs...", "skip ncRNA prediction..."}},
		{File: file, Texts: []string{"predict ncRNA regions...", "skip ncRNA region prediction..."}},
		{File: file, Texts: []string{"predict CRISPR arrays...", "skip CRISPR array prediction..."}},
		{File: file, Texts: []string{"predict & annotate CDSs...", "skip CDS prediction..."}},
		{File: file, Texts: []string{"detect & annotate sORF...", "skip sORF prediction..."}},
		{File: file, Texts: []string{"detect gaps...", "skip gap annotation..."}},
		{File: file, Texts: []string{"detect oriCs/oriVs..."}},
		{File: file, Texts: []string{"detect oriTs...", "skip oriC/T annotation..."}},
		{File: file, Texts: []string{"apply feature overlap filters...", "skip feature overlap filters..."}},
		{File: file, Texts: []string{"select features and create locus tags..."}},
		{File: file, Texts: []string{"improve annotations..."}},
		{File: file, Texts: []string{"Genome statistics:"}},
		{File: file, Texts: []string{"annotation summary:"}},
		{File: file, Texts: []string{"Export annotation results to: "}, Open: true},
		{File: file, Texts: []string{"Annotation successfully finished in "}, Open: true},
	}
	return p
}

// Proteins returns the row of bakta_proteins.
func Proteins() program.Program {
	p := both()
	p.Name, p.Title, p.Key, p.Part = ProteinsName, "Bakta Proteins", "BaktaProteins", Name
	p.Help = "the `program` that annotates proteins"
	p.Install = "conda install -c conda-forge -c bioconda bakta"
	p.Arguments = proteinsArguments
	const file = "bakta/proteins.py"
	p.Steps = []program.Line{
		{File: file, Texts: []string{"Parse protein sequences..."}},
		{File: file, Texts: []string{"Start annotation..."}},
		{File: file, Texts: []string{"\tlookup annotations..."}},
		{File: file, Texts: []string{"\tconduct expert systems..."}},
		{File: file, Texts: []string{"\tcombine annotations and mark hypotheticals..."}},
		{File: file, Texts: []string{"Export annotation results to: "}, Open: true},
		{File: file, Texts: []string{"Annotation successfully finished in "}, Open: true},
	}
	return p
}

// both returns what the two programs share.
func both() program.Program {
	tool := program.Match(`^Exception: ([\w-]+) error! error code: `,
		program.Source{File: "bakta/features/t_rna.py", Text: "Exception(f'tRNAscan-SE error! error code: "},
		program.Source{File: "bakta/expert/amrfinder.py", Text: "amrfinder error! error code: "})
	// Bakta gives this advice even if its database is complete. It names a path of the node.
	omit := program.Match(`\.? Please, try 'amrfinder_update\b.*? internal database\.?`,
		program.Source{File: "bakta/expert/amrfinder.py", Text: "Please, try 'amrfinder_update --force_update"})
	return program.Program{
		Release: release, Version: []string{"--version"},
		// Without it, Python buffers some kilobytes of output, and progress comes late.
		Env:      []string{"PYTHONUNBUFFERED=1"},
		Refusals: refusals(), Faults: faults(), Tool: &tool, Omit: &omit,
	}
}

// databaseVersion returns the version of a database by its version.json (bakta/db.py).
func databaseVersion(content []byte) (string, error) {
	var v struct {
		Major int    `json:"major"`
		Minor int    `json:"minor"`
		Type  string `json:"type"`
	}
	if err := json.Unmarshal(content, &v); err != nil {
		return "", err
	}
	version := fmt.Sprintf("%d.%d", v.Major, v.Minor)
	if v.Type != "" {
		version += ", " + v.Type
	}
	return version, nil
}

// surroundings are the arguments that say where a program of Bakta runs.
func surroundings(r program.Run) program.Arguments {
	var args program.Arguments
	args.Value("db", r.Environment.Database)
	args.Value("output", r.Output)
	args.Value("prefix", program.ResultPrefix)
	args.Flag("force", true) // the output directory exists
	args.Value("tmp-dir", r.Temp)
	args.Value("threads", strconv.Itoa(r.Environment.Threads))
	return args
}

func arguments(r program.Run) ([]string, error) {
	genome := r.Inputs[upload.GenomeFASTA]
	if genome == "" {
		return nil, errors.New("the genome is missing")
	}
	args := append(surroundings(r), r.Config.Arguments()...)
	for _, u := range upload.Table() {
		if u.Flag != "" {
			args.Value(u.Flag, r.Inputs[u.Kind])
		}
	}
	return append(args, genome), nil
}

func proteinsArguments(r program.Run) ([]string, error) {
	proteins := r.Inputs[upload.ProteinFASTA]
	if proteins == "" {
		return nil, errors.New("the protein FASTA is missing")
	}
	return append(surroundings(r), proteins), nil
}

// refusals are what Bakta says of inputs that it refuses.
func refusals() []program.Cause {
	cause := func(expression, file, text, advice string) program.Cause {
		return program.Cause{Pattern: program.Match(expression, program.Source{File: file, Text: text}), Code: job.BadInput, Advice: advice}
	}
	return []program.Cause{
		cause(`wrong genome file format!`, "bakta/main.py", "ERROR: wrong genome file format!",
			"Each sequence of the genome needs a header line that begins with \">\" and below it letters of nucleotides "+
				"(A, C, G, T, N and the other IUPAC codes); compressed files must be complete."),
		cause(`no valid sequences`, "bakta/main.py", "input file contains no valid sequences",
			"All sequences are shorter than the minimum length, which is 200 with INSDC compliance, or there are none."),
		cause(`wrong replicon table file format!`, "bakta/utils.py", "ERROR: wrong replicon table file format!",
			"It needs five columns in every line, separated by tabs or commas."),
		cause(`prodigal training file: file=`, "bakta/features/cds.py", "Cannot use provided prodigal training file: file=",
			"Leave the training file out, or upload the file that \"prodigal -t\" wrote."),
		cause(`unallowed characters in amino acid sequences`, "bakta/proteins.py", "unallowed characters in amino acid sequences",
			"Each protein needs a header line that begins with \">\" and below it letters of amino acids, "+
				"with at most one asterisk at the end; compressed files must be complete."),
		cause(`regions/features file GFF3 format not valid!`, "bakta/features/cds.py", "regions/features file GFF3 format not valid!",
			"Each line needs nine fields with tabs between them, and the first names a sequence of the genome, "+
				"up to the first white space, that is not left out for its length."),
		cause(`regions/features file .* format not valid!`, "bakta/features/cds.py", "regions/features file GenBank format not valid!",
			"Each record needs a LOCUS line with a name and a length and the VERSION of a sequence of the genome "+
				"that is not left out for its length, and each coding sequence a location that can be read."),
		cause(
			`User proteins file GenBank format not valid!`,
			"bakta/expert/protein_sequences.py",
			"User proteins file GenBank format not valid!",
			"Each record needs a LOCUS line with a name and a length, and each coding sequence a locus_tag, a product and a translation.",
		),
		cause(`User proteins file .* format not valid!`, "bakta/expert/protein_sequences.py", "User proteins file Fasta format not valid!",
			"Headers of trusted proteins look like "+upload.TrustedHeader+"."),
		cause(`duplicated sequence id`, "bakta/utils.py", "Detected duplicated sequence id!",
			"Give each sequence a name of its own, or do not keep the original sequence headers."),
		cause(`INSDC compliance failed!`, "bakta/utils.py", "INSDC compliance failed!",
			"Shorten the sequence's name, or turn off the original sequence headers or INSDC compliance."),
	}
}

// faults are what Bakta says if its installation is at fault.
func faults() []program.Cause {
	cause := func(own bool, expression, advice string, sources ...program.Source) program.Cause {
		return program.Cause{Pattern: program.Match(expression, sources...), Code: job.Internal, Advice: advice, Own: own}
	}
	const config, utils = "bakta/config.py", "bakta/utils.py"
	return []program.Cause{
		cause(false, `'threads' parameter`, program.NotYours, program.Source{File: config, Text: "for 'threads' parameter!"}),
		cause(
			false,
			`not found or not executable|could not be executed|Wrong \S+ version installed|Could not detect/read \S+ version`,
			program.MissingTool,
			program.Source{File: utils, Text: "not found or not executable!"},
			program.Source{File: utils, Text: "could not be executed!"},
			program.Source{File: utils, Text: "version installed."},
			program.Source{File: utils, Text: "ERROR: Could not detect/read {tool} " +
				"version!"},
		),
		cause(false, `SQL error!`, program.BrokenDatabase, program.Source{File: "bakta/psc.py", Text: "SQL error!"}),
		cause(
			true,
			`(?i)\bdatabase\b|\bdb version`,
			program.BrokenDatabase,
			program.Source{File: "bakta/db.py", Text: "ERROR: database version file"},
		),
		cause(true, `[Oo]utput (path|directory)|temporary directory`, program.NotYours,
			program.Source{File: config, Text: "ERROR: output path"}, program.Source{File: config, Text: "ERROR: dedicated temporary directory"}),
		cause(
			true,
			`file +not (valid|readable)!`,
			"The file could not be read where the program runs. "+program.NotYours,
			program.Source{
				File: config,
				Text: "ERROR: genome file ({args.genome}) not valid!",
			},
			program.Source{File: config, Text: "not readable!"},
		),
	}
}
