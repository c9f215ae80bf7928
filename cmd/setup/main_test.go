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

// A store that is there and refuses who asks ends the set-up at once, with the store's own words; one that takes it is
// set up, as often as one likes.
func TestRefused(t *testing.T) {
	uri, database := teststores.Mongo(t)
	files := teststores.Bucket(t)
	wrong, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword("nobody", "x")
	for name, row := range map[string]struct{ uri, secret, want string }{
		"as it should be":         {uri, files.SecretKey, ""},
		"another database's user": {wrong.String(), files.SecretKey, "AuthenticationFailed"},
		"another storage's key":   {uri, "x", "the object storage"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			text := fmt.Sprintf("Objectstorage: {S3: {UserBucket: %q, Endpoint: %q, Region: %q}}\nDatabase: {MongoDBName: %q}\n",
				files.Bucket, files.Endpoint, files.Region, database)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Setenv("MONGODB_URI", row.uri)
			t.Setenv("AWS_ACCESS_KEY_ID", files.AccessKey)
			t.Setenv("AWS_SECRET_ACCESS_KEY", row.secret)
			var said strings.Builder
			began := time.Now()
			err := realMain(t.Context(), slog.New(slog.NewTextHandler(&said, nil)), []string{"-c", file})
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(fmt.Sprintf("%v %s", err, &said), row.want)) {
				t.Errorf("%v\n%s", err, &said)
			}
			if strings.Contains(said.String(), "not yet") {
				t.Errorf("it waited, for %v:\n%s", time.Since(began), &said)
			}
			t.Log(err, time.Since(began))
		})
	}
}
