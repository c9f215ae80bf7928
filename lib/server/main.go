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

// Main is the main function of a function's program. It has build make the server, runs it on the server's Address,
// or on the port that the environment's PORT names (Knative sets it; 8080 by default), ends it in order on SIGTERM or an interrupt, at
// once on a second one, and ends the program: with status 0 if all went well, else with 1 after logging why.
// It logs to standard error.
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
	// gRPC and its gateway log on their own: what they call an error is a client that went away.
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, slog.NewLogLogger(log.Handler(), slog.LevelWarn).Writer()))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal has its usual effect
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
