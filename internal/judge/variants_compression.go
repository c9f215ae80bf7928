package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/ag-computational-bio/bakta-web-backend/lib/upload"
	"github.com/ag-computational-bio/bakta-web-backend/lib/workflow"
)

// recipes returns the recipes of the content for compressionVariants, trainingVariants and annotationVariants.
func recipes(s sample) map[string]recipe {
	plain := s.fasta("a")
	half := len(plain) / 2
	made := map[string]recipe{
		"lzma":            {Make: "lzma", Data: []byte(plain)},
		"xz none":         {Make: "xz", Data: []byte(plain), Check: "none"},
		"xz crc32":        {Make: "xz", Data: []byte(plain), Check: "crc32"},
		"xz sha256":       {Make: "xz", Data: []byte(plain), Check: "sha256"},
		"xz 9":            {Make: "xz", Data: []byte(plain), Preset: 9},
		"xz x86":          {Make: "xz", Data: []byte(plain), X86: true},
		"bz2 annotation":  {Make: "bz2", Data: []byte(annotation(s))},
		"xz annotation":   {Make: "xz", Data: []byte(annotation(s))},
		"training":        {Make: "training", Data: []byte(strings.Repeat(s.dna, 30)), Table: 11},
		"training 4":      {Make: "training", Data: []byte(strings.Repeat(s.dna, 30)), Table: 4},
		"bz2 proteins":    {Make: "bz2", Data: []byte(proteins(s))},
		"xz proteins":     {Make: "xz", Data: []byte(proteins(s))},
		"bz2 regions":     {Make: "bz2", Data: []byte("##gff-version 3\n" + s.forward.gff("a", "+"))},
		"xz regions":      {Make: "xz", Data: []byte("##gff-version 3\n" + s.forward.gff("a", "+"))},
		"bz2 of gz":       {Make: "bz2", Data: gz(plain)},
		"bz2 wrong fasta": {Make: "bz2", Data: []byte("no FASTA")},
		"xz wrong fasta":  {Make: "xz", Data: []byte("no FASTA")},
	}
	for _, format := range []string{"bz2", "xz"} {
		for name, text := range map[string]string{"": plain, " first": plain[:half], " second": plain[half:], " empty": ""} {
			made[format+name] = recipe{Make: format, Data: []byte(text)}
		}
	}
	return made
}

// compressionVariants are a genome in compressed files: complete ones, damaged ones, and ones with data after the end.
func compressionVariants(s sample, packed packed) []variant {
	plain := s.fasta("a")
	half := len(plain) / 2
	var variants []variant
	add := func(name, ending string, content []byte) {
		variants = append(variants, variant{name: "compression/" + name, kind: workflow.Bakta, effort: quick,
			uploads: []userFile{{upload.GenomeFASTA, "genome.fna." + ending, content}}})
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	type format struct {
		ending                        string
		whole, first, second, nothing []byte
	}
	formats := []format{
		{"gz", gz(plain), gz(plain[:half]), gz(plain[half:]), gz("")},
		{"zst", zst(plain), zst(plain[:half]), zst(plain[half:]), zst("")},
		{"bz2", packed["bz2"], packed["bz2 first"], packed["bz2 second"], packed["bz2 empty"]},
		{"xz", packed["xz"], packed["xz first"], packed["xz second"], packed["xz empty"]},
	}
	for i, f := range formats {
		other := formats[(i+1)%len(formats)]
		middle := bytes.Clone(f.whole)
		middle[len(middle)/2] ^= 0x10
		last := bytes.Clone(f.whole)
		last[len(last)-5] ^= 0x10
		for _, r := range []struct {
			name    string
			content []byte
		}{
			{"whole", f.whole},
			{"two-parts", join(f.first, f.second)},
			{"two-parts-newline-between", join(f.first, []byte("\n"), f.second)},
			{"nothing", f.nothing},
			{"nothing-then-whole", join(f.nothing, f.whole)},
			{"whole-then-nothing", join(f.whole, f.nothing)},
			{"then-newline", join(f.whole, []byte("\n"))},
			{"then-one-nul", join(f.whole, make([]byte, 1))},
			{"then-three-nul", join(f.whole, make([]byte, 3))},
			{"then-four-nul", join(f.whole, make([]byte, 4))},
			{"then-512-nul", join(f.whole, make([]byte, 512))},
			{"then-nul-then-part", join(f.first, make([]byte, 4), f.second)},
			{"then-plain", join(f.whole, []byte(s.fasta("b")))},
			{"then-garbage", join(f.whole, []byte{0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4, 5, 6, 7, 8})},
			{"then-one-byte-of-magic", join(f.whole, f.whole[:1])},
			{"then-three-bytes-of-magic", join(f.whole, f.whole[:3])},
			{"then-six-bytes-of-magic", join(f.whole, f.whole[:6])},
			{"then-half-a-part", join(f.first, f.second[:len(f.second)/2])},
			{"then-" + other.ending, join(f.whole, other.whole)},
			{"cut-in-half", f.whole[:len(f.whole)/2]},
			{"cut-by-1", f.whole[:len(f.whole)-1]},
			{"cut-by-4", f.whole[:len(f.whole)-4]},
			{"cut-by-8", f.whole[:len(f.whole)-8]},
			{"cut-by-12", f.whole[:len(f.whole)-12]},
			{"magic-alone", f.whole[:4]},
			{"one-byte", f.whole[:1]},
			{"damaged-middle", middle},
			{"damaged-end", last},
			{"newline-first", join([]byte("\n"), f.whole)},
		} {
			add(f.ending+"-"+r.name, f.ending, r.content)
		}
	}
	named := gzipWith(plain, func(w *gzip.Writer) { w.Name, w.Comment, w.Extra = "genome.fna", "a comment", []byte("extra") })
	add("gz-with-name-comment-extra", "gz", named)
	add("gz-with-header-checksum", "gz", gzipHeaderChecksum(plain))
	add("gz-wrong-method", "gz", append([]byte{0x1f, 0x8b, 7}, gz(plain)[3:]...))
	add("gz-reserved-flag", "gz", append([]byte{0x1f, 0x8b, 8, 0x80}, gz(plain)[4:]...))
	add("gz-stored", "gz", gzipLevel(plain, gzip.NoCompression))
	add("gz-of-gz", "gz", gz(string(gz(plain))))
	add("bz2-of-gz", "bz2", packed["bz2 of gz"])
	add("gz-many-members", "gz", manyMembers(plain))
	add("gz-of-no-fasta", "gz", gz("no FASTA"))
	add("zst-of-no-fasta", "zst", zst("no FASTA"))
	add("bz2-of-no-fasta", "bz2", packed["bz2 wrong fasta"])
	add("xz-of-no-fasta", "xz", packed["xz wrong fasta"])
	add("gz-of-bom", "gz", gz("\xef\xbb\xbf"+plain))
	add("gz-of-crlf", "gz", gz(strings.ReplaceAll(plain, "\n", "\r\n")))
	add("gz-fault-behind-64-kib", "gz", gz(">a\n"+strings.Repeat(wrapped(s.dna), 60)+"ACGTXACGT\n"))
	skippable := func(n uint32) []byte {
		b := binary.LittleEndian.AppendUint32(nil, 0x184d2a50+n)
		b = binary.LittleEndian.AppendUint32(b, 4)
		return append(b, "skip"...)
	}
	add("zst-skippable-first", "zst", join(skippable(0), zst(plain)))
	add("zst-skippable-15-first", "zst", join(skippable(15), zst(plain)))
	add("zst-skippable-16-first", "zst", join(skippable(16), zst(plain)))
	add("zst-two-skippable-first", "zst", join(skippable(0), skippable(3), zst(plain)))
	add("zst-skippable-between", "zst", join(zst(plain[:half]), skippable(0), zst(plain[half:])))
	add("zst-skippable-last", "zst", join(zst(plain), skippable(0)))
	add("zst-skippable-alone", "zst", skippable(0))
	add("zst-skippable-cut", "zst", join(zst(plain), skippable(0)[:10]))
	add("zst-skippable-first-cut", "zst", skippable(0)[:10])
	add("zst-pzstd", "zst", join(pzstd(plain[:half]), pzstd(plain[half:])))
	add("zst-without-checksum", "zst", zst(plain, zstd.WithEncoderCRC(false)))
	add("zst-window-64-mib", "zst", zstStream(plain, zstd.WithWindowSize(64<<20)))
	add("zst-window-128-mib", "zst", zstStream(plain, zstd.WithWindowSize(128<<20)))
	add("zst-window-512-mib", "zst", zstStream(plain, zstd.WithWindowSize(512<<20)))
	add("zst-without-size", "zst", zstStream(plain))
	add("xz-check-none", "xz", packed["xz none"])
	add("xz-check-crc32", "xz", packed["xz crc32"])
	add("xz-check-sha256", "xz", packed["xz sha256"])
	add("xz-preset-9", "xz", packed["xz 9"])
	add("xz-x86-filter", "xz", packed["xz x86"])
	add("lzma-alone", "lzma", packed["lzma"])
	add("lzma-alone-called-xz", "xz", packed["lzma"])
	add("zip", "zip", []byte("PK\x03\x04\x14\x00\x00\x00\x00\x00"+plain))
	add("compress-z", "Z", []byte("\x1f\x9d\x90"+plain))
	add("lz4", "lz4", []byte("\x04\x22\x4d\x18\x64\x40\xa7"+plain))
	add("7z", "7z", []byte("7z\xbc\xaf\x27\x1c\x00\x04"+plain))
	add("tar", "tar", tar(plain))
	add("tar-gz", "tar.gz", gz(string(tar(plain))))
	add("plain-called-gz", "gz", []byte(plain))
	add("gz-called-bz2", "bz2", gz(plain))
	return variants
}

func gz(text string) []byte { return gzipWith(text, func(*gzip.Writer) {}) }

func gzipWith(text string, set func(*gzip.Writer)) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	set(w)
	must(io.WriteString(w, text))
	must(0, w.Close())
	return b.Bytes()
}

func gzipLevel(text string, level int) []byte {
	var b bytes.Buffer
	w := must(gzip.NewWriterLevel(&b, level))
	must(io.WriteString(w, text))
	must(0, w.Close())
	return b.Bytes()
}

// gzipHeaderChecksum returns a member with a valid checksum of its header. No library here writes one.
func gzipHeaderChecksum(text string) []byte {
	b := gz(text)
	header := bytes.Clone(b[:10])
	header[3] |= 2
	sum := crc32.ChecksumIEEE(header)
	return append(append(header, byte(sum), byte(sum>>8)), b[10:]...)
}

// manyMembers returns a member for each line.
func manyMembers(text string) []byte {
	var all []byte
	for line := range strings.Lines(text) {
		all = append(all, gz(line)...)
	}
	return all
}

func zst(text string, options ...zstd.EOption) []byte {
	w := must(zstd.NewWriter(nil, options...))
	defer w.Close()
	return w.EncodeAll([]byte(text), nil)
}

// zstStream returns a frame without its content size.
func zstStream(text string, options ...zstd.EOption) []byte {
	var b bytes.Buffer
	w := must(zstd.NewWriter(&b, options...))
	for len(text) > 0 { // a writer that sees the end at once names the size
		n := min(len(text), 500)
		must(io.WriteString(w, text[:n]))
		must(0, w.Flush())
		text = text[n:]
	}
	must(0, w.Close())
	return b.Bytes()
}

// pzstd returns a part as pzstd writes it: a skippable frame with the length of the frame after it.
func pzstd(text string) []byte {
	frame := zst(text)
	b := binary.LittleEndian.AppendUint32(nil, 0x184d2a50)
	b = binary.LittleEndian.AppendUint32(b, 4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	return append(b, frame...)
}

// tar returns an archive of one file.
func tar(text string) []byte {
	header := make([]byte, 512)
	copy(header, "genome.fna")
	copy(header[100:], "0000644\x000000000\x000000000\x00"+fmt.Sprintf("%011o", len(text))+"\x0000000000000\x00")
	copy(header[257:], "ustar\x0000")
	return append(append(header, text...), make([]byte, 1024)...)
}

// must returns a value without its error: the calls here can't fail with their arguments.
func must[T any](made T, err error) T {
	if err != nil {
		panic(err)
	}
	return made
}
