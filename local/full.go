package local

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// onFullDisk refuses calls that create data while the disk is full, and releases the reserve for calls that delete data.
func onFullDisk(disk *space.Disk) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		switch info.FullMethod {
		case protov1.BaktaJobs_InitJob_FullMethodName, protov1.BaktaJobs_StartJob_FullMethodName,
			protov2.BaktaJobs_InitJob_FullMethodName, protov2.BaktaJobs_StartJob_FullMethodName, protov2.BaktaJobs_SubmitJob_FullMethodName,
			protov2.BaktaJobs_RerunJob_FullMethodName:
			if e := (*job.Error)(nil); errors.As(disk.Take(0), &e) {
				return nil, status.Error(codes.Unavailable, e.Message)
			}
		case protov1.BaktaJobs_Delete_FullMethodName, protov2.BaktaJobs_Delete_FullMethodName:
			answer, err := handler(ctx, request)
			if code := status.Code(err); (code == codes.Unavailable || code == codes.Internal) && disk.Full() {
				// The reserve is released only after a failure: the program that fills the disk may still write.
				defer disk.Release()()
				answer, err = handler(ctx, request)
			}
			return answer, err
		}
		return handler(ctx, request)
	}
}
