package standin

import (
	"bufio"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bebop/poly/io/genbank"
	"github.com/shenwei356/bio/seq"
)

// Bakta goes by the endings of names: any of those that a name has.
var (
	gffEndings     = []string{"gff", "gff3"}
	genbankEndings = []string{"gb", "gbk", "gbff", "genbank"}
	fastaEndings   = []string{"fa", "faa", "fasta"}
)

// ends reports whether the file's name has one of the endings, perhaps before others.
func ends(path string, endings []string) bool {
	parts := strings.Split(strings.ToLower(filepath.Base(path)), ".")
	return slices.ContainsFunc(parts[1:], func(part string) bool { return slices.Contains(endings, part) })
}

// region is a coding sequence that the user knows of.
type region struct {
	id          string // of the sequence, in the FASTA file
	start, stop int    // from 1, inclusive
	strand      string
}

// readRegions reads the coding sequences that the user gave. Those that can't be translated are left out and
// counted. A file with no ending that Bakta knows is silently not used.
func (a *annotation) readRegions(table *seq.CodonTable) (known map[*sequence][]*feature, skipped int, err error) {
	var regions []region
	form := "GFF3"
	switch {
	case a.regions == "":
	case ends(a.regions, gffEndings):
		regions, err = gffRegions(a.regions)
	case ends(a.regions, genbankEndings):
		form = "GenBank"
		err = eachGenBankCDS(a.regions, func(id string, f genbank.Feature) {
			strand := "+"
			if f.Location.Complement {
				strand = "-"
			}
			regions = append(regions, region{id, f.Location.Start + 1, f.Location.End, strand})
		})
	}
	known = map[*sequence][]*feature{}
	for _, r := range regions {
		i := slices.IndexFunc(a.sequences, func(s *sequence) bool { return s.OrigID == r.id })
		if i < 0 {
			err = fmt.Errorf("no sequence found for id=%s", r.id)
			break
		}
		s := a.sequences[i]
		if f := s.known(r, table); f != nil {
			known[s] = append(known[s], f)
		} else {
			skipped++
		}
	}
	if err != nil {
		a.logf("reading %s: %v", a.regions, err)
		return nil, 0, fail("ERROR: User-provided regions/features file %s format not valid!", form)
	}
	return known, skipped, nil
}

// known returns the coding sequence of a region, or nil if it is none.
func (s *sequence) known(r region, table *seq.CodonTable) *feature {
	if r.start < 1 || r.stop > s.Length || r.stop-r.start < 5 || (r.stop-r.start+1)%3 != 0 {
		return nil
	}
	at := span{r.start - 1, r.stop}
	if r.strand == "-" {
		at = span{s.Length - r.stop, s.Length - r.start + 1}
	} else {
		r.strand = "+"
	}
	nt, err := s.strand(r.strand)
	if err != nil {
		return nil
	}
	f := s.cds(at, r.strand, nt)
	f.Source = "user-provided"
	for i := 0; i < len(f.NT); i += 3 {
		_, stop := table.StopCodons[f.NT[i:i+3]]
		if stop != (i+3 == len(f.NT)) {
			return nil
		}
	}
	if _, ok := table.InitCodons[f.NT[:3]]; !ok {
		return nil
	}
	return f
}

// gffRegions reads GFF3 as strictly as Bakta does, which fails at a blank line.
func gffRegions(path string) ([]region, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var regions []region
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "##FASTA" {
			break
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 9 {
			return nil, fmt.Errorf("%d fields in %q", len(fields), line)
		}
		if !strings.EqualFold(fields[2], "cds") {
			continue
		}
		start, err1 := strconv.Atoi(fields[3])
		stop, err2 := strconv.Atoi(fields[4])
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		regions = append(regions, region{fields[0], start, stop, fields[6]})
	}
	return regions, nil
}

// eachGenBankCDS calls do for each coding sequence of a GenBank file that is neither partial nor a pseudogene, with
// the id of its sequence.
func eachGenBankCDS(path string, do func(id string, f genbank.Feature)) (err error) {
	defer func() { // the library's way with much of what is no GenBank
		if p := recover(); p != nil {
			err = fmt.Errorf("reading GenBank: %v", p)
		}
	}()
	text, err := open(path)
	if err != nil {
		return err
	}
	defer text.Close()
	records, err := genbank.ParseMulti(text)
	if err != nil {
		return err
	}
	for _, r := range records {
		id := r.Meta.Version
		if id == "" {
			id = r.Meta.Locus.Name
		}
		for _, f := range r.Features {
			_, pseudo := f.Attributes["pseudo"]
			_, pseudogene := f.Attributes["pseudogene"]
			if strings.EqualFold(f.Type, "cds") && !pseudo && !pseudogene && !f.Location.FivePrimePartial && !f.Location.ThreePrimePartial {
				do(id, f)
			}
		}
	}
	return nil
}
