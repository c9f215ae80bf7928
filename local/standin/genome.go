package standin

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/shenwei356/xopen"
)

// readGenome reads the genome, and leaves out the sequences that are too short.
func (r *run) readGenome() ([]*sequence, error) {
	var sequences []*sequence
	plasmids := 0
	err := readFASTA(r.input, func(id, description, nt string) error {
		if nt == "" || strings.Trim(nt, "ACGTNMRWSYKVHDB") != "" {
			return fmt.Errorf("sequence %q is empty or contains characters that are not bases", id)
		}
		if len(nt) < r.number("min-contig-length") {
			return nil
		}
		s := &sequence{ID: id, OrigID: id, Description: description, OrigDescription: description, NT: nt, Length: len(nt)}
		s.SimpleID = fmt.Sprintf("%s_%d", cmp.Or(r.text("locus"), "contig"), len(sequences)+1)
		if s.classify(r.is("complete")); s.Type == "plasmid" {
			plasmids++
			s.Name = fmt.Sprintf("unnamed%d", plasmids)
		}
		if !r.is("keep-contig-headers") {
			s.ID, s.Description = s.SimpleID, fmt.Sprintf("[topology=%s] [%s]", s.Topology, strings.TrimSpace(s.Type+" "+s.Name))
		}
		sequences = append(sequences, s)
		return nil
	})
	return sequences, err
}

// classify sets the sequence's type and topology by its description, and by its length if it is complete.
func (s *sequence) classify(complete bool) {
	says := func(word string) bool { return strings.Contains(strings.ToLower(s.OrigDescription), word) }
	s.Type, s.Topology = "contig", "linear"
	if complete || says("complete") {
		s.Complete, s.Topology = true, "circular"
	}
	if says("plasmid") || s.Complete && s.Length < 112_000 {
		s.Type = "plasmid"
	} else if says("chromosome") || s.Complete {
		s.Type = "chromosome"
	}
}

// readFASTA calls do for each record of a FASTA file, which may be compressed. Residues are in upper case.
func readFASTA(path string, do func(id, description, residues string) error) error {
	text, err := xopen.Ropen(path)
	if err != nil {
		return err
	}
	defer text.Close()
	content, err := io.ReadAll(text)
	if err != nil {
		return err
	}
	records, ok := strings.CutPrefix(string(content), ">")
	if !ok {
		return errors.New("does not begin with >")
	}
	for record := range strings.SplitSeq(records, "\n>") {
		header, residues, _ := strings.Cut(record, "\n")
		id, description, _ := strings.Cut(strings.ReplaceAll(strings.TrimRight(header, "\r"), "\t", " "), " ")
		residues = strings.NewReplacer("-", "", " ", "", "\t", "", "\r", "", "\n", "").Replace(residues)
		if err := do(id, description, strings.ToUpper(residues)); err != nil {
			return err
		}
	}
	return nil
}
