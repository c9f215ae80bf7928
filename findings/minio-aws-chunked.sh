#!/usr/bin/env bash
# minio-go v7.4.1 with versitygw v1.8.0, Go 1.26, curl 7.88 or newer
#
# Expected: an object that is stored without an encoding is served without one.
#
# Observed: over plain HTTP minio-go's PutObject signs the content in chunks and sends "Content-Encoding: aws-chunked", the name of
# that framing. versitygw removes the framing from the content, but keeps its name as an encoding of the object. So a client
# downloads plain content that claims to be encoded, in a way that no client supports: "curl --compressed" stops and prints nothing.
# With DisableContentSha256 and the content's checksum (Core.PutObject) no framing is used.
#
# Relevant for a backend that stores objects within its own network, over plain HTTP, and hands out links to them: curl without
# --compressed does not show the problem, and objects that are stored so remain so.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
curl --version | head -n 1 | cut -d ' ' -f 1,2

cat > main.go <<'END'
package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

const access, secret, bucket, content = "access", "a-secret-key", "results", "a plain result\n"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// serve starts a store below the directory and returns its socket.
func serve(dir string) string {
	for _, name := range []string{"buckets", "attributes"} {
		check(os.Mkdir(dir+"/"+name, 0o700))
	}
	attributes, err := meta.NewSideCar(dir + "/attributes")
	check(err)
	store, err := posix.New(dir+"/buckets", attributes, posix.PosixOpts{SideCarDir: dir + "/attributes"})
	check(err)
	socket, listening := dir+"/socket", make(chan struct{})
	go func() {
		check(embedgw.RunVersityGW(context.Background(), store, &embedgw.Config{
			RootUserAccess: access, RootUserSecret: secret, Ports: []string{socket}, Quiet: true,
			MaxConnections: 10, MaxRequests: 10, MultipartMaxParts: 100,
			IAMService: auth.NewIAMServiceSingle(auth.Account{Access: access, Secret: secret, Role: auth.RoleAdmin}),
			S3Options:  []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		}))
	}()
	<-listening
	return socket
}

func main() {
	socket, ctx := serve(os.Args[1]), context.Background()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	core, err := minio.NewCore("localhost", &minio.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Region: "us-east-1", Transport: transport,
	})
	check(err)
	check(core.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}))

	same := true
	for _, key := range []string{"default", "checksum"} {
		if key == "default" {
			_, err = core.Client.PutObject(ctx, bucket, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
		} else {
			sum := sha256.Sum256([]byte(content))
			_, err = core.PutObject(ctx, bucket, key, strings.NewReader(content), int64(len(content)), "", hex.EncodeToString(sum[:]),
				minio.PutObjectOptions{DisableContentSha256: true})
		}
		check(err)
		link, err := core.PresignedGetObject(ctx, bucket, key, time.Hour, nil)
		check(err)
		answer, err := (&http.Client{Transport: transport}).Get(link.String())
		check(err)
		answer.Body.Close()
		encoding := answer.Header.Get("Content-Encoding")
		plain, plainStatus := curl(socket, link.String())
		decoded, status := curl(socket, "--compressed", link.String())
		fmt.Printf("%-8s Content-Encoding %q; curl: %q, exit status %d; curl --compressed: %q, exit status %d\n",
			key, encoding, plain, plainStatus, decoded, status)
		same = same && plain == content && plainStatus == 0
		if key == "default" {
			// 61 is curl's CURLE_BAD_CONTENT_ENCODING.
			same = same && encoding == "aws-chunked" && decoded == "" && status == 61
		} else {
			same = same && encoding == "" && decoded == content && status == 0
		}
	}
	if !same {
		fmt.Println("CHANGED")
		os.Exit(1)
	}
	fmt.Println("as stated")
}

// curl returns what curl has of a link, and its exit status.
func curl(socket string, args ...string) (string, int) {
	out, err := exec.Command("curl", append([]string{"-s", "--noproxy", "*", "--unix-socket", socket}, args...)...).Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		log.Fatal(err)
	} else if err != nil {
		return string(out), exit.ExitCode()
	}
	return string(out), 0
}
END
go mod init example.org/finding 2> init.log
go get github.com/minio/minio-go/v7@v7.4.1 github.com/versity/versitygw@v1.8.0 > get.log 2>&1 || { cat get.log; exit 2; }
go build -mod=mod -o finding . > build.log 2>&1 || { cat build.log; exit 2; }
./finding "$work" | grep -v "^Using sidecar"
