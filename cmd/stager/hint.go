package main

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// hint calls UpdateStatus at a host and port, a few times if need be, until ctx ends. The service may have to
// start first.
func hint(ctx context.Context, address, id string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = 200 * time.Millisecond
	_, err = backoff.Retry(ctx, func() (*pb.Empty, error) {
		return pb.NewBaktaStatusUpdateClient(conn).UpdateStatus(ctx, &pb.UpdateStatusRequest{JobID: id}, grpc.WaitForReady(true))
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(4))
	return err
}
