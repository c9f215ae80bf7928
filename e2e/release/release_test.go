//go:build release

package release

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"debug/elf"
	"debug/macho"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"

	"github.com/ag-computational-bio/bakta-web-backend/e2e/cluster"
)

const (
	modulePath = "github.com/ag-computational-bio/bakta-web-backend"
	version    = "v0.0.1"
	notes      = "### Added\n\n- A release that is tried.\n"
)

// images are those of the Makefile's PROGRAMS.
var images = []string{"expire", "jobupdate", "notify", "page", "setup", "stager", "status", "submit"}

func TestRelease(t *testing.T) {
	c := newCopy(t)
	c.refusals(t)

	host := startRegistry(t)
	c.make(t, "release", "VERSION="+version, "REGISTRY="+host+"/bakta-web", "KO="+os.Getenv("KO"))
	files := filepath.Join(c.dir, "dist", "files")

	if got := read(t, filepath.Join(c.dir, "dist", "NOTES.md")); got != notes {
		t.Errorf("the notes are %q, want %q", got, notes)
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS")
	check.Dir = files
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("SHA256SUMS: %v\n%s", err, out)
	}
	sums := make(map[string]string) // by file
	for line := range strings.Lines(read(t, filepath.Join(files, "SHA256SUMS"))) {
		sum, file, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[file] = sum
	}
	entries, err := os.ReadDir(files)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "SHA256SUMS" && sums[e.Name()] == "" {
			t.Errorf("%s has no checksum", e.Name())
		}
	}

	c.programs(t, files)
	subjects := c.provenance(t, files)
	for file, sum := range sums {
		if strings.HasSuffix(file, ".tar.gz") && subjects[file] != sum {
			t.Errorf("the provenance statement has the sum %q of %s, want %s", subjects[file], file, sum)
		}
	}
	for _, image := range images {
		checkImage(t, host+"/bakta-web/"+image, subjects, files)
	}
}

// The command is installed by its module's path, without a replace directive in its way.
func TestInstall(t *testing.T) {
	c := newCopy(t)
	proxy, bin := t.TempDir(), t.TempDir()
	escaped, err := module.EscapePath(modulePath)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(proxy, escaped, "@v")
	var packed bytes.Buffer
	if err := errors.Join(
		os.MkdirAll(folder, 0o755),
		modzip.CreateFromVCS(&packed, module.Version{Path: modulePath, Version: version}, c.dir, "HEAD", ""),
		os.WriteFile(filepath.Join(folder, version+".zip"), packed.Bytes(), 0o644),
		os.WriteFile(filepath.Join(folder, version+".mod"), []byte(read(t, filepath.Join(c.dir, "go.mod"))), 0o644),
		os.WriteFile(filepath.Join(folder, version+".info"), []byte(`{"Version":"`+version+`"}`), 0o644),
		os.WriteFile(filepath.Join(folder, "list"), []byte(version+"\n"), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	t.Logf("the module has %d bytes, compressed", packed.Len())
	downloads := strings.TrimSpace(output(t, c.dir, nil, "go", "env", "GOMODCACHE")) + "/cache/download"
	proxies := strings.TrimSpace(output(t, c.dir, nil, "go", "env", "GOPROXY"))
	env := []string{
		"GOPROXY=file://" + proxy + ",file://" + downloads + "," + proxies,
		"GONOSUMDB=" + modulePath, "GOBIN=" + bin, "GOMODCACHE=" + filepath.Join(t.TempDir(), "modules"), "GOFLAGS=-modcacherw",
		"GOWORK=off", "CGO_ENABLED=0",
	}
	output(t, t.TempDir(), env, "go", "install", modulePath+"/cmd/bakta-web@"+version)
	if got := output(t, t.TempDir(), []string{"HOME=" + t.TempDir()}, filepath.Join(bin, "bakta-web"), "version"); !strings.Contains(
		got,
		version,
	) {
		t.Errorf("the installed command calls itself %q, want %s", got, version)
	}
}

// copied is a clone of the repository's last commit, with a changelog that has a section for the version, tagged.
type copied struct{ dir, head string }

func newCopy(t *testing.T) *copied {
	t.Helper()
	c := &copied{dir: filepath.Join(t.TempDir(), "copy")}
	root := strings.TrimSpace(output(t, ".", nil, "git", "rev-parse", "--show-toplevel"))
	output(t, ".", nil, "git", "clone", "--quiet", "--no-tags", root, c.dir)
	changelog := filepath.Join(c.dir, "CHANGELOG.md")
	text := read(t, changelog)
	before, after, ok := strings.Cut(text, "## [Unreleased]\n")
	if !ok {
		t.Fatal("CHANGELOG.md has no section Unreleased")
	}
	text = before + "## [Unreleased]\n\n## [0.0.1] - 2026-01-31\n\n" + notes + "\n## [0.0.0] - 2026-01-01\n" + after
	if err := os.WriteFile(changelog, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c.git(t, "-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--all", "--message", "Release "+version)
	c.head = strings.TrimSpace(c.git(t, "rev-parse", "HEAD"))
	return c
}

func (c *copied) git(t *testing.T, args ...string) string {
	t.Helper()
	return output(t, c.dir, nil, "git", args...)
}

func (c *copied) make(t *testing.T, args ...string) {
	t.Helper()
	t.Log(output(t, c.dir, nil, "make", append([]string{"--no-print-directory"}, args...)...))
}

// refusals tries releases that must not be made, and leaves the commit tagged.
func (c *copied) refusals(t *testing.T) {
	for _, tt := range []struct {
		name, version, want string
		before, after       func()
	}{
		{name: "no version", version: "0.0.1", want: `"0.0.1" is not a version`},
		{name: "no tag", version: version, want: "there is no tag " + version},
		{name: "the tag is elsewhere", version: version, want: "is on commit",
			before: func() { c.git(t, "tag", version, "HEAD~1") }, after: func() { c.git(t, "tag", "--delete", version) }},
		{name: "no section", version: "v0.0.2", want: `CHANGELOG.md has no section "## [0.0.2] - DATE"`,
			before: func() { c.git(t, "tag", "v0.0.2") }},
		{name: "a new file", version: version, want: "?? new.txt",
			before: func() { c.git(t, "tag", version); write(t, filepath.Join(c.dir, "new.txt")) },
			after: func() {
				if err := os.Remove(filepath.Join(c.dir, "new.txt")); err != nil {
					t.Fatal(err)
				}
			}},
		{name: "a file that was changed", version: version, want: "M LICENSE",
			before: func() { write(t, filepath.Join(c.dir, "LICENSE")) }, after: func() { c.git(t, "checkout", "--quiet", "LICENSE") }},
	} {
		if tt.before != nil {
			tt.before()
		}
		cmd := exec.CommandContext(t.Context(), "make", "--no-print-directory", "release", "VERSION="+tt.version, "KO="+os.Getenv("KO"))
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %v, and not %q but:\n%s", tt.name, err, tt.want, out)
		}
		if tt.after != nil {
			tt.after()
		}
	}
}

// programs checks the programs that were packed, and starts the one for this machine.
func (c *copied) programs(t *testing.T, files string) {
	for _, p := range []string{
		"bakta-web linux amd64", "bakta-web linux arm64", "bakta-web darwin amd64", "bakta-web darwin arm64", "stager linux amd64",
		"stager linux arm64",
	} {
		f := strings.Fields(p)
		dir := t.TempDir()
		unpack(t, filepath.Join(files, fmt.Sprintf("%s_%s_%s_%s.tar.gz", f[0], version, f[1], f[2])), dir)
		file := filepath.Join(dir, f[0])
		if _, err := os.Stat(filepath.Join(dir, "LICENSE")); err != nil {
			t.Error(err)
		}
		switch f[1] {
		case "linux":
			program, err := elf.Open(file)
			if err != nil {
				t.Errorf("%s: %v", p, err)
				continue
			}
			want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[f[2]]
			interpreted := slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
			if program.Machine != want || interpreted {
				t.Errorf("%s: it is for %s, dynamically linked: %t", p, program.Machine, interpreted)
			}
		case "darwin":
			program, err := macho.Open(file)
			if err != nil {
				t.Errorf("%s: %v", p, err)
				continue
			}
			if want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[f[2]]; program.Cpu != want {
				t.Errorf("%s: it is for %s", p, program.Cpu)
			}
		}
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		settings := make(map[string]string)
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if settings["vcs.revision"] != c.head || settings["vcs.modified"] != "false" || settings["CGO_ENABLED"] != "0" {
			t.Errorf("%s: built with %v", p, settings)
		}
		if f[0] == "bakta-web" && f[1] == runtime.GOOS && f[2] == runtime.GOARCH {
			if got := output(t, dir, []string{"HOME=" + dir}, file, "version"); !strings.Contains(got, version) {
				t.Errorf("%s calls itself %q", p, got)
			}
			if got := output(t, dir, []string{"HOME=" + dir}, file, "help"); !strings.Contains(got, "local") {
				t.Errorf("%s has no local mode:\n%s", p, got)
			}
		}
	}
}

// provenance checks the statement, and returns the checksums of what it is about.
func (c *copied) provenance(t *testing.T, files string) map[string]string {
	var statement struct {
		Type          string `json:"_type"`
		PredicateType string `json:"predicateType"`
		Subject       []struct {
			Name   string
			Digest map[string]string
		}
		Predicate struct {
			BuildDefinition struct {
				ResolvedDependencies []struct {
					URI    string
					Digest map[string]string
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(files, "provenance_"+version+".json"))), &statement); err != nil {
		t.Fatal(err)
	}
	if statement.Type != "https://in-toto.io/Statement/v1" || statement.PredicateType != "https://slsa.dev/provenance/v1" {
		t.Errorf("the statement is a %s with a %s", statement.Type, statement.PredicateType)
	}
	from := statement.Predicate.BuildDefinition.ResolvedDependencies
	if len(from) < 10 || from[0].Digest["gitCommit"] != c.head {
		t.Errorf("the statement's dependencies are %v", from)
	}
	subjects := make(map[string]string)
	for _, s := range statement.Subject {
		subjects[s.Name] = s.Digest["sha256"]
	}
	return subjects
}

// startRegistry starts a registry that holds the image that programs' images are made on, for both platforms.
func startRegistry(t *testing.T) (host string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host = strings.TrimPrefix(server.URL, "http://")
	base := v1.ImageIndex(empty.Index)
	for _, architecture := range []string{"amd64", "arm64"} {
		image, err := cluster.Image{}.Build(filepath.Join(t.TempDir(), "layer.tar"))
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config = config.DeepCopy()
		config.Architecture = architecture
		if image, err = mutate.ConfigFile(image, config); err != nil {
			t.Fatal(err)
		}
		platform := v1.Platform{OS: "linux", Architecture: architecture}
		base = mutate.AppendManifests(base, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	tag, err := name.NewTag(host + "/base:static")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, base, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KO_DEFAULTBASEIMAGE", tag.String())
	return host
}

// checkImage checks that an image was pushed with its tag, for both platforms, as the provenance statement says, and with SBOMs.
func checkImage(t *testing.T, repository string, subjects map[string]string, files string) {
	tag, err := name.NewTag(repository + ":" + version)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(tag, remote.WithContext(t.Context()))
	if err != nil {
		t.Error(err)
		return
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if subjects[repository] != digest.Hex {
		t.Errorf("the provenance statement has %q of %s, which is %s", subjects[repository], repository, digest)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
		attached := tag.Context().Tag(strings.Replace(m.Digest.String(), ":", "-", 1) + ".sbom")
		if _, err := remote.Image(attached, remote.WithContext(t.Context())); err != nil {
			t.Errorf("%s for %s has no SBOM in the registry: %v", repository, m.Platform, err)
		}
	}
	if slices.Sort(platforms); !slices.Equal(platforms, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("%s is for %v", repository, platforms)
	}
	boms, err := filepath.Glob(filepath.Join(files, filepath.Base(repository)+"*.spdx.json"))
	if err != nil || len(boms) == 0 {
		t.Errorf("%s has no SBOM among the files: %v", repository, err)
	}
	for _, file := range boms {
		var bom struct {
			Version string `json:"spdxVersion"`
		}
		if err := json.Unmarshal([]byte(read(t, file)), &bom); err != nil || !strings.HasPrefix(bom.Version, "SPDX-2") {
			t.Errorf("%s: %q, %v", file, bom.Version, err)
		}
	}
}

func unpack(t *testing.T, archive, dir string) {
	t.Helper()
	in, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	plain, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(plain); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, filepath.Base(header.Name)), content, header.FileInfo().Mode())); err != nil {
			t.Fatal(err)
		}
	}
}

func output(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// write changes a file.
func write(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, []byte("changed\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
