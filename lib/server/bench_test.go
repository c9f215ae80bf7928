package server_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// BenchmarkCall times an empty call: by gRPC's own server on its own listener, which is the measure, then
// through the server by gRPC and by REST.
func BenchmarkCall(b *testing.B) {
	f := echoing()
	invoke := func(b *testing.B, c grpc.ClientConnInterface) {
		api := protov1.NewBaktaJobsClient(c)
		for b.Loop() {
			if _, err := api.Version(b.Context(), &protov1.Empty{}); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("grpc.Server", func(b *testing.B) {
		server := grpc.NewServer()
		protov1.RegisterBaktaJobsServer(server, f)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		go func() { _ = server.Serve(listener) }()
		defer server.Stop()
		conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		invoke(b, conn)
	})
	s := serve(b, server.Options{Log: server.NewLogger(io.Discard, slog.LevelInfo)}, func(s *server.Server) error {
		return s.Serve(apiv1.API(), f, all()...)
	})
	b.Run("server by gRPC", func(b *testing.B) { invoke(b, s.grpc) })
	for name, protocol := range map[string]func(*http.Protocols){"server by REST over HTTP 1": http1, "server by REST over HTTP 2": h2c} {
		b.Run(name, func(b *testing.B) {
			c := client(b, protocol)
			for b.Loop() {
				if got := send(b, c, "GET", s.url+"/api/v1/version", ""); got.status != http.StatusOK {
					b.Fatal(got.status)
				}
			}
		})
	}
}

// BenchmarkReadJSON times reading a list of 100 jobs.
func BenchmarkReadJSON(b *testing.B) {
	body := []byte(`{"jobs":[` + strings.Repeat(`{"jobID":"0fd48a1c-6fc0-4d9d-8a3c-3c2ae83a2a2d",`+
		`"secret":"FmZUzJ6Y0example0example0KZw2Qr8"},`, 99) + `{}]}`)
	for b.Loop() {
		if err := apiv1.API().JSON.Unmarshal(body, new(protov1.JobStatusRequestList)); err != nil {
			b.Fatal(err)
		}
	}
}
