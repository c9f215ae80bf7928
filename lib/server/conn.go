package server

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// conn is a client connection to the server's own methods without a socket. The REST gateway calls methods through it, so its calls go
// through the same interceptors as those of a gRPC client.
type conn struct{ server *Server }

var _ grpc.ClientConnInterface = conn{}

// Invoke calls a method. Messages are passed without copying their content: the caller must not use args again.
func (c conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	handler, ok := c.server.methods[method]
	if !ok {
		return status.Errorf(codes.Unimplemented, "the method %s does not exist", method)
	}
	sent, _ := metadata.FromOutgoingContext(ctx)
	ctx = metadata.NewIncomingContext(metadata.NewOutgoingContext(ctx, nil), sent)
	answer, err := handler(nil, ctx, func(request any) error { return hand(request, args) }, c.server.intercept)
	if err != nil {
		return err
	}
	return hand(reply, answer)
}

// NewStream fails, because no method of an API streams.
func (c conn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "streams are served over gRPC only")
}

// hand sets a message to another one. Both share their content.
func hand(to, from any) error {
	dst, isMessage := to.(proto.Message)
	src, ok := from.(proto.Message)
	if !isMessage || !ok || dst.ProtoReflect().Descriptor() != src.ProtoReflect().Descriptor() {
		return fmt.Errorf("a %T cannot be passed as a %T", from, to)
	}
	proto.Reset(dst)
	src.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		dst.ProtoReflect().Set(field, value)
		return true
	})
	return nil
}
