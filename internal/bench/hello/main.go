// Command hello serves one line of text over HTTP/1 and HTTP/2 in clear text, on the port in the environment variable PORT.
// It is the floor for the start of the functions: a minimal program with a server.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{
		Addr:      "127.0.0.1:" + os.Getenv("PORT"),
		Protocols: protocols,
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }),
	}
	fmt.Fprintln(os.Stderr, server.ListenAndServe())
	os.Exit(1)
}
