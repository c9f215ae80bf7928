package main

import (
	"context"
	"os"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// hint calls UpdateStatus of the service at a host and port. It tries up to four times, until ctx ends, because Knative may
// have to start the service first.
func hint(ctx context.Context, address, id string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	if trace := os.Getenv("TRACEPARENT"); trace != "" {
		// The effects of the hint belong to the trace in which the job was started.
		ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", trace)
	}
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 200 * time.Millisecond
	_, err = backoff.Retry(ctx, func() (*pb.Empty, error) {
		return pb.NewBaktaStatusUpdateClient(conn).UpdateStatus(ctx, &pb.UpdateStatusRequest{JobID: id}, grpc.WaitForReady(true))
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(4))
	return err
}
