// Command hello is a minimal service with the protocols of our functions: HTTP, gRPC (the health service) and CloudEvents
// on one cleartext port. It is the floor of their measurements, and it tests the cluster. It also contains clients:
// `hello get URL...`, and `hello check ADDRESS HOST`, which calls the health service at an address with the name of a host.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 0:
		err = serve()
	case len(args) > 1 && args[0] == "get":
		err = get(args[1:])
	case len(args) == 3 && args[0] == "check":
		err = check(args[1], args[2])
	default:
		err = fmt.Errorf("usage: hello [get URL... | check ADDRESS HOST]")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	rpc := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(rpc, health.NewServer())
	server := http.Server{
		Addr:              ":" + os.Getenv("PORT"),
		ReadHeaderTimeout: 10 * time.Second,
		Protocols:         new(http.Protocols),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc"):
				rpc.ServeHTTP(w, r)
			case r.Header.Get("Ce-Type") != "":
				event(w, r)
			default:
				fmt.Fprintf(w, "hello, %s asked by %s\n", r.Host, r.Proto)
			}
		}),
	}
	if server.Addr == ":" {
		server.Addr = ":8080"
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	return server.ListenAndServe()
}

// event logs a CloudEvent in binary mode on one line.
func event(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	log.Printf("event type=%s source=%s subject=%s id=%s body=%q",
		r.Header.Get("Ce-Type"), r.Header.Get("Ce-Source"), r.Header.Get("Ce-Subject"), r.Header.Get("Ce-Id"), body)
	w.WriteHeader(http.StatusNoContent)
}

// get prints the response of each URL.
func get(urls []string) error {
	client := http.Client{Timeout: time.Minute}
	for _, url := range urls {
		resp, err := client.Get(url)
		if err != nil {
			return err
		}
		fmt.Println(url, resp.Status)
		_, err = io.Copy(os.Stdout, resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if resp.StatusCode/100 != 2 {
			return fmt.Errorf("GET %s: %s", url, resp.Status)
		}
	}
	return nil
}

// check prints the status of the health service, from a single call and from the first message of a stream.
func check(address, host string) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithAuthority(host), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client := grpc_health_v1.NewHealthClient(conn)
	answer, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	stream, err := client.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	fmt.Println(answer.GetStatus(), first.GetStatus())
	return nil
}
