package s3

import (
	"mime"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestAttachment(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	tests := []struct{ name, ascii, full string }{
		{"E. coli.gff3", "E. coli.gff3", "E. coli.gff3"},
		{"a.hypotheticals.faa", "a.hypotheticals.faa", "a.hypotheticals.faa"},
		{`say "hi".tsv`, "say _hi_.tsv", "say _hi_.tsv"},
		{`a\b.tsv`, "a_b.tsv", "a_b.tsv"},
		{"two\r\nlines\tand tab.tsv", "two lines and tab.tsv", "two lines and tab.tsv"},
		{"x\r\nSet-Cookie: a=b.tsv", "x Set-Cookie_ a=b.tsv", "x Set-Cookie_ a=b.tsv"},
		{"Bäckerhefe 酵母 🧬.json", "B_ckerhefe __ _.json", "Bäckerhefe 酵母 🧬.json"},
		{"100% sure; really, 'yes' (no)*=@.txt", "100_ sure; really, 'yes' (no)_=@.txt", "100% sure; really, 'yes' (no)_=@.txt"},
		{"../../etc/passwd.tsv", "_.._etc_passwd.tsv", "_.._etc_passwd.tsv"},
		{".hidden.tsv", "file.hidden.tsv", "file.hidden.tsv"},
		{".gff3", "file.gff3", "file.gff3"},
		{"", "file", "file"},
		{"   .tsv", "file.tsv", "file.tsv"},
		{"...", "file", "file"},
		{"\x00\x01\x7f\u200b.tsv", "file.tsv", "file.tsv"},
		{"\u202egnp.exe.tsv", "gnp.exe.tsv", "gnp.exe.tsv"},
		{"broken \xff UTF-8.tsv", "broken _ UTF-8.tsv", "broken _ UTF-8.tsv"},
		{long + ".inference.tsv", long[:150-len(".inference.tsv")] + ".inference.tsv", long[:150-len(".inference.tsv")] + ".inference.tsv"},
		{strings.Repeat("酵", 3000) + ".faa", strings.Repeat("_", 48) + ".faa", strings.Repeat("酵", 48) + ".faa"},
		{"a." + long, "a." + long[:148], "a." + long[:148]},
	}
	for _, tt := range tests {
		got := attachment(tt.name)
		ascii, rest, _ := strings.Cut(strings.TrimPrefix(got, `attachment; filename="`), `"; filename*=UTF-8''`)
		if ascii != tt.ascii {
			t.Errorf("%.40q in ASCII: %q, want %q", tt.name, ascii, tt.ascii)
		}
		for _, c := range []byte(rest) {
			if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&+-.^_`|~%", rune(c)) {
				t.Errorf("%.40q: %q has to be escaped in %q", tt.name, c, rest)
			}
		}
		_, params, err := mime.ParseMediaType("attachment; filename*=UTF-8''" + rest)
		if err != nil || params["filename"] != tt.full {
			t.Errorf("%.40q in full: %q, %v, want %q", tt.name, params["filename"], err, tt.full)
		}
	}
}

// TestAttachmentOfAnyName holds what every name has to give: a header that is one, and a name that is one.
func TestAttachmentOfAnyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("a.\"\\%;\n\x00 /\u202eß🧬")))).Draw(t, "name")
		ending := rapid.SampledFrom([]string{"gff3", "hypotheticals.faa", "json"}).Draw(t, "ending")
		got := attachment(name + "." + ending)
		for i := range len(got) {
			if got[i] < 0x20 || got[i] > 0x7e {
				t.Fatalf("%q is not a header", got)
			}
		}
		kind, params, err := mime.ParseMediaType(got)
		if err != nil || kind != "attachment" {
			t.Fatalf("%q: %q, %v", got, kind, err)
		}
		file := params["filename"]
		if len(file) > maxFileName || !utf8.ValidString(file) || strings.ContainsAny(file, "/\\\x00\n\"") ||
			strings.HasPrefix(file, ".") || !strings.HasSuffix(file, "."+ending) {
			t.Fatalf("%q is not a file name of a %s", file, ending)
		}
	})
}
