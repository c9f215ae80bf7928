package upload

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ag-computational-bio/bakta-web-backend/internal/realbakta"
	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"github.com/ag-computational-bio/bakta-web-backend/lib/upload/compression"
	"github.com/klauspost/compress/zstd"
)

// packedTest is a compressed file.
type packedTest struct {
	name    string
	content []byte
	// Python takes what we refuse: a stream that is damaged where it passes over all that follows the first, so that a part
	// of the genome would be missing, or one whose verdict depends on the version of its library.
	kinder bool
}

// packedTests are files in all compressions with all kinds of tails.
func packedTests() []packedTest {
	first, second := []byte(">a\nACGTACGT\n"), []byte(">b\nGGGG\n")
	skipped := func(n int) []byte {
		return append([]byte{0x5a, 0x2a, 0x4d, 0x18, byte(n), 0, 0, 0}, bytes.Repeat([]byte("x"), n)...)
	}
	var tests []packedTest
	for ending, pack := range map[string]func([]byte) []byte{
		".gz": gzipped, ".xz": xzed, ".zst": func(b []byte) []byte { return zstded(b, zstd.WithZeroFrames(true)) },
		".bz2": func([]byte) []byte { return bzipped() }, // the only one there is
	} {
		a, b := pack(first), pack(second)
		add := func(name string, kinder bool, parts ...[]byte) {
			tests = append(tests, packedTest{name + ending, slices.Concat(parts...), kinder})
		}
		add("one", false, a)
		add("two", false, a, b)
		if ending != ".bz2" {
			add("nothing, then one", false, pack(nil), b)
			add("one, then nothing", false, a, pack(nil))
		}
		for _, n := range []int{1, 2, 3, 4, 8, 12, 13, 17, 512, 10_000} {
			add(fmt.Sprintf("%d zeros", n), false, a, make([]byte, n))
		}
		add("18 zeros", ending == ".xz", a, make([]byte, 18)) // an empty file in the older format
		add("zeros, then another", ending == ".xz", a, make([]byte, 4), b)
		for _, tail := range []string{"\n", "x", "\r\n", "\r", "hello", ">b\nGGGG\n", strings.Repeat(">b\nGGGG\n", 4000), "B", "BZ", "BZh",
			"\x1f", "\x1f\x8b",
			"\xfd", "\xfd7z", compression.XZMagic, "\x28\xb5", "\x28\xb5\x2f\xfd", "\x5d\x00\x00\x80\x00", "\x5d\x00\x00\x81\x00",
			"\x5d\x00\x00\x80\x00\x01\x01\x01\x01\x01\x01\x01\x01rest"} {
			add(fmt.Sprintf("then %.10q (%d bytes)", tail, len(tail)), false, a, []byte(tail))
		}
		for cut := 1; cut < len(a); cut += 1 + len(a)/20 {
			add(fmt.Sprintf("%d bytes less", cut), false, a[:len(a)-cut])
			add(fmt.Sprintf("two, %d bytes less", cut), false, a, b[:max(0, len(b)-cut)])
		}
		for at := 6; at < len(a); at += 2 {
			if ending == ".zst" && at < 9 {
				continue // it asks for a large window, and is not decompressed here
			}
			wrong := bytes.Clone(a)
			wrong[at] ^= 0x55
			add(fmt.Sprintf("wrong at %d", at), false, wrong)
			add(fmt.Sprintf("the second wrong at %d", at), true, a, wrong)
		}
		if ending == ".zst" {
			add("skipped, then one", false, skipped(5), a)
			add("one, then skipped", false, a, skipped(5))
			add("skipped between", false, a, skipped(0), b)
			add("skipped, broken off", false, a, skipped(5)[:10])
			add("skipped, its head broken off", false, a, skipped(5)[:6])
		}
	}
	return tests
}

// TestUnpackAgrees has the reader that Bakta uses read compressed files.
func TestUnpackAgrees(t *testing.T) {
	prefix := realbakta.Prefix(t)
	if prefix == "" {
		return
	}
	tests := packedTests()
	dir := t.TempDir()
	paths := make([]string, len(tests))
	for i, tt := range tests {
		ending := tt.name[strings.LastIndex(tt.name, "."):]
		paths[i] = filepath.Join(dir, fmt.Sprintf("%d.fna%s", i, ending))
		if err := os.WriteFile(paths[i], tt.content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var read []*string
	realbakta.Python(t, prefix, filepath.Join("testdata", "unpack.py"), strings.Join(paths, "\n"), &read)
	for i, tt := range tests {
		name, err := Inspect(GenomeFASTA, bytes.NewReader(tt.content), option.Config{})
		if (err == nil) != (read[i] != nil) && !(tt.kinder && err != nil) {
			got := "nothing"
			if read[i] != nil {
				got = *read[i]
			}
			t.Errorf("%s: %q, %v; Python reads %q", tt.name, name, err, got)
		}
	}
}
