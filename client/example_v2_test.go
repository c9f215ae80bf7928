package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
)

// Proteins are annotated by the second version of the API.
func ExampleV2() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:8080", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	v2 := c.V2()
	proteins, err := client.FileContent("proteins.faa")
	if err != nil {
		log.Fatal(err)
	}
	made, err := v2.Init(ctx, "bakta_proteins", "my proteins")
	if err != nil {
		log.Fatal(err)
	}
	for _, link := range made.Uploads { // there is one
		if err := v2.Upload(ctx, link, proteins, nil); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := v2.Start(ctx, made.Job, made.Workflow, client.Config{}); err != nil {
		log.Fatal(err)
	}
	if _, err := v2.Wait(ctx, made.Job, 2*time.Second, nil); err != nil {
		log.Fatal(err)
	}
	stages, err := v2.Logs(ctx, made.Job)
	if err != nil {
		log.Fatal(err)
	}
	for _, stage := range stages {
		fmt.Println(stage.Stage, stage.Status)
	}
	result, err := v2.Result(ctx, made.Job, false) // the error says why a job failed
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Download(ctx, result.Files["tsv"], "proteins.tsv", nil); err != nil {
		log.Fatal(err)
	}
}
