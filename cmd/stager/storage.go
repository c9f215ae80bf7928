package main

import (
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage"
	"github.com/ag-computational-bio/bakta-web-backend/lib/stage/stager"
	"github.com/ag-computational-bio/bakta-web-backend/lib/store/s3"
)

// storage returns the S3 store. It makes no network call.
func storage(s stager.Storage) (stage.Files, error) {
	return s3.New(s3.Options{
		Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket, BaseKey: s.BaseKey, VirtualHosted: s.VirtualHosted,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey,
	})
}
