// Command issuer serves Dex, a real OpenID Connect issuer, on a loopback address for tests: with storage in memory, a few users, and public
// clients. It writes its address as one line of JSON, and ends when its standard input does. Each line of the input is a command:
//
//	rotate       makes new keys and signs with them at once; the former ones stay valid
//	withdraw     makes new keys; the former ones are not valid any more
//	clock 90m    sets the issuer's clock so far ahead; a negative duration sets it back
//
// Each command is answered by a line, when it has been carried out.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
)

func main() {
	if err := realMain(); err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		os.Exit(1)
	}
}

// issuer is Dex, which is made again with the same storage when its keys change: it rotates keys at its start.
type issuer struct {
	config  server.Config
	storage storage.Storage
	handler atomic.Pointer[server.Server]
	ahead   atomic.Int64 // of its clock, in nanoseconds
}

func realMain() error {
	url := flag.String("issuer", "", "URL of the issuer; by default that of the address that it serves")
	clients := flag.String("clients", "", "names of the public clients, separated by commas")
	valid := flag.Duration("valid", time.Hour, "how long a token is valid")
	flag.Parse()
	if *clients == "" || flag.NArg() > 0 {
		return errors.New("usage: issuer -clients NAME,... [-issuer URL] [-valid DURATION]")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if *url == "" {
		*url = "http://" + listener.Addr().String() + "/dex"
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	// A refresh token is replaced by each use, and lives as long as the process.
	renewal, err := server.NewRefreshTokenPolicy(log, false, "", "", "")
	if err != nil {
		return err
	}
	i := &issuer{storage: memory.New(log)}
	i.config = server.Config{
		Issuer: *url, PasswordConnector: people, SkipApprovalScreen: true, IDTokensValidFor: *valid, Now: i.now, Logger: log,
		RotateKeysAfter: 1000 * time.Hour, RefreshTokenPolicy: renewal,
	}
	server.ConnectorsConfig[people] = func() server.ConnectorConfig { return new(directory) }
	if err := i.register(strings.Split(*clients, ",")); err != nil {
		return err
	}
	if err := i.serve(); err != nil {
		return err
	}
	served := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { i.handler.Load().ServeHTTP(w, r) }),
		ReadHeaderTimeout: time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- served.Serve(listener) }()
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"address": listener.Addr().String(), "issuer": *url}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := i.obey(strings.Fields(lines.Text())); err != nil {
			return err
		}
		fmt.Println("done")
	}
	select {
	case err := <-failed:
		return err
	default:
		return served.Close()
	}
}

func (i *issuer) now() time.Time { return time.Now().Add(time.Duration(i.ahead.Load())) }

func (i *issuer) register(clients []string) error {
	for _, name := range clients {
		c := storage.Client{ID: name, Name: name, Public: true, RedirectURIs: []string{"/device/callback"}}
		if err := i.storage.CreateClient(context.Background(), c); err != nil {
			return err
		}
	}
	return i.storage.CreateConnector(context.Background(), storage.Connector{ID: people, Type: people, Name: people, Config: []byte("{}")})
}

func (i *issuer) serve() error {
	config := i.config
	config.Storage = i.storage
	s, err := server.NewServer(context.Background(), config)
	if err != nil {
		return err
	}
	i.handler.Store(s)
	return nil
}

func (i *issuer) obey(words []string) error {
	switch {
	case len(words) == 1 && words[0] == "rotate":
		return i.renew(func(k storage.Keys) storage.Keys { k.NextRotation = time.Time{}; return k })
	case len(words) == 1 && words[0] == "withdraw":
		return i.renew(func(storage.Keys) storage.Keys { return storage.Keys{} })
	case len(words) == 2 && words[0] == "clock":
		ahead, err := time.ParseDuration(words[1])
		i.ahead.Store(int64(ahead))
		return err
	}
	return fmt.Errorf("unknown command %q", words)
}

func (i *issuer) renew(change func(storage.Keys) storage.Keys) error {
	err := i.storage.UpdateKeys(func(k storage.Keys) (storage.Keys, error) { return change(k), nil })
	if err != nil {
		return err
	}
	return i.serve()
}
