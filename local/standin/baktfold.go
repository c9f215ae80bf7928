package standin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// foldVersion is what the stand-in calls itself where Baktfold writes its version.
const foldVersion = "0.3.0+stand-in"

// fold is one run of baktfold run.
type fold struct {
	*annotation
	*foldOptions
	given  given
	hidden []*feature // the coding sequences that would be looked up
	logs   io.Writer  // the standard error and the log file
}

// baktfold plays the program of that name. Of its commands there is run alone.
func (r *run) baktfold(args []string) error {
	o := newFoldOptions()
	if done, err := o.parse(args); err != nil || done {
		if o.help {
			fmt.Fprintf(r.stdout, "Usage: baktfold run [OPTIONS]\n\n%s\n\n%s", notice, o.FlagUsages())
		}
		if o.version {
			fmt.Fprintf(r.stdout, "baktfold, version %s (%s, not Baktfold)\n", foldVersion, Name)
		}
		return err
	}
	f := &fold{annotation: &annotation{run: r, options: &options{output: output{dir: o.output, prefix: o.prefix}}}, foldOptions: o, logs: r.stderr}
	if err := f.makeOutput(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(o.output, fmt.Sprintf("baktfold_run_%d.log", r.start.UnixNano())))
	if err != nil {
		return err
	}
	defer log.Close()
	f.logs = io.MultiWriter(r.stderr, log)
	r.printf("%s", notice)
	for _, part := range []func() error{f.begin, f.read, f.search, f.exportFold} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// say writes a line in the form of Baktfold's log.
func (f *fold) say(level, where, format string, args ...any) {
	fmt.Fprintf(f.logs, "%s | %-8s | baktfold%s - %s\n", time.Now().Format("2006-01-02 15:04:05.000"), level, where, fmt.Sprintf(format, args...))
}

func (f *fold) info(where, format string, args ...any) { f.say("INFO", where, format, args...) }

// refuse says why, and ends the run as any error in Baktfold's log does.
func (f *fold) refuse(where, format string, args ...any) error {
	f.say("ERROR", where, format, args...)
	return &failure{status: 1}
}

// makeOutput makes the output directory, without anything of one that is there.
func (f *fold) makeOutput() error {
	const where = ".utils.validation:instantiate_dirs:"
	dir := f.foldOptions.output
	f.info(where+"32", "Checking the output directory %s", dir)
	if _, err := os.Stat(dir); err == nil {
		if !f.force {
			return f.refuse(where+"43", "Output directory already exists and force was not specified. Please specify -f or --force to overwrite the output directory")
		}
		f.info(where+"35", "Removing %s because --force was specified", dir)
		if err := os.RemoveAll(dir); err != nil {
			return traceback(f.program, "%v", err)
		}
	}
	return os.MkdirAll(filepath.Join(dir, "logs"), 0o777)
}

func (f *fold) begin() error {
	f.info(".utils.util:begin_baktfold:123", "baktfold: rapid & standardized annotation of bacterial genomes, MAGs & plasmids using protein structural information")
	f.info(".utils.util:begin_baktfold:125", "You are using baktfold version %s: %s", foldVersion, notice)
	f.info(".utils.util:begin_baktfold:127", "You are running baktfold run")
	f.info(".databases.db:validate_db:480", "Checking baktfold database installation in %s", f.database)
	if f.database != "" && !isDir(f.database) {
		return f.refuse(".databases.db:validate_db:490",
			"baktfold database not found. Please run baktfold install -d %s to download and install the baktfold database", f.database)
	}
	return nil
}

// given is the annotation that came: as it is, for what is handed on, and as far as the files need it.
type given struct {
	document map[string]json.RawMessage
	features []givenFeature
}

type givenFeature struct {
	*feature
	raw json.RawMessage
}

// read reads the annotation.
func (f *fold) read() error {
	const where = ".io.json_in:parse_json_input:"
	path, err := filepath.Abs(f.input)
	if err != nil {
		return err
	}
	if !hasContent(path) {
		return f.refuse(where+"56", "ERROR: annotation file %s not valid!", path)
	}
	f.info(where+"60", "Parsing annotations from input: %s", path)
	if err := f.pause(); err != nil {
		return err
	}
	text, err := open(path)
	if err != nil {
		return traceback(f.program, "%v", err)
	}
	defer text.Close()
	if err := json.NewDecoder(text).Decode(&f.given.document); err != nil {
		return traceback(f.program, "json.decoder.JSONDecodeError: Expecting value: %v", err)
	}
	var features []json.RawMessage
	if err := f.need("features", &features); err != nil {
		return err
	}
	for _, raw := range features {
		one, err := readFeature(raw)
		if err != nil {
			return traceback(f.program, "KeyError: %v", err)
		}
		f.given.features = append(f.given.features, one)
		if one.Type == "cds" && (one.Hypothetical || f.all) {
			f.hidden = append(f.hidden, one.feature)
		}
	}
	var genome struct {
		Genus, Species, Strain *string
		Table                  json.RawMessage `json:"translation_table"`
	}
	if json.Unmarshal(f.given.document["genome"], &genome) != nil {
		return f.refuse(where+"111", "No 'genome' block found in input JSON. Please check.")
	}
	if genome.Table == nil {
		return f.refuse(where+"115", "No translation table found in input JSON. Please check your input.")
	}
	fmt.Sscan(strings.Trim(string(genome.Table), `"`), &f.table) // a text that is no number is taken, too
	f.genus, f.species, f.strain = orEmpty(genome.Genus), orEmpty(genome.Species), orEmpty(genome.Strain)
	f.info(where+"127", "Translation table %d detected from input JSON", f.table)
	f.info(where+"157", "Parsing complete")
	return nil
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// need reads a part of the annotation that has to be there.
func (f *fold) need(key string, into any) error {
	raw, ok := f.given.document[key]
	if !ok {
		return traceback(f.program, "KeyError: '%s'", key)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return traceback(f.program, "TypeError: %s: %v", key, err)
	}
	return nil
}

// readFeature reads a feature of any kind. Before Bakta 1.10 its sequence was called contig.
func readFeature(raw json.RawMessage) (givenFeature, error) {
	var of struct{ Type, Contig string }
	if err := json.Unmarshal(raw, &of); err != nil {
		return givenFeature{}, err
	}
	f := &feature{Sequence: of.Contig, coding: &coding{}}
	err := json.Unmarshal(raw, f)
	if of.Type != "cds" && of.Type != "sorf" {
		f.coding = nil
	}
	return givenFeature{f, raw}, err
}

// search says what Baktfold says of its two searches, and finds nothing.
func (f *fold) search() error {
	f.info(".subcommands.predict:subcommand_predict:64", "Predicting 3Di sequences using ProstT5")
	if err := f.pause(); err != nil {
		return err
	}
	f.info(".features.predict_3Di:get_embeddings:472", "Beginning ProstT5 predictions")
	if err := f.pause(); err != nil {
		return err
	}
	if err := f.playFailure(); err != nil {
		return err
	}
	for _, database := range []string{"swissprot", "AFDBClusters", "pdb", "cath"} {
		if database == "AFDBClusters" && f.fast {
			f.info(".subcommands.compare:subcommand_compare:252", "Skipping AFDB Clusters search as --fast specified.")
			continue
		}
		if f.foldOptions.prefix == database {
			return f.refuse(".subcommands.compare:subcommand_compare:154", "Please choose a different -p %s as this conflicts with the %[1]s", database)
		}
		dir := f.foldOptions.output
		search := fmt.Sprintf("foldseek search %s %s %s %s --threads %d -e 0.001 -s 9.5 --max-seqs 1000",
			filepath.Join(dir, "foldseek_db", f.foldOptions.prefix), filepath.Join(cmp.Or(f.database, "no-database"), database),
			filepath.Join(dir, "result_db", "result_db"), filepath.Join(dir, "temp_db"), f.threads)
		f.info(".utils.external_tools:run:128", "Started running %s ...", search)
		if err := f.pause(); err != nil {
			return err
		}
		f.info(".utils.external_tools:run:130", "Done running %s", search)
		f.say("WARNING", ".results.tophit:get_tophit:74", "Foldseek found no hits whatsoever - please check your input if you expect hits")
	}
	f.info(".bakta.pstc:lookup_sql:269", "Looking up PSTC descriptions")
	return f.sort()
}

// sort gives the features to their sequences, in order. What belongs to none is left out.
func (f *fold) sort() error {
	var sequences []struct {
		sequence
		OldNT string `json:"sequence"` // before Bakta 1.10
	}
	if err := f.need("sequences", &sequences); err != nil {
		return err
	}
	var sorted []givenFeature
	for i := range sequences {
		s := &sequences[i].sequence
		if s.NT == "" {
			s.NT = sequences[i].OldNT
		}
		s.Length = len(s.NT)
		first := len(sorted)
		for _, one := range f.given.features {
			if one.Sequence == s.ID {
				sorted = append(sorted, one)
			}
		}
		slices.SortStableFunc(sorted[first:], func(x, y givenFeature) int { return x.Start - y.Start })
		for _, one := range sorted[first:] {
			s.features = append(s.features, one.feature)
		}
		f.sequences = append(f.sequences, s)
	}
	f.given.features = sorted
	return nil
}

// exportFold writes the files in Baktfold's order.
func (f *fold) exportFold() error {
	f.end = time.Now()
	for _, name := range []string{"swissprot", "afdbclusters", "pdb", "cath"} {
		if name == "afdbclusters" && f.fast {
			continue
		}
		if err := writeFile(filepath.Join(f.dir, "baktfold_"+name+"_tophit.tsv"), writeNoHits); err != nil {
			return err
		}
	}
	f.info(":run:578", "writing baktfold outputs")
	for _, file := range []struct {
		name, where, step string
		write             func(io.Writer) error
	}{
		{".tsv", "102", "writing human readable TSV...", f.writeTSV},
		{".gff3", "106", "writing GFF3...", f.writeGFF},
		{".gbff", "111", "writing INSDC GenBank & EMBL...", f.writeGenBank},
		{".embl", "", "", f.writeEMBL},
		{".fna", "116", "writing genome sequences...", f.writeFNA},
		{".ffn", "120", "writing feature nucleotide sequences...", f.writeFFN},
		{".faa", "124", "writing translated CDS sequences...", f.writeFAA},
		{"_3di.fasta", "", "", f.write3Di},
		{".inference.tsv", "150", "Exporting annotations (TSV) to: " + f.path("inference.tsv"), f.writeFoldInferences},
		{".summary.txt", "", "", f.writeFoldSummary},
		{".json", "167", "write machine readable JSON...", f.writeFoldJSON},
	} {
		if file.name == ".json" && f.plays(failPartial) {
			continue
		}
		if file.step != "" {
			f.info(".io.io:write_bakta_outputs:"+file.where, "%s", file.step)
		}
		if err := writeFile(filepath.Join(f.dir, f.options.prefix+file.name), file.write); err != nil {
			return err
		}
	}
	took := int(f.end.Sub(f.start).Seconds())
	f.info(".utils.util:end_baktfold:155", "baktfold run successfully finished in %02d:%02d [mm:ss].", took/60, took%60)
	f.info(".utils.util:end_baktfold:159", "baktfold run has finished")
	return nil
}

func writeNoHits(w io.Writer) error {
	_, err := io.WriteString(w, "query\ttarget\tbitscore\tfident\tevalue\tqStart\tqEnd\tqLen\ttStart\ttEnd\ttLen\n")
	return err
}

// write3Di writes what is looked for by structure, as if nothing were known of any.
func (f *fold) write3Di(w io.Writer) error {
	for _, h := range f.hidden {
		writeFASTA(w, h.Locus, strings.Repeat("X", len(h.AA)), 0)
	}
	return nil
}

func (f *fold) writeFoldInferences(w io.Writer) error {
	columns := []string{"Locus", "Length", "Product", "Swissprot", "AFDBClusters", "PDB", "CATH"}
	if f.fast {
		columns = slices.Delete(columns, 4, 5)
	}
	fmt.Fprintf(w, "%s%s\n", comment("#"), strings.Join(columns, "\t"))
	return f.eachCDS(func(c *feature) {
		if c.Hypothetical {
			fmt.Fprintf(w, "%s\t%d\t%s%s\n", c.Locus, len(c.AA), c.Product, strings.Repeat("\t", len(columns)-3))
		}
	})
}

func (f *fold) writeFoldSummary(w io.Writer) error {
	cdss, hypotheticals := 0, 0
	f.eachCDS(func(c *feature) {
		cdss++
		if c.Hypothetical {
			hypotheticals++
		}
	})
	_, err := fmt.Fprintf(w, "Annotation:\nCDS count: %d\nCDS beginning hypotheticals: %d\nCDS annotated with Baktfold database hit: 0\n"+
		"CDS annotated with Baktfold function: 0\nCDS remaining hypotheticals: %[2]d\n\nBaktfold:\n%s", cdss, hypotheticals, comment(""))
	return err
}

// writeFoldJSON hands the annotation on as it came, with what Baktfold adds to it. "note" is the stand-in's own.
func (f *fold) writeFoldJSON(w io.Writer) error {
	features := []json.RawMessage{}
	for _, one := range f.given.features {
		features = append(features, one.raw)
	}
	document := map[string]any{}
	for key, raw := range f.given.document {
		document[key] = raw
	}
	with := func(key string, more map[string]string) {
		object := map[string]any{}
		json.Unmarshal(f.given.document[key], &object) // what is no object is replaced by one
		for name, value := range more {
			object[name] = value
		}
		document[key] = object
	}
	with("version", map[string]string{"baktfold": foldVersion, "baktfold_db": "0.0"})
	with("run", map[string]string{"note": notice})
	document["features"] = features
	return writeJSON(w, document)
}
