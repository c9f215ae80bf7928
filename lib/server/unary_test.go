package server_test

import (
	"bytes"
	"context"
	bits "encoding/binary"
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// posted posts a gRPC request as it is, and returns the status of HTTP and that of gRPC.
func posted(t *testing.T, s *running, body []byte, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		s.url+protov1.BaktaJobs_InitJob_FullMethodName,
		bytes.NewReader(body),
	)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := client(t, h2c).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	code := response.Trailer.Get("Grpc-Status")
	if code == "" {
		code = response.Header.Get("Grpc-Status")
	}
	return response.StatusCode, code
}

// TestUnaryIsAsGRPC sends requests that are not right to the server's own code, and to that of gRPC, which answers all calls with binary
// metadata. Both answer alike.
func TestUnaryIsAsGRPC(t *testing.T) {
	t.Parallel()
	f := echoing()
	echo := f.init
	f.init = func(ctx context.Context, r *protov1.InitJobRequest) (*protov1.InitJobResponse, error) {
		if err := ctx.Err(); err != nil { // gRPC answers what came first, this or the end of the time
			return nil, status.FromContextError(err).Err()
		}
		return echo(ctx, r)
	}
	s := serve(t, server.Options{MaxBody: 1000}, func(s *server.Server) error { return s.Serve(apiv1.API(), f, all()...) })
	content, err := proto.Marshal(&protov1.InitJobRequest{Name: "a genome"})
	if err != nil {
		t.Fatal(err)
	}
	framed := func(compressed byte, length int, content []byte) []byte {
		return append(bits.BigEndian.AppendUint32([]byte{compressed}, uint32(length)), content...)
	}
	right := framed(0, len(content), content)
	for name, row := range map[string]struct {
		body    []byte
		headers []string
		http    int
		code    string
	}{
		"right":                   {right, nil, 200, "0"},
		"with its encoding":       {right, []string{"Grpc-Encoding", "identity"}, 200, "0"},
		"of protobuf":             {right, []string{"Content-Type", "application/grpc+proto"}, 200, "0"},
		"with a time limit":       {right, []string{"Grpc-Timeout", "1M"}, 200, "0"},
		"with a long time limit":  {right, []string{"Grpc-Timeout", "99999999H"}, 200, "0"},
		"out of time":             {right, []string{"Grpc-Timeout", "0n"}, 200, "4"},
		"with an odd time limit":  {right, []string{"Grpc-Timeout", "1x"}, 400, ""},
		"with a huge time limit":  {right, []string{"Grpc-Timeout", "123456789S"}, 400, ""},
		"with a short time limit": {right, []string{"Grpc-Timeout", "S"}, 400, ""},
		"empty":                   {framed(0, 0, nil), nil, 200, "0"},
		"no message":              {nil, nil, 200, "13"},
		"half a prefix":           {right[:3], nil, 200, "13"},
		"half a message":          {right[:len(right)-2], nil, 200, "13"},
		"two messages":            {append(right, right...), nil, 200, "13"},
		"one and a half":          {append(right, right[:7]...), nil, 200, "13"},
		"too long":                {framed(0, 1001, bytes.Repeat([]byte{0}, 1001)), nil, 200, "8"},
		"claims to be long":       {framed(0, 1<<31, content), nil, 200, "8"},
		"compressed":              {framed(1, len(content), content), nil, 200, "13"},
		"not protobuf":            {framed(0, 3, []byte{0xff, 0xff, 0xff}), nil, 200, "13"},
		"of an unknown encoding":  {right, []string{"Grpc-Encoding", "snappy"}, 200, "12"},
		"of another kind":         {right, []string{"Content-Type", "application/grpc+other"}, 200, "0"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, by := range []string{"here", "gRPC"} {
				headers := row.headers
				if by == "gRPC" {
					headers = append([]string{"Any-Bin", "AAAA"}, headers...)
				}
				if code, grpc := posted(t, s, row.body, headers...); code != row.http || grpc != row.code {
					t.Errorf("answered by %s: HTTP %d, gRPC %q, want %d and %q", by, code, grpc, row.http, row.code)
				}
			}
		})
	}
}

// TestUnaryMessages: texts, compression, metadata and long messages, by a gRPC client, whichever code answers.
func TestUnaryMessages(t *testing.T) {
	t.Parallel()
	f := echoing()
	long := strings.Repeat("Bäcker ", 20_000)
	var seen metadata.MD
	f.init = func(ctx context.Context, r *protov1.InitJobRequest) (*protov1.InitJobResponse, error) {
		seen, _ = metadata.FromIncomingContext(ctx)
		if r.GetName() == "fail" {
			return nil, job.Errorf(job.Invalid, "100 %% of\n„Bäcker“\x7f")
		}
		return &protov1.InitJobResponse{UploadLinkFasta: r.GetName()}, nil
	}
	s := serveJobs(t, f)
	api := protov1.NewBaktaJobsClient(s.grpc)
	for name, row := range map[string]struct {
		more    []string
		options []grpc.CallOption
	}{"plain": {}, "binary": {more: []string{"any-bin", "\x00\xff"}}, "compressed": {options: []grpc.CallOption{grpc.UseCompressor("gzip")}}} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), append([]string{"x-some", "1", "x-some", "2"}, row.more...)...)
		for _, text := range []string{"", "short", long} {
			r, err := api.InitJob(ctx, &protov1.InitJobRequest{Name: text}, row.options...)
			if err != nil || r.GetUploadLinkFasta() != text {
				t.Errorf("%s: %d bytes, %v, want %d", name, len(r.GetUploadLinkFasta()), err, len(text))
			}
			if got := seen.Get("x-some"); len(got) != 2 || got[1] != "2" || len(seen.Get(":authority")) != 1 || len(seen.Get("content-type")) != 1 {
				t.Errorf("%s: the metadata are %v", name, seen)
			}
		}
		_, err := api.InitJob(ctx, &protov1.InitJobRequest{Name: "fail"}, row.options...)
		if st := status.Convert(err); st.Code() != codes.InvalidArgument || st.Message() != "100 % of\n„Bäcker“\x7f" {
			t.Errorf("%s: %s %q", name, st.Code(), st.Message())
		}
	}
}
