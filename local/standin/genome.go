package standin

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/shenwei356/bio/seq"
	"github.com/shenwei356/bio/seqio/fastx"
	"github.com/shenwei356/xopen"
)

// sequence is one replicon or contig. Its JSON form has the keys of Bakta's. Bakta leaves the original id and
// description out when headers are kept; the web UI's viewer wants them always.
type sequence struct {
	ID              string `json:"id"`
	Description     string `json:"description"`
	NT              string `json:"nt"`
	Length          int    `json:"length"`
	Complete        bool   `json:"complete"`
	Type            string `json:"type"`     // chromosome, plasmid or contig
	Topology        string `json:"topology"` // circular or linear
	SimpleID        string `json:"simple_id"`
	OrigID          string `json:"orig_id"`
	OrigDescription string `json:"orig_description"`
	Name            string `json:"name,omitempty"`

	features []*feature // by start
}

// readGenome reads FASTA, plain or compressed.
func readGenome(path string) ([]*sequence, error) {
	var sequences []*sequence
	err := readFASTA(path, func(header, letters string) error {
		s, err := newSequence(header, letters)
		sequences = append(sequences, s)
		return err
	})
	return sequences, err
}

// readFASTA calls do for each record of a FASTA file.
func readFASTA(path string, do func(header, letters string) error) error {
	plain, err := open(path)
	if err != nil {
		return err
	}
	defer plain.Close()
	if first, err := plain.Peek(1); err != nil || first[0] != '>' {
		return errors.New("does not begin with >")
	}
	records, err := fastx.NewReaderFromIO(seq.Unlimit, plain, "")
	if err != nil {
		return err
	}
	defer records.Close()
	for {
		r, err := records.Read()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = do(string(r.Name), string(r.Seq.Seq))
		}
		if err != nil {
			return err
		}
	}
}

// open opens a file that may be compressed. Compression is told by content, but a name that promises compression
// must keep the promise, as with Bakta.
func open(path string) (*xopen.Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 6)
	n, _ := f.ReadAt(head, 0)
	promised := map[string]string{".gz": "\x1f\x8b", ".bz2": "BZh", ".xz": "\xfd7zXZ\x00", ".zst": "\x28\xb5\x2f\xfd"}[filepath.Ext(path)]
	if !bytes.HasPrefix(head[:n], []byte(promised)) || bytes.HasPrefix(head, []byte("\ufeff")) {
		return nil, errors.New("not what its name says, or a byte order mark")
	}
	return xopen.Ropen(path)
}

func newSequence(header, letters string) (*sequence, error) {
	nt := strings.ToUpper(strings.NewReplacer("-", "", " ", "", "\t", "", "\r", "").Replace(letters))
	if nt == "" || strings.Trim(nt, "ACGTNMRWSYKVHDB") != "" {
		return nil, fmt.Errorf("sequence %q is empty or holds letters that are no nucleotides", header)
	}
	id, _, _ := strings.Cut(strings.ReplaceAll(header, "\t", " "), " ")
	_, description, _ := strings.Cut(header, " ")
	return &sequence{
		ID: id, OrigID: id, Description: description, OrigDescription: description,
		NT: nt, Length: len(nt), Type: "contig", Topology: "linear",
	}, nil
}

// replicon is a row of a replicon table.
type replicon struct{ id, kind, topology, name string }

// readReplicons reads a replicon table; the result is keyed by the sequences' ids in the FASTA file. Whether
// commas or tabs stand between the fields is told by its first line.
func readReplicons(path string) (map[string]replicon, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(content) {
		if len(bytes.TrimSpace(line)) == 0 {
			return nil, errors.New("a blank line") // which the csv package would forgive, and Bakta does not
		}
	}
	r := csv.NewReader(bytes.NewReader(content))
	r.FieldsPerRecord = 5
	r.LazyQuotes = true
	if first, _, _ := bytes.Cut(content, []byte("\n")); bytes.ContainsRune(first, '\t') {
		r.Comma = '\t'
	}
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	firstWord := func(s string) string { s, _, _ = strings.Cut(strings.TrimSpace(s), " "); return s }
	orEmpty := func(s string) string {
		if s == "-" {
			return ""
		}
		return s
	}
	replicons := map[string]replicon{}
	for _, row := range rows {
		given := replicon{id: orEmpty(firstWord(row[1])), kind: "contig", topology: "linear", name: orEmpty(row[4])}
		switch kind := strings.ToLower(row[2]); {
		case kind == "c" || strings.Contains(kind, "chrom"):
			given.kind = "chromosome"
		case kind == "p" || strings.Contains(kind, "plasmid"):
			given.kind = "plasmid"
		}
		if topology := strings.ToLower(row[3]); topology == "c" || strings.Contains(topology, "circ") {
			given.topology = "circular"
		}
		replicons[firstWord(row[0])] = given
	}
	return replicons, nil
}

// revise drops the sequences that are too short, and names and classes the others by the options, their
// descriptions, their lengths and the replicon table.
func (o *options) revise(sequences []*sequence, replicons map[string]replicon) ([]*sequence, error) {
	var kept []*sequence
	seen := map[string]bool{}
	unnamed := 0
	for _, s := range sequences {
		if s.Length < o.minLength {
			continue
		}
		kept = append(kept, s)
		if o.keepHeaders && seen[s.ID] {
			return nil, fail("ERROR: Detected duplicated sequence id! Sequence ID (%s) occures multiple times!", s.ID)
		}
		seen[s.ID] = true
		s.SimpleID = fmt.Sprintf("%s_%d", cmp.Or(o.locus, "contig"), len(kept))
		s.classify(o.completeGenome)
		row, listed := replicons[s.OrigID]
		if o.plasmid != "" && len(sequences) == 1 {
			s.Type, s.Topology, s.Name, row.id = "plasmid", "circular", o.plasmid, ""
		} else if listed {
			s.Type, s.Topology, s.Name, s.Complete = row.kind, row.topology, row.name, row.kind != "contig"
		}
		if !o.keepHeaders {
			s.ID = cmp.Or(row.id, s.SimpleID)
			if s.Type == "plasmid" && s.Name == "" {
				unnamed++
				s.Name = fmt.Sprintf("unnamed%d", unnamed)
			}
			s.Description = o.describe(s)
		}
		if o.compliant && len(s.ID) > 25 {
			return nil, fail("ERROR: INSDC compliance failed! Sequence ID (%s) larger than 25 characers!", s.ID)
		}
		if o.compliant && !compliantID.MatchString(s.ID) {
			return nil, fail("ERROR: INSDC compliance failed! Sequence ID (%s) contains invalid characters!", s.ID)
		}
	}
	return kept, nil
}

// classify tells a sequence's kind by its description and, if it is complete, by its length.
func (s *sequence) classify(complete bool) {
	described := strings.ToLower(s.OrigDescription)
	says := func(word string) bool { return strings.Contains(described, word) }
	if complete || says("circular=true") || says("complete") && !says("complete=false") {
		s.Complete, s.Topology = true, "circular"
	}
	switch {
	case s.Complete && s.Length >= 2_800_000, !(s.Complete && s.Length < 112_000) && says("chromosome"):
		s.Type = "chromosome"
	case s.Complete && s.Length < 112_000, says("plasmid"):
		s.Type = "plasmid"
	}
}

// describe makes the header that the genome's FASTA file gets.
func (o *options) describe(s *sequence) string {
	text := fmt.Sprintf("[gcode=%d]", o.table)
	if o.strain != "" {
		text = "[strain=" + o.strain + "] " + text
	}
	if organism := strings.TrimSpace(o.genus + " " + o.species); organism != "" {
		text = "[organism=" + organism + "] " + text
	}
	if s.Complete {
		text += " [completeness=complete]"
	}
	text += " [topology=" + s.Topology + "]"
	switch s.Type {
	case "chromosome":
		text += " [location=chromosome]"
	case "plasmid":
		text += " [plasmid-name=" + s.Name + "]"
	}
	return text
}
