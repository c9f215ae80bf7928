// Module e2e holds the test cluster and what is tested on it.
module github.com/ag-computational-bio/bakta-web-backend/e2e

go 1.26.0

require (
	github.com/google/go-containerregistry v0.21.7
	github.com/spf13/cobra v1.10.2
	golang.org/x/sys v0.49.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/klauspost/compress v1.18.6 // indirect
	github.com/opencontainers/go-digest v1.0.0 // indirect
	github.com/opencontainers/image-spec v1.1.1 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
)
