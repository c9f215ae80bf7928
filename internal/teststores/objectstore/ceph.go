package objectstore

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/fetch"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// The Ceph of Debian 12.
const cephVersion = "16.2.15+ds-0+deb12u2"

var cephPackages = []string{
	"ceph-base", "ceph-common", "ceph-mon", "ceph-osd", "radosgw", "libcephfs2", "librados2", "libradosstriper1", "librbd1", "librgw2",
	"python3-rados",
}

// newOSD adds an OSD to the cluster. The monitor takes such commands by Ceph's protocol alone, which Debian's Python speaks.
var newOSD = []string{"/usr/bin/python3", "-c", `
import json, rados, sys
cluster = rados.Rados(conffile="")
cluster.connect(timeout=30)
code, _, said = cluster.mon_command(json.dumps({"prefix": "osd new", "uuid": sys.argv[1]}), b"")
sys.exit(said if code else 0)
`}

//go:embed ceph.conf
var cephConf string

// ceph is a cluster of one monitor and one OSD with its data in memory.
type ceph struct {
	*Server
	root string // of the unpacked packages
	dir  string
	env  []string
}

// startCeph starts a Ceph cluster and its object gateway (RGW).
func startCeph(ctx context.Context, root, dir string) (*Server, error) {
	unpacked := filepath.Join(root, ".cache", "ceph-"+cephVersion)
	if err := fetch.Debian(ctx, "bookworm", unpacked, cephVersion, cephPackages...); err != nil {
		return nil, fmt.Errorf("fetching Ceph: %w", err)
	}
	ports, err := process.FreePorts(2)
	if err != nil {
		return nil, err
	}
	libraries := filepath.Join(unpacked, "usr/lib/x86_64-linux-gnu")
	c := &ceph{
		Server: &Server{Endpoint: "http://127.0.0.1:" + ports[1], Region: region, AccessKey: accessKey, SecretKey: secretKey},
		root:   unpacked, dir: dir,
		env: append(os.Environ(), "CEPH_CONF="+filepath.Join(dir, "ceph.conf"),
			"LD_LIBRARY_PATH="+strings.Join([]string{libraries, libraries + "/ceph", filepath.Join(unpacked, "lib/x86_64-linux-gnu")}, ":"),
			"PYTHONPATH="+filepath.Join(unpacked, "usr/lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE=1"),
	}
	if err := c.bringUp(ctx, ports[0], ports[1]); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c.Server, nil
}

func (c *ceph) bringUp(ctx context.Context, monitor, gateway string) error {
	cluster, osd := uuid.NewString(), uuid.NewString()
	var conf bytes.Buffer
	if err := template.Must(template.New("").Parse(cephConf)).Execute(&conf, map[string]string{
		"Cluster": cluster, "Dir": c.dir, "Libraries": filepath.Join(c.root, "usr/lib/x86_64-linux-gnu"), "Monitor": monitor, "Gateway": gateway,
	}); err != nil {
		return err
	}
	err := os.WriteFile(filepath.Join(c.dir, "ceph.conf"), conf.Bytes(), 0o600)
	for _, name := range []string{"mon", "osd", "rgw"} {
		err = errors.Join(err, os.Mkdir(filepath.Join(c.dir, name), 0o700))
	}
	if err != nil {
		return err
	}
	monmap := filepath.Join(c.dir, "monmap")
	run := func(args ...string) func() error { return func() error { return c.run(ctx, args...) } }
	daemon := func(args ...string) func() error {
		return func() error { return c.start(args[0], c.command(context.WithoutCancel(ctx), args...), c.dir) }
	}
	for _, step := range []func() error{
		run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", "[v2:127.0.0.1:"+monitor+"]", monmap),
		run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap),
		daemon("ceph-mon", "-i", "a", "-f"),
		run(append(newOSD, osd)...),
		run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd),
		daemon("ceph-osd", "-i", "0", "-f"),
		run("radosgw-admin", "user", "create", "--uid", "test", "--display-name", "test",
			"--access-key", c.AccessKey, "--secret-key", c.SecretKey),
		daemon("radosgw", "-n", "client.rgw", "-f"),
	} {
		if err := errors.Join(step(), c.ended()); err != nil {
			return err
		}
	}
	return c.until(ctx, c.writes)
}

// run runs a program of Ceph until it ends, at most a minute: without its monitor, it would wait for it.
func (c *ceph) run(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if out, err := c.command(ctx, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", args, err, bytes.TrimSpace(out))
	}
	return nil
}

// command returns a command of Ceph: the name of a program of its packages, or the path of another one.
func (c *ceph) command(ctx context.Context, args ...string) *exec.Cmd {
	program := args[0]
	if !filepath.IsAbs(program) {
		program = filepath.Join(c.root, "usr/bin", program)
	}
	cmd := exec.CommandContext(ctx, program, args[1:]...)
	cmd.Env, cmd.Dir = c.env, c.dir
	return cmd
}
