package local

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
	"github.com/ag-computational-bio/bakta-web-backend/local/space"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	protov2 "github.com/ag-computational-bio/bakta-web-backend/proto/v2"
)

// filesOnDisk is the store of files, which copies an object only if the disk has space for it. The space for what users upload is
// checked where they connect.
type filesOnDisk struct {
	*s3.Store
	disk *space.Disk
}

// Copy implements store.Files.
func (f filesOnDisk) Copy(ctx context.Context, from, etag, to string) (job.File, error) {
	file, err := f.Stat(ctx, from)
	if err != nil {
		return job.File{}, err
	}
	if err := f.disk.Take(file.Size); err != nil {
		return job.File{}, err
	}
	return f.Store.Copy(ctx, from, etag, to)
}

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
