package cluster

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestImageHoldsWhatItIsMadeOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("program", "#!", 0o700)
	write("tree/a/secret.txt", "text", 0o600)
	write("passwd", "me:x:1:1::/:\n", 0o644)
	if err := os.Symlink("a/secret.txt", filepath.Join(dir, "tree/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("tree", filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}

	image := Image{
		Files: []File{
			{Source: filepath.Join(dir, "program"), Target: "/app/program"},
			{Source: filepath.Join(dir, "other"), Target: "/data"},
			{Source: filepath.Join(dir, "other"), Target: "/link", Link: true},
			{Source: filepath.Join(dir, "passwd"), Target: "/etc/passwd"},
			{Source: filepath.Join(dir, "program"), Target: "/data/a/secret.txt"}, // there already
		},
		Entrypoint: []string{"/app/program"},
		Env:        []string{"A=b"},
	}
	built, err := image.Build(filepath.Join(dir, "layer.tar"))
	if err != nil {
		t.Fatal(err)
	}

	layers, err := built.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v; want one", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	type entry struct {
		kind byte
		mode int64
		text string // of a file, or where a link points to
	}
	got := make(map[string]entry)
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := got[h.Name]; twice {
			t.Errorf("%s is there twice", h.Name)
		}
		got[h.Name] = entry{h.Typeflag, h.Mode, string(text) + h.Linkname}
	}
	want := map[string]entry{
		"app/":              {tar.TypeDir, 0o755, ""},
		"app/program":       {tar.TypeReg, 0o755, "#!"},
		"data/":             {tar.TypeDir, 0o755, ""},
		"data/a/":           {tar.TypeDir, 0o755, ""},
		"data/a/secret.txt": {tar.TypeReg, 0o644, "text"},
		"data/link":         {tar.TypeSymlink, 0o777, "a/secret.txt"},
		"link":              {tar.TypeSymlink, 0o777, "tree"},
		"etc/":              {tar.TypeDir, 0o755, ""},
		"etc/passwd":        {tar.TypeReg, 0o644, "me:x:1:1::/:\n"},
		"etc/group":         {tar.TypeReg, 0o644, accounts["etc/group"]},
		"etc/nsswitch.conf": {tar.TypeReg, 0o644, accounts["etc/nsswitch.conf"]},
		"tmp/":              {tar.TypeDir, 0o1777, ""},
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got[name] != want[name] {
			t.Errorf("%s is %+v, want %+v", name, got[name], want[name])
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("%s is in the image, but not in its files", name)
	}

	config, err := built.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if user := config.Config.User; user != "65532:65532" {
		t.Errorf("the user is %q", user)
	}
	if !slices.Contains(config.Config.Env, "A=b") {
		t.Errorf("the environment is %q", config.Config.Env)
	}
}

func TestParseFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]File{
		"a:/b":    {Source: "a", Target: "/b"},
		"/x/y:/z": {Source: "/x/y", Target: "/z"},
		"a:/b:/c": {Source: "a", Target: "/b:/c"},
		"x/a":     {Source: "x/a", Target: "/a"},
		":/b":     {},
		"a:b":     {},
		"a:":      {},
		"":        {},
	} {
		got, err := ParseFile(text)
		if got != want || (err != nil) != (want == File{}) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
}
