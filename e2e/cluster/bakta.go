package cluster

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// BaktaImage returns an image of the real Bakta, from the directory that `make bakta` has set up and the Debian packages
// that it needs. In the image, Bakta is in /opt/bakta and on the PATH, and its tiny database is /opt/bakta/db.
func BaktaImage(ctx context.Context, dir string) (Image, error) {
	const target = "/opt/bakta"
	image := Image{
		Files:      []File{{Source: dir, Target: target}},
		Path:       []string{target + "/bin"},
		Entrypoint: []string{"bakta"},
	}
	// The interpreter may be another one than Debian's; its libraries, and those of Python packages, are Debian's.
	interpreter, err := pythonHome(filepath.Join(dir, "venv", "pyvenv.cfg"))
	if err != nil {
		return Image{}, fmt.Errorf("finding the Python of Bakta in %s: %w", dir, err)
	}
	if !strings.HasPrefix(interpreter, "/usr/") {
		image.Files = append(image.Files, File{Source: interpreter, Target: interpreter})
	}
	debian, err := DebianFiles(ctx, "python3", "libstdc++6", "perl")
	image.Files = append(image.Files, debian...)
	return image, err
}

// pythonHome returns the directory that a virtual environment's interpreter is installed in.
func pythonHome(config string) (string, error) {
	file, err := os.Open(config)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if key, value, _ := strings.Cut(lines.Text(), "="); strings.TrimSpace(key) == "home" {
			return filepath.Dir(strings.TrimSpace(value)), nil
		}
	}
	if err := lines.Err(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s has no line home", config)
}
