package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"

	"google.golang.org/grpc/grpclog"
)

// Main is the main function of a function's program. It calls build for the server and runs it on the server's Address, by default on the
// port in the environment variable PORT, which Knative sets, or 8080. SIGTERM or an interrupt drains the server; a second one ends the
// program at once. The exit status is 0, or 1 after an error, which is logged. Main logs to standard error.
func Main(build func(context.Context, *slog.Logger) (*Server, error)) {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	os.Exit(program(net.JoinHostPort("", port), build))
}

// program runs a function's program and returns its exit status.
func program(address string, build func(context.Context, *slog.Logger) (*Server, error)) int {
	log := NewLogger(os.Stderr, slog.LevelInfo)
	// gRPC and its gateway have a log of their own, in which a client that disconnects is an error.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, slog.NewLogLogger(log.Handler(), slog.LevelWarn).Writer()))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal has its default effect
	if err := run(ctx, log, address, build); err != nil {
		log.Error("the program ends", "error", err)
		return 1
	}
	log.Info("the program ends")
	return 0
}

func run(ctx context.Context, log *slog.Logger, address string, build func(context.Context, *slog.Logger) (*Server, error)) error {
	srv, err := build(ctx, log)
	if err != nil {
		return err
	}
	if srv.Address != "" {
		address = srv.Address
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(err, srv.close(ctx))
	}
	return srv.Run(ctx, listener)
}
