// Command objectstore runs the embedded S3 store for tests of other modules. When it serves, it writes its endpoint and
// credentials to a file as JSON. SIGTERM stops it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/ag-computational-bio/bakta-web-backend/local/stores"
)

func main() {
	if err := realMain(); err != nil {
		fmt.Fprintln(os.Stderr, "objectstore:", err)
		os.Exit(1)
	}
}

func realMain() (err error) {
	dir := flag.String("dir", "", "directory of the data")
	ready := flag.String("ready", "", "file to write when it serves")
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on; port 0 is a free port")
	flag.Parse()
	if *dir == "" || *ready == "" || flag.NArg() > 0 {
		return errors.New("usage: objectstore -dir DIR -ready FILE [-listen ADDRESS]")
	}
	file, err := filepath.Abs(*ready) // the store changes the working directory
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := stores.OpenObjects(stores.ObjectsOptions{Dir: *dir, Listen: *listen, Log: slog.Default()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.Close()) }()
	content, err := json.Marshal(map[string]string{
		"endpoint": "http://" + o.Address, "region": stores.Region,
		"access_key": o.AccessKey, "secret_key": o.SecretKey,
	})
	if err != nil {
		return err
	}
	// A process that waits for the file never reads a part of it.
	if err := renameio.WriteFile(file, content, 0o600, renameio.WithTempDir(filepath.Dir(file))); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
