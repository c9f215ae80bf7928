package stores

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// Region is the region that the embedded object store is in.
const Region = "us-east-1"

// maxRequests is how many requests at a time the object store takes. A browser alone makes six.
const maxRequests = 1024

// Objects is an embedded S3 store, a versitygw on a directory. It answers scripts of any origin.
//
// A process can have one at a time. The store works in its directory, so the process does, too, while it is open:
// every relative path of the process means something else then.
type Objects struct {
	Address   string // host:port on which it listens
	AccessKey string
	SecretKey string

	came   string // the working directory before
	cancel context.CancelFunc
	done   chan error // gets what the server returned, once
}

// OpenObjects starts a store on the data below a directory, which is made if it is missing. Nobody else may have
// the directory open. It listens on an address host:port; port 0 stands for one that is free. Its credentials are
// made by the first call and kept in a file that is this user's alone.
func OpenObjects(dir, listen string) (*Objects, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "buckets"), 0o700); err != nil {
		return nil, err
	}
	o := &Objects{}
	if o.AccessKey, o.SecretKey, err = credentials(filepath.Join(dir, "credentials.json")); err != nil {
		return nil, err
	}
	if o.came, err = os.Getwd(); err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, err
	}
	// The server does not tell which port it got, so it is told one. Another process may take it in between.
	for range 10 {
		o.Address = listen
		if port == "0" {
			if o.Address, err = freeAddress(host); err != nil {
				return nil, err
			}
		}
		err = o.serve(dir)
		if err == nil || port != "0" || !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the object store in %s: %w", dir, err), os.Chdir(o.came))
	}
	return o, nil
}

// serve starts the server and waits until it listens.
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
			Ports:           []string{o.Address},
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

// Close stops the server and returns to the working directory from before.
func (o *Objects) Close() error {
	o.cancel()
	return errors.Join(<-o.done, os.Chdir(o.came))
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
	if content, err = json.Marshal(stored); err != nil {
		return "", "", err
	}
	// Written aside first: one that is killed here leaves no half file.
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return "", "", err
	}
	return stored.AccessKey, stored.SecretKey, os.Rename(path+".new", path)
}

func freeAddress(host string) (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
