package client_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/client"
	protov1 "github.com/ag-computational-bio/bakta-web-backend/proto/v1"
)

// A genome is annotated in five calls.
func Example() {
	ctx := context.Background()
	c, err := client.New("http://127.0.0.1:8080", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	genome, err := client.FileContent("genome.fna")
	if err != nil {
		log.Fatal(err)
	}
	created, err := c.Init(ctx, "my genome", protov1.RepliconTableType_TSV)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Upload(ctx, created.Genome, genome, nil); err != nil {
		log.Fatal(err)
	}
	if err := c.Start(ctx, created.Job, &protov1.JobConfig{Genus: "Escherichia", Species: "coli"}); err != nil {
		log.Fatal(err)
	}
	status, err := c.Wait(ctx, created.Job, 2*time.Second, func(s client.Status, err error) { fmt.Println(s.State, err) })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended as", status.State)
	result, err := c.Result(ctx, created.Job) // the error says why a job failed
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.Download(ctx, result.Files["GFF3"], "genome.gff3", nil); err != nil {
		log.Fatal(err)
	}
}
