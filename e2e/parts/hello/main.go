// Command hello is the smallest service that answers all that our functions answer: HTTP, gRPC (the health service)
// and CloudEvents on one cleartext port. It is the floor that they are measured against, and what shows that the
// cluster works. As `hello get URL...` it is a client, for pods.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	var err error
	if len(os.Args) > 2 && os.Args[1] == "get" {
		err = get(os.Args[2:])
	} else {
		err = serve()
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

// get prints what each URL answers.
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
