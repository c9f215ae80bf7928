package upload

import (
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
)

// What is written of regions and trusted proteins is what Bakta reads of them, and nothing else.
func TestGenBankWritten(t *testing.T) {
	record := strings.NewReplacer("linear  ", "circular", "1..30", "100..10", "ORIGIN", `     CDS             order(1..12,
                     <13..30)
                     /transl_except=(pos:4..6,
                     aa:Sec)
                     /translation="MU
                     L"
                     /note="x"
     CDS             31..60
                     /pseudo
ORIGIN`).Replace(geneRecord)
	for kind, want := range map[string]string{
		RegionsFile: `LOCUS       record                   120 bp    DNA     circular UNK 01-JAN-1980
VERSION     c1
FEATURES             Location/Qualifiers
     CDS             join(100..120,1..10)
     CDS             join(1..12,<13..30)
                     /transl_except="(pos:4..6, aa:Sec)"
                     /translation="MUL"
ORIGIN
//
`,
		TrustedProteinsFile: `LOCUS       record
FEATURES             Location/Qualifiers
     CDS             1
                     /locus_tag="A_1"
                     /product="a long name"
                     /translation="MKLLVVVAA"
     CDS             1
                     /translation="MUL"
ORIGIN
//
`,
	} {
		if got := string(prepared(t, kind, record)); got != want {
			t.Errorf("%s:\n%s", kind, got)
		}
	}
}

// Bakta's own annotation of ribosomal slippage is one that Baktfold can't read.
func TestSlippageForBaktfold(t *testing.T) {
	record := strings.Replace(geneRecord, "/locus_tag", "/ribosomal_slippage\n                     /locus_tag", 1)
	for baktfold, says := range map[bool]string{false: "", true: "in line 7 with /ribosomal_slippage"} {
		i := NewInspection(option.Config{})
		i.Baktfold = baktfold
		_, err := i.Inspect(RegionsFile, strings.NewReader(record))
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("Baktfold %t: %v", baktfold, err)
		}
	}
}
