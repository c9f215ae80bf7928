package stores

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// Region is the region that the embedded object store is in.
const Region = "us-east-1"

// maxRequests is how many requests at a time the object store takes: more than its front lets through, so that there
// is always room for the backend.
const maxRequests = 4096

// ObjectsOptions says where the object store keeps its data and who reaches it.
type ObjectsOptions struct {
	Dir    string // of the data; made if missing. Nobody else may have it open
	Listen string // address host:port for users; port 0 stands for one that is free
	Log    *slog.Logger

	// Room, if not nil, returns an error if there is no room for so many bytes that a user is about to upload.
	Room func(size int64) error
	// Guard, if not nil, refuses requests of users, and is what says whose scripts may come: those of any origin may read
	// the answers to the requests that it hands on, whatever the bucket's own rules are.
	Guard func(http.Handler) http.Handler
}

// Objects is an embedded S3 store, a versitygw on a directory. Users reach it at an address, within limits; the backend by
// Dial, where there is room whatever users do.
//
// A process can have one at a time. The store works in its directory, so the process does, too, while it is open:
// every relative path of the process means something else then.
type Objects struct {
	Address   string // host:port at which users reach it
	AccessKey string
	SecretKey string

	socket string // path of the socket on which the store itself listens
	tmp    string // directory of the socket, if it is a temporary one
	front  *front
	came   string // the working directory before
	cancel context.CancelFunc
	done   chan error // gets what the store returned, once
}

// OpenObjects starts a store. Its credentials are made by the first call and kept in a file that is this user's alone.
func OpenObjects(options ObjectsOptions) (o *Objects, err error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "buckets"), 0o700); err != nil {
		return nil, err
	}
	o = &Objects{}
	if o.AccessKey, o.SecretKey, err = credentials(filepath.Join(dir, "credentials.json")); err != nil {
		return nil, err
	}
	if o.socket, o.tmp, err = socket(dir, "objects.sock"); err != nil {
		return nil, err
	}
	if o.came, err = os.Getwd(); err != nil {
		return nil, errors.Join(err, o.removeSocket())
	}
	listener, err := net.Listen("tcp", options.Listen)
	if err == nil {
		o.Address = listener.Addr().String()
		if err = o.serve(dir); err != nil {
			listener.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the object store in %s: %w", dir, err), os.Chdir(o.came), o.removeSocket())
	}
	o.front = newFront(listener, o.Dial, options)
	return o, nil
}

// Dial connects to the store itself, whatever network and address are named.
func (o *Objects) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", o.socket)
}

// serve starts the store and waits until it listens.
func (o *Objects) serve(dir string) error {
	buckets := filepath.Join(dir, "buckets")
	attributes, sidecar, err := attributeStore(dir, buckets)
	if err != nil {
		return err
	}
	backend, err := posix.New(buckets, attributes, posix.PosixOpts{SideCarDir: sidecar})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel, o.done = cancel, make(chan error, 1)
	listening := make(chan struct{})
	go func() {
		o.done <- embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess: o.AccessKey, RootUserSecret: o.SecretKey, Region: Region,
			IAMService: auth.NewIAMServiceSingle(auth.Account{
				Access: o.AccessKey, Secret: o.SecretKey, Role: auth.RoleAdmin,
			}),
			Ports:           []string{o.socket},
			SocketPerm:      "0600",
			MaxConnections:  maxRequests,
			MaxRequests:     maxRequests,
			KeepAlive:       true,
			CORSAllowOrigin: "*",
			Quiet:           true,
			// The longest multipart upload that S3 has.
			MultipartMaxParts: 10_000,
			S3Options:         []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		})
	}()
	select {
	case <-listening:
		return nil
	case err := <-o.done:
		cancel()
		return err
	}
}

// Close stops the store and returns to the working directory from before.
func (o *Objects) Close() error {
	err := o.front.close()
	o.cancel()
	return errors.Join(err, <-o.done, os.Chdir(o.came), o.removeSocket())
}

func (o *Objects) removeSocket() error {
	if o.tmp == "" {
		return nil
	}
	return os.RemoveAll(o.tmp)
}

// attributeStore returns where objects' ETags and the like are kept: with the files where the file system can do
// that, else in a directory beside them. A directory that was begun is gone on with.
func attributeStore(dir, buckets string) (store meta.MetadataStorer, sidecar string, err error) {
	sidecar = filepath.Join(dir, "attributes")
	if _, err := os.Stat(sidecar); errors.Is(err, fs.ErrNotExist) {
		probe, err := os.CreateTemp(dir, ".probe-*")
		if err != nil {
			return nil, "", err
		}
		defer os.Remove(probe.Name())
		defer probe.Close()
		if (meta.XattrMeta{}).StoreAttribute(probe, "", "", "probe", []byte("1")) == nil {
			return meta.XattrMeta{}, "", nil
		}
		if err := os.Mkdir(sidecar, 0o700); err != nil {
			return nil, "", err
		}
	} else if err != nil {
		return nil, "", err
	}
	store, err = meta.NewSideCar(sidecar)
	return store, sidecar, err
}

// credentials returns those that the file holds, and makes them if there is none.
func credentials(path string) (access, secret string, err error) {
	var stored struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	content, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(content, &stored); err != nil || stored.AccessKey == "" || stored.SecretKey == "" {
			return "", "", fmt.Errorf("%s does not hold the object store's credentials; remove it to have new ones", path)
		}
		return stored.AccessKey, stored.SecretKey, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", "", err
	}
	stored.AccessKey, stored.SecretKey = "bakta"+strings.ToLower(rand.Text()), rand.Text()+rand.Text()
	if content, err = json.Marshal(stored); err != nil { //nolint:gosec // for a file that this user alone can read
		return "", "", err
	}
	// Written aside first: one that is killed here leaves no half file.
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return "", "", err
	}
	return stored.AccessKey, stored.SecretKey, os.Rename(path+".new", path)
}
