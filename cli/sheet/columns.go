package sheet

import (
	"slices"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
)

// Column is a column that a sheet may have.
type Column struct {
	Name  string   // as the documentation names it
	Other []string // other names of it
	Help  string   // what it has, in a line

	role   role
	option option.Option // of an optionColumn
	upload string        // kind of an uploadColumn
}

// role is what the cells of a column are for.
type role int

const (
	nameColumn role = iota + 1
	fileColumn
	workflowColumn
	optionColumn
	uploadColumn
	ignoredColumn
)

// Columns returns all columns: those of a sample, of its other files, of the options of lib/option's table by their names on the command
// line and in both versions of the API, and those of the sheets of nf-core's pipelines that mean nothing here.
func Columns() []Column {
	columns := []Column{
		{Name: "name", Other: []string{"sample", "sample_id", "sample_name", "id"}, role: nameColumn,
			Help: "name of the sample, of its job and of its folder; without it, the name of the file"},
		{Name: "genome", role: fileColumn,
			Other: []string{"file", "fasta", "assembly", "contigs", "input", "path", "genome_file", "fasta_file", "file_name"},
			Help:  "the file to annotate; a path that is not absolute begins at the folder of the sheet"},
		{Name: "workflow", role: workflowColumn, Help: "what to do: bakta, bakta+baktfold, proteins or baktfold; without it, by the file"},
	}
	other := map[string][]string{upload.ProdigalTrainingFile: {"training_file"}}
	for _, row := range upload.Table() {
		if row.Flag != "" {
			columns = append(columns, Column{Name: row.Flag, Other: append(other[row.Kind], row.Kind), role: uploadColumn, upload: row.Kind,
				Help: plainHelp(row.Help)})
		}
	}
	for _, row := range option.Table() {
		var names []string // those that differ from the flag in more than dashes and case
		for _, name := range []string{row.Name, row.V1} {
			known := append([]string{row.Flag}, names...)
			if name != "" && !slices.ContainsFunc(known, func(other string) bool { return plain(other) == plain(name) }) {
				names = append(names, name)
			}
		}
		columns = append(columns, Column{Name: row.Flag, Other: names, role: optionColumn, option: row, Help: plainHelp(row.Help)})
	}
	for _, name := range foreign {
		columns = append(columns, Column{Name: name, role: ignoredColumn})
	}
	return columns
}

// foreign are the other columns of the sheets of nf-core's pipelines (assets/schema_input.json of bacass 2.5, funcscan 3.0 and
// phageannotator; assets/schema_assembly_input.json of mag 3.0). They have reads, and annotations that other programs made. In
// funcscan's, "protein" is what was predicted in the genome, which is something other than trusted proteins.
var foreign = []string{
	"R1", "R2", "LongFastQ", "Fast5", "GenomeSize", // bacass
	"protein", "gbk", "gff", "gff_type", // funcscan
	"group", "assembler", "run", "short_reads_1", "short_reads_2", "long_reads", // mag
	"fastq_1", "fastq_2", // phageannotator and others
}

// Documented returns the columns that have a meaning here.
func Documented() []Column {
	return slices.DeleteFunc(Columns(), func(c Column) bool { return c.role == ignoredColumn })
}

// plainHelp returns the help of a flag without the marks of its value.
func plainHelp(help string) string { return strings.ReplaceAll(help, "`", "") }

// plain makes names comparable: neither case nor the dashes of flags count, and a dash, an underscore and a space are the same.
func plain(name string) string {
	name = strings.TrimLeft(strings.TrimSpace(name), "#-")
	return strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(strings.TrimSpace(name)))
}

// names returns all names of a column, comparable.
func (c Column) names() []string {
	names := []string{plain(c.Name)}
	for _, other := range c.Other {
		names = append(names, plain(other))
	}
	return names
}

// lookup returns the column that has a name.
func lookup(name string) (Column, bool) {
	for _, c := range Columns() {
		if slices.Contains(c.names(), plain(name)) {
			return c, true
		}
	}
	return Column{}, false
}

// near returns the name of a column that a misspelled one probably means, or "". One or two changed letters are a slip; in a short word
// they make another word.
func near(name string) string {
	best, distance := "", 3
	for _, c := range Documented() {
		for _, known := range c.names() {
			if d := edits(plain(name), known); d < distance && 3*d < len(known) {
				best, distance = c.Name, d
			}
		}
	}
	return best
}

// edits returns the number of characters to insert, delete or replace that make one text another (Levenshtein's distance).
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
