// Command hello serves one line of text over HTTP/1 and HTTP/2 in clear text, on the port that the environment's
// PORT names. No program that serves is ready sooner, so it is the floor of the functions' start.
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
