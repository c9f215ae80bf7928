package cluster

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is the content and the configuration of an image.
type Image struct {
	Files      []File
	Entrypoint []string
	User       string   // UID or UID:GID; empty is 65532, an unprivileged user
	Path       []string // directories of programs, before the usual ones
	Env        []string // KEY=VALUE
	WorkingDir string
}

// File is a file of the machine, or a directory with all below it, and its path in an image.
type File struct {
	Source, Target string
	// A source that is a link stays a link; otherwise its target is added. Links below a directory stay links.
	Link bool
}

// ParseFile reads FILE:TARGET. FILE alone is one whose target is /NAME.
func ParseFile(text string) (File, error) {
	source, target, ok := strings.Cut(text, ":")
	if !ok {
		target = "/" + filepath.Base(source)
	}
	if source == "" || !path.IsAbs(target) {
		return File{}, fmt.Errorf("%q is not FILE:TARGET with an absolute path as the target", text)
	}
	return File{Source: source, Target: target}, nil
}

// accounts contain the names of the usual users, which some programs require.
var accounts = map[string]string{
	"etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\n" +
		"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n" +
		"nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin\n",
	"etc/group":         "root:x:0:\nnogroup:x:65534:\nnonroot:x:65532:\n",
	"etc/nsswitch.conf": "hosts: files dns\n",
}

// Build creates the image with one layer. The layer is in the file scratch, which must exist as long as the image is used.
func (i Image) Build(scratch string) (v1.Image, error) {
	file, err := os.Create(scratch)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sum := sha256.New()
	l := layer{tar: tar.NewWriter(io.MultiWriter(file, sum)), there: make(map[string]bool)}
	if err := l.fill(i.Files); err != nil {
		return nil, err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	stored := storedLayer{file: scratch, size: size, sum: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}}
	image, err := mutate.AppendLayers(empty.Image, stored)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	config.Config = v1.Config{
		Entrypoint: i.Entrypoint,
		User:       i.User,
		Env:        append([]string{"PATH=" + strings.Join(append(i.Path, "/usr/local/bin", "/usr/bin", "/bin"), ":")}, i.Env...),
		WorkingDir: i.WorkingDir,
	}
	if i.User == "" {
		config.Config.User = "65532:65532"
	}
	return mutate.ConfigFile(image, config)
}

// layer is a layer during its creation.
type layer struct {
	tar   *tar.Writer
	there map[string]bool // written paths, without a leading slash
}

// fill writes the layer: the files, and the directories and accounts that programs expect.
func (l *layer) fill(files []File) error {
	for _, f := range files {
		if err := l.add(f); err != nil {
			return fmt.Errorf("adding %s to the image: %w", f.Source, err)
		}
	}
	for _, target := range slices.Sorted(maps.Keys(accounts)) { // sorted, so that the same files create the same image
		text := accounts[target]
		if l.there[target] {
			continue
		}
		if err := l.parents(target); err != nil {
			return err
		}
		if err := l.tar.WriteHeader(&tar.Header{Name: target, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		if _, err := io.WriteString(l.tar, text); err != nil {
			return err
		}
	}
	if err := l.dir("tmp", 0o1777); err != nil {
		return err
	}
	return l.tar.Close()
}

func (l *layer) dir(target string, mode int64) error {
	if l.there[target] {
		return nil
	}
	if err := l.parents(target); err != nil {
		return err
	}
	l.there[target] = true
	return l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: target + "/", Mode: mode})
}

func (l *layer) parents(target string) error {
	if parent := path.Dir(target); parent != "." {
		return l.dir(parent, 0o755)
	}
	return nil
}

// add writes a file, or a directory with all below it.
func (l *layer) add(f File) error {
	source := f.Source
	if !f.Link {
		var err error
		if source, err = filepath.EvalSymlinks(source); err != nil {
			return err
		}
	}
	return filepath.WalkDir(source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, name)
		if err != nil {
			return err
		}
		return l.entry(name, strings.TrimPrefix(path.Join("/", f.Target, filepath.ToSlash(below)), "/"), entry)
	})
}

// entry writes one file, directory or symbolic link. All belong to root and are readable by all users.
func (l *layer) entry(source, target string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch {
	case target == "" || l.there[target]: // the root, or a file of an earlier source
		return nil
	case entry.IsDir():
		return l.dir(target, int64(info.Mode().Perm()|0o555))
	case !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink:
		return nil // an image can't contain sockets and devices
	}
	if err := l.parents(target); err != nil {
		return err
	}
	l.there[target] = true
	if info.Mode().Type() == fs.ModeSymlink {
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: target, Linkname: to, Mode: 0o777})
	}
	mode := info.Mode().Perm() | 0o444
	if mode&0o111 != 0 {
		mode |= 0o111
	}
	if err := l.tar.WriteHeader(&tar.Header{Name: target, Mode: int64(mode), Size: info.Size()}); err != nil {
		return err
	}
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(l.tar, file)
	return err
}

// storedLayer is an uncompressed layer in a file: the container runtime stores it on the same disk, so compression only
// takes time.
type storedLayer struct {
	file string
	size int64
	sum  v1.Hash
}

func (l storedLayer) Digest() (v1.Hash, error)             { return l.sum, nil }
func (l storedLayer) DiffID() (v1.Hash, error)             { return l.sum, nil }
func (l storedLayer) Compressed() (io.ReadCloser, error)   { return os.Open(l.file) }
func (l storedLayer) Uncompressed() (io.ReadCloser, error) { return os.Open(l.file) }
func (l storedLayer) Size() (int64, error)                 { return l.size, nil }
func (l storedLayer) MediaType() (types.MediaType, error)  { return types.DockerUncompressedLayer, nil }

// Load creates an image and loads it into the running cluster's container runtime. Its name must have a tag other than
// latest, otherwise pods try to pull it, and begin with dev.local/, otherwise Knative tries to resolve it.
func (c *Cluster) Load(ctx context.Context, ref string, image Image) error {
	s, err := c.space()
	if err != nil {
		return err
	}
	tag, err := name.NewTag(ref, name.StrictValidation)
	if err != nil {
		return err
	}
	return c.load(ctx, s, tag, image)
}

func (c *Cluster) load(ctx context.Context, s space, tag name.Tag, image Image) (err error) {
	scratch, err := os.MkdirTemp(c.file("run"), "image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	built, err := image.Build(filepath.Join(scratch, "layer.tar"))
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.Write(tag, built, w)) }()
	_, err = s.feed(ctx, r, "ctr", "--namespace", "k8s.io", "images", "import", "-")
	return errors.Join(err, r.Close())
}

// loaded returns the names of the images that the container runtime has.
func loaded(ctx context.Context, s space) ([]string, error) {
	out, err := s.run(ctx, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet")
	return strings.Fields(out), err
}

// loadPrograms loads images of built programs, named after them, if they are new or were rebuilt.
func (c *Cluster) loadPrograms(ctx context.Context, s space, programs ...string) error {
	have, err := loaded(ctx, s)
	if err != nil {
		return err
	}
	for _, program := range programs {
		tag, err := name.NewTag(programImage(program), name.StrictValidation)
		if err != nil {
			return err
		}
		binary, stamp := c.file("bin/"+program), c.file("var/images/"+strings.ReplaceAll(program, "/", "-"))
		info, err := os.Stat(binary)
		if err != nil {
			return err
		}
		state := info.ModTime().String()
		if last, err := os.ReadFile(stamp); err == nil && string(last) == state && slices.Contains(have, tag.Name()) {
			continue
		}
		target := "/bin/" + path.Base(program) // not /NAME: the Prometheus operator mounts a volume at /prometheus
		image := Image{Files: []File{{Source: binary, Target: target}}, Entrypoint: []string{target}}
		if err := c.load(ctx, s, tag, image); err != nil {
			return fmt.Errorf("loading %s: %w", tag, err)
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(stamp), 0o755), os.WriteFile(stamp, []byte(state), 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// programImage is the name of the image of a program in the folder bin.
func programImage(program string) string {
	return "dev.local/cluster/" + strings.ReplaceAll(program, "/", "-") + ":built"
}
