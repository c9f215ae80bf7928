package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// clock is a kubelet whose clock can be moved: it runs in place of the usual one while BAKTA_TEST_CLOCK_STEP is set for `cluster up`. See
// e2e/clock. The container runtime, which is Debian's, keeps the machine's clock.
var clock = neighbour{
	name:     "clock",
	smallest: Kubernetes,
	programs: []set{{
		name: "a kubelet whose clock can be moved", module: parts, folder: "clock", packages: []string{"./kubelite"}, movable: true,
	}},
	fetch: func(c *Cluster, _ context.Context) error {
		if err := os.Symlink("kubelite", c.file("bin/clock/kubelet")); !errors.Is(err, fs.ErrExist) {
			return err
		}
		return nil
	},
	up: func(*Cluster, context.Context, space) error { return nil },
}

// kubelet returns the program of the node.
func kubelet() string {
	if os.Getenv("BAKTA_TEST_CLOCK_STEP") != "" {
		return here("bin/clock/kubelet")
	}
	return here("bin/kubelet")
}

// clockOverlay writes an overlay of the go command into a folder and returns its name.
func (c *Cluster) clockOverlay(ctx context.Context, folder string) (string, error) {
	if out, err := exec.CommandContext(ctx, filepath.Join(c.source, "clock", "overlay.sh"), folder).CombinedOutput(); err != nil {
		return "", fmt.Errorf("writing the overlay of the clock: %w: %s", err, out)
	}
	return filepath.Join(folder, "clock.json"), nil
}
