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
	random := rand.New(rand.NewPCG(seed, 1))
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

// Unchecked returns a text as a zstd file, uncompressed, that requires a window of 16 MiB. Programs read it. A start accepts
// it without a check of the content, because it accepts windows of at most 8 MiB.
func Unchecked(text string) string {
	const block = 64 << 10
	file := "\x28\xb5\x2f\xfd\x00\x70"
	for more := true; more; {
		part := text[:min(block, len(text))]
		text = text[len(part):]
		more = text != ""
		header := len(part) << 3
		if !more {
			header |= 1 // the last block
		}
		file += string([]byte{byte(header), byte(header >> 8), byte(header >> 16)}) + part
	}
	return file
}
