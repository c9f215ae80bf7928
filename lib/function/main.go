package function

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
)

// Main is the main function of a function's program. It has build make the host, runs it on the port that the
// environment's PORT names (Knative sets it; 8080 by default), ends it in order on SIGTERM or an interrupt, at
// once on a second one, and ends the program: with status 0 if all went well, else with 1 after logging why.
// It logs to standard error.
func Main(build func(context.Context, *slog.Logger) (*Host, error)) {
	log := NewLogger(os.Stderr, slog.LevelInfo)
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	if err := run(log, net.JoinHostPort("", port), build); err != nil {
		log.Error("the program ends", "error", err)
		os.Exit(1)
	}
}

func run(log *slog.Logger, address string, build func(context.Context, *slog.Logger) (*Host, error)) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal has its usual effect
	host, err := build(ctx, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return host.Run(ctx, listener)
}
