package workflow

// Step is where a stage's program is, read off its output.
type Step struct {
	Number int    // from 1
	Of     int    // how many steps the program has
	Name   string // in the program's words, for people: "predict tRNAs"
}
