package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/ag-computational-bio/bakta-web-backend/lib/job"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server"
	"github.com/ag-computational-bio/bakta-web-backend/lib/server/cloudevent"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
	"github.com/ag-computational-bio/bakta-web-backend/proto/v1/apiv1"
)

// versions is a function that serves two methods of the API.
type versions struct {
	protov1.UnimplementedBaktaJobsServer // the methods that other functions serve
}

func (versions) Version(context.Context, *protov1.Empty) (*protov1.VersionResponse, error) {
	return &protov1.VersionResponse{ToolVersion: "1.12.2"}, nil
}

func (versions) JobResult(context.Context, *protov1.JobAuth) (*protov1.JobResultResponse, error) {
	return nil, job.Errorf(job.NotFound, "there is no such job")
}

func (versions) Event(_ context.Context, e event.Event) error {
	fmt.Println("event of type", e.Type())
	return nil
}

func Example() {
	srv, err := server.New(server.Options{Log: slog.New(slog.DiscardHandler), ReadEvent: cloudevent.Read})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := srv.Serve(apiv1.API(), versions{}, "Version", "JobResult"); err != nil {
		fmt.Println(err)
		return
	}
	if err := srv.Events("/events", versions{}.Event); err != nil {
		fmt.Println(err)
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- srv.Run(ctx, listener) }()

	api := "http://" + listener.Addr().String() + "/api/v1"
	show(http.Get(api + "/version"))
	show(http.Post(api+"/job/result", "application/json", nil))
	show(http.Post(api+"/job/init", "application/json", nil))
	show(http.Post("http://"+listener.Addr().String()+"/events", "application/cloudevents+json",
		strings.NewReader(`{"specversion":"1.0","id":"1","source":"/example","type":"example.happened"}`)))

	stop()
	fmt.Println("ended:", <-ended)
	// Output:
	// 200 {"toolVersion":"1.12.2","dbVersion":"","backendVersion":""}
	// 404 {"code":5,"message":"there is no such job","details":[]}
	// 501 {"code":12,"message":"InitJob is not served here; the request was sent to the wrong function","details":[]}
	// event of type example.happened
	// 204
	// ended: <nil>
}

func show(response *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", string(body))))
}
