package standin

import (
	"bufio"
	"bytes"
	"strings"

	"github.com/bebop/poly/io/genbank"
)

// checkTrusted refuses the trusted proteins and HMMs that Bakta can't use, when it comes to them: after it has
// looked everything else up. Either path may be empty. They are not used.
func (r *run) checkTrusted(proteins, hmms string) error {
	if proteins != "" {
		if err := r.checkTrustedProteins(proteins); err != nil {
			return err
		}
		r.printf("\t\tuser protein sequences: 0")
	}
	if hmms != "" {
		if err := r.checkHMMs(hmms); err != nil {
			return err
		}
		r.printf("\t\tuser HMM sequences: 0")
	}
	return nil
}

func (r *run) checkTrustedProteins(path string) error {
	imported, skipped := 0, 0
	count := func(usable bool) {
		if usable {
			imported++
		} else {
			skipped++
		}
	}
	form := "Fasta"
	var err error
	switch {
	case ends(path, fastaEndings):
		undescribed := false
		err = readFASTA(path, func(header, _ string) error {
			id, description, described := strings.Cut(header, " ")
			undescribed = undescribed || !described
			usable := trustedDescription(description)
			if !usable && described {
				r.printf("ValueError during read fasta record %s", id)
			}
			count(usable)
			return nil
		})
		if undescribed {
			return fail("ERROR: User proteins file %s format not valid!", form)
		}
	case ends(path, genbankEndings):
		form = "GenBank"
		err = eachGenBankCDS(path, func(_ string, f genbank.Feature) {
			count(f.Attributes["locus_tag"] != "" && f.Attributes["product"] != "" && f.Attributes["translation"] != "")
		})
	}
	if err != nil {
		r.logf("reading %s: %v", path, err)
		return fail("ERROR: User proteins file %s format not valid!", form)
	}
	if skipped > 0 {
		r.printf("\t\tWARNING: skipped incorrectly formatted user proteins: %d, imported: %d", skipped, imported)
	}
	if imported == 0 {
		return traceback(r.program, "Exception: diamond error! error code: 1")
	}
	return nil
}

// trustedDescription reports whether a header's description tells a product: gene~~~product~~~dbxrefs, perhaps
// behind three thresholds.
func trustedDescription(description string) bool {
	fields := strings.Split(description, "~~~")
	switch len(fields) {
	case 6:
		fields = fields[3:]
	case 3:
	default:
		return false
	}
	if strings.TrimSpace(fields[1]) == "" {
		return false
	}
	for xref := range strings.SplitSeq(fields[2], ",") {
		if fields[2] != "" && !strings.Contains(xref, ":") {
			return false
		}
	}
	return true
}

// checkHMMs looks at the head of each model, where Bakta's library stumbles.
func (r *run) checkHMMs(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if head, err := f.Peek(6); err != nil || !bytes.Equal(head, []byte("HMMER3")) {
		return traceback(r.program, "ValueError: format not recognized by HMMER")
	}
	name, cutoff := "", false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		tag, value, _ := strings.Cut(lines.Text(), " ")
		switch tag {
		case "NAME":
			name = strings.TrimSpace(value)
		case "TC":
			cutoff = true
		case "//":
			if !cutoff {
				return traceback(r.program, "pyhmmer.errors.MissingCutoffs: Model '%s' is missing 'trusted' bitscore cutoff required by pipeline", name)
			}
			cutoff = false
		}
	}
	return nil
}
