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
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

// Region is the region of the embedded S3 store.
const Region = "us-east-1"

// maxRequests bounds the concurrent requests of the S3 store. It is more than the front lets through, so that the backend
// can always send requests.
const maxRequests = 4096

// ObjectsOptions are the options of the embedded S3 store.
type ObjectsOptions struct {
	Dir    string       // of the data; created if missing. No other process may have it open
	Listen string       // address host:port for users; port 0 is a free port
	Log    *slog.Logger // nil logs nothing

	// Room, if not nil, returns an error if the disk has too little space for an upload of so many bytes.
	Room func(size int64) error
	// Guard, if not nil, refuses requests of users. It decides about origins: scripts of any origin may read the responses
	// to the requests that it passes on, independent of the CORS rules of the bucket.
	Guard func(http.Handler) http.Handler

	setAttribute func(*os.File) error // sets an extended attribute of a file; for tests
}

// Objects is an embedded S3 store: versitygw on a directory. Users connect to its address, within limits. The backend
// connects by Dial, where the limits of users do not apply.
//
// A process can have one at a time. While it is open, the working directory of the process is the directory of the store,
// so relative paths of the process change their meaning.
type Objects struct {
	Address   string // host:port for users
	AccessKey string
	SecretKey string

	disk   *os.File // a directory on the file system that has the objects
	socket string   // path of the socket on which the store itself listens
	tmp    string   // directory of the socket, if it is a temporary one
	front  *front
	before string // working directory before the store was opened
	stop   func() error
}

// OpenObjects starts a store. The first call creates its credentials, and stores them in a file that only this user can
// read.
func OpenObjects(options ObjectsOptions) (o *Objects, err error) {
	dir, err := filepath.Abs(options.Dir)
	if err != nil {
		return nil, err
	}
	buckets := filepath.Join(dir, "buckets")
	if err := os.MkdirAll(buckets, 0o700); err != nil {
		return nil, err
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.setAttribute == nil {
		options.setAttribute = setAttribute
	}
	disk, err := os.Open(buckets)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			disk.Close()
		}
	}()
	o = &Objects{disk: disk}
	if o.AccessKey, o.SecretKey, err = credentials(filepath.Join(dir, "credentials.json")); err != nil {
		return nil, err
	}
	if o.socket, o.tmp, err = socket(dir, "objects.sock"); err != nil {
		return nil, err
	}
	if o.before, err = os.Getwd(); err != nil {
		return nil, errors.Join(err, o.removeSocket())
	}
	listener, err := net.Listen("tcp", options.Listen)
	if err == nil {
		o.Address = listener.Addr().String()
		if err = o.serve(dir, buckets, options); err != nil {
			listener.Close()
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the S3 store in %s: %w", dir, err), os.Chdir(o.before), o.removeSocket())
	}
	o.front = newFront(listener, o.Dial, options)
	return o, nil
}

// Dial connects to the socket of the store. It ignores the network and the address.
func (o *Objects) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "unix", o.socket)
}

// serve starts the store and waits until it listens.
func (o *Objects) serve(dir, buckets string, options ObjectsOptions) error {
	attributes, sidecar, err := attributeStore(dir, buckets, options)
	if err != nil {
		return err
	}
	removeInterrupted(buckets, options.Log)
	backend, err := posix.New(buckets, attributes, posix.PosixOpts{
		SideCarDir: sidecar,
		// The lock file orders the writes of several processes. Only this one writes here.
		ForceNoObjLockFile: true,
		// The largest object that one request may copy, in bytes: S3's limit. versitygw 1.8.0 documents it as the default, but
		// only its program sets it.
		CopyObjectThreshold: 5 << 30,
	})
	if err != nil {
		return err
	}
	listening := make(chan struct{})
	root := middlewares.RootUserConfig{Access: o.AccessKey, Secret: o.SecretKey}
	// Not by the package embedgw, which would add the clients of all account services and message brokers that versitygw
	// supports to this program, megabytes of code.
	server, err := s3api.New(backend, root, Region,
		auth.NewIAMServiceSingle(auth.Account{Access: o.AccessKey, Secret: o.SecretKey, Role: auth.RoleAdmin}),
		nil, nil, nil, nil, // no logs of requests, no events, no metrics
		s3api.WithConcurrencyLimiter(maxRequests, maxRequests),
		s3api.WithMpMaxParts(10_000), // the maximum of S3
		s3api.WithSocketPerm(0o600),
		s3api.WithCORSAllowOrigin("*"),
		s3api.WithKeepAlive(),
		s3api.WithQuiet(),
		s3api.WithOnListen(func() { close(listening) }),
	)
	if err != nil {
		backend.Shutdown()
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.ServeMultiPort([]string{o.socket}) }()
	o.stop = func() error {
		err := server.ShutDown()
		<-served // with the error that its listener is closed
		backend.Shutdown()
		return err
	}
	select {
	case <-listening:
	case err := <-served:
		backend.Shutdown()
		return err
	}
	if err := o.awaitAnswer(); err != nil {
		return errors.Join(err, o.stop())
	}
	return nil
}

// awaitAnswer waits until the store has answered a request. Its hook OnListen runs before its server serves, and a shutdown
// between the two has no effect (fiber 3.5.0, listen.go; fasthttp 1.73.0, server.go): the store would then serve for ever, and
// Close wait for it. A server that has answered serves, so that a shutdown ends it.
func (o *Objects) awaitAnswer() error {
	client := http.Client{Transport: &http.Transport{DialContext: o.Dial, DisableKeepAlives: true}, Timeout: time.Minute}
	answer, err := client.Head("http://store/") // unsigned: any answer will do
	if err != nil {
		return fmt.Errorf("the first request to the store: %w", err)
	}
	return answer.Body.Close()
}

// Close stops the store and restores the working directory.
func (o *Objects) Close() error {
	err := o.front.close()
	return errors.Join(err, o.stop(), o.disk.Close(), os.Chdir(o.before), o.removeSocket())
}

// Sync returns when all objects that were stored before the call are on the disk: versitygw leaves that to the operating system. It
// writes back the whole file system of the store, also what other programs wrote to it. An error is a *fs.PathError. It means that
// something that was written since the last call may be lost; the next call does not report it again.
func (o *Objects) Sync() error {
	if err := syncFileSystem(o.disk); err != nil {
		return &fs.PathError{Op: "syncfs", Path: o.disk.Name(), Err: err}
	}
	return nil
}

func (o *Objects) removeSocket() error {
	if o.tmp == "" {
		return nil
	}
	return os.RemoveAll(o.tmp)
}

// removeInterrupted deletes what uploads left that a kill interrupted, where the file system can't write files without a name. No
// listing shows these files, and nothing else deletes them. Those of unfinished multipart uploads are in a directory beside them: they
// may be continued, and a client can list and abort them. No upload may be in progress.
func removeInterrupted(buckets string, log *slog.Logger) {
	found, err := os.ReadDir(buckets)
	if err != nil {
		log.Error("what interrupted uploads left can't be searched", "directory", buckets, "error", err)
	}
	for _, bucket := range found {
		dir := filepath.Join(buckets, bucket.Name(), posix.MetaTmpDir)
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			log.Error("what interrupted uploads left can't be searched", "directory", dir, "error", err)
		}
		for _, e := range entries {
			if !e.Type().IsRegular() {
				continue
			}
			path := filepath.Join(dir, e.Name())
			if err := os.Remove(path); err != nil {
				log.Error("what an interrupted upload left can't be deleted; delete the file", "file", path, "error", err)
				continue
			}
			log.Info("deleted what an interrupted upload left", "file", path)
		}
	}
}

// attributeStore returns the store of ETags and other attributes of objects: extended attributes of the files if the file
// system supports them, else a directory beside them. Once that directory exists, it is used. It is created only while there are no
// objects, and only if the file system says that it has no extended attributes: with it, the attributes of objects that are stored
// already would not be found. With any other error, a store that has objects goes on as before.
func attributeStore(dir, buckets string, options ObjectsOptions) (store meta.MetadataStorer, sidecar string, err error) {
	sidecar = filepath.Join(dir, "attributes")
	if _, err := os.Stat(sidecar); errors.Is(err, fs.ErrNotExist) {
		unusable, err := probe(dir, options.setAttribute)
		if err != nil {
			return nil, "", err
		}
		if unusable == nil {
			return meta.XattrMeta{}, "", nil
		}
		stored, err := os.ReadDir(buckets) // a bucket has attributes, too
		if err != nil {
			return nil, "", err
		}
		unsupported := errors.Is(unusable, syscall.ENOTSUP) || errors.Is(unusable, syscall.EOPNOTSUPP)
		switch {
		case !unsupported && len(stored) > 0: // a full disk, for example, where jobs can be deleted
			options.Log.Error("an extended attribute can't be set, so new files can't be stored", "directory", dir, "error", unusable)
			return meta.XattrMeta{}, "", nil
		case !unsupported:
			return nil, "", fmt.Errorf("an extended attribute of a file in %s can't be set: %w; mend the file system (is it full, or "+
				"damaged?) or its mount, and start again", dir, unusable)
		case len(stored) > 0:
			return nil, "", fmt.Errorf("the file system of %s has no extended attributes, but the ETags of the files in %s are stored in "+
				"extended attributes: %w; move the directory back to a file system that has them, with a copy that keeps them (cp -a, "+
				"rsync -X), and start again", dir, buckets, unusable)
		}
		if err := os.Mkdir(sidecar, 0o700); err != nil {
			return nil, "", err
		}
		options.Log.Info("the file system has no extended attributes, so the ETags of files are stored in a directory", "directory", sidecar)
	} else if err != nil {
		return nil, "", err
	}
	store, err = meta.NewSideCar(sidecar)
	return store, sidecar, err
}

// probe returns why extended attributes can't be set in a directory, or nil if they can. An error means that it could not try.
func probe(dir string, set func(*os.File) error) (unusable, err error) {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	return set(f), nil
}

func setAttribute(f *os.File) error {
	return meta.XattrMeta{}.StoreAttribute(f, "", "", "probe", []byte("1"))
}

// credentials returns the credentials in a file. It creates the file if it does not exist.
func credentials(path string) (access, secret string, err error) {
	var stored struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	content, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(content, &stored); err != nil || stored.AccessKey == "" || stored.SecretKey == "" {
			return "", "", fmt.Errorf("%s does not contain the credentials of the S3 store; delete the file to create new ones", path)
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
	// Whole or not at all, so that a kill does not leave an incomplete file.
	return stored.AccessKey, stored.SecretKey, renameio.WriteFile(path, content, 0o600, renameio.WithTempDir(filepath.Dir(path)))
}
