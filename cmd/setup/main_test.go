package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ag-computational-bio/bakta-web-backend/internal/teststores"
)

// TestRefused: a store that refuses the credentials ends setup at once, with the store's own error.
func TestRefused(t *testing.T) {
	uri, database := teststores.Mongo(t)
	files := teststores.Bucket(t)
	wrong, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword("unknown", "x")
	for name, row := range map[string]struct{ uri, key, secret, want string }{
		"right credentials":     {uri, files.AccessKey, files.SecretKey, ""},
		"an unknown user":       {wrong.String(), files.AccessKey, files.SecretKey, "AuthenticationFailed"},
		"a wrong secret key":    {uri, files.AccessKey, "x", "setting up the S3 store"},
		"an unknown access key": {uri, "unknown", "x", "setting up the S3 store"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			text := fmt.Sprintf("Objectstorage: {S3: {UserBucket: %q, Endpoint: %q, Region: %q}}\nDatabase: {MongoDBName: %q}\n",
				files.Bucket, files.Endpoint, files.Region, database)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("MONGODB_URI", row.uri)
			t.Setenv("AWS_ACCESS_KEY_ID", row.key)
			t.Setenv("AWS_SECRET_ACCESS_KEY", row.secret)
			var output strings.Builder
			began := time.Now()
			err := realMain(t.Context(), slog.New(slog.NewTextHandler(&output, nil)), []string{"-c", file})
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(fmt.Sprintf("%v %s", err, &output), row.want)) {
				t.Errorf("%v\n%s", err, &output)
			}
			if strings.Contains(output.String(), "does not answer yet") {
				t.Errorf("it waited, for %v:\n%s", time.Since(began), &output)
			}
			t.Log(err, time.Since(began))
		})
	}
}
