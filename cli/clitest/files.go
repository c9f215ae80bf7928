package clitest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Small uploads that a start accepts.
const (
	Proteins        = ">p1 some protein\nMKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ\n"
	TrustedProteins = ">t gene~~~product~~~\nMKTAYIAKQR\n"
)

// Genome returns a FASTA text of random bases, always the same for one seed.
func Genome(seed uint64, length int) string {
	random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // the same genome for the same seed
	var text strings.Builder
	fmt.Fprintf(&text, ">contig_%d made up\n", seed)
	for i := range length {
		if i > 0 && i%70 == 0 {
			text.WriteByte('\n')
		}
		text.WriteByte("ACGT"[random.IntN(4)])
	}
	return text.String() + "\n"
}
