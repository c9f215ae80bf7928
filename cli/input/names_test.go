package input

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestName(t *testing.T) {
	for path, want := range map[string]string{
		"/a/b/x.fna": "x", "x.fna.gz": "x", "x.FASTA.XZ": "x", "GCF_000.1_ASM.fna": "GCF_000.1_ASM", "x.faa.zst": "x", "x.json": "x",
		".fna": ".fna",
		"x.gz": "x", "x.contigs.fa": "x.contigs", "x": "x", "x.txt": "x", "x.fna.fna": "x.fna",
	} {
		if got := Name(path); got != want {
			t.Errorf("%s is named %q, want %q", path, got, want)
		}
	}
}

// TestNames: files of one name are named after their folders, or keep their endings.
func TestNames(t *testing.T) {
	for _, tt := range []struct{ paths, taken, want string }{
		{"/a/x.fna /a/y.fna", "", "x y"},
		{"/a/x.fna /b/x.fna /b/y.fna", "", "a_x b_x y"},
		{"/a/x.fna /a/X.fna", "", "a_x.fna-? a_X.fna-?"},
		{"/a/x.fna /a/x.fa", "", "a_x.fna a_x.fa"},
		{"/a/x.fna /a/x.fna.gz /b/x.fna", "", "a_x.fna a_x.fna.gz b_x"},
		{"/a/x.fna", "x", "a_x"},
		{"/c/a/x.fna /d/a/x.fna", "", "a_x.fna-? a_x.fna-?"},
		{"/x.fna /a/x.fna", "", "x a_x"},
	} {
		got := Names(strings.Fields(tt.paths), strings.Fields(tt.taken))
		seen := map[string]bool{}
		for i, want := range strings.Fields(tt.want) {
			prefix, _, hashed := strings.Cut(want, "-")
			if seen[strings.ToLower(got[i])] || !hashed && got[i] != want || hashed && !strings.HasPrefix(got[i], prefix+"-") {
				t.Errorf("%s: %v, want %s", tt.paths, got, tt.want)
			}
			seen[strings.ToLower(got[i])] = true
		}
	}
}

// TestFolders: names that are not safe, or the same on some file system, get folders of their own, whatever else is there.
func TestFolders(t *testing.T) {
	names := []string{"ok", "a b", "a/b", "A_B", "../up", "con", "é", "e\u0301", "summary.tsv",
		strings.Repeat("x", 200), strings.Repeat("x", 201), ""}
	got := Folders(names, "summary.tsv")
	seen := map[string]bool{}
	for i, folder := range got {
		if seen[folded(folder)] || strings.ContainsAny(folder, "/\\ ") || strings.HasPrefix(folder, ".") || folder == "" || len(folder) > 200 {
			t.Errorf("the folder of %q is %q", names[i], folder)
		}
		seen[folded(folder)] = true
	}
	if got[0] != "ok" || got[8] == "summary.tsv" || got[5] != "bakta_con" {
		t.Errorf("%v", got)
	}
	if alone := Folders([]string{"a b", "x", "a/b"}); alone[0] != got[1] || alone[2] != got[2] {
		t.Errorf("the folders depend on the other names: %v, %v", alone, got)
	}
	if diff := cmp.Diff([]string{"x", "y"}, Folders([]string{"x", "y"})); diff != "" {
		t.Error(diff)
	}
}
