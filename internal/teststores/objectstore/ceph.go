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
	"text/template"
	"time"

	"github.com/google/uuid"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/fetch"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

var cephPackages = []string{"ceph-base", "ceph-common", "ceph-mon", "ceph-osd", "radosgw", "python3-rados"}

// newOSD adds an OSD to the cluster. The monitor takes such commands by Ceph's protocol alone, which Debian's Python speaks.
var newOSD = []string{"python3", "-c", `
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
	programs fetch.Tree
	dir      string
	env      []string
}

// startCeph returns what starts the Ceph of a release of Debian with its object gateway (RGW).
func startCeph(release string) func(ctx context.Context, root, dir string) (*Server, error) {
	return func(ctx context.Context, root, dir string) (*Server, error) {
		programs, err := fetch.Debian(ctx, release, filepath.Join(root, ".cache", "ceph-"+release), cephPackages...)
		if err != nil {
			return nil, fmt.Errorf("fetching the Ceph of Debian's %s: %w", release, err)
		}
		ports, err := process.FreePorts(2)
		if err != nil {
			return nil, err
		}
		usr := filepath.Join(string(programs), "usr")
		c := &ceph{
			Server:   &Server{Endpoint: "http://127.0.0.1:" + ports[1], Region: region, AccessKey: accessKey, SecretKey: secretKey},
			programs: programs, dir: dir,
			env: append(os.Environ(), "CEPH_CONF="+filepath.Join(dir, "ceph.conf"),
				"PYTHONHOME="+usr, "PYTHONPATH="+filepath.Join(usr, "lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE=1"),
		}
		if err := c.bringUp(ctx, ports[0], ports[1]); err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		return c.Server, nil
	}
}

func (c *ceph) bringUp(ctx context.Context, monitor, gateway string) error {
	cluster, osd := uuid.NewString(), uuid.NewString()
	var conf bytes.Buffer
	if err := template.Must(template.New("").Parse(cephConf)).Execute(&conf, map[string]string{
		"Cluster": cluster, "Dir": c.dir, "Libraries": filepath.Join(string(c.programs), "usr/lib/x86_64-linux-gnu"),
		"Monitor": monitor, "Gateway": gateway,
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
		return func() error {
			cmd, err := c.command(context.WithoutCancel(ctx), args...)
			if err != nil {
				return err
			}
			return c.start(args[0], cmd, c.dir)
		}
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
	cmd, err := c.command(ctx, args...)
	if err != nil {
		return err
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", args, err, bytes.TrimSpace(out))
	}
	return nil
}

// command returns a command of one of the packages' programs.
func (c *ceph) command(ctx context.Context, args ...string) (*exec.Cmd, error) {
	cmd, err := c.programs.Command(ctx, args[0], args[1:]...)
	if err != nil {
		return nil, err
	}
	cmd.Env, cmd.Dir = c.env, c.dir
	return cmd, nil
}
