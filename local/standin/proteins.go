package standin

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// proteinRun is one run of bakta_proteins.
type proteinRun struct {
	*run
	output
	line                            *argparse
	input, db, tmpDir, trusted, hmm string
	threads                         int
	found                           []*inputProtein
}

// inputProtein is a protein as it came. Its JSON form has the keys of Bakta's.
type inputProtein struct {
	ID          string `json:"id"`
	Description string `json:"description"`
	Length      int    `json:"length"`
	Type        string `json:"type"` // cds
	Locus       string `json:"locus"`
	protein
}

// proteins plays bakta_proteins.
func (r *run) proteins(args []string) error {
	line := newArgparse("bakta_proteins", "<input>")
	p := &proteinRun{run: r, line: line}
	line.StringVarP(&p.db, "db", "d", "", "database directory; none is needed, none is read")
	p.flags(line)
	line.StringVar(&p.trusted, "proteins", "", "trusted proteins (checked, not used)")
	line.StringVar(&p.hmm, "hmms", "", "trusted HMMs (checked, not used)")
	line.general(&p.threads, &p.tmpDir, "V")
	var err error
	if p.input, err = line.parse(args); err != nil || r.introduce(line) {
		return err
	}
	return r.logged(&p.output, p.input, args, p.check, p.read, p.annotate, p.export)
}

// check refuses what the real program refuses before it reads the proteins, in its order and its words.
func (p *proteinRun) check() error {
	given := p.line.Changed
	rules := []rule{
		{!hasContent(p.input), "input proteins file (" + p.input + ") not valid!"},
		databaseRule(p.db),
		{given("tmp-dir") && !isDir(p.tmpDir), "dedicated temporary directory (" + p.tmpDir + ") does not exist!"},
		{given("proteins") && !hasContent(p.trusted), "user proteins file (" + p.trusted + ") not valid!"},
	}
	rules = append(rules, threadRules(p.threads)...)
	return firstBroken(append(rules, rule{given("hmms") && !hasContent(p.hmm), "HMM file (" + p.hmm + ") not valid!"})...)
}

func (p *proteinRun) read() error {
	if err := p.step("Parse protein sequences..."); err != nil {
		return err
	}
	err := readFASTA(p.input, func(header, letters string) error {
		id, description, _ := strings.Cut(strings.ReplaceAll(header, "\t", " "), " ")
		aa := strings.ToUpper(strings.NewReplacer("-", "", " ", "", "\t", "", "\r", "").Replace(letters))
		aa = strings.TrimSuffix(aa, "*")
		if aa == "" || strings.Trim(aa, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return fmt.Errorf("sequence %q is empty or holds letters that are no amino acids", header)
		}
		p.found = append(p.found, &inputProtein{ID: id, Description: description, Length: len(aa), Type: "cds", Locus: id, protein: newProtein(aa)})
		return nil
	})
	if err != nil {
		p.logf("reading %s: %v", p.input, err)
		return fail("ERROR: wrong file format or unallowed characters in amino acid sequences!")
	}
	p.printf("\timported: %d", len(p.found))
	return nil
}

// annotate finds nothing: everything stays hypothetical.
func (p *proteinRun) annotate() error {
	if err := p.step("\nStart annotation..."); err != nil {
		return err
	}
	if err := p.step("\tdetected IPSs: 0\n\tfound PSCs: 0\n\tfound PSCCs: 0\n\tlookup annotations..."); err != nil {
		return err
	}
	if err := p.step("\tconduct expert systems...\n\t\tamrfinder: 0\n\t\tprotein sequences: 0"); err != nil {
		return err
	}
	if err := p.playFailure(); err != nil {
		return err
	}
	if err := p.checkTrusted(p.trusted, p.hmm); err != nil {
		return err
	}
	if err := p.step("\tcombine annotations and mark hypotheticals..."); err != nil {
		return err
	}
	p.printf("\tanalyze hypothetical proteins: %d\n\tdetected Pfam hits: 0\n\tcalculated proteins statistics", len(p.found))
	return nil
}

func (p *proteinRun) export() error {
	p.end = time.Now()
	where, err := filepath.Abs(p.dir)
	if err != nil {
		return err
	}
	if err := p.step("\nExport annotation results to: %s", where); err != nil {
		return err
	}
	for _, f := range []struct {
		ending, step string
		write        func(io.Writer) error
	}{
		{"tsv", "full annotations (TSV)", p.writeTSV},
		{"inference.tsv", "feature inferences (TSV)", p.writeInferences},
		{"json", "full annotations (JSON)", p.writeJSON},
		{"hypotheticals.tsv", "information on hypotheticals (TSV)", p.writeHypotheticals},
		{"faa", "annotated sequences (Fasta)", p.writeFAA},
	} {
		if f.ending == "json" && p.plays(failPartial) {
			continue
		}
		path := filepath.Join(where, p.prefix+"."+f.ending)
		p.printf("\t%s: %s", f.step, path)
		if err := writeFile(path, f.write); err != nil {
			return err
		}
	}
	p.finished()
	return nil
}

func (p *proteinRun) writeTSV(w io.Writer) error {
	fmt.Fprint(w, comment("#"), "ID\tLength\tGene\tProduct\tEC\tGO\tCOG\tRefSeq\tUniParc\tUniRef\n")
	for _, f := range p.found {
		fmt.Fprintf(w, "%s\t%d\t\t%s\t\t\t\t\t\t\n", f.ID, f.Length, f.Product)
	}
	return nil
}

func (p *proteinRun) writeInferences(w io.Writer) error {
	fmt.Fprint(w, comment("# "), inferenceHead)
	for _, f := range p.found {
		fmt.Fprintf(w, "-\tcds\t-1\t-1\t?\t%s\t-\t-\t-\t-\t-\t-\n", f.ID)
	}
	return nil
}

func (p *proteinRun) writeHypotheticals(w io.Writer) error {
	fmt.Fprint(w, comment("#"), "ID\tLength\tMol Weight [kDa]\tIso El. Point\tPfam hits\n")
	for _, f := range p.found {
		fmt.Fprintf(w, "%s\t%d\tNA\n", f.ID, f.Length) // one column for three, as in Bakta's
	}
	return nil
}

func (p *proteinRun) writeFAA(w io.Writer) error {
	for _, f := range p.found {
		writeFASTA(w, f.ID+" "+f.Product, f.AA, 0)
	}
	return nil
}

// writeJSON writes Bakta's keys; "note" and "tool" are the stand-in's own.
func (p *proteinRun) writeJSON(w io.Writer) error {
	if p.found == nil {
		p.found = []*inputProtein{}
	}
	return writeJSON(w, struct {
		Features []*inputProtein `json:"features"`
		Version  map[string]any  `json:"version"`
	}{p.found, version(map[string]any{"note": notice})})
}

// version is what the JSON files say of the program that wrote them, with what else is given.
func version(more map[string]any) map[string]any {
	v := map[string]any{"bakta": Version, "db": map[string]string{"version": "0.0", "type": "none"}, "tool": Name}
	for key, value := range more {
		v[key] = value
	}
	return v
}

func writeJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(value)
}
