package program

// programSteps returns the lines by which a program tells its steps, in order. A step may be told in several
// ways: Bakta says so when it skips one.
func StepsOf(program string) [][]string {
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
