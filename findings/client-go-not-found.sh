#!/usr/bin/env bash
# client-go v0.35.7, apimachinery v0.35.7, Go 1.26
#
# Expected: apierrors.IsNotFound says that the API server has no such object. Its documentation: the error was created by NewNotFound.
#
# Observed: it is true for every answer with the status 404, also for the page of a proxy or a load balancer before the API server that has
# lost its backend or a route. The error says "the server could not find the requested resource". Only the cause
# UnexpectedServerResponse in its details, or apierrors.IsUnexpectedServerError, distinguishes it from the API server's own answer, which
# names the object.
#
# Relevant for a controller, or a backend, that takes an object which is not found for one that was deleted, and makes it again or gives up
# what it stood for: an outage of a proxy looks as if all objects had vanished. The usual way to write it is `if apierrors.IsNotFound(err)`.
set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cd "$work"

cat > main.go <<'END'
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// answer is what the API server answers if there is no such Job.
func answer(w http.ResponseWriter, _ *http.Request) {
	status := apierrors.NewNotFound(schema.GroupResource{Group: "batch", Resource: "jobs"}, "work").ErrStatus
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(int(status.Code))
	if err := json.NewEncoder(w).Encode(status); err != nil {
		log.Fatal(err)
	}
}

func main() {
	same := true
	for _, c := range []struct {
		name       string
		server     http.Handler
		unexpected bool
	}{{"API server", http.HandlerFunc(answer), false}, {"proxy", http.NotFoundHandler(), true}} {
		server := httptest.NewServer(c.server)
		client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
		if err != nil {
			log.Fatal(err)
		}
		_, err = client.BatchV1().Jobs("default").Get(context.Background(), "work", metav1.GetOptions{})
		server.Close()
		fmt.Printf("%-10s IsNotFound %t, IsUnexpectedServerError %t: %v\n",
			c.name, apierrors.IsNotFound(err), apierrors.IsUnexpectedServerError(err), err)
		same = same && apierrors.IsNotFound(err) && apierrors.IsUnexpectedServerError(err) == c.unexpected
	}
	if !same {
		fmt.Println("CHANGED")
		os.Exit(1)
	}
	fmt.Println("as stated")
}
END
go mod init example.org/finding 2> init.log
go get k8s.io/client-go@v0.35.7 k8s.io/apimachinery@v0.35.7 k8s.io/api@v0.35.7 > get.log 2>&1 || { cat get.log; exit 2; }
go mod tidy > tidy.log 2>&1 || { cat tidy.log; exit 2; }
go run .
