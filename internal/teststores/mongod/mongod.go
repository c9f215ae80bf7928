// Package mongod fetches and starts a real MongoDB server for tests: a replica set of one on loopback, because
// retryable writes and majority concerns have no effect on a standalone server.
package mongod

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores/process"
)

// portTaken is mongod's exit code when it can't listen on its port.
const portTaken = 48

// Server is a running mongod.
type Server struct {
	URI     string
	process *process.Process
}

// Start starts a server with its data below dir, and returns when it accepts writes. It downloads the program to the cache directory
// if it is not there. The server ends with this process at the latest. It keeps up to that many gigabytes of data in memory, at
// least 0.25; its own default is half of this machine's memory.
func Start(ctx context.Context, cache, dir string, gigabytes float64) (*Server, error) {
	s, err := start(ctx, cache, dir, gigabytes)
	if err != nil {
		return nil, fmt.Errorf("no MongoDB server to test on: %w\nSet MONGODB_URI to one that may be filled with test databases", err)
	}
	return s, nil
}

func start(ctx context.Context, cache, dir string, gigabytes float64) (*Server, error) {
	return tries(ctx, cache, dir, gigabytes, initiate)
}

// StartUninitiated starts a server whose replica set has no configuration. It need not answer yet.
func StartUninitiated(ctx context.Context, cache, dir string) (*Server, error) {
	return tries(ctx, cache, dir, 0.25, func(context.Context, *process.Process, string) error { return nil })
}

// tries starts a server and calls then with it and its address.
func tries(
	ctx context.Context, cache, dir string, gigabytes float64, then func(context.Context, *process.Process, string) error,
) (*Server, error) {
	command, err := program(ctx, cache)
	if err != nil {
		return nil, err
	}
	// A free port may be taken by another process before mongod gets it. Each try has a directory of its own:
	// a replica set that was set up on another port never elects itself.
	for try := range 10 {
		s, err := launch(ctx, command, filepath.Join(dir, strconv.Itoa(try)), gigabytes, then)
		if !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
	return nil, errPortTaken
}

var errPortTaken = errors.New("another process took each free port first")

func launch(
	ctx context.Context, command []string, dir string, gigabytes float64, then func(context.Context, *process.Process, string) error,
) (*Server, error) {
	data := filepath.Join(dir, "db")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	ports, err := process.FreePorts(1)
	if err != nil {
		return nil, err
	}
	port := ports[0]
	p, err := process.Start(filepath.Join(dir, "mongod.log"), exec.Command(command[0], append(command[1:len(command):len(command)],
		"--dbpath", data, "--bind_ip", "127.0.0.1", "--port", port, "--nounixsocket",
		"--replSet", "rs0", "--oplogSize", "64",
		"--wiredTigerCacheSizeGB", strconv.FormatFloat(gigabytes, 'f', -1, 64),
		"--setParameter", "diagnosticDataCollectionEnabled=false")...))
	if err != nil {
		return nil, err
	}
	if err := then(ctx, p, "127.0.0.1:"+port); err != nil {
		return nil, errors.Join(err, p.Stop(10*time.Second))
	}
	return &Server{URI: "mongodb://127.0.0.1:" + port + "/?replicaSet=rs0", process: p}, nil
}

// initiate makes the server a replica set of its own and waits until it is the primary.
func initiate(ctx context.Context, p *process.Process, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := mongo.Connect(options.Client().SetHosts([]string{address}).SetDirect(true).
		SetServerSelectionTimeout(time.Second))
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	admin := client.Database("admin")

	config := bson.D{{Key: "_id", Value: "rs0"}, {Key: "members", Value: bson.A{bson.D{
		{Key: "_id", Value: 0}, {Key: "host", Value: address},
	}}}}
	ours := func() error {
		// The process that took the port first may be a mongod, too, and must not be mistaken for this server.
		var status struct {
			PID int64 `bson:"pid"`
		}
		if err := admin.RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
			return err
		}
		if status.PID != int64(p.PID()) {
			return fmt.Errorf("process %d answers instead", status.PID)
		}
		return nil
	}
	initiated := func() error {
		err := admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: config}}).Err()
		if err != nil && strings.Contains(err.Error(), "AlreadyInitialized") {
			return nil
		}
		return err
	}
	primary := func() error {
		var hello struct {
			IsWritablePrimary bool `bson:"isWritablePrimary"`
		}
		if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
			return err
		}
		if !hello.IsWritablePrimary {
			return errors.New("it has not elected a primary")
		}
		return nil
	}
	for _, step := range []func() error{ours, initiated, primary} {
		if err := until(ctx, p, step); err != nil {
			return err
		}
	}
	return nil
}

// until repeats a step until it works or the server has ended.
func until(ctx context.Context, p *process.Process, step func() error) error {
	for {
		err := step()
		if err == nil {
			return nil
		}
		select {
		case <-p.Exited():
			if p.ExitCode() == portTaken {
				return errPortTaken
			}
			return p.Err()
		case <-ctx.Done():
			return fmt.Errorf("%w: %w: %s", ctx.Err(), err, p.Tail())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop stops the server, and returns when it has ended.
func (s *Server) Stop() error { return s.process.Stop(10 * time.Second) }
