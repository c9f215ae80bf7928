package config_test

import (
	"fmt"
	"log"
	"os"

	"github.com/ag-computational-bio/bakta-web-backend/lib/config"
)

// A function loads its configuration once, when it starts, and names the services that it uses.
func ExampleLoad() {
	path, err := config.PathFrom("submit", []string{"-c", "../../config/config.yaml"}, os.Stderr)
	if err != nil {
		log.Fatal(err)
	}
	secrets := map[string]string{"MongoPassword": "p", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
	cfg, warnings, err := config.Load(path, func(name string) string { return secrets[name] }, config.Mongo, config.S3Store)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(warnings), cfg.Retention, cfg.Job.Memory.Limit, cfg.Objectstorage.S3.SecretKey)
	// Output: 0 720h0m0s 4000Mi [secret]
}
